"""A generation on its way into its lineage: its place, found and checked before anything is paid for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from collapse_guard.assessment import assess, check_wild_type, moved
from collapse_guard.decision.gaps import NONE_MISSING
from collapse_guard.decision.policy import Policy
from collapse_guard.errors import LineageError
from collapse_guard.evidence import Evidence
from collapse_guard.lineage.founding import check_founding, joined
from collapse_guard.records import Assessment, Decision, Generation, Mixture, Origin, TrainingCheck, founder_before
from collapse_guard.store import LineageStore, next_index
from collapse_guard.wildtype import WildType


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A generation on its way into its lineage: planned, and not stored yet."""

    generation: Generation
    """Its place, and what is known of its training set."""
    history: Sequence[Assessment]
    """The generations of the lineage that were stored when it was planned. Those other than the newest founder and the
    newest generation may be abridged, unless it is compared with them."""
    wild_type: WildType
    """What it is measured against."""
    policy: Policy
    """What decides on it."""
    seed: int = 0
    """Seed of its assessment."""
    missing: Mapping[int, str] = field(default_factory=dict)
    """Number of each generation that the lineage is known to have had -> how it is restored."""
    is_numbered: bool = True
    """Whether its number was asked for. If not, it takes the next one where another process was faster."""
    origin: Origin | None = None
    """The training that it came from; None where that is not known."""
    follows_newest: bool = False
    """Whether its parent is the newest generation before it, also where it takes another number."""

    @property
    def earlier(self) -> list[Assessment]:
        """The stored generations before it."""
        return [past for past in self.history if past.generation.index < self.generation.index]

    @property
    def prescription(self) -> Mixture | None:
        """The mixture that the assessment of its newest parent asks for; None where it has no opinion."""
        newest = max(self.generation.parents, default=None)
        return next((past.prescription for past in self.history if past.generation.index == newest), None)

    def assess(
        self,
        evidence: Evidence,
        *,
        look: int | None = None,
        decisions: Sequence[Decision] = (),
        training_check: TrainingCheck | None = None,
    ) -> Assessment:
        """Assess it against the generations before it.

        Args:
            evidence: What was collected of it.
            look: How often it was assessed before, in its training; None: it is assessed only once.
            decisions: What was done in the middle of its training.
            training_check: What was found of evaluation documents in its training texts; None: nobody looked.

        Raises:
            InputError: The evidence does not fit the wild type.
        """
        assessment = assess(
            self.wild_type,
            evidence,
            history=self.earlier,
            policy=self.policy,
            seed=self.seed,
            generation=self.generation,
            look=look,
            training_check=training_check,
            missing=self.missing,
        )
        return assessment.model_copy(update={"decisions": tuple(decisions), "origin": self.origin})

    def assess_again(self, assessment: Assessment, evidence: Evidence) -> Assessment:
        """What the same evidence is in this place, where it was assessed in another one.

        Args:
            assessment: The assessment in the other place.
            evidence: What it rests on; it is measured again only if the founder is another one.

        Raises:
            FingerprintMismatchError: The founder is another one now, of another wild type.
        """
        if assessment.generation.is_founder or assessment.generation.founder != self.generation.founder:
            return self.assess(
                evidence,
                look=assessment.look,
                decisions=assessment.decisions,
                training_check=assessment.training_check,
            )
        return moved(assessment, self.generation, history=self.earlier, policy=self.policy, missing=self.missing)

    def twin(self, digest: str) -> int | None:
        """The number under which the same evidence is stored; None where it is not, or the number was asked for.

        What is to found a lineage anew is stored only where it did so, for the same reason.
        """
        reason = self.generation.founding
        same = [past.generation for past in self.history if past.evidence == digest]
        stored = [past.index for past in same if not reason or past.founding == reason]
        return None if self.is_numbered or not stored else stored[-1]

    def in_next_place(self, store: LineageStore) -> Candidate:
        """The candidate behind all that is stored now, as where another process took its number.

        Raises:
            LineageError: What is stored differs from what was written.
            StoreUnreachableError: The store does not answer.
        """
        lineage = self.generation.lineage
        ledger, missing = store.ledger(lineage), store.missing(lineage)
        index, founding = _next(ledger, missing), self.generation.founding
        check_founding(ledger, index, founding)
        place = self.generation.model_copy(
            update={
                "index": index,
                "parents": tuple(_newest_before(index, ledger) if self.follows_newest else self.generation.parents),
                "founder": index if founding else founder_before(ledger, index),
            }
        )
        history = _needed(store, ledger, place, self.policy)
        return replace(self, generation=place, history=history, missing=missing)


def find_place(
    store: LineageStore,
    wild_type: WildType,
    *,
    lineage: str,
    policy: Policy,
    seed: int = 0,
    index: int | None = None,
    parents: Sequence[int] | None = None,
    mixture: Mixture | None = None,
    items: int | None = None,
    founding: str = "",
    must_exist: bool | None = None,
    may_exist: bool = False,
) -> Candidate:
    """Read a lineage, and plan a generation of it.

    Args:
        store: Where the lineage is.
        wild_type: What it is measured against.
        lineage: Its name.
        policy: What decides on the generation.
        seed: Seed of its assessment.
        index: Of the generation; None: one after the newest. 0 founds the lineage.
        parents: As in `plan`.
        mixture: As in `plan`.
        items: As in `plan`.
        founding: As in `plan`.
        must_exist: Whether an unknown lineage is refused rather than warned of, as in `joined`.
        may_exist: Whether it may be stored already, as where the same evidence is sent twice.

    Raises:
        FingerprintMismatchError: Its founder is measured against another wild type.
        LineageError: The lineage is not there, the generation is, a parent is no earlier generation of the lineage, or
            it cannot be founded anew so.
        StoreUnreachableError: The store does not answer.
    """
    history = joined(store, lineage, index=index, must_exist=must_exist, founding=founding)
    missing = store.missing(lineage) if history else {}
    generation = plan(
        history,
        lineage=lineage,
        wild_type=wild_type.fingerprint,
        index=index,
        parents=parents,
        mixture=mixture,
        items=items,
        founding=founding,
        may_exist=may_exist,
        missing=missing,
    )
    return Candidate(
        generation=generation,
        history=_needed(store, history, generation, policy),
        wild_type=wild_type,
        policy=policy,
        seed=seed,
        missing=missing,
        is_numbered=index is not None,
        follows_newest=parents is None and not founding,
    )


def plan(
    history: Sequence[Assessment],
    *,
    lineage: str,
    wild_type: str,
    index: int | None = None,
    parents: Sequence[int] | None = None,
    mixture: Mixture | None = None,
    items: int | None = None,
    founding: str = "",
    may_exist: bool = False,
    missing: Mapping[int, str] = NONE_MISSING,
) -> Generation:
    """The place of a generation in its lineage, checked before anything is paid for.

    Args:
        history: The generations of the lineage that are stored.
        lineage: Its name.
        wild_type: Fingerprint of the wild type that it is measured against.
        index: Of the generation; None: one after the newest.
        parents: Generations whose samples it is trained on; None: the newest one before it, and none for a founder.
        mixture: What it is trained on; None: real data only for a founder, else not known.
        items: Documents that it is trained on; None: not known.
        founding: Why the lineage is founded anew with it, as with another tokenizer or wild type; empty: it is not.
        may_exist: Whether it may be stored already, as where the same evidence is sent twice.
        missing: Number of each generation that the lineage is known to have had -> how it is restored. Their numbers
            stay theirs.

    Raises:
        FingerprintMismatchError: Its founder is measured against another wild type.
        LineageError: The generation exists already, a parent is no earlier generation of the lineage, or the lineage
            is founded anew before its newest generation, or for the same reason as before.
    """
    stored = {past.generation.index: past.verdict.severity for past in history}
    index = _next(history, missing) if index is None else index
    if index in stored and not may_exist:
        raise LineageError(
            f"`generation` must be new to lineage {lineage!r}, but got {index}, which is recorded as {stored[index]}: "
            f"leave it out to train generation {_next(history, missing)}"
        )
    if stored and index not in stored and index in missing:
        raise LineageError(
            f"`generation` must be new to lineage {lineage!r}, but got {index}, which was stored and is missing: "
            f"{missing[index]}"
        )
    if not may_exist:
        check_founding(history, index, founding)
    earlier = sorted(past for past in stored if past < index)
    founder = index if founding else founder_before(history, index)
    parents = (earlier[-1:] if founder < index else ()) if parents is None else parents
    unknown = [parent for parent in parents if parent not in earlier]
    if unknown:
        how = "".join(f". Generation {parent} is missing: {missing[parent]}" for parent in unknown if parent in missing)
        raise LineageError(
            f"`parents` of generation {index} must be earlier generations of lineage {lineage!r} "
            f"({_listed(earlier) or 'there are none'}), but got {_listed(unknown)}{how}"
        )
    if mixture is None and founder == index:
        mixture = Mixture(real=1.0)
    planned = Generation.checked(
        lineage=lineage,
        index=index,
        parents=tuple(parents),
        mixture=mixture,
        items=items,
        wild_type=wild_type,
        founder=founder,
        founding=founding,
    )
    check_wild_type(history, planned)
    return planned


def _listed(indices: Sequence[int]) -> str:
    return ", ".join(map(str, indices))


def _next(history: Sequence[Assessment], missing: Mapping[int, str]) -> int:
    """The number after all that are, or were, in a lineage; 0 where nothing is left of it."""
    return max(next_index(history), 1 + max(missing, default=-1)) if history else 0


def _newest_before(index: int, history: Sequence[Assessment]) -> list[int]:
    return sorted(past.generation.index for past in history if past.generation.index < index)[-1:]


def _needed(
    store: LineageStore, history: Sequence[Assessment], generation: Generation, policy: Policy
) -> Sequence[Assessment]:
    """The history with all that the generation is compared with: read whole where a ledger may lack something of it.

    A ledger has the newest founder and the newest generation whole. Of others, parents are asked for readings, and
    where folds rotate all are; and what is stored already under the same number is compared with what is sent.
    """
    whole = {generation.founder, next_index(history) - 1}
    parent = max(generation.parents, default=generation.founder)
    asked = {generation.index, parent} & {past.generation.index for past in history}
    if not history or (policy.rotate_folds is None and asked <= whole and generation.index >= max(whole)):
        return history
    return store.history_so_far(generation.lineage)
