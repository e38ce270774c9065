"""Distance: how far generated vectors are from frozen real ones, and in which way, from counts and sums that add up.

The frozen parts are those of a wild type's geometry (`WildType.geometry`): scores of all generations are on one scale.
The formulas stand in `divergences`, `kernels`, `frechet` and `manifold`.
"""

from collapse_guard.indicators.distance.divergences import *
from collapse_guard.indicators.distance.fidelity import *
from collapse_guard.indicators.distance.frechet import *
from collapse_guard.indicators.distance.kernels import *
from collapse_guard.indicators.distance.manifold import *
