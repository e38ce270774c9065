"""What comes in wrong is red in a CI log, and says why: a lineage for each kind of fault, on the command line."""

import json
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from collapse_guard import WildType
from collapse_guard.corpus.losses import read_losses

from .conftest import sentences

pytestmark = pytest.mark.slow
N = 720
"""Samples of each generation; a third of them is a whole number."""


@dataclass(frozen=True)
class Pipeline:
    """A retraining job in CI: a store of its own, a founder and its losses."""

    home: Path
    wild_type: Path
    run: object

    def samples(self, name, texts):
        rows = "".join(json.dumps({"text": text}) + "\n" for text in texts)
        (self.home / f"{name}.jsonl").write_text(rows, encoding="utf-8")
        return self.home / f"{name}.jsonl"

    def losses(self, name, *, factor=1.0, scale=1.0, per_token=False, seed=0, documents=None):
        """Losses of documents of 20 to 40 tokens, with the noise of a training; `factor` is of perplexity."""
        keys = documents or WildType.load(self.wild_type).evaluation.hashes
        rng, noise = np.random.default_rng(5), np.random.default_rng(seed)
        tokens = rng.integers(20, 40, size=len(keys))
        rates = rng.normal(6.0, 0.4, len(keys)) + noise.normal(0.0, 0.15, len(keys)) / np.sqrt(tokens) + np.log(factor)
        values = scale * rates * (1 if per_token else tokens)
        rows = [f"{key},{float(nll)!r},{n}" for key, nll, n in zip(keys, values, tokens, strict=True)]
        (self.home / f"{name}.csv").write_text("\n".join(["document,nll,n_tokens", *rows]), encoding="utf-8")
        return self.home / f"{name}.csv"

    def assess(self, samples, *options, lineage="bot"):
        where = ("--wild-type", self.wild_type, "--lineage", lineage, "--store", f"sqlite:///{self.home}/mlflow.db")
        return self.run("assess", samples, *where, *options)


@pytest.fixture(scope="module")
def founded(tmp_path_factory, world, run):
    made = Pipeline(home=tmp_path_factory.mktemp("founded"), wild_type=world.wild_type, run=run)
    founder = made.samples("founder", sentences(N, seed=11))
    outcome = made.assess(founder, "--losses", made.losses("founder"), "--founder")
    assert outcome.code == 0, outcome.out
    return made


@pytest.fixture
def pipeline(founded, tmp_path, monkeypatch):
    """A copy of the store is a store of its own."""
    monkeypatch.setenv("CI", "true")
    return replace(founded, home=shutil.copytree(founded.home, tmp_path, dirs_exist_ok=True))


def healthy():
    return sentences(N, seed=12)


def test_a_healthy_generation_is_green_and_says_what_was_read(pipeline):
    outcome = pipeline.assess(pipeline.samples("1", healthy()), "--losses", pipeline.losses("1", seed=1))
    assert outcome.code == 0, outcome.out
    assert "Read 1.jsonl: 720 texts, 720 different, median " in outcome.out
    assert "; 1.csv: 700 losses, median " in outcome.out


@pytest.mark.parametrize("nothing", ["", " ", "\n\t", None, "\u3000"])
def test_1_empty_texts(pipeline, nothing):
    texts = [text if i % 10 >= 7 else nothing for i, text in enumerate(healthy())]
    outcome = pipeline.assess(pipeline.samples("1", texts), "--losses", pipeline.losses("1", seed=1))
    assert outcome.code == 1
    assert "Read 1.jsonl: 720 rows, 504 blank, 216 texts" in outcome.out
    assert "empty_samples is 70.00% against the founder's 0%" in outcome.out


@pytest.mark.parametrize(
    ("copy", "indicator"),
    [
        (lambda text, _: text, "unique_samples"),
        (lambda text, i: f"{text} {i}", "near_unique_samples"),
        (lambda text, i: text.replace(" ", ", ", i % 5), "near_unique_samples"),
    ],
    ids=["exact", "another number", "another comma"],
)
def test_2_copies(pipeline, copy, indicator):
    texts = healthy()[: N // 3] * 3
    order = np.random.default_rng(0).permutation(len(texts))
    outcome = pipeline.assess(pipeline.samples("1", [copy(texts[i], place) for place, i in enumerate(order)]))
    assert outcome.code == 1
    assert f"✖ {indicator} is 0.3" in outcome.out
    assert "beyond the margin" in outcome.out


@pytest.mark.parametrize(
    ("unit", "cause", "options"),
    [
        ({"per_token": True}, "means per token", ("--loss-per", "token")),
        ({"scale": 1 / np.log(2)}, "bits", ("--loss-unit", "bits")),
        ({"scale": 1 / np.log(10)}, "base 10", ("--loss-unit", "log10")),
    ],
    ids=["means", "bits", "log10"],
)
def test_3_losses_in_another_unit_and_what_converts_them(pipeline, unit, cause, options):
    samples, wrong = pipeline.samples("1", healthy()), pipeline.losses("1", factor=1.02, seed=1, **unit)
    outcome = pipeline.assess(samples, "--losses", wrong)
    assert outcome.code == 3
    assert cause in outcome.out
    assert f"`{' '.join(options)}`" in outcome.out
    worse = pipeline.losses("2", factor=1.35, seed=2, **unit)
    outcome = pipeline.assess(samples, "--losses", worse, *options)
    assert outcome.code == 1
    assert "perplexity is " in outcome.out
    assert "+3" in outcome.out.split("perplexity is ")[1].split("%")[0]


@pytest.mark.parametrize("lineage", ["bott", "Bot", "another"])
def test_4_a_lineage_that_is_not_there(pipeline, lineage):
    outcome = pipeline.assess(pipeline.samples("1", [""] * N), lineage=lineage)
    assert outcome.code == 2
    assert "Known: bot" in outcome.err
    assert "mlflow.db" in outcome.err
    assert "--founder" in outcome.err
    gate = pipeline.run("gate", "--lineage", lineage, "--store", f"sqlite:///{pipeline.home}/mlflow.db")
    assert gate.code == 2
    assert "Known: bot" in gate.err


def test_4_another_store(pipeline):
    uri = f"sqlite:///{pipeline.home}/empty.db"
    where = ("--wild-type", pipeline.wild_type, "--lineage", "bot", "--store", uri)
    outcome = pipeline.run("assess", pipeline.samples("1", [""] * N), *where)
    assert outcome.code == 2
    assert uri in outcome.err
    assert "there are none" in outcome.err


def test_5_a_founder_that_is_far_from_real_text_is_told_once(pipeline):
    far = pipeline.samples("far", sentences(20, seed=3) * 35)
    outcome = pipeline.assess(far, "--founder", "--strict", lineage="far")
    assert outcome.code == 1
    assert "WATCH: generation 0 of far" in outcome.out
    assert "COLLAPSED" not in outcome.out
    assert outcome.out.count("far from the wild type") == 1
    assert pipeline.assess(far, "--founder", lineage="far as well").code == 0


def test_6_text_without_spaces(pipeline, tmp_path, run):
    syllables = [chr(code) for code in range(0x0E01, 0x0E2F)]

    def thai(text):
        return "".join(syllables[sum(map(ord, word)) % 46] + syllables[hash_of(word) % 46] for word in text.split())

    def hash_of(word):
        return sum(ord(letter) * 31**place for place, letter in enumerate(word))

    wild_type = tmp_path / "thai"
    real = pipeline.samples("real", map(thai, sentences(1400, seed=0)))
    assert run("profile", real, "--out", wild_type, "--evaluation-fraction", 0.5).code == 0
    pipeline = replace(pipeline, wild_type=wild_type)
    founder, same, few = (
        pipeline.samples(name, map(thai, texts))
        for name, texts in (("f", sentences(N, seed=1)), ("h", healthy()), ("c", sentences(20, seed=3) * 35))
    )
    assert pipeline.assess(founder, "--founder", lineage="thai").code == 0
    green = pipeline.assess(same, lineage="thai")
    assert green.code == 0, green.out
    red = pipeline.assess(few, lineage="thai")
    assert red.code == 1
    for outcome in (green, red):
        assert "samples would do" not in outcome.out
        assert "all samples are equal" not in outcome.out


def test_7_what_got_better_is_told(pipeline):
    better = pipeline.losses("1", factor=0.69, seed=1)
    outcome = pipeline.assess(pipeline.samples("1", healthy()), "--losses", better)
    assert outcome.code == 0, outcome.out
    assert "fell by 31" in outcome.out.replace("%", "")
    assert "leak?" in outcome.out


def test_7_a_founder_that_knows_its_evaluation_documents(pipeline):
    trained_on = pipeline.losses("training", seed=3, documents=[f"pool {i}" for i in range(700)])
    assert len(read_losses(trained_on)) == 700
    options = ("--losses", pipeline.losses("f"), "--training-losses", trained_on, "--founder", "--strict")
    outcome = pipeline.assess(pipeline.samples("f", healthy()), *options, lineage="leaked")
    assert outcome.code == 1
    assert "WATCH: generation 0 of leaked" in outcome.out
    assert "trained on" in outcome.out
