"""The digest of evidence: the same for the same, another for any other."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from collapse_guard import assess
from collapse_guard.errors import InputError
from collapse_guard.evidence import Evidence, Losses, Scores
from collapse_guard.wildtype import WildType

LOSSES = Losses(
    documents=("a", "b", "c"),
    nll=[1.0, -0.0, np.nan],
    n_tokens=[2, 3, 4],
    n_bytes=[5, 6, 7],
    entropy=[0.5, 0.25, np.inf],
    token_nll=(np.array([0.5, 0.5]), np.zeros(3), np.full(4, np.nan)),
)
BEFORE_PROMPTS = "569f9247efdac042a226598e97dfb998"
VECTORS = np.arange(12.0).reshape(4, 3)
WHOLE = Evidence(
    samples=["We", "the people", ""],
    losses=LOSSES,
    embeddings=VECTORS[:3],
    own_losses=Losses(documents=("0", "1"), nll=[1.0, 2.0], n_tokens=[1, 2]),
    founder_losses=Losses(documents=("0", "1"), nll=[1.0, 2.0], n_tokens=[1, 2]),
    training_losses=Losses(documents=("0", "1"), nll=[1.0, 2.0], n_tokens=[1, 2]),
    scores={"facts": {"x": 1.0, "y": 0.5}, "code": [0.0, 1.0]},
    prompts=["Who?", "Who?", "Why?"],
    truncated=[True, False, None],
)


def flipped(values: np.ndarray, place: int = 0) -> np.ndarray:
    """The same numbers with the lowest bit of one of them flipped."""
    changed = np.ascontiguousarray(values).copy()
    changed.view(np.uint8)[..., 0].reshape(-1)[place] ^= 1
    return changed


OTHERS = {
    "another text": replace(WHOLE, samples=["We", "the people", "."]),
    "texts cut elsewhere": replace(WHOLE, samples=["Wethe", " people", ""]),
    "another prompt": replace(WHOLE, prompts=["Who?", "Why?", "Why?"]),
    "no prompts": replace(WHOLE, prompts=None),
    "another sample that was cut": replace(WHOLE, truncated=[False, True, None]),
    "nobody knows which were cut": replace(WHOLE, truncated=None),
    "another order of samples": replace(WHOLE, samples=["the people", "We", ""]),
    "one sample more": replace(
        WHOLE, samples=["We", "the people", "", ""], prompts=[*WHOLE.prompts, ""], truncated=[*WHOLE.truncated, False]
    ),
    "no samples": replace(WHOLE, samples=None, prompts=None, truncated=None),
    "a bit of an embedding": replace(WHOLE, embeddings=flipped(VECTORS[:3])),
    "embeddings in single precision": replace(WHOLE, embeddings=VECTORS[:3].astype(np.float32)),
    "no losses": replace(WHOLE, losses=None),
    "a bit of a loss": replace(WHOLE, losses=replace(LOSSES, nll=flipped(LOSSES.nll))),
    "the sign of zero": replace(WHOLE, losses=replace(LOSSES, nll=[1.0, 0.0, np.nan])),
    "another document": replace(WHOLE, losses=replace(LOSSES, documents=("a", "b", "d"))),
    "other tokens": replace(WHOLE, losses=replace(LOSSES, n_tokens=[2, 3, 5])),
    "no bytes": replace(WHOLE, losses=replace(LOSSES, n_bytes=None)),
    "a bit of an entropy": replace(WHOLE, losses=replace(LOSSES, entropy=flipped(LOSSES.entropy))),
    "tokens cut elsewhere": replace(
        WHOLE, losses=replace(LOSSES, token_nll=(np.array([0.5]), np.array([0.5, *np.zeros(3)]), np.full(4, np.nan)))
    ),
    "losses under another name": replace(WHOLE, founder_losses=None),
    "another score": replace(WHOLE, scores={"facts": {"x": 1.0, "y": 0.25}, "code": [0.0, 1.0]}),
    "another item": replace(WHOLE, scores={"facts": {"x": 1.0, "z": 0.5}, "code": [0.0, 1.0]}),
    "scores without items": replace(WHOLE, scores={"facts": [1.0, 0.5], "code": [0.0, 1.0]}),
    "another task": replace(WHOLE, scores={"facts": {"x": 1.0, "y": 0.5}, "maths": [0.0, 1.0]}),
    "a score that harms": replace(
        WHOLE, scores={"facts": {"x": 1.0, "y": 0.5}, "code": Scores(values=[0.0, 1.0], lower_is_better=True)}
    ),
}


def test_whatever_differs_has_another_digest():
    digests = {name: evidence.digest() for name, evidence in {"whole": WHOLE, **OTHERS}.items()}
    assert len(set(digests.values())) == len(digests), digests


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (WHOLE, replace(WHOLE, sources={"samples": "samples.txt"})),
        (WHOLE, replace(WHOLE, samples=pd.Series(["We", "the people", None]))),
        (WHOLE, replace(WHOLE, losses=LOSSES.take([2, 0, 1]))),
        (WHOLE, replace(WHOLE, scores={"code": [0.0, 1.0], "facts": {"y": 0.5, "x": 1.0}})),
        (Evidence(samples=VECTORS), Evidence(samples=np.asfortranarray(VECTORS))),
        (Evidence(samples=VECTORS), Evidence(samples=VECTORS.astype(">f8"))),
        (Evidence(samples=VECTORS), Evidence(samples=VECTORS.tolist())),
        (Evidence(samples=[[3, 4], [5]]), Evidence(samples=[np.array([3, 4], dtype=np.int32), (5,)])),
    ],
)
def test_the_same_has_the_same_digest_however_it_was_given(one, other):
    assert one.digest() == other.digest()


def test_kinds_of_samples_are_not_mixed_up():
    kinds = [["1", "2"], [[1], [2]], np.array([[1], [2]]), np.array([[1.0], [2.0]]), [], [[], []]]
    assert len({Evidence(samples=samples).digest() for samples in kinds}) == len(kinds)


def test_an_assessment_carries_the_digest_of_what_it_was_given():
    wild_type = WildType.fit([f"document {i} of the wild type" for i in range(60)])
    evidence = Evidence(samples=["document 1", "", "document 1"], sources={"samples": "samples.txt"})
    assert assess(wild_type, evidence).evidence == evidence.digest()


def test_evidence_without_prompts_has_the_digest_of_the_time_before_there_were_any():
    assert Evidence(samples=["We", "the people"]).digest() == BEFORE_PROMPTS


@pytest.mark.parametrize(
    ("beside", "message"),
    [
        ({"prompts": ["Who?"]}, r"`prompts` must be one for each of 2 samples, but got 1"),
        ({"prompts": "Who?"}, r"`prompts` must be a sequence of texts, but got one str"),
        ({"prompts": [[{"role": "user"}], "Who?"]}, r"`prompts` must be texts, but got \[\{.*join the messages"),
        ({"truncated": [True]}, r"`truncated` must be one for each of 2 samples, but got 1"),
        ({"truncated": [1, "length"]}, r"`truncated` must be True, False or None, but got 1"),
    ],
)
def test_what_stands_beside_samples_must_fit_them(beside, message):
    with pytest.raises(InputError, match=message):
        Evidence(samples=["We", "the people"], **beside)


def test_prompts_of_nothing_are_refused():
    with pytest.raises(InputError, match=r"`prompts` must be one for each of 0 samples, but got 1"):
        Evidence(prompts=["Who?"], losses=LOSSES)


def test_columns_of_a_table_stand_beside_samples():
    frame = pd.DataFrame({"text": ["We", "the"], "prompt": ["Who?", None], "cut": [True, None]})
    evidence = Evidence(samples=frame, prompts=frame["prompt"], truncated=frame["cut"])
    assert (evidence.prompts, evidence.truncated) == (["Who?", ""], [True, None])
