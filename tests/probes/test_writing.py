"""Samples from a function of the user's, and ids that the tokenizer does not know."""

import random

import numpy as np
import pytest
import torch

from collapse_guard.errors import CollapseGuardWarning, InputError
from collapse_guard.probes import CausalLMProbe

PROMPTS = ["ban ben", "dat dar lin", "gon"]


def probe_of(wild_type, **settings):
    usual = {"n_samples": 10, "batch_size": 4, "n_documents": 0, "max_new_tokens": 4}
    return CausalLMProbe(wild_type.tokenizer, **{**usual, **settings})


def by_global_state(module, prompts, seed):
    """As Hugging Face's `generate` draws."""
    number = torch.randint(10**6, (1,)).item()
    return [f"{prompt} {number} {random.randbytes(4)} {np.random.random()}" for prompt in prompts]  # noqa: S311


def test_texts_are_asked_for_by_prompts_in_turn_and_seeds_of_their_own(model, wild_type):
    asked = []

    def generate(module, prompts, seed):
        asked.append((list(prompts), seed))
        return [f"after {prompt}" for prompt in prompts]

    evidence = probe_of(wild_type, prompts=PROMPTS, generate=generate).collect(model, wild_type, seed=3)
    assert [len(prompts) for prompts, _ in asked] == [4, 4, 2]
    assert [prompt for prompts, _ in asked for prompt in prompts] == evidence.prompts
    assert evidence.prompts == [PROMPTS[number % 3] for number in range(10)]
    assert evidence.samples == [f"after {prompt}" for prompt in evidence.prompts]
    assert len({seed for _, seed in asked}) == 3
    assert evidence.truncated is None


def test_texts_that_are_written_are_encoded_and_scored_after_their_prompts(model, wild_type):
    founder = type(model)(width=6)
    probe = probe_of(
        wild_type, prompts=PROMPTS, n_samples=3, founder=founder, generate=lambda *_: ["ban", "", "lin dor"]
    )
    evidence = probe.collect(model, wild_type, seed=0)
    ids = [wild_type.tokenizer.encode(text).ids for text in ("ban", PROMPTS[0], "lin dor", PROMPTS[2])]
    for losses, module in ((evidence.own_losses, model), (evidence.founder_losses, founder)):
        for nll, text, prompt in zip(losses.nll, ids[::2], ids[1::2], strict=True):
            log_p = module(torch.tensor([[0, *prompt, *text]])).log_softmax(-1)[0]
            places = enumerate(text, start=len(prompt))
            assert nll == pytest.approx(-sum(log_p[place, id_].item() for place, id_ in places), rel=1e-5)
        assert losses.documents == ("0", "2")
    assert evidence.samples == ["ban", "", "lin dor"]


def test_a_function_that_draws_from_the_global_generators_writes_other_texts_for_each_batch_and_rank(model, wild_type):
    probe = probe_of(wild_type, prompts=PROMPTS, generate=by_global_state, score_samples=False)
    state = torch.get_rng_state()
    alone = probe.collect(model, wild_type, seed=1)
    assert torch.equal(torch.get_rng_state(), state)
    assert len({sample.split()[-1] for sample in alone.samples}) == 10
    torch.manual_seed(99)
    parts = [probe.collect(model, wild_type, seed=1, rank=rank, world_size=3) for rank in range(3)]
    assert probe.merge(parts).digest() == alone.digest()
    assert probe.collect(model, wild_type, seed=2).samples != alone.samples


def test_fewer_prompts_are_given_at_a_time_where_memory_is_too_small(model, wild_type):
    def generate(module, prompts, seed):
        if len(prompts) > 2:
            raise MemoryError
        return [str(seed)] * len(prompts)

    samples = probe_of(wild_type, n_samples=4, generate=generate).collect(model, wild_type, seed=1).samples
    assert len(set(samples)) == 2


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        ("one text", "`generate` must return a list of texts, one for each prompt, but got 'one text'"),
        ([1, 2, 3, 4], "`generate` must return a list of texts"),
        (None, "`generate` must return a list of texts"),
        (["a", "b"], "`generate` must return one text for each of 4 prompts, but got 2"),
    ],
)
def test_what_is_not_a_text_for_each_prompt_is_refused(model, wild_type, returned, message):
    probe = probe_of(wild_type, generate=lambda *_: returned)
    with pytest.raises(InputError, match=message):
        probe.collect(model, wild_type, seed=0)


def test_decoding_is_not_given_beside_a_function_that_decodes(wild_type):
    with pytest.raises(InputError, match=r"`temperature`, `top_k` and `top_p` must not be given with `generate`"):
        probe_of(wild_type, generate=by_global_state, top_k=5)


class Letters:
    """A tokenizer of two functions that knows 28 ids."""

    known = "abcdefghijklmnopqrstuvwxyz "

    def encode(self, text):
        return [self.known.index(letter) for letter in text]

    def decode(self, ids):
        return "".join(dict(enumerate(self.known))[id_] for id_ in ids)


def test_ids_that_the_tokenizer_does_not_know_are_told_and_stand_as_a_sign(language, wild_type):
    letters = Letters()
    probe = CausalLMProbe(
        letters.encode, letters.decode, bos_token_id=27, n_samples=6, max_new_tokens=20, n_documents=0, batch_size=8
    )
    with pytest.warns(CollapseGuardWarning, match=r"[1-9]\d* of 120 ids .* none of the tokenizer's.* �") as told:
        samples = probe.collect(language(vocabulary=40), wild_type, seed=0).samples
    said = int(str(told[0].message).split()[0])
    assert sum(sample.count("�") for sample in samples) == said
    assert sum(map(len, samples)) == 120


def test_nothing_is_said_where_all_ids_are_known(language, wild_type):
    letters = Letters()
    probe = CausalLMProbe(
        letters.encode, letters.decode, bos_token_id=27, n_samples=6, n_documents=4, eos_token_id=[27]
    )
    evidence = probe.collect(language(vocabulary=28), wild_type, seed=0)
    assert not any("�" in sample for sample in evidence.samples)
    assert evidence.losses.n_tokens.tolist() == [len(text) for text in wild_type.evaluation[:4]]
