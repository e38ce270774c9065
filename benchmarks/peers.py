"""The peers: the packages people would use instead, each behind one small function that imports it when called.

None of them is needed to use collapse_guard; `make bench` installs them (the `bench` extra). Where one is not
installed, its function raises ModuleNotFoundError and the table says so.
"""

from __future__ import annotations

import contextlib
import importlib.util
import math
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt

import workloads

Vectors = npt.NDArray[Any]


def diversity_distinct(texts: list[str]) -> float:
    """Sum of the shares of unique n-grams for n = 1 to 4, which the package rounds to three decimals."""
    return part_of("diversity", "ngram_diversity").ngram_diversity_score(texts, num_n=4)


def diversity_self_repetition(texts: list[str]) -> float:
    return float(part_of("diversity", "self_repetition").self_repetition_score(texts, n=4, verbose=False))


def diversity_compression(texts: list[str]) -> float:
    return part_of("diversity", "compression").compression_ratio(texts)


def nltk_self_bleu(samples: Sequence[Sequence[int]]) -> float:
    """The recipe in use: each sample against all others, four equal weights, smoothing method 1."""
    from nltk.translate.bleu_score import SmoothingFunction, sentence_bleu

    smoothing = SmoothingFunction().method1
    others = [[*samples[:i], *samples[i + 1 :]] for i in range(len(samples))]
    scores = [
        sentence_bleu(rest, one, weights=(0.25,) * 4, smoothing_function=smoothing)
        for one, rest in zip(samples, others, strict=True)
    ]
    return float(np.mean(scores))


def nltk_kneser_ney(documents: Sequence[Sequence[int]], discount: float) -> list[float]:
    """Nats of each document under a trigram model of all, whose n-grams all end at a token of a document."""
    from nltk.lm import KneserNeyInterpolated
    from nltk.lm.vocabulary import Vocabulary

    ends = [[(["<s>", "<s>", *map(str, one)], i + 3) for i in range(len(one))] for one in documents]
    grams = [[tuple(padded[end - n : end]) for n in (1, 2, 3)] for one in ends for padded, end in one]
    model = KneserNeyInterpolated(3, discount, vocabulary=Vocabulary([str(i) for one in documents for i in one]))
    model.fit(grams)
    return [-math.log(2) * sum(model.logscore(p[e - 1], p[e - 3 : e - 1]) for p, e in one) for one in ends]


def vendi_score_of(x: Vectors) -> float:
    """`vendi_score.vendi.score_X`, which computes order 1 whatever `q` says."""
    import scipy.sparse

    if not hasattr(scipy.sparse, "csr"):
        # The package names a module that SciPy 2 removes.
        scipy.sparse.csr = SimpleNamespace(csr_matrix=scipy.sparse.csr_matrix)
    from vendi_score import vendi

    return float(vendi.score_X(x))


def prdc_scores(reference: Vectors, generated: Vectors, k: int = 5) -> dict[str, float]:
    from prdc import prdc

    # It asks for eight threads by name, which no limit of threads overrules.
    prdc.sklearn = SimpleNamespace(metrics=SimpleNamespace(pairwise_distances=_one_thread_distances))
    with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stdout(nowhere):
        found = prdc.compute_prdc(reference, generated, k)
    return {name: float(value) for name, value in found.items()}


def torchdrift_mmd(x: Vectors, y: Vectors, permutations: int) -> tuple[float, float]:
    """MMD with the diagonal of the kernel kept, and the p-value `k / N`; the median distance is the bandwidth."""
    import torch
    from torchdrift.detectors.mmd import GaussianKernel, kernel_mmd

    torch.manual_seed(0)
    mmd, p = kernel_mmd(torch.from_numpy(x), torch.from_numpy(y), n_perm=permutations, kernel=GaussianKernel())
    return float(mmd), float(p)


def torchdrift_bandwidth(x: Vectors, y: Vectors) -> float:
    """Its median distance, in which the distance of each row to itself counts, and which is the lower median."""
    import torch

    both = torch.from_numpy(np.concatenate([x, y]))
    return float(torch.cdist(both, both).median())


def mauve_score(reference: Vectors, generated: Vectors, n_clusters: int) -> float:
    """`mauve.compute_mauve` of given features: PCA and k-means of both sets together, again in each generation."""
    import faiss
    import mauve

    faiss.omp_set_num_threads(1)
    return float(mauve.compute_mauve(p_features=reference, q_features=generated, num_buckets=n_clusters).mauve)


def mauve_of_histograms(p: Vectors, q: Vectors) -> float:
    """The second half of `compute_mauve`: the area under the divergence curve of two histograms, 25 points, c = 5."""
    from mauve.compute_mauve import get_divergence_curve_for_multinomials
    from sklearn.metrics import auc

    curve = get_divergence_curve_for_multinomials(p, q, np.linspace(1e-6, 1 - 1e-6, 25), 5)
    x, y = curve.T
    first, second = np.argsort(x), np.argsort(y)
    return 0.5 * float(auc(x[first], y[first]) + auc(y[second], x[second]))


def torchmetrics_perplexity(logits: Any, labels: Any) -> float:
    from torchmetrics.text import Perplexity

    metric = Perplexity(ignore_index=-100)
    metric.update(logits, labels)
    return float(metric.compute())


def random_sampler(windows: workloads.Windows) -> int:
    import torch
    from torch.utils.data import DataLoader, RandomSampler

    data: Any = windows
    own = torch.Generator().manual_seed(0)
    loader = DataLoader(data, workloads.BATCH, sampler=RandomSampler(data, generator=own), generator=own)
    return sum(len(batch) for batch in loader)


def least_squares_of_each(lineages: Vectors) -> Vectors:
    """Sum of squares of the best curve through each lineage, from one start."""
    from scipy.optimize import least_squares

    from collapse_guard.genetics.inbreeding import purged_inbreeding

    def left(at: Vectors, values: Vectors) -> Vectors:
        founder, load, log_size, purging = at
        path = purged_inbreeding(len(values) - 1, samples=float(np.exp(log_size)), purging=float(purging))
        return founder + load * path - values

    bounds = ([-np.inf, 0.0, np.log(1.5), 0.0], [np.inf, np.inf, np.log(3000.0), 0.5])
    start = [2.0, np.log(20.0), 0.1]
    return np.array(
        [2.0 * least_squares(left, [one[0], *start], args=(one,), bounds=bounds, xtol=1e-10).cost for one in lineages]
    )


def part_of(package: str, name: str) -> ModuleType:
    """A module of a package whose own import needs much more: it is loaded without the package."""
    full = f"{package}.{name}"
    if full not in sys.modules:
        found = importlib.util.find_spec(package)
        if found is None or not found.submodule_search_locations:
            raise ModuleNotFoundError(f"No module named {package!r}", name=package)
        path = Path(found.submodule_search_locations[0]) / f"{name}.py"
        spec = importlib.util.spec_from_file_location(full, path)
        if spec is None or spec.loader is None:
            raise ModuleNotFoundError(f"No module named {full!r}", name=full)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        sys.modules[full] = module
    return sys.modules[full]


def _one_thread_distances(*arrays: Vectors, **options: Any) -> Vectors:
    from sklearn.metrics import pairwise_distances

    found: Vectors = pairwise_distances(*arrays, **options | {"n_jobs": 1})
    return found
