"""The readings of a lineage in few bytes: all that decisions need, rounded far below its noise.

Losses of the same documents are kept as differences from the founder's, because they are compared with nothing else, in
two thirds of the standard deviation of such a difference: that adds four percent to its variance. The founder's own are
kept in steps four times as wide. Values of groups are kept in fifths of the standard deviation between groups. What
does not vary is kept once.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from collapse_guard.records import Reading

Json = dict[str, Any]
Numbers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Generations = Sequence[Mapping[str, Reading]]
OF_DOCUMENTS, OF_GROUPS = 1.5, 5.0
"""Steps in a standard deviation."""
OF_FOUNDERS = 4
"""Steps that are one step of a founder's losses."""
SHOWN, DIGITS = ("value", "parts", "interval"), 5
"""What is known far worse than to five digits, and these digits."""


def packed(generations: Generations) -> tuple[Json, Numbers]:
    """What readings are, by name, and the whole numbers that stand for their replicates."""
    names = dict.fromkeys(name for readings in generations for name in readings)
    known: dict[str, list[Reading]] = {}
    about, numbers = {}, [np.zeros(0, np.int64)]
    for name in names:
        present = [index for index, readings in enumerate(generations) if name in readings]
        readings = [generations[index][name] for index in present]
        body, found = _of_one(readings, known)
        about[name] = {"present": present, **body}
        numbers.append(found)
        known[name] = readings
    return about, np.concatenate(numbers)


def unpacked(about: Json, numbers: Numbers, n_generations: int) -> list[dict[str, Reading]]:
    """The readings of each generation."""
    generations: list[dict[str, Reading]] = [{} for _ in range(n_generations)]
    for name, body in about.items():
        n = _length(body["replicates"])
        own, numbers = numbers[:n], numbers[n:]
        replicates = _values(body, own, generations)
        for place, index in enumerate(body["present"]):
            fields = body["fixed"] | {field: values[place] for field, values in body["varying"].items()}
            generations[index][name] = Reading.from_dict(fields | {"replicates": replicates[place]})
    return generations


def _of_one(readings: Sequence[Reading], known: Mapping[str, Sequence[Reading]]) -> tuple[Json, Numbers]:
    bodies = [one.to_dict() for one in readings]
    for body in bodies:
        body.pop("replicates", None)
        body.update({field: _rounded(body[field]) for field in SHOWN if field in body})
    fixed = {field: value for field, value in bodies[0].items() if all(body.get(field) == value for body in bodies)}
    fields = dict.fromkeys(field for body in bodies for field in body if field not in fixed)
    varying = {field: [body.get(field) for body in bodies] for field in fields}
    how, numbers = _of_replicates(readings, known)
    return {"fixed": fixed, "varying": varying, "replicates": how}, numbers


def _rounded(value: Any) -> Any:
    if isinstance(value, list):
        return [_rounded(one) for one in value]
    if isinstance(value, dict):
        return {key: _rounded(one) for key, one in value.items()}
    return float(f"{value:.{DIGITS}g}") if isinstance(value, float) and math.isfinite(value) else value


def _of_replicates(readings: Sequence[Reading], known: Mapping[str, Sequence[Reading]]) -> tuple[Json, Numbers]:
    """How replicates are kept, and the numbers that stand for them."""
    for other, theirs in known.items():
        if _is_part_of(readings, theirs):
            return {"as": other}, np.zeros(0, np.int64)
        factors = _factors(readings, theirs)
        if factors is not None:
            return {"contrast": other, "factors": factors}, np.zeros(0, np.int64)
    values = [np.array(one.replicates) for one in readings]
    if not all(len(one) and np.isfinite(one).all() for one in values):
        return {"exact": [list(one.replicates) for one in readings]}, np.zeros(0, np.int64)
    if len({one.keys for one in readings}) == 1 and readings[0].keys and len(readings) > 1:
        return _of_documents(np.stack(values))
    return _of_groups(values)


def _is_part_of(readings: Sequence[Reading], others: Sequence[Reading]) -> bool:
    """Whether all replicates are those that other readings have of the same documents."""
    if len(readings) != len(others):
        return False
    for one, other in zip(readings, others, strict=True):
        theirs = dict(zip(other.keys, other.replicates, strict=False))
        mine = zip(one.keys, one.replicates, strict=False)
        if not one.keys or len(one.keys) != len(one.replicates) or any(theirs.get(k) != x for k, x in mine):
            return False
    return True


def _factors(readings: Sequence[Reading], others: Sequence[Reading]) -> list[float] | None:
    """What each document's distance from the mean of all is multiplied by, where that gives all replicates."""
    same = ("keys", "weights")
    pairs = list(zip(readings, others, strict=False))
    if len(readings) != len(others) or any(getattr(a, name) != getattr(b, name) for a, b in pairs for name in same):
        return None
    if not readings[0].keys or len({one.keys for one in readings}) > 1:
        return None
    here, there = np.array([one.replicates for one in readings]), np.array([_centred(one) for one in others])
    if here.shape != there.shape or not (np.isfinite(here).all() and np.isfinite(there).all()):
        return None
    # A factor is told best where the distance is large.
    columns, rows = np.arange(there.shape[1]), np.abs(there).argmax(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        factors = here[rows, columns] / there[rows, columns]
    return [float(f"{factor:.6g}") for factor in factors] if np.allclose(here, factors * there, atol=1e-9) else None


def _centred(reading: Reading) -> Floats:
    replicates = np.array(reading.replicates)
    return np.asarray(replicates - np.average(replicates, weights=reading.weights or None))


def _of_documents(values: Floats) -> tuple[Json, Numbers]:
    """The founder's values, and the differences from them beyond what the generations before let expect."""
    step = float(np.std(values[1] - values[0])) / OF_DOCUMENTS or float(np.std(values)) / OF_DOCUMENTS**4 or 1.0
    differences = np.rint((values[1:] - values[0]) / step).astype(np.int64)
    kept = [np.rint(values[0] / step / OF_FOUNDERS).astype(np.int64)]
    kept += [row - _expected(differences[:t]) for t, row in enumerate(differences)]
    return {"step": step, "documents": values.shape}, np.concatenate(kept)


def _expected(before: Numbers) -> Numbers:
    """Of differences that share the founder's noise: their mean, drawn to 0 as one generation more would."""
    found: Numbers = np.rint(before.sum(axis=0) / (len(before) + 1)).astype(np.int64)
    return found


def _of_groups(values: Sequence[Floats]) -> tuple[Json, Numbers]:
    centred = np.concatenate([one - one.mean() for one in values])
    step = float(np.sqrt(np.mean(centred**2))) / OF_GROUPS
    if step == 0.0:
        return {"exact": [one.tolist() for one in values]}, np.zeros(0, np.int64)
    kept = []
    for one in values:
        steps = np.rint(one / step).astype(np.int64)
        level = round(float(steps.mean()))
        kept.append(np.append(level, steps - level))
    return {"step": step, "groups": [len(one) for one in values]}, np.concatenate(kept)


def _length(how: Json) -> int:
    """How many numbers stand for the replicates."""
    if "documents" in how:
        generations, documents = how["documents"]
        return int(generations * documents)
    return sum(size + 1 for size in how.get("groups", ()))


def _values(body: Json, numbers: Numbers, generations: Generations) -> Sequence[Sequence[float]]:
    """The replicates of each generation in which a reading is present."""
    how = body["replicates"]
    if "exact" in how:
        return list(how["exact"])
    if "documents" in how:
        return _values_of_documents(how["step"], numbers.reshape(how["documents"]))
    if "groups" in how:
        parts = np.split(numbers, np.cumsum([size + 1 for size in how["groups"]])[:-1])
        return [(how["step"] * (part[0] + part[1:])).tolist() for part in parts]
    present = body["present"]
    keys = body["varying"].get("keys") or [body["fixed"]["keys"]] * len(present)
    if "contrast" in how:
        return [(np.array(how["factors"]) * _centred(generations[i][how["contrast"]])).tolist() for i in present]
    theirs = [generations[index][how["as"]] for index in present]
    known = [dict(zip(one.keys, one.replicates, strict=True)) for one in theirs]
    return [[one[key] for key in wanted] for one, wanted in zip(known, keys, strict=True)]


def _values_of_documents(step: float, kept: Numbers) -> Sequence[Sequence[float]]:
    founder, differences = OF_FOUNDERS * kept[0], np.zeros_like(kept[1:])
    for t, row in enumerate(kept[1:]):
        differences[t] = row + _expected(differences[:t])
    return [(step * row).tolist() for row in (founder, *(founder + differences))]
