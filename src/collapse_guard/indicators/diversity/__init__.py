"""Diversity: how much variety there is in what a model writes.

Here is distinct-n; the other members of the family stand in the modules that are imported here, one for each subject.
"""

from collapse_guard.indicators.diversity.compression import *
from collapse_guard.indicators.diversity.distinct import *
from collapse_guard.indicators.diversity.empty_samples import *
from collapse_guard.indicators.diversity.near_unique import *
from collapse_guard.indicators.diversity.ngram_entropy import *
from collapse_guard.indicators.diversity.prompted import *
from collapse_guard.indicators.diversity.repetition import *
from collapse_guard.indicators.diversity.sample_length import *
from collapse_guard.indicators.diversity.self_bleu import *
from collapse_guard.indicators.diversity.self_distinct import *
from collapse_guard.indicators.diversity.truncated_samples import *
from collapse_guard.indicators.diversity.unique_samples import *
