"""What is kept beside a wild type: the same numbers, read instead of made, and made again where anything changed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collapse_guard.evidence import Evidence
from collapse_guard.indicators.instruments import instruments
from collapse_guard.measurement import lost, measure
from collapse_guard.wildtype import WildType
from collapse_guard.wildtype.kept import FOLDER, kept

CITIES = ("Boston", "Albany", "Austin", "Denver", "Salem", "Helena", "Dover", "Juneau")


@pytest.fixture(scope="module")
def texts() -> list[str]:
    return [
        f"In {year} the mayor of {city} met {year % 13} members of the council."
        for year in range(1800, 1860)
        for city in CITIES
    ]


@pytest.fixture(scope="module")
def wild_type(texts: list[str]) -> WildType:
    return WildType.fit(texts, near_duplicate_threshold=1.0)


@pytest.fixture
def saved(wild_type: WildType, tmp_path: Path) -> Path:
    return wild_type.save(tmp_path / "wild")


@pytest.fixture
def new_process():
    """As in a new process: nothing is remembered of a fingerprint."""

    def forget() -> None:
        for remembered in (instruments.__globals__["_instruments"], measure._references, lost._phrases, lost._points):
            remembered.clear()

    yield forget
    forget()


def read(wild_type: WildType, texts: list[str]) -> tuple[object, ...]:
    """Everything that is made of the wild type alone, as it enters a verdict."""
    samples = Evidence(samples=texts[::3])
    n = measure.sample_tokens(wild_type, samples)
    return (
        measure.measure(wild_type, samples),
        measure.reference_readings(wild_type, sample_tokens=n),
        lost.what_was_lost(wild_type, texts[::3]),
    )


def test_what_was_kept_gives_the_same_readings_to_the_last_bit(wild_type, saved, texts, new_process, monkeypatch):
    expected = repr(read(wild_type, texts))
    new_process()
    assert repr(read(WildType.load(saved), texts)) == expected
    assert len(list((saved / FOLDER).iterdir())) >= 5
    new_process()
    monkeypatch.setattr(measure, "_of_wild_type", None)  # what must not be made again
    monkeypatch.setattr(lost.Phrases, "of", None)
    assert repr(read(WildType.load(saved), texts)) == expected


def test_a_wild_type_that_has_no_directory_or_cannot_be_written_keeps_nothing(saved, texts, new_process):
    loaded = WildType.load(saved)
    (saved / FOLDER).write_text("in the way")
    expected = repr(read(loaded, texts))
    new_process()
    assert repr(read(replace(loaded, home=None), texts)) == expected
    assert (saved / FOLDER).read_text() == "in the way"


@settings(max_examples=60, deadline=None)
@given(place=st.integers(0, 10**6), bit=st.integers(0, 7))
def test_a_flipped_bit_is_made_again(tmp_path_factory, place, bit):
    home = tmp_path_factory.getbasetemp() / "flipped"
    home.mkdir(exist_ok=True)
    numbers = {"a": np.arange(40), "b": np.linspace(0.0, 1.0, 5)}
    kept(home, "f" * 32, "numbers", lambda: numbers)
    [path] = (home / FOLDER).iterdir()
    whole = path.read_bytes()
    body = bytearray(whole)
    body[place % len(body)] ^= 1 << bit
    path.write_bytes(body)
    made = kept(home, "f" * 32, "numbers", lambda: numbers)
    assert {name: array.tolist() for name, array in made.items()} == {n: a.tolist() for n, a in numbers.items()}
    assert path.read_bytes() == whole


@pytest.mark.parametrize("other", [("0" * 32, "numbers"), ("f" * 32, "others")])
def test_what_was_made_of_another_wild_type_or_is_something_else_is_not_taken(tmp_path, other):
    kept(tmp_path, "f" * 32, "numbers", lambda: {"a": np.zeros(3)})
    source = tmp_path / FOLDER / "numbers.safetensors"
    fingerprint, name = other
    (tmp_path / FOLDER / f"{name}.safetensors").write_bytes(source.read_bytes())
    assert kept(tmp_path, fingerprint, name, lambda: {"a": np.ones(3)})["a"].tolist() == [1.0, 1.0, 1.0]
