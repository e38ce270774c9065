"""Distance: how far generated vectors are from frozen real ones, and in which way, from counts and sums that add up.

The frozen parts are those of a wild type's geometry (`WildType.geometry`): scores of all generations are on one scale.
The formulas stand in `divergences`, `kernels`, `frechet` and `manifold`.
"""

from collapse_guard.indicators.distance.divergences import JensenShannon, Mauve, jensen_shannon, mauve
from collapse_guard.indicators.distance.fidelity import Coverage, Density, Precision, Recall
from collapse_guard.indicators.distance.frechet import Frechet, frechet, frechet_to
from collapse_guard.indicators.distance.kernels import Mmd, RandomFeatures, feature_mmd2, mmd2, mmd_test
from collapse_guard.indicators.distance.manifold import Manifold, ManifoldScores, coverage, density, precision, recall

__all__ = [
    "Coverage",
    "Density",
    "Frechet",
    "JensenShannon",
    "Manifold",
    "ManifoldScores",
    "Mauve",
    "Mmd",
    "Precision",
    "RandomFeatures",
    "Recall",
    "coverage",
    "density",
    "feature_mmd2",
    "frechet",
    "frechet_to",
    "jensen_shannon",
    "mauve",
    "mmd2",
    "mmd_test",
    "precision",
    "recall",
]
