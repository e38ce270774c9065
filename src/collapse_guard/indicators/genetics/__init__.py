"""Genetics: inbreeding of a lineage, read from how alike its tokens are and from how well it still fits real text.

Training each generation on n samples of the last one is Wright-Fisher drift: the expected homozygosity S of the types
obeys `S_t = 1 - (1 - 1/n)^t (1 - S_0)` exactly (Seddik et al. 2024, arXiv:2404.05090), which is Wright's law of
inbreeding with n for 2N. Fixation index and effective size are that law solved for F and for n.
"""

from collapse_guard.indicators.genetics.fitness import *
from collapse_guard.indicators.genetics.inbreeding import *
