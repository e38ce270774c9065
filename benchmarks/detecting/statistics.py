"""What the rivals look at, for one generation and its founder: numbers, no decisions."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.spatial.distance import cdist
from sklearn.linear_model import SGDClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split

from detecting.passages import Ids

Rows = npt.NDArray[np.float64]
COMPARED, PERMUTATIONS = 500, 100


def pooled_distinct(tokens: Ids) -> float:
    """Different tokens over tokens, of all samples together."""
    return len(np.unique(tokens)) / len(tokens)


def pooled_entropy(tokens: Ids) -> float:
    """Entropy in nats of the tokens of all samples together."""
    shares = np.unique(tokens, return_counts=True)[1] / len(tokens)
    return float(-(shares * np.log(shares)).sum())


def mmd_p_value(reference: Rows, observed: Rows, rng: np.random.Generator) -> float:
    """Permutation p-value of the maximum mean discrepancy, with a Gaussian kernel of median width.

    As drift detectors do it: the share of permutations that are as far apart. Gretton et al. (2012).
    """
    rows = np.concatenate([_some(reference, rng), _some(observed, rng)])
    squared = cdist(rows, rows, "sqeuclidean")
    kernel = np.exp(-squared / np.median(squared[np.triu_indices(len(rows), 1)]))
    signs = np.repeat([1.0, -1.0], [len(rows) - min(len(observed), COMPARED), min(len(observed), COMPARED)])
    labels = np.stack([signs, *(rng.permutation(signs) for _ in range(PERMUTATIONS))])
    distances = ((labels @ kernel) * labels).sum(axis=1)
    return float(np.mean(distances[1:] >= distances[0]))


def domain_auc(reference: Rows, observed: Rows, seed: int) -> float:
    """Area under the curve of a linear classifier that tells the two apart, on the half it was not trained on."""
    rows = np.concatenate([reference, observed])
    labels = np.repeat([0, 1], [len(reference), len(observed)])
    train, test, of_train, of_test = train_test_split(rows, labels, test_size=0.5, random_state=seed, stratify=labels)
    classifier = SGDClassifier(loss="log_loss", random_state=seed).fit(train, of_train)
    return float(roc_auc_score(of_test, classifier.predict_proba(test)[:, 1]))


def _some(rows: Rows, rng: np.random.Generator) -> Rows:
    return rows[rng.permutation(len(rows))[:COMPARED]]
