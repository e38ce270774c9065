"""Records that are passed between rooms: frozen, keyword-only, validated when read, versioned when written."""

from collapse_guard.records.assessment import Assessment
from collapse_guard.records.comparison import Baseline, Comparison
from collapse_guard.records.decision import Decision
from collapse_guard.records.generation import Generation, Mixture, is_lineage_name
from collapse_guard.records.lost import LostItem
from collapse_guard.records.outlook import (
    Course,
    Depression,
    Forecast,
    Inbreeding,
    Interval,
    Outlook,
    Prescription,
    Supply,
)
from collapse_guard.records.readings import Direction, Reading, TailStratum
from collapse_guard.records.record import Record, Share
from collapse_guard.records.scale import EffectScale
from collapse_guard.records.verdict import Alert, Reason, ReasonKind, Severity, Verdict

__all__ = [
    "Alert",
    "Assessment",
    "Baseline",
    "Comparison",
    "Course",
    "Decision",
    "Depression",
    "Direction",
    "EffectScale",
    "Forecast",
    "Generation",
    "Inbreeding",
    "Interval",
    "LostItem",
    "Mixture",
    "Outlook",
    "Prescription",
    "Reading",
    "Reason",
    "ReasonKind",
    "Record",
    "Severity",
    "Share",
    "Supply",
    "TailStratum",
    "Verdict",
    "is_lineage_name",
]
