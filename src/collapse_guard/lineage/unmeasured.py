"""A generation that was trained and could not be measured: it is UNDECIDED, and is not stored."""

from __future__ import annotations

from collapse_guard.decision.policy import Policy
from collapse_guard.records import Assessment, Generation, Reason, ReasonKind, Severity, Verdict


def unmeasured(generation: Generation, policy: Policy, why: str) -> Assessment:
    """The assessment of a generation without readings. No store takes it, so the number of the generation stays free.

    Args:
        generation: The generation.
        policy: What would have decided.
        why: What failed, as a statement.

    Example:
        >>> print(unmeasured(Generation(lineage="newsbot", index=2), Policy(), "the probe ran out of memory").verdict)
        UNDECIDED (generation 2 of newsbot): it was not measured: the probe ran out of memory
    """
    sentence = f"it was not measured: {why}"
    reason = Reason(kind=ReasonKind.NOT_MEASURED, severity=Severity.UNDECIDED, sentence=sentence)
    verdict = Verdict(
        severity=Severity.UNDECIDED,
        reasons=(reason,),
        lineage=generation.lineage,
        generation=generation.index,
        wild_type=generation.wild_type,
        policy=policy.fingerprint,
    )
    return Assessment(generation=generation, readings={}, comparisons=(), verdict=verdict)
