"""The commands of `collapse-guard`, one file each and named after its command."""
