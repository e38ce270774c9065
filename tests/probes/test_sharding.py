import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from collapse_guard.errors import InputError
from collapse_guard.evidence import Evidence, Losses, Scores
from collapse_guard.probes.sharding import batch_generator, batches, interleave, merge, mixed_seed


def losses(documents, **parts):
    return Losses(documents=tuple(documents), nll=[ord(d) for d in documents], n_tokens=[1] * len(documents), **parts)


@given(total=st.integers(0, 60), size=st.integers(1, 9), world=st.integers(1, 6))
def test_interleaving_undoes_sharding_for_any_number_of_ranks(total, size, world):
    def items(rank):
        numbered = batches(total, size, rank=rank, world_size=world)
        return [item for number, count in numbered for item in range(number * size, number * size + count)]

    assert interleave([items(rank) for rank in range(world)], size) == list(range(total))


@given(total=st.integers(0, 60), world=st.integers(1, 6))
def test_interleaving_one_by_one_undoes_slicing(total, world):
    assert interleave([list(range(total))[rank::world] for rank in range(world)], 1) == list(range(total))


def test_generators_depend_on_seed_and_number_and_on_nothing_else():
    def draw(*numbers):
        return torch.rand(3, generator=batch_generator(*numbers, torch.device("cpu"))).tolist()

    torch.manual_seed(1)
    first = draw(0, 1)
    torch.manual_seed(2)
    assert draw(0, 1) == first
    assert draw(1, 0) != first
    assert len({mixed_seed(a, b) for a in range(20) for b in range(20)}) == 400


def test_all_parts_of_the_losses_stay_with_their_document():
    full = {
        "n_bytes": np.array([5, 6]),
        "token_nll": (np.array([1.0, 2.0]), np.array([3.0])),
        "entropy": np.array([0.1, 0.2]),
    }
    other = {"n_bytes": np.array([7]), "token_nll": (np.array([4.0, 5.0]),), "entropy": np.array([0.3])}
    merged = merge([Evidence(losses=losses("ac", **full)), Evidence(losses=losses("b", **other))], documents=1).losses
    assert merged.documents == ("a", "b", "c")
    assert merged.nll.tolist() == [97, 98, 99]
    assert merged.n_bytes.tolist() == [5, 7, 6]
    assert [part.tolist() for part in merged.token_nll] == [[1, 2], [4, 5], [3]]
    assert merged.entropy.tolist() == [0.1, 0.3, 0.2]


@pytest.mark.parametrize("name", ["own_losses", "founder_losses"])
def test_losses_on_samples_are_put_in_the_order_of_the_samples(name):
    def part(*numbers):
        values = np.array(numbers, dtype=float)
        scored = Losses(documents=tuple(map(str, numbers)), nll=values, n_tokens=np.ones(len(numbers)), entropy=values)
        return Evidence(**{name: scored})

    merged = getattr(merge([part(0, 3, 10), part(), part(2, 9)], samples=2), name)
    assert merged.documents == ("0", "2", "3", "9", "10")
    assert merged.nll.tolist() == merged.entropy.tolist() == [0, 2, 3, 9, 10]
    assert merged.n_bytes is merged.token_nll is None
    with pytest.raises(InputError, match="'3' occurs twice"):
        merge([part(3), part(3)])


def test_parts_are_joined_in_rank_order_where_nothing_else_is_said():
    merged = merge([Evidence(samples=["x", "y"]), Evidence(samples=["z"])])
    assert merged.samples == ["x", "y", "z"]
    assert merged.losses is None


def test_vectors_stay_an_array_and_empty_ranks_do_no_harm():
    parts = [Evidence(samples=np.array([[1.0, 2.0]])), Evidence(samples=np.empty((0, 2)))]
    assert merge(parts, samples=4).samples.tolist() == [[1.0, 2.0]]
    nothing = merge(parts[1:] * 2).samples
    assert nothing.shape == (0, 2)


def test_a_part_that_only_some_ranks_measured_is_left_out_of_the_losses():
    parts = [Evidence(losses=losses("a", n_bytes=np.array([1]))), Evidence(losses=losses("b"))]
    assert merge(parts).losses.n_bytes is None


def test_a_rank_without_losses_does_not_hide_those_of_others():
    merged = merge([Evidence(samples=["x"], losses=losses("a")), Evidence(samples=["y"])])
    assert merged.losses.documents == ("a",)


def test_a_document_measured_by_two_ranks_is_refused():
    with pytest.raises(InputError, match="'a' occurs twice"):
        merge([Evidence(losses=losses("a")), Evidence(losses=losses("a"))])


def test_scores_of_all_ranks_are_put_together_by_task():
    parts = [{"facts": {"a": 1.0}, "code": [0.5]}, {"facts": {"b": 0.0, "c": 1.0}}, {"code": [1.0, 0.0]}]
    merged = merge([*(Evidence(scores=part) for part in parts), Evidence(samples=["no scores"])]).scores
    assert merged["facts"].items == ("a", "b", "c")
    assert merged["facts"].values.tolist() == [1.0, 0.0, 1.0]
    assert merged["code"].values.tolist() == [0.5, 1.0, 0.0]
    assert merged["code"].items is None
    assert merge([Evidence(samples=["x"])]).scores is None
    with pytest.raises(InputError, match="'a' stands twice"):
        merge([Evidence(scores={"facts": {"a": 1.0}})] * 2)
    flags = [Evidence(scores={"refusals": Scores(values=[1.0], lower_is_better=True)})] * 2
    assert merge(flags).scores["refusals"].lower_is_better
