"""Novelty: how much of its text a model has only memorised; a model that copies its training set is not healthy.

Real text copies too: quotations, formulas, names of offices. What counts is the difference to the rate of held-out
real text of the same length, never the distance to zero.
"""

from collapse_guard.indicators.novelty.copies import *
from collapse_guard.indicators.novelty.excerpts import *
