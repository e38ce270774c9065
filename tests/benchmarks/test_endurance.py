"""Many generations in one process leave no open file and no thread behind, and a leak would be counted."""

import gc
import importlib
import sys
import weakref
from pathlib import Path

import pytest

from collapse_guard import CausalLMProbe, Guard
from collapse_guard.store import MemoryStore
from collapse_guard.wildtype import WildType

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
endurance = importlib.import_module("endurance")


@pytest.mark.slow
def test_a_generation_leaves_no_file_and_no_thread_behind(tmp_path):
    first, second, third = endurance.generations("vectors", 3, tmp_path)
    assert [line.generation for line in (first, second, third)] == [0, 1, 2]
    assert (third.files, third.threads) == (second.files, second.threads)


def test_what_is_left_behind_is_counted(tmp_path):
    before = endurance.left(0)
    with (tmp_path / "open").open("w"):
        kept = [bytearray(1) for _ in range(3)], list(range(20 * 2**17))
        after = endurance.left(1)
    assert after.files == before.files + 1
    assert after.megabytes > before.megabytes + 15
    assert len(kept) == 2
    assert str(after).startswith("| 1 | ")


@pytest.mark.usefixtures("page", "one_thread")
def test_neither_guard_nor_wild_type_keeps_a_model_that_was_measured():
    wild_type = WildType.fit(endurance.documents(300), vocabulary_size=endurance.VOCABULARY, group_tokens=256)
    probe = CausalLMProbe(wild_type.tokenizer, n_samples=160, max_new_tokens=8)
    model = endurance.Writer(0)
    guard = Guard(wild_type, "text", probe, generation=0, store=MemoryStore(), actions=())
    with guard.generation(model) as generation:
        generation.step(batch=["the first batch"])
    measured, used = weakref.ref(model), weakref.ref(guard)
    del model, guard, generation
    gc.collect()
    assert measured() is None
    assert used() is None
    assert probe.n_samples == 160  # which lives on, as the wild type does
