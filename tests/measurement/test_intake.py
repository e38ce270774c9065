"""What was read is counted as the file has it, and told in one line."""

import logging

import numpy as np
import pytest

from collapse_guard import Evidence, Losses, WildType, assess
from collapse_guard.evidence import Scores
from collapse_guard.measurement.intake import intake_of
from collapse_guard.records import Assessment


@pytest.fixture(scope="module")
def wild_type():
    rng = np.random.default_rng(0)
    return WildType.fit([" ".join(map(str, rng.integers(300, size=rng.integers(5, 40)))) for _ in range(200)])


def texts(rng, n, longest=40):
    return [" ".join(map(str, rng.integers(300, size=min(longest, size)))) for size in rng.integers(5, 60, size=n)]


def test_rows_are_told_as_the_file_has_them(wild_type, rng):
    written = texts(rng, 90)
    samples = [*written, *written[:30], *["", " \n", "\u3000"] * 70]
    (part,) = intake_of(wild_type, Evidence(samples=samples, sources={"samples": "out.jsonl"}))
    assert (part.rows, part.empty, part.different) == (330, 210, 90)
    lengths = [len(ids) for ids in wild_type.encode([*written, *written[:30]])]
    assert part.median == np.median(lengths)
    assert str(part).startswith("out.jsonl: 330 rows, 210 blank, 120 texts, 90 different, median ")


def test_ids_are_counted_as_texts_are(wild_type, rng):
    samples = [*texts(rng, 50), ""]
    by_text, by_ids = (
        intake_of(wild_type, Evidence(samples=given)) for given in (samples, list(wild_type.encode(samples)))
    )
    assert by_text == by_ids


@pytest.mark.parametrize(
    ("cut", "unit", "limit"),
    [
        (lambda text, _: " ".join(text.split()[:12]), "words", 12),
        (lambda text, _: text[:50], "characters", 50),
        (lambda text, wild_type: wild_type.decode([wild_type.encode([text])[0][:20]])[0], "tokens", 20),
    ],
)
def test_texts_that_end_at_one_length_are_told_with_its_unit(wild_type, rng, cut, unit, limit):
    samples = [cut(text, wild_type) for text in texts(rng, 200)]
    (part,) = intake_of(wild_type, Evidence(samples=samples))
    assert (part.longest, part.longest_unit) == (limit, unit)
    count = {"words": lambda text: len(text.split()), "characters": len}.get(
        unit, lambda text: len(wild_type.encode([text])[0])
    )
    assert part.at_longest == np.mean([count(text) == limit for text in samples])
    assert f"{part.at_longest:.0%} end at {limit} {unit}" in str(part)


def test_lengths_that_nobody_limits_are_not_told(wild_type):
    """Of 995 texts five have the greatest length, as five have any other."""
    samples = [" ".join(["word"] * n) for n in range(1, 200)] * 5
    (part,) = intake_of(wild_type, Evidence(samples=samples))
    assert part.longest is None


def test_every_part_is_counted_and_logged_and_kept_in_the_record(wild_type, rng, caplog):
    samples = texts(rng, 40)
    evidence = Evidence(
        samples=samples,
        losses=Losses(documents=("a", "b"), nll=[30.0, 50.0], n_tokens=[10, 30]),
        own_losses=Losses(documents=("0",), nll=[3.0], n_tokens=[1]),
        scores={"facts": Scores(values=[1, 0, 1])},
        sources={"losses": "losses.csv", "scores facts": "facts.jsonl"},
    )
    with caplog.at_level(logging.INFO, logger="collapse_guard"):
        assessment = assess(wild_type, evidence)
    lines = [str(part) for part in assessment.intake]
    assert lines[1:] == [
        "losses.csv: 2 losses, median 20 tokens, 2 nats per token",
        "own losses: 1 loss, median 1 token, 3 nats per token",
        "facts.jsonl: 3 scores",
    ]
    assert lines[0].startswith("samples: 40 texts, 40 different, median ")
    assert [record.message for record in caplog.records] == [f"read {line}" for line in lines]
    assert Assessment.from_dict(assessment.to_dict()).intake == assessment.intake


def test_rows_of_numbers_are_counted(rng):
    rows = rng.normal(size=(300, 4))
    wild_type = WildType.fit_arrays(rows, group_samples=10)
    (part,) = intake_of(wild_type, Evidence(samples=np.concatenate([rows[:50], rows[:10]])))
    assert str(part) == "samples: 60 vectors, 50 different, 4 columns"
