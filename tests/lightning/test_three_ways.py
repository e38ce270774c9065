"""The same samples have the same verdict by the callback, in Python and on the command line, whatever is wrong with
them."""

import json
import shutil

import numpy as np
import pytest
from typer.testing import CliRunner

from collapse_guard import Evidence, Losses, Severity, assess
from collapse_guard.cli.app import app
from collapse_guard.lightning import CollapseGuard
from collapse_guard.store import MemoryStore, open_store

from .conftest import language

N = 800


def blank(texts):
    return [text if i % 10 >= 7 else ("", " ", "\n")[i % 3] for i, text in enumerate(texts)]


def thrice(texts):
    third = len(texts) // 3
    return [texts[i % third] for i in np.random.default_rng(0).permutation(3 * third)]


CASES = {
    "healthy": (lambda texts: texts, Severity.HEALTHY, ""),
    "blank": (blank, Severity.COLLAPSED, "empty_samples"),
    "copies": (thrice, Severity.COLLAPSED, "unique_samples"),
    "nothing": (lambda texts: [""] * len(texts), Severity.COLLAPSED, "empty_samples"),
}


class Given:
    """A probe that hands out evidence that is there already."""

    def __init__(self, evidence):
        self.evidence = evidence

    def collect(self, module, wild_type, *, seed, rank, world_size):
        return self.evidence


def losses_of(wild_type, seed):
    rng, n = np.random.default_rng(seed), len(wild_type.evaluation)
    tokens = np.random.default_rng(7).integers(20, 40, size=n)
    hardness = np.random.default_rng(8).normal(5.0, 0.3, size=n)
    return Losses(
        documents=wild_type.evaluation.hashes, nll=(hardness + rng.normal(0.0, 0.01, n)) * tokens, n_tokens=tokens
    )


def by_command(evidence, index, folder):
    """One generation on the command line; the store and the wild type are in the folder."""
    uri = f"sqlite:///{folder / 'mlflow.db'}"
    rows = "".join(json.dumps({"text": text}) + "\n" for text in evidence.samples)
    (folder / f"{index}.jsonl").write_text(rows, encoding="utf-8")
    losses = zip(evidence.losses.documents, evidence.losses.nll, evidence.losses.n_tokens, strict=True)
    lines = ["document,nll,n_tokens", *(f"{name},{float(nll)!r},{n}" for name, nll, n in losses)]
    (folder / "losses.csv").write_text("\n".join(lines), encoding="utf-8")
    command = ["assess", f"{folder / str(index)}.jsonl", "--losses", f"{folder / 'losses.csv'}", "--lineage", "bot"]
    where = ["--wild-type", f"{folder / 'wild-type'}", "--store", uri, "--generation", str(index)]
    result = CliRunner().invoke(app, [*command, *where])
    assert result.exit_code in (0, 1), result.output
    return open_store(uri).history("bot")[-1]


def by_callback(wild_type, generations, fit):
    store = MemoryStore()
    for index, evidence in enumerate(generations):
        guard = CollapseGuard(wild_type, "bot", Given(evidence), store=store, actions=(), generation=index)
        fit(guard, max_epochs=1)
    return store.history("bot")[-1]


@pytest.fixture(scope="module")
def founder(wild_type):
    return Evidence(samples=language(N, seed=1), losses=losses_of(wild_type, 0))


@pytest.fixture(scope="module")
def founded(wild_type, founder, tmp_path_factory):
    """A folder in which the command line has founded the lineage."""
    folder = tmp_path_factory.mktemp("founded")
    wild_type.save(folder / "wild-type")
    by_command(founder, 0, folder)
    return folder


@pytest.fixture(scope="module")
def history(wild_type, founder):
    """The founder as Python assesses it."""
    return [assess(wild_type, founder)]


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_three_ways_one_verdict(wild_type, founder, founded, history, fit, tmp_path, case):
    change, severity, indicator = CASES[case]
    samples = change(language(N, seed=2))
    evidence = Evidence(samples=samples, losses=losses_of(wild_type, 1))
    found = [
        by_command(evidence, 1, shutil.copytree(founded, tmp_path / "copy")),
        assess(wild_type, evidence, history=history),
        by_callback(wild_type, [founder, evidence], fit),
    ]
    for assessment in found:
        assert assessment.verdict.severity is severity, assessment.verdict
        reasons = [(reason.severity, reason.indicator) for reason in assessment.verdict.reasons]
        assert not indicator or (Severity.COLLAPSED, indicator) in reasons
        assert assessment.to_dict()["readings"] == found[0].to_dict()["readings"]
        assert assessment.verdict.reasons == found[0].verdict.reasons
        assert assessment.intake[0].rows == len(samples)
