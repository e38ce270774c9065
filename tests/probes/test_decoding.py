"""Oracles: closed-form distributions, and a model whose next token is known."""

import math

import pytest
import torch
from torch import nn

from collapse_guard.errors import InputError
from collapse_guard.probes.decoding import Decoding, cumulative, generate, invert

LOGITS = torch.log(torch.tensor([[0.5, 0.3, 0.15, 0.05]]))


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


class Counting(nn.Module):
    """After token t comes t + 1 mod 10, for sure. Remembers the shapes that it was called with."""

    def __init__(self):
        super().__init__()
        self.calls = []

    def forward(self, ids):
        self.calls.append(tuple(ids.shape))
        return torch.nn.functional.one_hot((ids + 1) % 10, 10) * 100.0


class Recurrent(nn.Module):
    """A causal model with both doors: the whole prefix, and one token at a time."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(12, 8)
        self.gru = nn.GRU(8, 16, batch_first=True)
        self.head = nn.Linear(16, 12)

    def forward(self, ids):
        return self.head(self.gru(self.embedding(ids))[0])


class Stepping(Recurrent):
    def generate_step(self, ids, state):
        hidden, state = self.gru(self.embedding(ids), state)
        return self.head(hidden[:, -1]), state


def continue_(module, prompts, **changes):
    settings = {"max_new_tokens": 5, "decoding": Decoding(), "generator": generator(), "max_length": 99}
    return generate(module, prompts, **{**settings, **changes})


@pytest.mark.parametrize(
    ("decoding", "expected"),
    [
        (Decoding(), [0.5, 0.3, 0.15, 0.05]),
        (Decoding(top_k=2), [0.625, 0.375, 0, 0]),
        (Decoding(top_k=99), [0.5, 0.3, 0.15, 0.05]),
        (Decoding(top_p=0.8), [0.625, 0.375, 0, 0]),
        (Decoding(top_p=0.81), [0.5 / 0.95, 0.3 / 0.95, 0.15 / 0.95, 0]),
        (Decoding(top_p=0.01), [1, 0, 0, 0]),
        (Decoding(top_k=3, top_p=0.6), [0.625, 0.375, 0, 0]),
        (Decoding(temperature=0.0), [1, 0, 0, 0]),
        (Decoding(temperature=1e-30), [1, 0, 0, 0]),
        (Decoding(temperature=0.5), [0.25 / 0.365, 0.09 / 0.365, 0.0225 / 0.365, 0.0025 / 0.365]),
    ],
)
def test_each_decoding_gives_the_distribution_it_names(decoding, expected):
    assert decoding.probabilities(LOGITS)[0].tolist() == pytest.approx(expected, abs=1e-6)


def test_rows_are_filtered_each_on_its_own():
    rows = torch.stack([LOGITS[0], LOGITS[0].flip(0)])
    probabilities = Decoding(top_p=0.8).probabilities(rows)
    torch.testing.assert_close(probabilities[1], probabilities[0].flip(0))


def test_draws_follow_the_distribution():
    drawn, sound = Decoding().draw(LOGITS.expand(20_000, 4), generator())
    shares = torch.bincount(drawn, minlength=4) / 20_000
    assert bool(sound.all())
    for share, p in zip(shares.tolist(), [0.5, 0.3, 0.15, 0.05], strict=True):
        assert abs(share - p) < 4.5 * math.sqrt(p * (1 - p) / 20_000)


def test_the_rarest_tokens_of_a_large_vocabulary_can_all_be_drawn():
    rare = 400_000
    logits = torch.full((1, rare + 1), math.log(0.01 / rare))
    logits[:, 0] = math.log(0.99)
    assert bool((cumulative(Decoding().probabilities(logits)).diff() > 0).all())


def test_a_token_of_probability_0_is_never_drawn():
    logits = torch.tensor([[-math.inf, 0.0, -math.inf, 0.0, -math.inf]]).expand(5000, 5)
    assert set(Decoding().draw(logits, generator())[0].tolist()) == {1, 3}


@pytest.mark.parametrize("broken", [[math.nan, 0.0], [math.inf, 0.0], [-math.inf, -math.inf]])
def test_a_row_without_a_distribution_is_named_and_does_not_disturb_the_others(broken):
    _, sound = Decoding(top_k=1).draw(torch.tensor([broken, [0.0, 1.0]]), generator())
    assert sound.tolist() == [False, True]


def test_prompts_of_unlike_length_are_continued_without_the_prompt():
    module = Counting()
    assert continue_(module, [[3], [1, 2, 7, 4]]) == [[4, 5, 6, 7, 8], [5, 6, 7, 8, 9]]


def test_a_sample_ends_before_the_end_token_and_others_go_on():
    assert continue_(Counting(), [[3], [6]], stops=[6], max_new_tokens=8) == [[4, 5], [7, 8, 9, 0, 1, 2, 3, 4]]


def test_each_of_several_tokens_ends_a_sample():
    assert continue_(Counting(), [[3], [6]], stops=[6, 9], max_new_tokens=8) == [[4, 5], [7, 8]]


def test_an_end_token_inside_a_prompt_ends_nothing():
    assert continue_(Counting(), [[6, 1], [1, 6, 1]], stops=[6], max_new_tokens=2) == [[2, 3], [2, 3]]


def test_sampling_stops_when_every_row_has_ended():
    module = Counting()
    continue_(module, [[3], [4]], stops=[6], max_new_tokens=50)
    assert len(module.calls) == 3


def test_a_prefix_longer_than_the_module_can_take_loses_its_beginning():
    module = Counting()
    continue_(module, [[0, 1, 2]], max_length=4)
    assert [shape[1] for shape in module.calls] == [3, 4, 4, 4, 4]


def test_a_model_of_nan_gives_empty_samples():
    class Broken(nn.Module):
        def forward(self, ids):
            return torch.full((*ids.shape, 4), math.nan)

    assert continue_(Broken(), [[0], [1, 2]]) == [[], []]


def test_stepping_and_running_the_whole_prefix_give_the_same_samples():
    torch.manual_seed(0)
    stepping, whole = Stepping().eval(), Recurrent().eval()
    with torch.no_grad():
        for weight in stepping.parameters():
            weight.mul_(4)  # so that what comes before matters
    whole.load_state_dict(stepping.state_dict())
    prompts = [[0], [3, 1, 4], [1, 5]]
    with torch.no_grad():
        assert continue_(stepping, prompts, max_new_tokens=20) == continue_(whole, prompts, max_new_tokens=20)


def test_a_step_that_is_given_stands_in_up_to_the_longest_prefix():
    """Beyond it the whole prefix is read, without its beginning."""
    torch.manual_seed(0)
    module, whole, asked = Stepping().eval(), Recurrent().eval(), []
    whole.load_state_dict(module.state_dict())

    def step(ids, state):
        asked.append(ids.shape[1])
        return module.generate_step(ids, state)

    with torch.no_grad():
        expected = continue_(whole, [[0, 1, 2], [5, 6, 7]], max_new_tokens=9, max_length=6)
        assert continue_(whole, [[0, 1, 2], [5, 6, 7]], max_new_tokens=9, max_length=6, step=step) == expected
    assert asked == [3, 1, 1, 1]


def test_the_generator_alone_decides():
    torch.manual_seed(0)
    module = Recurrent().eval()
    state = torch.get_rng_state()
    with torch.no_grad():
        first = continue_(module, [[0]] * 4)
        assert torch.equal(torch.get_rng_state(), state)
        torch.rand(3)
        assert continue_(module, [[0]] * 4) == first
        assert continue_(module, [[0]] * 4, generator=generator(1)) != first


def test_a_step_that_returns_all_positions_is_refused():
    class Wrong(Recurrent):
        def generate_step(self, ids, state):
            return self(ids), state

    with pytest.raises(InputError, match=r"generate_step.* must return \(B, V\) logits .* but got \(1, 1, 12\)"):
        continue_(Wrong(), [[0]])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"temperature": -1.0}, "`temperature` must be a number from 0 on, but got -1.0"),
        ({"temperature": math.nan}, "`temperature` must be a number from 0 on, but got nan"),
        ({"top_k": 0}, "`top_k` must be at least 1 or None, but got 0"),
        ({"top_p": 0.0}, r"`top_p` must be in \(0, 1\] or None, but got 0.0"),
        ({"top_p": 1.5}, r"`top_p` must be in \(0, 1\] or None, but got 1.5"),
    ],
)
def test_settings_out_of_range_are_refused(settings, message):
    with pytest.raises(InputError, match=message):
        Decoding(**settings)


def test_the_largest_number_below_one_falls_on_the_last_token_that_has_a_weight():
    sums = cumulative(torch.tensor([[0.0, 0.3, 0.0, 0.7, 0.0]]))
    almost_one = torch.nextafter(torch.ones(1, 1, dtype=sums.dtype), torch.zeros(1, 1, dtype=sums.dtype))
    assert invert(sums, almost_one).tolist() == [3]
    assert invert(sums, torch.zeros_like(almost_one)).tolist() == [1]
