"""The benchmark at tiny sizes: every row's work gives the value of the slow definition, and the table tells the truth.

Nothing is timed here, and no peer is needed.
"""

import importlib
import itertools
import json
import math
import subprocess
import sys
import zlib
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import optimize
from scipy.spatial.distance import cdist
from sklearn.metrics import auc

from collapse_guard.corpus.kneser_ney import KneserNey
from rounding import error_of_a_sum
from slow_language_model import SlowKneserNey

FOLDER = Path(__file__).parents[2] / "benchmarks"
sys.path.insert(0, str(FOLDER))

measuring, one_generation, peers, rows, running, table, workloads = map(
    importlib.import_module, ("measuring", "one_generation", "peers", "rows", "running", "table", "workloads")
)
benchmark = importlib.import_module("indicators")
Measured, Result = running.Measured, running.Result

NAMED = {row.name: row for row in rows.ROWS}


def slow_distinct(documents):
    values = []
    for n in (1, 2, 3, 4):
        grams = [tuple(one[i : i + n]) for one in documents.ids for i in range(len(one) - n + 1)]
        values.append(len(set(grams)) / len(grams))
    return values


def counted(sample, n):
    return Counter(tuple(sample[i : i + n]) for i in range(len(sample) - n + 1))


def slow_self_bleu(documents):
    samples = [one.tolist() for one in documents.ids]
    scores = []
    for i, own in enumerate(samples):
        others = samples[:i] + samples[i + 1 :]
        logs = []
        for n in (1, 2, 3, 4):
            most = [counted(other, n) for other in others]
            grams = counted(own, n)
            matches = sum(min(count, max(found[gram] for found in most)) for gram, count in grams.items())
            logs.append(math.log((matches or 0.1) / sum(grams.values())))
        scores.append(math.exp(sum(logs) / 4))
    return sum(scores) / len(scores)


def slow_kneser_ney(documents):
    size = 1 + max(int(one.max()) for one in documents.ids)
    return SlowKneserNey(documents.ids, size, 3, (0.0, rows.DISCOUNT, rows.DISCOUNT)).nll(documents.ids)


def slow_learnt(given):
    discounts = KneserNey.fit(given.samples, vocabulary_size=given.vocabulary_size).discounts
    return sum(SlowKneserNey(given.samples, given.vocabulary_size, 3, discounts).nll(given.documents))


def slow_repetition(documents):
    sets = [set(counted(one.tolist(), 4)) for one in documents.ids]
    logs = [
        math.log1p(sum(gram in other for gram in own for j, other in enumerate(sets) if j != i))
        for i, own in enumerate(sets)
    ]
    return sum(logs) / len(logs)


def slow_compression(documents):
    # All texts are equal at this size, so their order does not matter.
    assert len(set(documents.texts)) == 1
    joined = "\n".join(documents.texts).encode()
    return len(joined) / len(zlib.compress(joined, 9))


def slow_vendi(x):
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    values = np.linalg.eigvalsh(unit @ unit.T / len(x))
    values = values[values > 1e-12]
    return math.exp(-(values * np.log(values)).sum())


def slow_manifold(clouds, k=5):
    reference, generated = (part.astype(np.float64) for part in clouds)
    own, between = cdist(reference, reference), cdist(reference, generated)
    radii = np.sort(own, axis=1)[:, k]
    generated_radii = np.sort(cdist(generated, generated), axis=1)[:, k]
    inside = between <= radii[:, None]
    return [
        inside.any(axis=0).mean(),
        (between <= generated_radii).any(axis=1).mean(),
        inside.sum(axis=0).mean() / k,
        inside.any(axis=1).mean(),
    ]


def slow_mmd(clouds):
    both = np.concatenate(clouds).astype(np.float64)
    n = len(clouds.reference)
    distances = cdist(both, both)
    kernel = np.exp(-(distances**2) / (2 * np.median(distances[np.triu_indices(len(both), 1)]) ** 2))
    np.fill_diagonal(kernel, 0.0)
    within = (kernel[:n, :n].sum() + kernel[n:, n:].sum()) / (n * (n - 1))
    return within - 2 * kernel[:n, n:].mean()


def slow_mauve(frozen):
    codebook, clouds = frozen.instrument.codebook, frozen.clouds
    labels = [
        cdist(part[:2048].astype(np.float64), codebook).argmin(axis=1) for part in (clouds.generated, clouds.reference)
    ]
    p, q = (np.bincount(label, minlength=len(codebook)) / len(label) for label in labels)
    curve = [(1.0, 0.0), (0.0, 1.0)]
    for w in np.linspace(1e-6, 1 - 1e-6, 25):
        r = w * p + (1 - w) * q
        kl = [sum(s * math.log(s / m) for s, m in zip(shares, r, strict=True) if s > 0) for shares in (q, p)]
        curve.append((math.exp(-5 * kl[0]), math.exp(-5 * kl[1])))
    x, y = np.array(sorted(curve, key=lambda point: (point[0], -point[1]))).T
    return auc(x, y)


def slow_perplexity(batch):
    logits, labels = batch
    logs = torch.log_softmax(logits.double(), dim=-1)
    return math.exp(-float(logs.gather(-1, labels[..., None]).mean()))


def slow_depression(lineages):
    left = []
    for values in lineages:
        bounds = [(np.log(1.5), np.log(3000.0)), (0.0, 0.5)]

        def rest(at, values=values):
            path, f, n, d = [0.0], 0.0, math.exp(at[0]), at[1]
            for _ in values[1:]:
                path.append(((1 - 1 / n) * path[-1] + 1 / n) * (1 - 2 * d * f))
                f = 1 / n + (1 - 1 / n) * f
            design = np.stack([np.ones(len(path)), path], axis=1)
            return ((values - design @ np.linalg.lstsq(design, values, rcond=None)[0]) ** 2).sum()

        left.append(optimize.differential_evolution(rest, bounds, seed=1, tol=1e-12, maxiter=60).fun)
    return left


def slow_training(given):
    attached = importlib.import_module("attached")
    torch.manual_seed(workloads.SEED)
    model = attached.EXAMPLE["YourModel"](given.wild_type.vocabulary_size)
    optimizer, found = torch.optim.Adam(model.parameters(), lr=1e-2), []
    loader = torch.utils.data.DataLoader(given.windows, batch_size=32, shuffle=True)
    for ids in itertools.chain(loader, loader):
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(ids[:, :-1]).mT, ids[:, 1:], ignore_index=1)
        loss.backward()
        optimizer.step()
        found.append(loss.item())
    return found


SLOW = {
    "distinct": slow_distinct,
    "self_bleu": slow_self_bleu,
    "self_bleu_many": slow_self_bleu,
    "kneser_ney": slow_kneser_ney,
    "reverse": slow_learnt,
    "repetition": slow_repetition,
    "compression": slow_compression,
    "vendi": lambda clouds: slow_vendi(clouds.generated),
    "vendi_stream": lambda n: slow_vendi(workloads.clouds(n, 384).generated.astype(np.float64)),
    "manifold": slow_manifold,
    "manifold_frozen": lambda frozen: slow_manifold(frozen.clouds),
    "manifold_many": slow_manifold,
    "mmd": slow_mmd,
    "mauve": slow_mauve,
    "perplexity": slow_perplexity,
    "depression": slow_depression,
    "attached": slow_training,
    "watched": slow_training,
    "mixture_loader": lambda windows: len(list(map(windows.__getitem__, range(len(windows))))),
}
TOLERANCE = {"mmd": 1e-3, "perplexity": error_of_a_sum(32_000)}
"""Of mmd: which of the two middle distances is the median is a convention. Of perplexity: it has the logarithms of sums
over the vocabulary, in float32."""
TESTED_ALONE = {"one_generation", "one_generation_thread"}


def test_every_row_has_a_slow_definition_and_a_name_of_its_own():
    assert len(NAMED) == len(rows.ROWS)
    assert set(SLOW) | TESTED_ALONE == set(NAMED)


@pytest.mark.slow
@pytest.mark.parametrize("name", SLOW)
def test_a_row_computes_the_slow_definition(name):
    row = NAMED[name]
    data = row.data(row.tiny)
    ours, slow = row.ours(data), SLOW[name](data)
    if name == "mmd":
        ours, p = ours
        assert (p * (rows.PERMUTATIONS + 1)) % 1 == pytest.approx(0, abs=1e-9)
        assert p >= 1 / (rows.PERMUTATIONS + 1)
    np.testing.assert_allclose(ours, slow, rtol=TOLERANCE.get(name, 1e-6))


def test_everything_for_one_generation_is_read():
    setting = one_generation.setting(800, documents=120, held_out=40)
    values = one_generation.read(setting)
    losses = setting.evidence.losses
    assert values["perplexity"] == pytest.approx(math.exp(losses.nll.sum() / losses.n_tokens.sum()))
    missing = {name for name, value in values.items() if not math.isfinite(value)}
    assert not missing


def test_data_are_the_same_for_the_same_size():
    assert workloads.documents(3, 5).texts == workloads.documents(3, 5).texts
    np.testing.assert_array_equal(workloads.clouds(4, 3).generated, workloads.clouds(4, 3).generated)


@pytest.fixture
def cheap():
    row = replace(NAMED["compression"], n=20, tiny=10, ours=lambda documents: 2.0, peer=lambda documents: 2.5)
    return replace(row, agree=None, remark="")


@pytest.mark.slow
def test_a_row_whose_peer_is_not_installed_says_so_and_keeps_our_numbers(cheap):
    def absent(_):
        raise ModuleNotFoundError("No module named 'peer'")

    result = running.run(replace(cheap, peer=absent, ratio=2.0))
    assert result.ours.seconds is not None
    assert "No module named 'peer'" in table.cells(result)[5]
    assert result.criteria == [("ratio at least 2", False)]


@pytest.mark.slow
def test_a_row_whose_function_is_missing_says_so(cheap):
    def absent(_):
        raise ImportError("cannot import name 'ours'")

    assert "cannot import name 'ours'" in table.cells(running.run(replace(cheap, ours=absent)))[2]


def test_a_package_that_is_not_installed_is_a_missing_module():
    with pytest.raises(ModuleNotFoundError, match="no_such_package"):
        peers.part_of("no_such_package", "anything")


@pytest.mark.slow
def test_the_difference_of_values_is_the_largest_one(cheap):
    assert "max difference 5e-01" in table.cells(running.run(cheap))[9]


@pytest.mark.parametrize(
    ("asked", "ours", "peer", "met"),
    [
        ({"ratio": 10}, {"seconds": 1.0}, {"seconds": 10.0}, True),
        ({"ratio": 10}, {"seconds": 1.0}, {"seconds": 9.9}, False),
        ({"ratio": 10}, {"seconds": 1.0}, {"missing": "no"}, False),
        ({"memory_share": 0.5}, {"extra": 50.0}, {"extra": 100.0}, True),
        ({"memory_share": 0.5}, {"extra": 51.0}, {"extra": 100.0}, False),
        ({"seconds": 8}, {"seconds": 8.1}, {}, False),
        ({"seconds": 8}, {"seconds": 7.9}, {}, True),
        ({"megabytes": 300}, {"extra": 299.0, "peak": 600.0}, {}, True),
        ({"megabytes": 300, "alone": True}, {"extra": 299.0, "peak": 600.0}, {}, False),
        ({"growth": 2.2}, {"growth": 2.3}, {}, False),
        ({"growth": 2.2}, {"growth": 2.2}, {}, True),
    ],
)
def test_what_is_asked_is_compared_with_what_was_measured(asked, ours, peer, met):
    bare = replace(NAMED["compression"], **asked)
    result = Result(row=bare, ours=Measured(**ours), peer=Measured(**peer))
    assert [found for _, found in result.criteria] == [met]


@pytest.mark.slow
def test_the_markdown_table_replaces_what_stands_between_the_marks(tmp_path, cheap):
    page = tmp_path / "page.md"
    page.write_text(f"before\n\n{benchmark.BEGIN}\nold\n{benchmark.END}\n\nafter\n", encoding="utf-8")
    benchmark.write_table(page, [running.run(cheap)])
    text = page.read_text(encoding="utf-8")
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "old" not in text
    line = next(line for line in text.splitlines() if line.startswith("| compression ratio |"))
    assert line.count("|") == len(table.HEADINGS) + 1


PEAK = """
import json
import numpy as np
import measuring
held = np.ones(2**23)
memory, value = measuring.peak_of(lambda n: np.ones(n).sum(), 2**22)
print(json.dumps([value, held.nbytes, memory.extra]))
"""


def test_memory_is_of_the_call_and_not_of_what_was_held_before():
    # In a process of its own: from one as large as that of the tests the system takes memory back meanwhile.
    command = [sys.executable, "-c", PEAK]
    done = subprocess.run(command, cwd=measuring.FOLDER, capture_output=True, text=True, check=True)
    value, held, extra = json.loads(done.stdout)
    assert (value, held) == (2**22, 2**26)
    taken, megabyte = 8 * 2**22, 2**20
    assert 0.75 * taken < extra * megabyte < held


@pytest.mark.slow
def test_a_row_can_be_measured_in_a_process_of_its_own():
    found = measuring.in_a_process("--child", "compression", "ours", "20")
    assert found["peak"] > found["extra"] >= 0


def test_a_process_that_fails_says_why():
    with pytest.raises(RuntimeError, match="no peer"):
        measuring.in_a_process("--child", "self_bleu_many", "peer", "4")


def test_an_unknown_row_is_refused_with_the_names_there_are():
    command = [sys.executable, str(FOLDER / "indicators.py"), "--only", "distnct"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "distinct" in done.stderr
