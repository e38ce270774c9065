"""From comparisons to a verdict, by a policy, with reasons that a person can dispute."""
