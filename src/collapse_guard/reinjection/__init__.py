"""Re-injection: choose and mix the documents that a generation is trained on. Pure and seeded; needs no trainer."""

from collapse_guard.reinjection.curation import Audited, Curation, curate
from collapse_guard.reinjection.loader import MixtureLoader
from collapse_guard.reinjection.sampler import MixtureSampler
from collapse_guard.reinjection.schedule import Change, Schedule
from collapse_guard.reinjection.selection import Selection, select
from collapse_guard.reinjection.sources import ArrowItems, StreamedItems, TokenWindows

__all__ = [
    "ArrowItems",
    "Audited",
    "Change",
    "Curation",
    "MixtureLoader",
    "MixtureSampler",
    "Schedule",
    "Selection",
    "StreamedItems",
    "TokenWindows",
    "curate",
    "select",
]
