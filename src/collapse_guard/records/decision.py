"""What was done about a verdict in the middle of a run."""

from __future__ import annotations

from collapse_guard.records.record import Record, Share
from collapse_guard.records.verdict import Severity


class Decision(Record):
    """What was done about a verdict in the middle of a run: everything that it rests on, and what came of it."""

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
    """The first place of the run that it holds for, beyond what any loader had fetched; None: nothing was changed."""
    affordable: Share = 1.0
    """Largest real share for the rest of the run that budget and passes allow."""
    budget_left: int | None = None
    """Real documents that may be drawn from there on; None: no limit is known."""
    halt: bool = False
    """Whether training on is no use: no affordable share is enough."""
    roll_back_to: int | None = None
    """Newest HEALTHY ancestor, where training on is no use; None: no need, or there is none."""
    dry_run: bool = False
    """Whether it was only said, not done."""
    rule: str
    """Why, as a sentence."""
