"""Obstacles are told before training, all at once, each with a change after which it is gone; and none that is none."""

import pytest
import torch
from torch import nn

from collapse_guard.errors import InputError
from collapse_guard.probes import CausalLMProbe, RehearsingProbe
from collapse_guard.wildtype import WildType

PROMPTS = ["ban ben dat", "dat dar lin ron"]


class Short(nn.Module):
    """Has so many positions, by an embedding or by a parameter."""

    def __init__(self, language, positions, embedded):
        super().__init__()
        self.language = language()
        self.positions = nn.Embedding(positions, 300) if embedded else nn.Parameter(torch.zeros(positions, 300))

    def forward(self, ids):
        places = torch.arange(ids.shape[1])
        weight = self.positions(places) if isinstance(self.positions, nn.Embedding) else self.positions[places]
        return self.language(ids) + weight


def obstacles(module, wild_type, *, decides=(), **settings):
    """What a rehearsal says; where it says nothing, the probe does collect."""
    usual = {"n_samples": 6, "max_new_tokens": 4, "batch_size": 4}
    probe = CausalLMProbe(wild_type.tokenizer, **{**usual, **settings})
    assert isinstance(probe, RehearsingProbe)
    found = probe.rehearse(module, wild_type, decides=decides)
    if not found:
        probe.collect(module, wild_type, seed=0)
    return found


def test_nothing_is_said_where_nothing_is_in_the_way(model, wild_type):
    assert obstacles(model, wild_type) == []
    assert obstacles(model, wild_type, n_samples=0) == []
    assert obstacles(model, wild_type, n_documents=0, max_length=1, prompts=PROMPTS) == []


def test_samples_that_fill_too_few_groups_are_counted(model, wild_type):
    size = wild_type.group_samples
    [obstacle] = obstacles(model, wild_type, n_samples=4 * size + 1, decides=["vendi"])
    assert obstacle.startswith(f"`n_samples={4 * size + 1}` fills 4 of the 5 groups of {size} samples")
    assert obstacle.endswith(f"n_samples={5 * size}")
    assert obstacles(model, wild_type, n_samples=5 * size, decides=["vendi"]) == []
    assert obstacles(model, wild_type, n_samples=4 * size, decides=["perplexity"]) == []


def test_documents_that_are_too_few_for_their_perplexity_are_counted(model, wild_type):
    assert obstacles(model, wild_type, n_documents=29, decides=["perplexity"]) == [
        "`n_documents=29` is below the 30 documents that perplexity needs: n_documents=30"
    ]
    few = WildType.fit([f"ban ben {letter} {letter * 2}" for letter in "abcdefghijklmnopqrst"])
    [obstacle] = obstacles(model, few, decides=["perplexity"])
    assert obstacle.startswith(f"the wild type has {len(few.evaluation)} evaluation documents, and perplexity needs 30")
    for settings in ({"n_documents": 30}, {"n_documents": 0}, {}):
        assert obstacles(model, wild_type, decides=["perplexity"], **settings) == []
    assert obstacles(model, wild_type, n_documents=29, decides=["vendi"], n_samples=5 * wild_type.group_samples) == []


def test_prompts_that_fill_too_few_groups_are_counted(model, wild_type):
    settings = {"n_samples": 100, "decides": ["vendi"]}
    [obstacle] = obstacles(model, wild_type, prompts=PROMPTS, **settings)
    assert obstacle.startswith("2 `prompts` fill 2 of the 5 groups")
    assert obstacle.endswith("give 5 prompts")
    assert obstacles(model, wild_type, prompts=[*PROMPTS, "a", "b", "c"], **settings) == []


def test_samples_too_short_for_groups_of_tokens_are_told(model, wild_type):
    settings = {"n_samples": 60, "max_new_tokens": 1, "decides": ["distinct_2"]}
    [obstacle] = obstacles(model, wild_type, **settings)
    needed = int(obstacle.rsplit("=", 1)[1])
    assert f"do not fill 5 groups of {wild_type.group_tokens} tokens" in obstacle
    assert needed >= 5 * wild_type.group_tokens
    assert obstacles(model, wild_type, **{**settings, "n_samples": needed}) == []
    assert obstacles(model, wild_type, **{**settings, "max_new_tokens": 20}) == []


@pytest.mark.parametrize("embedded", [True, False])
@pytest.mark.parametrize("positions", [3, 21])
def test_more_ids_than_a_module_has_positions_for_are_told_with_the_number(language, wild_type, positions, embedded):
    module = Short(language, positions, embedded)
    [obstacle] = obstacles(module, wild_type, max_new_tokens=40)
    assert obstacle.startswith("`max_length=256` is above the ")
    assert obstacle.endswith(f"max_length={positions}")
    assert obstacles(module, wild_type, max_new_tokens=40, max_length=positions) == []


def test_positions_that_no_document_and_no_sample_reaches_are_no_obstacle(language, wild_type):
    longest = max(len(wild_type.tokenizer.encode(text).ids) for text in wild_type.evaluation)
    module = Short(language, longest, embedded=True)
    assert obstacles(module, wild_type, max_new_tokens=longest - 1) == []
    assert len(obstacles(module, wild_type, max_new_tokens=longest + 1)) == 1


def test_embeddings_that_are_given_something_else_than_their_rows_are_no_obstacle(language, wild_type):
    """As positions of BART and OPT are, which count the ids that they get."""

    class Positions(nn.Embedding):
        def forward(self, ids):
            return super().forward(torch.arange(ids.shape[1]))

    class Counted(language):
        def __init__(self):
            super().__init__()
            self.positions = Positions(99, 300)

        def forward(self, ids):
            return self.logits(ids) + self.positions(ids)

    assert obstacles(Counted(), wild_type) == []


@pytest.mark.parametrize("vocabulary", [100, 298])
def test_a_tokenizer_of_more_ids_than_the_module_is_told(language, wild_type, vocabulary):
    [obstacle] = obstacles(language(vocabulary), wild_type)
    assert "the tokenizer gives the id " in obstacle
    assert f"the module's `embedding` has rows for {vocabulary} ids" in obstacle


def test_logits_of_fewer_ids_than_the_tokenizer_has_are_told(language, wild_type):
    class Narrow(language):
        def forward(self, ids):
            return self.logits(ids)[:, :, :298]

    [obstacle] = obstacles(Narrow(), wild_type)
    assert obstacle.endswith("logits are of 298 ids, from 0 on: give the tokenizer that the module is trained with")


def test_an_id_that_begins_documents_must_be_the_modules(model, wild_type):
    [obstacle] = obstacles(model, wild_type, bos_token_id=300)
    assert "the tokenizer gives the id 300" in obstacle


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (lambda logits: logits[:, -1], "must return logits of shape"),
        (lambda logits: logits.transpose(0, 1), r"but got shape (16, 2, 300) for ids of shape (2, 16)"),
        (lambda logits: 1 / 0, "the module's forward(ids) fails, ZeroDivisionError"),
        (lambda logits: logits + logits.flip(1), "the module looks ahead"),
    ],
)
def test_a_forward_that_cannot_be_read_is_told(language, wild_type, answer, says):
    class Odd(language):
        def forward(self, ids):
            return answer(self.logits(ids))

    [obstacle] = obstacles(Odd(), wild_type)
    assert says in obstacle


def test_all_obstacles_are_told_at_once(language, wild_type):
    found = obstacles(
        Short(language, 9, embedded=True),
        wild_type,
        n_samples=7,
        max_new_tokens=20,
        founder=language(100),
        decides=["vendi"],
    )
    assert len(found) == 3
    assert "n_samples=" in found[0]
    assert "max_length=9" in found[1]
    assert found[2].startswith("`founder`: the tokenizer gives the id")


def test_a_document_that_cannot_be_encoded_is_named(model, wild_type):
    known = {letter: number for number, letter in enumerate("bdgklmnaeiout ")}
    probe = CausalLMProbe(lambda text: [known[letter] for letter in text], lambda ids: "", bos_token_id=20)
    [obstacle] = probe.rehearse(model, wild_type)
    assert "encoding evaluation document " in obstacle
    assert "KeyError: 'r'" in obstacle


@pytest.mark.parametrize(
    ("generate", "says"),
    [
        (lambda module, prompts, seed: 1 / 0, "`generate(module, prompts, seed)` fails, ZeroDivisionError"),
        (lambda module, prompts: prompts, "TypeError"),
        (lambda module, prompts, seed: prompts[:1], "`generate` must return one text for each of 2 prompts, but got 1"),
        (lambda module, prompts, seed: [f"{prompt} on" for prompt in prompts], "texts that begin with them"),
    ],
)
def test_a_function_that_does_not_write_texts_is_told(model, wild_type, generate, says):
    [obstacle] = obstacles(model, wild_type, generate=generate, prompts=PROMPTS)
    assert says in obstacle


def test_steps_that_fail_are_told(language, wild_type):
    class Stepping(language):
        def generate_step(self, ids, state):
            return self.logits(ids), state

    [obstacle] = obstacles(Stepping(), wild_type)
    assert "generate_step(ids, state) must return (B, V) logits" in obstacle


def test_a_wild_type_of_the_other_kind_is_told(model, wild_type):
    vectors = WildType.fit_arrays(torch.randn(400, 3, generator=torch.Generator().manual_seed(0)).numpy())
    probe = CausalLMProbe(wild_type.tokenizer)
    assert probe.rehearse(model, vectors) == [
        "`wild_type` must be of text, but got one of vectors: use an EmbeddingProbe"
    ]


def test_a_rehearsal_leaves_no_trace(language, wild_type):
    module = Short(language, 9, embedded=True).train()
    module.language.gru.eval()
    probe = CausalLMProbe(wild_type.tokenizer, n_samples=6, founder=language())
    modes, before = [part.training for part in module.modules()], torch.get_rng_state()
    assert probe.rehearse(module, wild_type)
    assert [part.training for part in module.modules()] == modes
    assert torch.equal(torch.get_rng_state(), before)
    assert not any(part._forward_pre_hooks for part in module.modules())
    with pytest.raises((IndexError, InputError)):
        probe.collect(module, wild_type, seed=0)
