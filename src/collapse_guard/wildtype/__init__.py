"""The wild type: real data, frozen and fingerprinted, with the instruments that every generation is measured by."""

from collapse_guard.wildtype.reference import WildType

__all__ = ["WildType"]
