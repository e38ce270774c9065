"""Re-injection: choose and mix the documents that a generation is trained on. Pure and seeded; needs no trainer."""

from collapse_guard.reinjection.curation import Audited as Audited
from collapse_guard.reinjection.curation import Curation as Curation
from collapse_guard.reinjection.curation import curate as curate
from collapse_guard.reinjection.loader import MixtureLoader as MixtureLoader
from collapse_guard.reinjection.sampler import MixtureSampler as MixtureSampler
from collapse_guard.reinjection.schedule import Change as Change
from collapse_guard.reinjection.schedule import Schedule as Schedule
from collapse_guard.reinjection.selection import Selection as Selection
from collapse_guard.reinjection.selection import select as select
from collapse_guard.reinjection.sources import ArrowItems as ArrowItems
from collapse_guard.reinjection.sources import StreamedItems as StreamedItems
from collapse_guard.reinjection.sources import TokenWindows as TokenWindows
