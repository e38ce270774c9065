"""Workflows: five names, a share under one of them; and what all worlds refuse alike."""

import subprocess
import sys

import numpy as np
import pytest

from collapse_guard import worlds
from collapse_guard.errors import InputError
from collapse_guard.worlds import WORKFLOWS, Workflow, gaussian, hutter, regression, wright_fisher, zipf_text
from collapse_guard.worlds.observable import Observable
from collapse_guard.worlds.subsets import blocks, subsets

WORLDS = {
    module.__name__.rsplit(".", 1)[1]: module for module in (gaussian, hutter, regression, wright_fisher, zipf_text)
}
ALL = [Workflow(name=name, real_share=0.3 if name == "mix" else None) for name in WORKFLOWS]
LACKING = {"hutter": {"accumulate_subsample"}, "regression": {"accumulate_subsample", "mix"}}


def test_shares_of_fresh_real_data():
    assert {w.name: w.fresh_share for w in ALL} == {
        "replace": 0.0,
        "accumulate": None,
        "accumulate_subsample": None,
        "mix": 0.3,
        "fresh": 1.0,
    }
    assert [str(w) for w in ALL][3:] == ["mix (0.3 real)", "fresh"]


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan"), "0.1", True])
def test_a_share_that_is_none_is_refused(share):
    with pytest.raises(InputError, match="`real_share` must be a share from 0 to 1"):
        Workflow(name="mix", real_share=share)


def test_a_share_stands_under_mix_and_nowhere_else():
    with pytest.raises(InputError, match="`real_share` must be given under `mix`"):
        Workflow(name="mix")
    with pytest.raises(InputError, match="`real_share` must be given under `mix`"):
        Workflow(name="replace", real_share=0.1)


def test_an_unknown_workflow_names_the_nearest():
    with pytest.raises(InputError, match="did you mean `accumulate`"):
        Workflow(name="acumulate")


@pytest.mark.parametrize("name", WORLDS)
@pytest.mark.parametrize("workflow", ALL, ids=str)
def test_every_world_has_a_column_for_the_founder_and_each_generation_or_says_that_it_lacks_the_workflow(
    name, workflow
):
    arguments = {"documents": 8} if name == "zipf_text" else {"samples": 12}
    arguments |= {"workflow": workflow, "generations": 3, "lineages": 4, "seed": 1}
    if workflow.name in LACKING.get(name, ()):
        with pytest.raises(InputError, match=rf"`workflow` must be one that the world {name} has .*{workflow.name}"):
            WORLDS[name].simulate(**arguments)
        return
    found = WORLDS[name].simulate(**arguments)
    assert found.workflow == workflow
    for seen in found.observables:
        assert seen.values.shape == (4, 4)
        assert np.isfinite(seen.values).all()
        assert seen.expected is None or seen.expected.shape == (4,)


@pytest.mark.parametrize("name", WORLDS)
def test_a_seed_gives_the_same_lineages_again_and_another_seed_others(name):
    first, again, other = (WORLDS[name].simulate(lineages=3, generations=2, seed=seed) for seed in (5, 5, 6))
    for seen, same, different in zip(first.observables, again.observables, other.observables, strict=True):
        np.testing.assert_array_equal(seen.values, same.values)
        assert (seen.values != different.values).any(), seen.name


@pytest.mark.parametrize("name", WORLDS)
def test_the_global_generator_is_left_alone(name):
    np.random.seed(3)
    before = np.random.get_state()[1].copy()
    WORLDS[name].simulate(lineages=2, generations=1, seed=0)
    np.testing.assert_array_equal(np.random.get_state()[1], before)


@pytest.mark.parametrize("name", WORLDS)
@pytest.mark.parametrize(
    ("argument", "value"),
    [("generations", -1), ("lineages", 0), ("lineages", 2.5), ("seed", -1), ("generations", True), ("seed", "a")],
)
def test_numbers_out_of_range_are_refused_by_name(name, argument, value):
    with pytest.raises(InputError, match=f"`{argument}` must be a whole number of at least"):
        WORLDS[name].simulate(**{argument: value})


def test_no_generation_after_the_founder_is_a_lineage_too():
    for module in WORLDS.values():
        assert module.simulate(generations=0, lineages=2).observables[0].values.shape == (2, 1)


def test_a_law_that_is_not_known_everywhere_is_not_half_shown():
    values = np.zeros((2, 3))
    assert Observable.with_law("x", values, lambda fits: None if fits > 1 else 1.0).expected is None
    assert Observable.with_law("x", values, float).expected.tolist() == [1.0, 2.0, 3.0]


def test_a_quantile_is_the_value_of_a_lineage():
    seen = Observable(name="x", values=np.arange(10.0, 0.0, -1.0)[:, None])
    assert [seen.quantile(level)[0] for level in (0.0, 0.1, 0.5, 0.9, 1.0)] == [1, 1, 5, 9, 10]


def test_a_random_subset_has_no_item_twice_and_each_item_equally_often(rng):
    found = subsets(rng, lineages=20_000, pool=7, size=3)
    assert all(len(set(row)) == 3 for row in found[:100].tolist())
    counts = np.bincount(found.ravel(), minlength=7)
    # Each item is in a subset with probability 3/7; 6 standard deviations: 7 * 2e-9 false failures.
    assert np.abs(counts - 20_000 * 3 / 7).max() < 6 * np.sqrt(20_000 * 3 / 7 * 4 / 7)


def test_blocks_hold_all_lineages():
    assert blocks(5, 10**9) == [1] * 5
    assert sum(blocks(1001, 60_000)) == 1001


def test_every_public_name_is_there_and_importing_them_loads_nothing_heavy():
    assert all(getattr(worlds, name) is not None for name in worlds.__all__)
    heavy = ("torch", "mlflow", "pytorch_lightning", "lightning", "pyarrow", "sklearn", "matplotlib")
    code = f"import sys, collapse_guard.worlds; print([name for name in {heavy} if name in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
