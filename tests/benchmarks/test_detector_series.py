"""What the scored detector keeps of readings, and the file of all lineages: what comes back, and how far it is off."""

import importlib
import json
import math
import sys
import zipfile
from pathlib import Path

import numpy as np

from collapse_guard.records import Reading

FOLDER = Path(__file__).parents[2] / "benchmarks"
sys.path.insert(0, str(FOLDER))

archive, series = (importlib.import_module(f"detecting.{name}") for name in ("archive", "series"))


def reading_of(name, **parts):
    known = {"family": "diversity", "value": 0.5, "unit": "", "direction": "down", "n": 9, "n_minimum": 5}
    return Reading(indicator=name, **{**known, **parts})


class TestSeries:
    """What is kept of readings, and what it gives again."""

    def back(self, generations):
        about, numbers = series.packed(generations)
        return series.unpacked(json.loads(json.dumps(about)), numbers, len(generations))

    def test_all_but_replicates_and_the_last_digits_comes_back(self):
        parts = {
            "census": ((1, 4), (2, 1)),
            "smaller": (((1, 3),), ((1, 2),)),
            "different": 0.75,
            "group": "128 samples",
        }
        some = [
            {"a": reading_of("a", value=math.nan, problem="too few", n=3), "b": reading_of("b", **parts)},
            {"b": reading_of("b", **{**parts, "different": 1.0})},
            {"a": reading_of("a", value=1.23456789, parts=(0.1, 1 / 3)), "b": reading_of("b", **parts)},
        ]
        found = self.back(some)
        assert [list(readings) for readings in found] == [["a", "b"], ["b"], ["a", "b"]]
        assert found[0]["a"].model_dump_json() == some[0]["a"].model_dump_json()
        assert found[2]["a"] == some[2]["a"].model_copy(update={"value": 1.2346, "parts": (0.1, 0.33333)})
        assert [readings["b"] for readings in found] == [readings["b"] for readings in some]

    def test_replicates_are_rounded_to_fractions_of_a_deviation(self):
        rng = np.random.default_rng(30)
        keys = tuple("abcdefghij" * 5)
        keys = tuple(f"{key}{place}" for place, key in enumerate(keys))
        losses = 5 + rng.normal(size=50) + 0.1 * rng.normal(size=(6, 50))
        groups = [tuple(0.3 + 0.02 * rng.normal(size=n)) for n in (7, 7, 5, 7, 7, 7)]
        some = [
            {
                "losses": reading_of("losses", replicates=tuple(row), keys=keys),
                "groups": reading_of("groups", replicates=g),
            }
            for row, g in zip(losses, groups, strict=True)
        ]
        found = self.back(some)
        kept = np.array([readings["losses"].replicates for readings in found])
        step = np.std(losses[1] - losses[0]) / series.OF_DOCUMENTS
        assert np.abs(kept - kept[0] - (losses - losses[0])).max() <= step / 2 + 1e-12
        assert np.abs(kept - losses).max() <= (series.OF_FOUNDERS + 1) * step / 2 + 1e-12
        spread = math.sqrt(np.mean(np.concatenate([np.subtract(g, np.mean(g)) for g in groups]) ** 2))
        for readings, exact in zip(found, groups, strict=True):
            assert len(readings["groups"].replicates) == len(exact)
            assert (
                np.abs(np.subtract(readings["groups"].replicates, exact)).max() <= spread / series.OF_GROUPS / 2 + 1e-12
            )

    def test_replicates_that_are_all_equal_or_not_finite_are_kept_as_they_are(self):
        some = [{"a": reading_of("a", replicates=(0.1, 0.1)), "b": reading_of("b", replicates=(math.inf, 1.0))}] * 2
        assert self.back(some) == some

    def test_what_some_documents_have_is_kept_once(self):
        rng = np.random.default_rng(31)
        keys = tuple(map(str, range(40)))
        rows = rng.normal(size=(3, 40))
        tails = (("3", "17"), ("3", "17"), ("17", "5"))
        some = [
            {
                "all": reading_of("all", replicates=tuple(row), keys=keys),
                "tail": reading_of("tail", replicates=tuple(row[int(key)] for key in tail), keys=tail),
            }
            for row, tail in zip(rows, tails, strict=True)
        ]
        about, numbers = series.packed(some)
        assert about["tail"]["replicates"] == {"as": "all"}
        assert len(numbers) == rows.size
        for readings, tail in zip(self.back(some), tails, strict=True):
            of_all = dict(zip(keys, readings["all"].replicates, strict=True))
            assert readings["tail"].replicates == tuple(of_all[key] for key in tail)

    def test_a_contrast_of_documents_is_kept_as_its_factors(self):
        rng = np.random.default_rng(32)
        parts = {"keys": tuple(map(str, range(30))), "weights": tuple(map(float, rng.integers(1, 9, size=30)))}
        rows, factors = rng.normal(size=(3, 30)), np.round(rng.normal(size=30), 3)

        def contrast(row):
            return tuple((factors * (row - np.average(row, weights=parts["weights"]))).tolist())

        some = [
            {
                "all": reading_of("all", replicates=tuple(row), **parts),
                "gap": reading_of("gap", replicates=contrast(row), **parts),
                "other": reading_of("other", replicates=tuple(rng.normal(size=30)), **parts),
            }
            for row in rows
        ]
        about, numbers = series.packed(some)
        assert about["gap"]["replicates"] == {"contrast": "all", "factors": factors.tolist()}
        assert len(numbers) == 2 * rows.size
        for readings in self.back(some):
            expected = contrast(np.array(readings["all"].replicates))
            np.testing.assert_allclose(readings["gap"].replicates, expected, atol=1e-12)


def test_all_numbers_come_back_and_equal_lineages_are_equal_files(tmp_path):
    lists = [[], [0], [2**62, -(2**62), 127, 128, -128, -129], [1, -1]]
    some = [archive.Entry({"i": i}, np.array(one, dtype=np.int64)) for i, one in enumerate(lists)]
    paths = [tmp_path / name for name in ("a.zip", "b.zip")]
    for path in paths:
        archive.write_archive(path, some)
    found = archive.read_archive(paths[0])
    assert paths[0].read_bytes() == paths[1].read_bytes()
    assert {one.date_time for one in zipfile.ZipFile(paths[0]).infolist()} == {(1980, 1, 1, 0, 0, 0)}
    assert [one.numbers.tolist() for one in found] == lists
    assert [one.about["i"] for one in found] == [0, 1, 2, 3]
