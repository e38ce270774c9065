"""Likelihood: how surprised a model is by real text, and how sure it is of its own; logits and losses as metrics."""

from collapse_guard.indicators.likelihood.documents import *
from collapse_guard.indicators.likelihood.logits import *
from collapse_guard.indicators.likelihood.nats import *
from collapse_guard.indicators.likelihood.rarity import *
from collapse_guard.indicators.likelihood.slices import *
from collapse_guard.indicators.likelihood.tokens import *
