"""The wild type: real data, frozen and fingerprinted, with the instruments that measure every generation."""

from collapse_guard.wildtype.reference import WildType

__all__ = ["WildType"]
