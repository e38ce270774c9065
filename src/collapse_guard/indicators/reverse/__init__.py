"""Reverse: what a successor would learn about real text from the samples, read by fitting a small model on them."""

from collapse_guard.indicators.reverse.documents import *
from collapse_guard.indicators.reverse.real_equivalent import *
from collapse_guard.indicators.reverse.slices import *
