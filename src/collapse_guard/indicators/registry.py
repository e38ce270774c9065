"""Which indicators there are: built-in ones, those of installed packages, and those that a user registers.

An indicator is built in because its class stands in a room of this package, so a new one needs no entry anywhere. Names
are read from the source and from the entry points of packages: naming an indicator must not cost an import of torch.
"""

from __future__ import annotations

import ast
import importlib
import math
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from pydantic import ValidationError

from collapse_guard.arguments import METRIC_NAME, METRIC_NAME_RULE
from collapse_guard.errors import InputError, near
from collapse_guard.records import Direction, EffectScale

if TYPE_CHECKING:
    from collapse_guard.indicators.base import Indicator

Registered = TypeVar("Registered", bound="type[Indicator]")

ENTRY_POINTS = "collapse_guard.indicators"
"""Group of entry points: the name of an indicator -> its class."""
FAMILIES = ("likelihood", "reverse", "diversity", "tails", "spread", "distance", "novelty", "genetics")
"""Rooms of built-in indicators, in the order in which people read them."""
DECLARATIONS = {
    "name": 'its name in readings, policies and MLflow, such as "mean_length"',
    "family": 'what it is listed under, such as "diversity"',
    "unit": 'the unit of its value, such as "tokens"',
    "direction": 'which way is collapse: "down", "up" or "both"',
    "value_range": "its smallest and largest possible value, such as (0.0, math.inf)",
    "minimum_n": "how many groups, documents or items a comparison needs at least",
    "evidence": "what it reads: one of losses, reverse, learning, outputs, tokens, words, texts, whole, prompts, "
    "vectors, columns, scores, lineage",
    "read": "the classmethod that computes it (`Indicator.read`)",
}
"""What an indicator must declare, and what each says."""

_registered: dict[str, type[Indicator]] = {}


class _Declared(NamedTuple):
    """A class of the rooms that declares a name."""

    family: str
    place: float
    module: str
    title: str


def names() -> tuple[str, ...]:
    """Names of all readings that `measure` can give, in the order in which people read them.

    Example:
        >>> names()[0]
        'perplexity'
    """
    return tuple(dict.fromkeys((*built_in(), *(entry.name for entry in _entries(tuple(sys.path))), *_registered)))


def built_in() -> dict[str, str]:
    """Name of each built-in indicator -> its family, in the order in which people read them.

    Example:
        >>> built_in()["vendi"]
        'spread'
    """
    return {name: declared.family for name, declared in _index()[0].items()}


def homes() -> dict[str, str]:
    """Public class or function of the rooms of indicators -> the module that defines it."""
    return _index()[1]


@cache
def built_in_classes() -> dict[str, type[Indicator]]:
    """Name of each built-in indicator -> its class, imported."""
    return {name: getattr(importlib.import_module(one.module), one.title) for name, one in _index()[0].items()}


def register(indicator: Registered) -> Registered:
    """Make an indicator known to policies, reports, MLflow, calibration and forecasts; a class decorator.

    A package that others install names its class in the entry point group `collapse_guard.indicators`, under the name
    of the indicator, and does without the decorator.

    Args:
        indicator: A subclass of `Indicator` with the class attributes of `DECLARATIONS`. `scale` says how readings are
            compared; by ratio, unless declared otherwise.

    Returns:
        The same class.

    Raises:
        InputError: A declaration is missing or cannot be, or the name is taken. The message names each of them. A class
            that is defined again, as in a notebook, takes the place of the earlier one.

    Example:
        >>> from collapse_guard import Indicator, register
        >>> @register
        ... class MeanLength(Indicator):
        ...     name, family, unit = "mean_length", "diversity", "tokens"
        ...     direction, value_range, minimum_n = "down", (0.0, math.inf), 5
        ...     evidence = "tokens"
        ...
        ...     @classmethod
        ...     def read(cls, group):
        ...         return sum(map(len, group.tokens)) / len(group.tokens)
        >>> "mean_length" in names()
        True
        >>> unregister("mean_length")
    """
    _check_class(indicator)
    holder = _registered.get(indicator.name)
    if indicator.name in built_in() or (holder and _path(holder) != _path(indicator)):
        where = _path(holder) if holder else f"{__package__}.{built_in()[indicator.name]}"
        raise InputError(
            f"`name` of the indicator {indicator.__name__} must be free, but {indicator.name!r} is taken by {where}: "
            "give it another name"
        )
    indicator.direction, indicator.scale = Direction(indicator.direction), EffectScale(indicator.scale)
    _registered[indicator.name] = indicator
    return indicator


def unregister(name: str) -> None:
    """Forget an indicator that was registered in this process, for example at the end of a test.

    Args:
        name: Its name. An indicator of an installed package is found again when indicators are next read.

    Raises:
        InputError: No indicator of this name was registered; built-in indicators stay.
    """
    if _registered.pop(name, None) is None:
        raise InputError(f"`name` must be a registered indicator, but got {name!r}: {near(name, _registered)}")


def from_outside() -> dict[str, type[Indicator]]:
    """Indicators that are not built in: name -> class, those of installed packages loaded.

    Raises:
        InputError: An entry point does not lead to an indicator of its name.
    """
    for entry in _entries(tuple(sys.path)):
        if entry.name not in _registered:
            _load(entry)
    return dict(_registered)


def _load(entry: EntryPoint) -> None:
    package = entry.dist.name if entry.dist else "an unknown package"
    what = f"the entry point `{entry.name}` of {package} in the group {ENTRY_POINTS}"
    try:
        indicator = register(entry.load())
    except (ImportError, AttributeError, InputError) as error:
        raise InputError(f"{what} must lead to an indicator, but {entry.value} does not: {error}") from error
    if indicator.name != entry.name:
        raise InputError(f"{what} must have the name of its indicator, but got {indicator.name!r}: rename one of them")


def _check_class(indicator: Any) -> None:
    from collapse_guard.indicators.base import Indicator

    if not (isinstance(indicator, type) and issubclass(indicator, Indicator)):
        raise InputError(f"`register` needs a subclass of Indicator, but got {indicator!r:.80}")
    missing = [name for name in DECLARATIONS if not hasattr(indicator, name)]
    if indicator.read.__func__ is Indicator.read.__func__:  # type: ignore[attr-defined]
        missing.append("read")
    if missing:
        what = "; ".join(f"`{name}`: {DECLARATIONS[name]}" for name in missing)
        raise InputError(f"the indicator {indicator.__name__} lacks {len(missing)} declarations. Add {what}")
    problems = list(_problems(indicator))
    if problems:
        raise InputError(f"the indicator {indicator.__name__}: {'; '.join(problems)}")


def _problems(indicator: type[Indicator]) -> Iterator[str]:
    from collapse_guard.indicators.base import KINDS, MINIMUM_GROUPS

    low, high = indicator.value_range
    smallest = MINIMUM_GROUPS if indicator.groups_of else 2
    if not METRIC_NAME.fullmatch(indicator.name):
        yield f"`name` must be {METRIC_NAME_RULE}, but got {indicator.name!r:.120}"
    if indicator.evidence not in KINDS:
        yield f"`evidence` must be one of {', '.join(KINDS)}, but got {indicator.evidence!r}"
    if not low < high:
        yield f"`value_range` must be its smallest and its largest value, but got {indicator.value_range!r}"
    if indicator.minimum_n < smallest:
        yield f"`minimum_n` must be at least {smallest}, but got {indicator.minimum_n!r}"
    if indicator.scale == "log_ratio" and low < 0.0:
        yield f'`scale` must be "absolute" where a value may be negative, but got {indicator.scale!r} from {low:g} on'
    try:
        indicator.reading(value=math.nan, n=0, n_minimum=indicator.minimum_n)
    except ValidationError as error:
        for fault in error.errors():
            yield f"`{fault['loc'][0]}`: {fault['msg']}, but got {fault['input']!r:.80}"


def _path(indicator: type[Indicator]) -> str:
    return f"{indicator.__module__}.{indicator.__qualname__}"


@cache
def _entries(_: tuple[str, ...]) -> tuple[EntryPoint, ...]:
    """Those of the packages on a search path; finding them takes milliseconds."""
    return tuple(entry_points(group=ENTRY_POINTS))


@cache
def _index() -> tuple[dict[str, _Declared], dict[str, str]]:
    """What the modules of the rooms declare under a name, in order, and where they define what, from their source."""
    declared: dict[str, _Declared] = {}
    homes = {}
    for family in FAMILIES:
        for path in sorted((Path(__file__).parent / family).glob("[!_]*.py")):
            module = f"{__package__}.{family}.{path.stem}"
            for node in ast.parse(path.read_text(encoding="utf-8")).body:
                if not isinstance(node, ast.ClassDef | ast.FunctionDef) or node.name.startswith("_"):
                    continue
                homes[node.name] = module
                constants = dict(_constants(node)) if isinstance(node, ast.ClassDef) else {}
                if "name" in constants:
                    place = constants.get("place", math.inf)
                    declared[constants["name"]] = _Declared(family, place, module, node.name)
    in_order = sorted(declared.items(), key=lambda one: (FAMILIES.index(one[1].family), one[1].place))
    return dict(in_order), homes


def _constants(node: ast.ClassDef) -> Iterator[tuple[str, Any]]:
    """Name -> value of the constants of a class, assigned one by one or several at once."""
    for statement in node.body:
        if isinstance(statement, ast.Assign):
            target, value = statement.targets[0], statement.value
            pairs: Iterable[tuple[ast.expr, ast.expr]] = [(target, value)]
            if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
                pairs = zip(target.elts, value.elts, strict=True)
            for name, constant in pairs:
                if isinstance(name, ast.Name) and isinstance(constant, ast.Constant):
                    yield name.id, constant.value
