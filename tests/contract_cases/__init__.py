"""One case for each indicator: how the contract suite and the two-process tests speak to it.

A family's cases stand in the module of its name; an indicator without a case fails the contract.
"""

from importlib import import_module

from collapse_guard.indicators.registry import FAMILIES

CASES = {name: case for family in FAMILIES for name, case in import_module(f"contract_cases.{family}").CASES.items()}
"""Indicator name -> case."""
