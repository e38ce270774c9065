"""Decisions about a verdict in the middle of a run."""

from __future__ import annotations

from collapse_guard.records.record import Record, Share
from collapse_guard.records.verdict import Severity


class Decision(Record):
    """A decision about a verdict in the middle of a run, with its evidence and its result."""

    step: int
    """Global step at which the verdict was given."""
    severity: Severity
    """The verdict."""
    indicator: str = ""
    """The deciding indicator with the worst bad end; empty: none was compared."""
    bad_end: float = 0.0
    """Bad end of its interval, in units of its watch level."""
    needed: float | None = None
    """Real share that the lineage needs; None: not known."""
    real_before: Share
    """Real share in use."""
    real_after: Share
    """Real share from `from_index` on."""
    from_index: int | None = None
    """The first place of the run with the new share, beyond what any loader had fetched; None: nothing was changed."""
    affordable: Share = 1.0
    """Largest real share for the rest of the run that budget and passes allow."""
    budget_left: int | None = None
    """Real documents that may be drawn from there on; None: no known limit."""
    halt: bool = False
    """Whether the run should halt, because no affordable share is enough."""
    roll_back_to: int | None = None
    """Newest HEALTHY ancestor, if the run should halt; None: no need, or there is none."""
    dry_run: bool = False
    """Whether the decision was only recorded, not applied."""
    rule: str
    """Why, as a sentence."""
