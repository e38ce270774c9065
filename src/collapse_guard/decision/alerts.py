"""Alerts: a state machine over the verdicts of a lineage, so that an alert is always news.

A verdict's severity says whether a generation may pass. An alert follows what was shown (`Verdict.known`), and reports
changes. The state rises at once and falls late:

| state     | HEALTHY               | WATCH     | UNDECIDED  | COLLAPSED |
|-----------|-----------------------|-----------|------------|-----------|
| HEALTHY   | HEALTHY               | ↑ WATCH   | ↑ UNDECIDED | ↑ COLLAPSED |
| UNDECIDED | HEALTHY ↓             | ↑ WATCH   | UNDECIDED  | ↑ COLLAPSED |
| WATCH     | HEALTHY ↓ (in a row)  | WATCH     | WATCH      | ↑ COLLAPSED |
| COLLAPSED | HEALTHY ↓ (in a row)  | COLLAPSED | COLLAPSED  | COLLAPSED |

↑ is an alert ("enter"), ↓ a recovery ("recover"); "in a row" means after `recover_after` consecutive HEALTHY verdicts.
An UNDECIDED neither raises nor clears an earlier alert: it shows nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from collapse_guard.decision.margins import Setting
from collapse_guard.records import Alert, Severity

_URGENCY = {Severity.HEALTHY: 0, Severity.UNDECIDED: 1, Severity.WATCH: 2, Severity.COLLAPSED: 3}


class AlertRule(Setting):
    """How slowly alerts are raised and taken back."""

    warm_up: Annotated[int, Field(ge=0)] = 0
    """Number of first generations, the founder included, that never raise an alert."""
    recover_after: Annotated[int, Field(ge=1)] = 2
    """HEALTHY verdicts in a row that take an alert back."""


def alert_after(severities: Sequence[Severity], rule: AlertRule | None = None) -> Alert:
    """The alert after the last of these verdicts; the first belongs to the lineage's first generation.

    Example:
        >>> alert = alert_after([Severity.HEALTHY, Severity.COLLAPSED])
        >>> alert.state.value, alert.event
        ('COLLAPSED', 'enter')
        >>> alert_after([Severity.HEALTHY, Severity.COLLAPSED, Severity.COLLAPSED]).event
        ''
    """
    rule, alert = rule or AlertRule(), Alert()
    for place, severity in enumerate(severities):
        alert = Alert() if place < rule.warm_up else _step(alert, severity, rule)
    return alert


def _step(alert: Alert, severity: Severity, rule: AlertRule) -> Alert:
    if _URGENCY[severity] > _URGENCY[alert.state]:
        return Alert(state=severity, event="enter")
    in_a_row = alert.healthy_in_a_row + 1 if severity is Severity.HEALTHY else 0
    needed = rule.recover_after if alert.state in (Severity.WATCH, Severity.COLLAPSED) else 1
    if alert.state is not Severity.HEALTHY and in_a_row >= needed:
        return Alert(state=Severity.HEALTHY, event="recover", healthy_in_a_row=in_a_row)
    return Alert(state=alert.state, healthy_in_a_row=in_a_row)
