"""Each reading needs exactly the minimum of replicates that its indicator declares."""

import numpy as np
import pytest

from collapse_guard.evidence import Evidence, Losses
from collapse_guard.indicators.base import MINIMUM_GROUPS, all_indicators, reading_of
from collapse_guard.indicators.instruments import instruments
from collapse_guard.indicators.rates import ScoredDocuments
from collapse_guard.measurement.lineage_readings import lineage_readings
from collapse_guard.measurement.loss_readings import document_reading, loss_readings, output_readings
from collapse_guard.measurement.measure import measure
from collapse_guard.measurement.replicates import groups_of_samples, groups_of_units, groups_of_vectors
from collapse_guard.measurement.sample_readings import group_readings
from collapse_guard.measurement.stratum import freeze_tail
from collapse_guard.wildtype import WildType

SIZE = 200
EVERY = frozenset(all_indicators())


def texts(rng, n, words):
    return [" ".join(f"w{i}" for i in rng.zipf(1.2, size=words).clip(max=2000)) for _ in range(n)]


@pytest.fixture(scope="module")
def wild_type():
    return WildType.fit(texts(np.random.default_rng(0), 200, 60), vocabulary_size=300, near_duplicate_threshold=1.0)


def losses(rng, n):
    token_nll = tuple(rng.gamma(2.0, size=4) for _ in range(n))
    nll, tokens = np.array([part.sum() for part in token_nll]), np.full(n, 4)
    ids = tuple(str(i) for i in range(n))
    return Losses(documents=ids, nll=nll, n_tokens=tokens, n_bytes=tokens, entropy=nll, token_nll=token_nll)


def strata(scored):
    """Two slices, and a rarity of each document."""
    slices = {document: "ab"[i % 2] for i, document in enumerate(scored.documents)}
    return {"slices": slices, "rarity": {document: float(i) for i, document in enumerate(scored.documents)}}


def of_losses(_, rng, n):
    scored = losses(rng, n)
    return loss_readings(scored, freeze_tail(scored, share=1.0), **strata(scored))


def of_reverse(_, rng, n):
    scored = losses(rng, n)
    given = ScoredDocuments(scored, None, **strata(scored))
    return [document_reading(metric, metric.read(given)) for metric in reading_of("reverse")]


def of_outputs(_, rng, n):
    scored = losses(rng, n * SIZE)
    return output_readings(Evidence(own_losses=scored, founder_losses=scored), SIZE)


def of_tokens(wild_type, rng, n):
    samples = [rng.integers(2, 300, size=SIZE // 5) for _ in range(5 * n)]
    groups = groups_of_units(samples, SIZE, "tokens", "samples")
    return group_readings("tokens", groups, instruments(wild_type), EVERY)


def of_words(wild_type, rng, n):
    groups = groups_of_units([rng.integers(300, size=SIZE) for _ in range(n)], SIZE, "words", "samples")
    return group_readings("words", groups, instruments(wild_type), EVERY)


def of_texts(wild_type, rng, n):
    samples = texts(rng, n * SIZE, 8)
    groups = groups_of_samples([text.encode() for text in samples], SIZE, "samples")
    groups = groups.of(lambda group: [samples[i] for i in group])
    return [*group_readings("samples", groups, instruments(wild_type), EVERY), *of_tokens(wild_type, rng, n)]


def of_vectors(wild_type, rng, n):
    rows = rng.normal(size=(n * SIZE, wild_type.geometry.dimension))
    return group_readings("vectors", groups_of_vectors(rows, SIZE), instruments(wild_type), EVERY)


def of_columns(_, rng, n):
    real = WildType.fit_arrays(np.random.default_rng(0).normal(size=(400, 3)), group_samples=SIZE)
    return measure(real, Evidence(samples=rng.normal(size=(n * SIZE, 3))), only=("narrowest_column",)).values()


def of_whole(wild_type, rng, n):
    """Some of them empty, which few indicators count: the others need n that are not."""
    written = texts(rng, n, 8)
    of_all = ("empty_samples", "truncated_samples")
    rows = [reading for reading in measure_texts(wild_type, written) if reading.indicator in of_all]
    return [*(one for one in measure_texts(wild_type, [*written, "", " "]) if one.indicator not in of_all), *rows]


def of_prompts(wild_type, rng, n):
    samples = Evidence(samples=texts(rng, 2 * n, 8), prompts=[f"prompt {i // 2}" for i in range(2 * n)])
    return measure(wild_type, samples).values()


def measure_texts(wild_type, samples):
    return measure(wild_type, Evidence(samples=samples, truncated=[True] * len(samples))).values()


READINGS = {
    "losses": of_losses,
    "reverse": of_reverse,
    "outputs": of_outputs,
    "tokens": of_tokens,
    "words": of_words,
    "texts": of_texts,
    "vectors": of_vectors,
    "columns": of_columns,
    "whole": of_whole,
    "prompts": of_prompts,
}


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", [name for name, metric in all_indicators().items() if metric.evidence not in ("lineage", "learning")]
)
def test_a_reading_needs_exactly_the_declared_minimum_of_replicates(wild_type, name):
    metric = all_indicators()[name]
    if metric.evidence not in ("losses", "reverse", "whole", "prompts"):
        assert metric.minimum_n == MINIMUM_GROUPS
    for n, usable in ((metric.minimum_n, True), (metric.minimum_n - 1, False)):
        rng = np.random.default_rng(1)
        reading = {found.indicator: found for found in READINGS[metric.evidence](wild_type, rng, n)}[name]
        if metric.evidence == "whole" and not (usable and reading.replicates):
            assert reading.n == n
        else:
            assert len(reading.replicates) == n
        assert reading.is_usable is usable, reading.problem
        assert (reading.n >= reading.n_minimum) is usable
        assert (reading.unit, reading.direction, reading.scale) == (metric.unit, metric.direction, metric.scale)


def test_lineage_readings_need_readings_that_are_usable_and_have_no_replicates(wild_type):
    def readings(shift, n):
        rng = np.random.default_rng(2)
        scored = losses(rng, n)
        scored = Losses(documents=scored.documents, nll=scored.nll + 4 * shift, n_tokens=scored.n_tokens)
        groups = groups_of_units([rng.integers(2, 60 - 9 * shift, size=SIZE) for _ in range(9)], SIZE, "tokens", "")
        found = [*loss_readings(scored, None), *group_readings("tokens", groups, instruments(wild_type), EVERY)]
        return {reading.indicator: reading for reading in found}

    founder, child = readings(0, 40), readings(1, 40)
    found = lineage_readings(child, founder=founder, parent=founder)
    lineage = [name for name, metric in all_indicators().items() if metric.evidence == "lineage"]
    assert list(found) == lineage
    assert all(reading.is_usable and not reading.replicates for reading in found.values())
    assert found["relative_fitness"].value == pytest.approx(np.exp(-1.0))
    lost = founder["homozygosity"].value - 1, child["homozygosity"].value - 1
    assert found["effective_size"].value == pytest.approx(1 / (1 - lost[1] / lost[0]))
    grown = lineage_readings(founder, founder=founder, parent=child)["effective_size"]
    assert "diversity did not fall" in grown.problem
    assert lineage_readings(child, founder={}, parent={}) == {}
    assert list(lineage_readings(readings(1, 20), founder=founder, parent={})) == []


def test_relative_fitness_is_of_the_documents_that_both_have_scored(wild_type):
    rng = np.random.default_rng(3)
    scored = losses(rng, 60)
    half = Losses(documents=scored.documents[:30], nll=scored.nll[:30], n_tokens=scored.n_tokens[:30])
    here, there = ({reading.indicator: reading for reading in loss_readings(part, None)} for part in (half, scored))
    assert lineage_readings(here, founder=there, parent={})["relative_fitness"].value == pytest.approx(1.0)
