"""Checks of arguments: whole numbers, shares, numbers above a bound, and arrays; all refuse in the same words."""

from __future__ import annotations

import math
import re
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, TypeVar

from collapse_guard.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

TextsT = TypeVar("TextsT")

METRIC_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
"""Names that are safe in a policy file, on the command line and as an MLflow metric."""
METRIC_NAME_RULE = "letters, digits, `_`, `.` and `-`, at most 100, the first a letter or a digit"
"""The same in words."""


def whole(name: str, value: Any, *, least: int) -> int:
    """A whole number of at least `least`; raises InputError.

    Example:
        >>> whole("lineages", 3, least=1)
        3
    """
    if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
        raise InputError(f"`{name}` must be a whole number of at least {least}, but got {value!r}: give such a number")
    return int(value)


def is_number(value: Any) -> bool:
    """Whether it is a real number: a bool is none."""
    return isinstance(value, Real) and not isinstance(value, bool)


def above(name: str, value: Any, low: float) -> float:
    """A finite number above `low`; raises InputError.

    Example:
        >>> above("exponent", 2, 1.0)
        2.0
    """
    if not is_number(value) or not low < float(value) < math.inf:
        raise InputError(f"`{name}` must be a finite number above {low:g}, but got {value!r}: give a larger one")
    return float(value)


def share(name: str, value: Any) -> float:
    """A number from 0 to 1; raises InputError.

    Example:
        >>> share("real_share", 0.1)
        0.1
    """
    return between(name, value, 0.0, 1.0, what="share", advice="give 0.1 for a tenth")


def between(name: str, value: Any, low: float, high: float, *, what: str, advice: str) -> float:
    """A number from `low` to `high`, both included; raises InputError that ends with the advice.

    Example:
        >>> between("near", 0.8, 0.1, 1.0, what="similarity", advice="0.8 is usual")
        0.8
    """
    if not is_number(value) or not low <= float(value) <= high:
        raise InputError(f"`{name}` must be a {what} from {low:g} to {high:g}, but got {value!r}: {advice}")
    return float(value)


def several(name: str, texts: TextsT) -> TextsT:
    """Several texts; raises InputError for one str, whose letters would be read as texts.

    Example:
        >>> several("texts", ["We the people"])
        ['We the people']
    """
    if isinstance(texts, str):
        raise InputError(f"`{name}` must be a sequence of texts, but got one str: wrap it in a list")
    return texts


def utf8(what: str, text: str) -> bytes:
    """The bytes of a text; raises InputError where it has none.

    Example:
        >>> utf8("`text`", "war")
        b'war'
    """
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise InputError(
            f"{what} must have a UTF-8 form, but got a lone surrogate at {error.start}: decode with errors='replace'"
        ) from error


def numbers(name: str, values: Any, *, least: float = -math.inf, most: float = math.inf) -> npt.NDArray[np.float64]:
    """Finite numbers from `least` to `most`, of any shape; raises InputError.

    Example:
        >>> numbers("samples", [2, 3.5], least=1.0).tolist()
        [2.0, 3.5]
    """
    import numpy as np  # here, so that the command line answers `--help` without it

    required = f"`{name}` must hold finite numbers{_range(least, most)}"
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise InputError(f"{required}, but got rows of unequal length: make them equally long") from error
    if array.size and array.dtype.kind not in "iuf":
        raise InputError(f"{required}, but got {values!r:.80}: give such numbers")
    array = array.astype(np.float64)
    bad = array[~(np.isfinite(array) & (array >= least) & (array <= most))]
    if bad.size:
        raise InputError(f"{required}, but got {bad[0]:g}: give such numbers")
    return array


def _range(least: float, most: float) -> str:
    bounds = [f"at {word} {bound:g}" for word, bound in (("least", least), ("most", most)) if math.isfinite(bound)]
    return f" of {' and '.join(bounds)}" if bounds else ""
