"""Leaks of known size: what is found of them in training texts, and what comes of a founder with one."""
