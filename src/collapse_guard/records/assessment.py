"""Everything known about one generation."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from collapse_guard.records.comparison import Comparison
from collapse_guard.records.decision import Decision
from collapse_guard.records.generation import Generation, Mixture
from collapse_guard.records.intake import Intake
from collapse_guard.records.lost import LostItem
from collapse_guard.records.origin import Origin
from collapse_guard.records.other_unit import OtherUnit
from collapse_guard.records.outlook import Outlook
from collapse_guard.records.readings import Reading, TailStratum
from collapse_guard.records.record import Record
from collapse_guard.records.slices import SliceCoverage
from collapse_guard.records.training_check import TrainingCheck
from collapse_guard.records.verdict import Verdict


class Assessment(Record):
    """Everything known about one generation: readings, comparisons, verdict, and the mixture for the next one."""

    generation: Generation
    """The generation assessed."""
    evidence: str = ""
    """Digest of the evidence (`Evidence.digest`); empty where an earlier version did not make one."""
    origin: Origin | None = None
    """The training that it came from; None where no guard saw its training."""
    intake: tuple[Intake, ...] = ()
    """What was read of each part of the evidence, counted; empty where an earlier version did not count."""
    training_check: TrainingCheck | None = None
    """What was found of evaluation documents in the texts that it was trained on; None: nobody looked."""
    other_unit: OtherUnit | None = None
    """What samples look like that are in another unit than real rows; None: they do not, or are texts."""
    readings: dict[str, Reading]
    """Indicator name -> reading."""
    reference: dict[str, Reading] = Field(default_factory=dict)
    """Indicator name -> the wild type's own reading at the same group size, where it has one."""
    comparisons: tuple[Comparison, ...]
    """Comparisons with founder or wild type; `decides` marks those that the verdict rests on."""
    verdict: Verdict
    """The decision."""
    stratum: TailStratum | None = None
    """The tail of the founder, frozen; carried by every generation that was scored on it."""
    prescription: Mixture | None = None
    """The mixture that the guard asks for in the next generation; None: it asks for nothing."""
    outlook: Outlook | None = None
    """Genetics of the lineage up to this generation; None: there is no founder, or it is the founder."""
    lost: tuple[LostItem, ...] = ()
    """What the wild type has and the samples lack: the worst of each kind first. Empty: nothing, or not measured."""
    slices: SliceCoverage | None = None
    """How much of each slice the samples are; None: there are no slices, or no samples of text."""
    seed: int = 0
    """Seed of everything random in the assessment."""
    look: int | None = None
    """How often the generation was judged before in the run; None: it is judged only once."""
    decisions: tuple[Decision, ...] = ()
    """Decisions in the middle of its training, oldest first."""

    @model_validator(mode="after")
    def _is_of_one_generation(self) -> Self:
        """Parts that were put together from two records are told apart, as far as they say whose they are."""
        planned, verdict = self.generation, self.verdict
        if (planned.lineage, planned.index) != (verdict.lineage, verdict.generation):
            raise ValueError(
                f"the verdict must be of generation {planned.index} of {planned.lineage!r}, but got one of generation "
                f"{verdict.generation} of {verdict.lineage!r}"
            )
        if planned.wild_type not in ("", verdict.wild_type):
            raise ValueError(f"the wild type must be {planned.wild_type} throughout, but got {verdict.wild_type}")
        for name, reading in (*self.readings.items(), *self.reference.items()):
            if reading.indicator != name:
                raise ValueError(f"the reading {name!r} must be of that indicator, but got {reading.indicator!r}")
        for comparison in self.comparisons:
            read = self.readings.get(comparison.indicator)
            if read is not None and read.direction is not comparison.direction:
                raise ValueError(
                    f"{comparison.indicator} must be compared in the direction of its reading, {read.direction}, but "
                    f"got {comparison.direction}"
                )
        return self

    def abridged(self) -> Assessment:
        """What later generations need of one that is neither the founder nor their parent: a small part of the record.

        Verdict, mixture, comparisons with the founder, inbreeding, and the values of all readings stay: what forecasts,
        budgets, alerts and reports use of the past. Replicates, other comparisons and forecasts are left out.
        """
        return self.model_copy(
            update={
                "readings": {name: reading.abridged() for name, reading in self.readings.items()},
                "comparisons": tuple(one for one in self.comparisons if one.baseline == "founder"),
                "outlook": None if self.outlook is None else Outlook(inbreeding=self.outlook.inbreeding),
                "reference": {},
                "stratum": None,
                "lost": (),
                "slices": None,
                "intake": (),
                "training_check": None,
                "decisions": (),
            }
        )
