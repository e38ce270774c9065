"""The indicators that policies know are loaded here: `make mutants` forks a process of this one for each mutant."""

from collapse_guard.decision.policy import Policy

Policy()
