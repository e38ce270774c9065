"""The commands of `collapse-guard`: one file per command, with its name."""
