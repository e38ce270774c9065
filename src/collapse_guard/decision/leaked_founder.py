"""A founder with a leak: what is worse than it on evaluation documents, and which of these documents still decide.

| of the founder                                       | what is worse than it on evaluation documents          |
|------------------------------------------------------|--------------------------------------------------------|
| its training texts, all of them, hold some of these  | COLLAPSED where that is shown on the others, else WATCH|
| those that were looked at are a part, and hold some  | WATCH                                                  |
| its losses look like a leak, also on the others      | WATCH                                                  |

Losses on evaluation documents rest on them, and so do those of a small model that is fitted on samples (`reverse`): in
these a founder tells what it knows by heart, but of each document by itself, so that the others decide there too. All
else that is read of samples decides as it did.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from collapse_guard.decision.founder import change
from collapse_guard.decision.leak import is_leaking, leak_of, of_losses
from collapse_guard.decision.plausibility import of_documents
from collapse_guard.decision.policy import Policy
from collapse_guard.decision.unseen import ALL, Unseen, most_missed
from collapse_guard.decision.verdict import lineage_p
from collapse_guard.errors import FOUND_ANEW
from collapse_guard.records import (
    Assessment,
    Comparison,
    Generation,
    Reason,
    ReasonKind,
    Severity,
    TrainingCheck,
    Verdict,
)
from collapse_guard.records.readings import Readings
from collapse_guard.wildtype.leak_index import RUN

UNREAD = 0.1
"""Where texts too short to tell may be more than this share of the words, not all were looked at."""


def unseen_by(founder: Assessment | None, policy: Policy) -> Unseen:
    """The documents that a founder with a small leak was not trained on; `ALL` where that is not known.

    Args:
        founder: The founder; None: there is none.
        policy: As in `leak_of`.
    """
    check = founder.training_check if founder else None
    if founder is None or check is None or not _is_known(check):
        return ALL
    scored = {key for one in founder.readings.values() for key in one.keys}
    if scored.isdisjoint(check.found):  # other documents, or others' names for them
        return ALL
    unseen = Unseen(frozenset((*check.found, *check.untold)), most_missed(len(check.found), check.evaluation))
    # Their losses must not look like a leak either, now that no text holds one of them.
    rest = {name: unseen.alone(one) if name == "perplexity" else one for name, one in founder.readings.items()}
    clean = check.model_copy(update={"leaking": 0, "copies": 0, "found": ()})
    if any(reason.kind is ReasonKind.LEAKED for reason in of_losses(rest, policy, clean)):
        return ALL
    return unseen


def beside_a_leak(
    comparisons: Sequence[Comparison],
    readings: Readings,
    founder: Assessment,
    *,
    generation: Generation,
    history: Sequence[Assessment],
    policy: Policy,
    look: int | None = None,
) -> list[Reason]:
    """What is said of comparisons with a founder that was, or may have been, trained on evaluation documents.

    One WATCH for all that is worse on these and must not decide, whose indicators it names (`Reason.is_about`). And a
    remark where documents that the founder was not trained on decide.

    Args:
        comparisons: Of the generation, with the documents that the founder was not trained on (`unseen_by`).
        readings: Its readings.
        founder: Its founder.
        generation: It.
        history: The generations before it, from the founder on.
        policy: As in `leak_of`.
        look: As in `verdict.decide`.
    """
    leaks = leak_of(founder.generation, founder.readings, policy, founder.training_check)
    if not any(reason.kind is ReasonKind.LEAKED for reason in leaks):
        return []
    concerned = [one for one in comparisons if one.decides and one.baseline == "founder"]

    def is_shown(one: Comparison) -> bool:
        p = lineage_p(one, history, "margin", since_founder=generation.since_founder, policy=policy, look=look)
        return one.without_worst > 0 and p <= policy.alpha / len(concerned)

    worse = _worse(concerned, rest_on_documents(readings), policy)
    shown = [one for one in worse if is_shown(one)]
    doubted = [one for one in worse if one not in shown]
    is_left_out = any(one.left_out for one in concerned if one not in doubted)
    check = founder.training_check
    return [
        *([_watched(doubted, check)] if doubted else []),
        *([_left_out(shown, check)] if check and is_left_out else []),
    ]


def rest_on_documents(readings: Readings) -> list[str]:
    """Names of the readings of a generation that rest on evaluation documents."""
    return [*of_documents(readings), *(name for name, reading in readings.items() if reading.family == "reverse")]


def _is_known(check: TrainingCheck) -> bool:
    """Whether it is known which evaluation documents are in the training texts."""
    return check.whole and is_leaking(check) and check.too_short * RUN <= UNREAD * check.words


def _worse(comparisons: Sequence[Comparison], names: Collection[str], policy: Policy) -> list[Comparison]:
    """Comparisons that are not shown to be within margin and watch level, worst first."""
    worse = [
        one
        for one in comparisons
        if one.indicator in names and not (one.p_within_margin <= 1.0 - policy.confidence and one.harm <= one.watch)
    ]
    return sorted(worse, key=lambda one: one.harm / one.margin, reverse=True)


def _watched(doubted: Sequence[Comparison], check: TrainingCheck | None) -> Reason:
    is_found = check is not None and is_leaking(check)
    was = "was" if is_found else "may have been"
    sign = "sign" if is_found and not doubted[0].without_worst else "sure sign"
    changes = "; ".join(change(comparison) for comparison in doubted)
    first, *others = (comparison.indicator for comparison in doubted)
    sentence = (
        f"the founder {was} trained on evaluation documents, so what is worse than its own on these is no {sign} of "
        f"collapse: {changes}{_limits(doubted[0], check)}. Train on `wild_type.pool` alone, and {FOUND_ANEW}"
    )
    return Reason(
        kind=ReasonKind.LEAKED, severity=Severity.WATCH, indicator=first, others=tuple(others), sentence=sentence
    )


def _limits(worst: Comparison, check: TrainingCheck | None) -> str:
    """What keeps documents that the founder was not trained on from deciding."""
    if check is None or not is_leaking(check):
        return ""
    if worst.without_worst:
        return (
            f", on the {worst.n:,} documents that are not known to be in its training texts; these may hold "
            f"{worst.without_worst:,} more unnoticed, and without those that got worst no collapse is shown"
        )
    if check.whole:
        return ""
    return (
        f". {check.texts:,} of its training texts were looked at: where all are, the documents that are not among them "
        "decide (`--training-texts`; `whole=True` in Python)"
    )


def _left_out(shown: Sequence[Comparison], check: TrainingCheck) -> Reason:
    """The remark that some documents are left out, and that the others decide."""
    untold = f", and {len(check.untold):,} more cannot be told" if check.untold else ""
    sentence = (
        f"{len(check.found):,} of {check.evaluation:,} evaluation documents are in the founder's training "
        f"texts{untold}: they are left out, and the others decide"
    )
    if shown:
        changes = "; ".join(change(comparison) for comparison in shown)
        sentence += (
            f". Without them {changes}. That is a collapse also without the {shown[0].without_worst:,} others that "
            "worsened most: no more are likely to be in these texts unnoticed"
        )
    return Reason(kind=ReasonKind.LEAKED, severity=Severity.HEALTHY, sentence=sentence)


def nobody_looked(verdict: Verdict, readings: Readings, founder: Assessment) -> list[Reason]:
    """The remark that nobody looked for a leak of the founder, where a verdict rests on that alone.

    Args:
        verdict: Of the generation.
        readings: Its readings.
        founder: Its founder.
    """
    worst = [reason for reason in verdict.reasons if reason.severity is verdict.severity]
    about = [name for reason in worst for name in (reason.indicator, *reason.others)]
    is_asked = verdict.severity in (Severity.COLLAPSED, Severity.WATCH) and founder.training_check is None
    of_texts = [name for name in rest_on_documents(readings) if readings[name].group == "document"]
    if not is_asked or any(reason.kind is ReasonKind.LEAKED for reason in worst) or not set(about) <= set(of_texts):
        return []
    sentence = (
        "this rests on evaluation documents alone, and nobody looked whether the founder was trained on some of them: "
        "assess it with `--training-texts`, or `WildType.leaks_in` in Python"
    )
    return [Reason(kind=ReasonKind.NOT_READ, severity=Severity.HEALTHY, sentence=sentence)]
