"""What a probe may be: anything with `collect`, and what it offers besides is used."""

import numpy as np
import pytest

from collapse_guard.errors import InputError
from collapse_guard.evidence import Evidence
from collapse_guard.probes import CausalLMProbe, EmbeddingProbe, MergingProbe, OneKindProbe
from collapse_guard.probes.probe import check_probe, merged
from collapse_guard.wildtype import WildType


class Plain:
    def collect(self, module, wild_type, *, seed, rank, world_size): ...


class Reversing(Plain):
    def merge(self, parts):
        return Evidence(samples=[sample for part in reversed(parts) for sample in part.samples])


class OfText(Plain):
    kind = "text"


@pytest.fixture(scope="module")
def wild_type():
    return WildType.fit_arrays(np.random.default_rng(0).normal(size=(400, 2)))


@pytest.mark.parametrize(("probe", "samples"), [(Plain(), ["a", "b"]), (Reversing(), ["b", "a"])])
def test_the_parts_of_the_ranks_are_joined_in_order_or_as_the_probe_does(probe, samples):
    assert merged(probe, [Evidence(samples=["a"]), Evidence(samples=["b"])]).samples == samples


def test_a_probe_that_says_no_kind_is_for_any_wild_type(wild_type):
    check_probe(Plain(), wild_type)
    with pytest.raises(InputError, match="`probe` must be for a wild type of vectors, but got one for text"):
        check_probe(OfText(), wild_type)


@pytest.mark.parametrize("nothing", [None, "causal", print, object()])
def test_what_does_not_collect_is_refused(nothing, wild_type):
    with pytest.raises(InputError, match="`probe` must have a method `collect`"):
        check_probe(nothing, wild_type)


@pytest.mark.parametrize("probe", [CausalLMProbe, EmbeddingProbe])
def test_ours_merge_and_say_their_kind(probe):
    instance = probe.__new__(probe)
    assert isinstance(instance, MergingProbe)
    assert isinstance(instance, OneKindProbe)
