"""Indicators: one package per family, each indicator a pure function that holds the formula and a Metric class over it.

`from collapse_guard.indicators import Vendi, vendi` loads what is named and nothing else: the catalogue must not cost
an import of torch. `registry.names` lists the names of indicators, `base.all_indicators` their classes.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from collapse_guard.errors import near
from collapse_guard.indicators import registry

if TYPE_CHECKING:
    from collapse_guard.indicators.base import Indicator as Indicator
    from collapse_guard.indicators.distance import *
    from collapse_guard.indicators.diversity import *
    from collapse_guard.indicators.genetics import *
    from collapse_guard.indicators.likelihood import *
    from collapse_guard.indicators.novelty import *
    from collapse_guard.indicators.rates import Rates as Rates
    from collapse_guard.indicators.rates import ScoredDocuments as ScoredDocuments
    from collapse_guard.indicators.registry import register as register
    from collapse_guard.indicators.registry import unregister as unregister
    from collapse_guard.indicators.reverse import *
    from collapse_guard.indicators.samples import *
    from collapse_guard.indicators.spread import *
    from collapse_guard.indicators.tails import *

_HOMES = {"Indicator": "base", "Rates": "rates", "ScoredDocuments": "rates"}
_HOMES |= dict.fromkeys(("register", "unregister"), "registry")
_HOMES |= dict.fromkeys(("TextGroup", "TokenGroup", "VectorGroup", "WordGroup"), "samples")


def __getattr__(name: str) -> Any:
    """Load an indicator, its pure function, or what one needs to write another."""
    home = f"{__name__}.{_HOMES[name]}" if name in _HOMES else registry.homes().get(name)
    if home is None or name.startswith("_"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}: {near(name, __dir__())}")
    value = getattr(importlib.import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*_HOMES, *registry.homes()})
