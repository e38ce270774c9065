"""Whatever numbers are given: a verdict or an error of ours, and no warning of numpy (tests take one for an error)."""

import numpy as np
import pytest

from collapse_guard import Evidence, Losses, WildType, assess
from collapse_guard.errors import InputError
from collapse_guard.evidence import Scores
from collapse_guard.records import Severity

RNG = np.random.default_rng(0)
WORDS = np.array([a + b for a in "bcdfglmnp" for b in ("a", "en", "ito", "urra", "os")])
N = 60
USUAL = RNG.gamma(20.0, 3.0, N)
POINTS = RNG.normal(size=(200, 3))


def texts(n, seed):
    weights = 1.0 / np.arange(1, len(WORDS) + 1)
    drawn = np.random.default_rng(seed).choice(WORDS, (n, 12), p=weights / weights.sum())
    return [" ".join(row) for row in drawn]


@pytest.fixture(scope="module")
def wild_type():
    return WildType.fit(texts(2 * N, 0), evaluation_fraction=0.5)


@pytest.fixture(scope="module")
def vectors():
    return WildType.fit_arrays(POINTS, evaluation_fraction=0.5)


def losses(wild_type, nll, **parts):
    documents = wild_type.evaluation.hashes
    nll = np.resize(np.asarray(nll, dtype=float), len(documents))
    return Losses(documents=documents, nll=nll, n_tokens=np.full(len(nll), 20), **parts)


NLL = {
    "infinite": [np.inf],
    "NaN": [np.nan],
    "huge": [1e308],
    "tiny": [5e-324],
    "zero": [0.0],
    "half infinite": [60.0, np.inf],
    "half huge": [60.0, 1e308],
    "largest that is finite": [1e30, 1.0],
    "of every size": 10.0 ** RNG.uniform(-300, 300, N),
}


@pytest.mark.slow
@pytest.mark.parametrize("nll", NLL.values(), ids=NLL)
def test_losses_of_any_size_are_judged_without_a_warning_and_pass_for_nothing(wild_type, nll):
    usual = Evidence(losses=losses(wild_type, USUAL))
    extreme = Evidence(losses=losses(wild_type, nll, entropy=np.resize(nll, len(wild_type.evaluation))))
    founder = assess(wild_type, usual, seed=0)
    for history in ([], [founder]):
        verdict = assess(wild_type, extreme, history=history, seed=0).verdict
        assert verdict.severity is not Severity.HEALTHY
    assess(wild_type, usual, history=[assess(wild_type, extreme, seed=0)], seed=0)
    own = Losses(documents=tuple(map(str, range(N))), nll=np.resize(nll, N), n_tokens=np.full(N, 9))
    assess(wild_type, Evidence(samples=texts(N, 1), own_losses=own, founder_losses=own), history=[founder], seed=0)


SAMPLES = {"one": ["a"], "alike": ["ba"] * N, "empty": [""] * N, "signs": ["\x00\x01"] * N, "sheep": ["🐑"] * N}


@pytest.mark.slow
@pytest.mark.parametrize("samples", SAMPLES.values(), ids=SAMPLES)
def test_samples_of_any_kind_are_judged_without_a_warning(wild_type, samples):
    founder = assess(wild_type, Evidence(samples=texts(N, 1)), seed=0)
    scores = {"facts": Scores(values=np.resize([np.nan, 1e-308, 1.0], N))}
    assert assess(wild_type, Evidence(samples=samples, scores=scores), history=[founder], seed=0).readings


VECTORS = {
    "constant": np.ones((100, 3)),
    "one constant column": np.c_[POINTS[:, :2], np.ones(len(POINTS))],
    "huge": POINTS * 1e200,
    "large": POINTS * 1e29,
    "tiny": POINTS * 1e-200,
    "small": POINTS * 1e-29,
    "one huge": np.r_[[[1e308] * 3], POINTS],
    "infinite": np.r_[[[np.inf] * 3], POINTS],
    "of single precision": POINTS.astype(np.float32) * np.float32(1e37),
    "one": POINTS[:1],
}


@pytest.mark.slow
@pytest.mark.parametrize("rows", VECTORS.values(), ids=VECTORS)
def test_vectors_of_any_size_are_judged_without_a_warning(vectors, rows):
    founder = assess(vectors, Evidence(samples=POINTS), seed=0)
    verdict = assess(vectors, Evidence(samples=rows), history=[founder], seed=0).verdict
    if not (np.abs(rows) < 1e30).all():
        assert verdict.severity is not Severity.HEALTHY


@pytest.mark.slow
@pytest.mark.parametrize("standardize", [True, False])
@pytest.mark.parametrize("rows", VECTORS.values(), ids=VECTORS)
def test_a_wild_type_of_vectors_of_any_size_is_fitted_or_refused_without_a_warning(rows, standardize):
    try:
        wild_type = WildType.fit_arrays(rows, standardize=standardize)
    except InputError:
        return
    assess(wild_type, Evidence(samples=rows), seed=0)


@pytest.mark.parametrize("counts", [[10**13], [np.nan], [np.inf], [1.5], [2**70]])
def test_counts_that_no_document_has_are_refused(counts):
    with pytest.raises(InputError, match=r"`n_tokens` must be (whole )?numbers"):
        Losses(documents=("a",), nll=[1.0], n_tokens=counts)


def test_a_loss_that_no_document_has_is_infinite():
    made = Losses(
        documents=("a", "b"), nll=[1e31, -1e31], n_tokens=[1, 1], token_nll=(np.array([1e31]), np.array([1.0]))
    )
    assert made.nll.tolist() == [np.inf, -np.inf]
    assert [part.tolist() for part in made.token_nll] == [[np.inf], [1.0]]
