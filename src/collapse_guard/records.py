"""The records that cross rooms: frozen, keyword-only, validated on the way in, versioned on the way out.

A record says what was seen and decided, never how it is shown. `to_dict` gives plain JSON types, in which a number that
is not finite is the string "NaN", "Infinity" or "-Infinity"; `from_dict` refuses what it does not know.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from collapse_guard.errors import InputError

Baseline = Literal["founder", "parent", "wild_type"]
Share = Annotated[float, Field(ge=0.0, le=1.0)]


class Record(BaseModel):
    """Base of all records: immutable, no unknown fields, `to_dict` and `from_dict` with a schema version."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings", allow_inf_nan=True)
    schema_version: ClassVar[int] = 1

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types, with the schema version under "schema"."""
        body: dict[str, Any] = json.loads(self.model_dump_json())
        return {"schema": self.schema_version, **body}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """Rebuild a record from `to_dict`; raises InputError on another schema version or on fields that do not fit."""
        fields = dict(data)
        version = fields.pop("schema", None)
        if version != cls.schema_version:
            raise InputError(
                f"a {cls.__name__} of schema version {cls.schema_version} is required, but got version {version!r}: "
                "it was written by another version of collapse_guard; read it with that version"
            )
        try:
            return cls.model_validate(fields)
        except ValidationError as error:
            raise InputError(f"not a valid {cls.__name__}: {_first_problem(error)}") from error


def _first_problem(error: ValidationError) -> str:
    problem = error.errors()[0]
    where = ".".join(str(part) for part in problem["loc"]) or "record"
    return f"`{where}`: {problem['msg']}, got {problem['input']!r:.200}"


class Direction(StrEnum):
    """Which way an indicator moves when the model collapses."""

    DOWN = "down"
    UP = "up"
    BOTH = "both"


class Severity(StrEnum):
    """What the guard says of a generation.

    The order for combination, mildest first, is HEALTHY < WATCH < UNDECIDED < COLLAPSED. UNDECIDED stands above WATCH
    because a WATCH is shown to be within its margin and an UNDECIDED is not: a gate must not pass what was not shown.

    | worst of | HEALTHY   | WATCH     | UNDECIDED | COLLAPSED |
    |----------|-----------|-----------|-----------|-----------|
    | HEALTHY  | HEALTHY   | WATCH     | UNDECIDED | COLLAPSED |
    | WATCH    | WATCH     | WATCH     | UNDECIDED | COLLAPSED |
    | UNDECIDED| UNDECIDED | UNDECIDED | UNDECIDED | COLLAPSED |
    | COLLAPSED| COLLAPSED | COLLAPSED | COLLAPSED | COLLAPSED |

    Example:
        >>> Severity.worst([Severity.WATCH, Severity.HEALTHY])
        <Severity.WATCH: 'WATCH'>
    """

    HEALTHY = "HEALTHY"
    WATCH = "WATCH"
    UNDECIDED = "UNDECIDED"
    COLLAPSED = "COLLAPSED"

    @property
    def rank(self) -> int:
        """Place in the order of combination, 0 for the mildest."""
        return list(Severity).index(self)

    @staticmethod
    def worst(severities: list[Severity]) -> Severity:
        """Combine by the truth table above; HEALTHY where there is nothing to combine."""
        return max(severities, key=lambda severity: severity.rank, default=Severity.HEALTHY)


class Mixture(Record):
    """The shares of real, earlier-synthetic and newest-synthetic data in a training set; they sum to one.

    Example:
        >>> Mixture(real=0.3, newest=0.7).real
        0.3
    """

    real: Share
    """Documents that people wrote, from the pool."""
    earlier: Share = 0.0
    """Samples of generations before the newest."""
    newest: Share = 0.0
    """Samples of the newest generation."""

    @model_validator(mode="after")
    def _sums_to_one(self) -> Self:
        total = self.real + self.earlier + self.newest
        if not math.isclose(total, 1.0, abs_tol=1e-6):
            raise ValueError(f"shares must sum to 1, but real + earlier + newest = {total:g}")
        return self

    @classmethod
    def with_real(cls, real: float) -> Mixture:
        """A mixture of a real share, the rest being samples of the newest generation."""
        if not 0.0 <= real <= 1.0:
            raise InputError(f"`real` must be a share between 0 and 1, but got {real!r}")
        return cls(real=real, newest=1.0 - real)

    def weights(self, sizes: Mapping[str, int]) -> dict[str, float]:
        """Weights of the loss of an item of each source that do what resampling to these shares would.

        Share of the source over its share of the data: with items drawn as they lie, the weighted mean loss has the
        expectation of the mean loss of this mixture, and the weights of all items have a mean of one. The variance is
        larger than with resampling: of n items, n / (mean of squared weights) count.

        Args:
            sizes: Items of each source (`real`, `earlier`, `newest`) in the data; those that are missing have none.

        Raises:
            InputError: A source with a share has no items, or a name is of no source.

        Example:
            >>> Mixture.with_real(0.4).weights({"real": 1000, "newest": 9000})
            {'real': 4.0, 'newest': 0.6666666666666666}
        """
        shares = {"real": self.real, "earlier": self.earlier, "newest": self.newest}
        for source, size in sizes.items():
            if source not in shares:
                raise InputError(f"`sizes` must be of real, earlier and newest, but got {source!r}: rename it")
            if isinstance(size, bool) or not isinstance(size, int) or size < 0:
                raise InputError(f"`sizes[{source}]` must be a whole number of at least 0, but got {size!r}")
        for source, share in shares.items():
            if share and not sizes.get(source, 0):
                raise InputError(
                    f"`sizes` must have {source} items for a share of {share:g}, but got none: no weight makes up for "
                    "what is not there"
                )
        total = sum(sizes.values())
        return {source: shares[source] * total / size for source, size in sizes.items() if size}


class Generation(Record):
    """One whole train-then-generate cycle of a lineage. Index 0 is the founder, trained on real data only."""

    lineage: Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^/\\\x00-\x1f'\"`]+$")]
    """Name of the lineage that this generation belongs to."""
    index: Annotated[int, Field(ge=0)]
    """t; 0 is the founder."""
    parents: tuple[int, ...] = ()
    """Indices of the generations whose samples it was trained on; empty for the founder."""
    mixture: Mixture | None = None
    """What it was trained on, where known."""
    parent_shares: tuple[Share, ...] = ()
    """Share of the training set that each of `parents` wrote, in their order; empty: not recorded."""
    items: Annotated[int, Field(ge=1)] | None = None
    """Documents in the training set; None: not recorded."""
    real_origin: Literal["fresh", "archive"] = "fresh"
    """Whether its real documents were fresh, or those of the founder again."""
    wild_type: str = ""
    """Fingerprint of the wild type that it is measured against."""

    @model_validator(mode="after")
    def _parents_come_before(self) -> Self:
        late = [parent for parent in self.parents if not 0 <= parent < self.index]
        if late:
            raise ValueError(f"parents must be earlier generations than {self.index}, but got {late}")
        return self

    @model_validator(mode="after")
    def _shares_fit(self) -> Self:
        if self.parent_shares and len(self.parent_shares) != len(self.parents):
            raise ValueError(
                f"parent_shares must be one for each of {len(self.parents)} parents, but got {len(self.parent_shares)}"
            )
        total = sum(self.parent_shares) + (self.mixture.real if self.mixture else 0.0)
        if self.parent_shares and not math.isclose(total, 1.0, abs_tol=1e-6):
            raise ValueError(f"parent_shares and the real share must sum to 1, but got {total:g}")
        return self


class Reading(Record):
    """An indicator's value for one generation, with its replicates and n."""

    indicator: str
    """Name of the indicator, as in the catalogue: "perplexity", "distinct_2"."""
    family: str
    """Family of the indicator: the MLflow metric is `<family>/<indicator>`."""
    value: float
    """The indicator in its unit; NaN where it is undefined, and `problem` says why."""
    unit: str
    """Unit of `value`."""
    direction: Direction
    """Which way is collapse."""
    n: int
    """How many documents or samples the value rests on."""
    n_minimum: int
    """How many documents or samples a comparison needs at least."""
    replicates: tuple[float, ...] = ()
    """Values of equal-sized groups (output indicators) or of documents (likelihood: a rate such as nats per token)."""
    weights: tuple[float, ...] = ()
    """Weight of each replicate (tokens or bytes of a document); empty: all equal."""
    keys: tuple[str, ...] = ()
    """Identity of each replicate where it can be paired across generations (document ids); empty: not paired."""
    scale: Literal["log_ratio", "difference", "absolute"] = "log_ratio"
    """How two readings are compared: "log_ratio" of the means of their replicates, "difference" of means that are
    logarithms already (nats), or "absolute" difference in the unit, for numbers that may be 0 or negative."""
    group: str = ""
    """What one replicate is: "4096 tokens", "128 samples", "document"."""
    problem: str = ""
    """Why there is no usable value, as a sentence; empty where there is one."""

    @property
    def is_usable(self) -> bool:
        """Whether the reading is a finite number that rests on enough documents or samples."""
        return not self.problem and math.isfinite(self.value)


class TailStratum(Record):
    """The founder's hardest wild-type documents and tokens, frozen: later generations are scored on the same ones."""

    share: float
    """Share of documents, and of tokens, that count as the tail."""
    documents: tuple[str, ...]
    """Ids of the founder's hardest documents by nats per token."""
    tokens: dict[str, tuple[int, ...]] = Field(default_factory=dict)
    """Document id -> positions of the founder's hardest tokens; empty where only sums per document were known."""


class Comparison(Record):
    """A reading against its baseline. Harm is the effect in the direction of collapse."""

    indicator: str
    """Name of the indicator."""
    baseline: Baseline
    """What it is compared with."""
    baseline_generation: int | None = None
    """Index of the founder or parent; None for the wild type."""
    observed: float
    """Value of this generation."""
    reference: float
    """Value of the baseline."""
    effect: float
    """ln(observed / reference), or the difference in the indicator's unit where `effect_unit` says so."""
    effect_unit: str = "log ratio"
    """Unit of effect, standard_error, low, high, margin and watch."""
    standard_error: float
    """Standard error of the effect."""
    degrees_of_freedom: float
    """Degrees of freedom of the t distribution that the interval and the p-values use."""
    low: float
    """Lower end of the two-sided interval of the effect at `level`."""
    high: float
    """Upper end of the interval."""
    level: float
    """Confidence level of the interval."""
    direction: Direction
    """Which way is collapse."""
    margin: float
    """How much harm is still acceptable, in the unit of the effect."""
    watch: float
    """From how much harm on the generation is watched, in the unit of the effect."""
    p_beyond_margin: float
    """p-value against "harm is at most the margin": small means collapsed."""
    p_beyond_watch: float
    """p-value against "harm is at most the watch level": small means watch."""
    p_within_margin: float
    """p-value against "harm is at least the margin": small means shown to be acceptable."""
    method: str
    """Name of the test."""
    n: int
    """Replicates of this generation."""
    n_reference: int
    """Replicates of the baseline."""
    n_needed: int | None = None
    """Samples or documents that would decide at 80 % power; None: it is decided, or no number would."""
    detectable: float | None = None
    """Smallest harm that would be found beyond the margin at this n with 80 % power, in the unit of the effect; None:
    not known."""
    e_beyond_margin: float | None = None
    """e-value against "harm is at most the margin": evidence that multiplies over generations that were judged on
    different documents; None where the method gives none."""
    e_beyond_watch: float | None = None
    """e-value against "harm is at most the watch level"."""
    seed_limit: float | None = None
    """Harm that another seed alone does not reach in any generation of the horizon; None: nobody measured it."""
    replicate: str = ""
    """What n counts: "document", "4096 tokens"."""
    seed: int | None = None
    """Seed of a randomised method; None where nothing was drawn."""
    decides: bool = True
    """Whether the verdict rests on it; the others are shown."""

    @property
    def margin_by_seeds(self) -> bool:
        """Whether the margin is what another seed alone does, because that is more than the policy's."""
        return self.seed_limit is not None and self.seed_limit >= self.margin

    @property
    def beyond_seeds(self) -> bool:
        """Whether harm is more than another seed alone does."""
        return self.seed_limit is not None and self.harm > self.seed_limit

    @property
    def harm(self) -> float:
        """The effect turned so that positive is toward collapse."""
        return {Direction.UP: self.effect, Direction.DOWN: -self.effect, Direction.BOTH: abs(self.effect)}[
            self.direction
        ]


class ReasonKind(StrEnum):
    """Why a verdict is what it is."""

    BEYOND_MARGIN = "beyond_margin"
    BEYOND_WATCH = "beyond_watch"
    BEYOND_SEEDS = "beyond_seeds"
    NOT_SHOWN = "not_shown"
    NOT_A_NUMBER = "not_a_number"
    MISSING = "missing"
    TOO_FEW = "too_few"
    BASELINE = "baseline"
    WITHIN_MARGIN = "within_margin"
    SEED_NOISE = "seed_noise"


class Reason(Record):
    """One statement that a verdict rests on, which a person can dispute."""

    kind: ReasonKind
    """What kind of statement."""
    severity: Severity
    """The severity that this statement alone would give."""
    indicator: str = ""
    """Indicator that it is about; empty where it is about the generation."""
    definitions: tuple[int, ...] = ()
    """Definitions of model collapse that the indicator speaks to, by their numbers in Schaeffer et al. (2025)."""
    sentence: str
    """The statement in plain words, with the numbers."""


class Alert(Record):
    """What is news about a lineage: `alerts.alert_after` has the table."""

    state: Severity = Severity.HEALTHY
    """The alert that stands."""
    event: Literal["", "enter", "recover"] = ""
    """What this generation changed: an alert was raised, taken back, or nothing."""
    healthy_in_a_row: int = 0
    """HEALTHY verdicts up to this one without another between them."""


class Verdict(Record):
    """HEALTHY, WATCH, UNDECIDED or COLLAPSED, with the reasons, worst first."""

    severity: Severity
    """Worst of the reasons."""
    reasons: tuple[Reason, ...]
    """Worst first."""
    lineage: str
    """Lineage that it is about."""
    generation: int
    """Index of the generation that it is about."""
    wild_type: str
    """Fingerprint of the wild type."""
    policy: str
    """Fingerprint of the policy."""
    shown: Severity | None = None
    """The worst that was shown, whatever could not be: a lineage may be UNDECIDED on the margin of one indicator and
    beyond the watch level of another. None: as the severity."""
    alert: Alert = Alert()
    """What this verdict changes for those who are told of changes only."""

    @property
    def known(self) -> Severity:
        """What alerts go by: `shown`, or the severity where it says the same."""
        return self.severity if self.shown is None else self.shown

    def __str__(self) -> str:
        """The severity and the worst reason, on one line."""
        why = f": {self.reasons[0].sentence}" if self.reasons else ""
        return f"{self.severity} (generation {self.generation} of {self.lineage}){why}"


class LostItem(Record):
    """Something that real data show and a generation does not, or shows too rarely to be chance."""

    kind: Literal["word", "2-gram", "3-gram", "cluster", "document"]
    """What is lost: a word, words in a row, a cluster of the wild type, or the surroundings of one real document."""
    what: str
    """The words; for a cluster its most typical real document, shortened; for vectors "row 17" of those for evaluation.
    Text from outside: escape it before it is shown."""
    real_count: int
    """Occurrences in the wild type; for a cluster or a document, how many real documents lie there."""
    expected: float
    """Occurrences that as much real text, or as many real documents, as there are samples would show on average."""
    observed: int
    """Occurrences in the samples."""
    chance: float
    """Probability of so few or fewer if the samples were real."""
    lost_in_all: int = 1
    """How many of its kind are lost; a table holds only the worst of them."""
    cluster: int | None = None
    """For a cluster its number in the wild type's codebook (`Geometry.assign`); None for the other kinds."""


class Interval(Record):
    """An estimate with its interval; an end that is not known is infinite."""

    value: float
    """The estimate."""
    low: float
    """Lower end."""
    high: float
    """Upper end."""
    level: float = 0.9
    """Confidence of the interval."""


class Inbreeding(Record):
    """How inbred a generation is, counted from the founder of its lineage."""

    fixation: Interval
    """Fixation index against the founder: the share of the founder's diversity that is lost."""
    of: str
    """What is drawn: "tokens", or "clusters" for vectors."""
    size: Interval | None = None
    """Effective size: of how many draws a generation drift alone would lose as much. None: too few generations."""
    expected: float | None = None
    """Fixation index that chance alone gives to the recorded pedigree, where whole documents are drawn; None: sizes of
    training sets are not known."""
    fitness: float | None = None
    """Relative fitness: the founder's perplexity over that of the generation; None: not measured."""


class Depression(Record):
    """Inbreeding depression: ln perplexity = ln founder's + load * purged inbreeding(size, purging)."""

    load: Interval
    """B: nats that full inbreeding would add to the loss."""
    size: Interval
    """n_e of the curve; infinite ends: a straight line fits as well."""
    purging: Interval | None = None
    """d; None: purging is not shown, and 0 in the curve."""
    curve: tuple[float, ...]
    """Fitted ln(perplexity / founder's measured one), of the founder, each generation after it, and those to come."""


class Course(Record):
    """Where an indicator goes: its effect against the founder in each coming generation."""

    median: tuple[float, ...]
    """Half of what is possible lies below."""
    low: tuple[float, ...]
    """Lower end of the band of 90 %."""
    high: tuple[float, ...]
    """Upper end of the band."""
    crossed: tuple[float, ...]
    """Probability that the margin is passed by then."""


class Forecast(Record):
    """What comes if every generation from now on is trained on one mixture."""

    real_share: Share
    """Fresh real data in each coming training set; the rest is written by the newest generation."""
    generations: tuple[int, ...]
    """Indices of the coming generations."""
    courses: dict[str, Course]
    """Indicator name -> course, of those that decide and were compared in every generation."""
    crossed: tuple[float, ...]
    """Probability that any of them passes its margin by then."""

    @property
    def fails_at(self) -> int | None:
        """The first generation by which a failure is more likely than not; None: none of those to come."""
        likely = (t for t, chance in zip(self.generations, self.crossed, strict=True) if chance > 0.5)
        return next(likely, None)

    def first_to_fail_by(self, generation: int) -> str:
        """The indicator that is most likely beyond its margin by then; empty where none is forecast."""
        at = self.generations.index(generation)
        return max(self.courses, key=lambda name: self.courses[name].crossed[at], default="")


class Prescription(Record):
    """How much real data a lineage needs."""

    real_share: float | None
    """Smallest share of fresh real data in each coming generation that keeps every deciding indicator within its margin
    with probability `assurance`; None: none does."""
    even_share: float | None
    """The share that does so in half of what is possible: the distance to `real_share` is the margin of safety."""
    assurance: float
    """How sure."""
    horizon: int
    """For how many generations."""
    indicator: str = ""
    """The indicator that asks for the most; empty where none asks for any."""
    fixation_share: float | None = None
    """Share that holds the fixation index at the policy's target; None: no target, or n_e is not known."""
    infeasible: str = ""
    """Why no share does, as a sentence; empty where one does."""
    roll_back_to: int | None = None
    """Newest HEALTHY ancestor, where this generation is beyond help; None: no need, or there is none."""


class Outlook(Record):
    """Genetics of a lineage up to a generation: how inbred it is, where it goes, and how much real data prevents it."""

    inbreeding: Inbreeding | None = None
    """None: no homozygosity was measured."""
    depression: Depression | None = None
    """None: fewer than six generations after the founder, or no perplexity."""
    forecasts: tuple[Forecast, ...] = ()
    """Under the mixture in use, first, and under others, the one that is needed among them; empty: nothing is known."""
    prescription: Prescription | None = None
    """None: nothing is known yet."""


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


class Assessment(Record):
    """Everything known of one generation: readings, comparisons, verdict, and the mixture asked for next."""

    generation: Generation
    """The generation assessed."""
    readings: dict[str, Reading]
    """Indicator name -> reading."""
    reference: dict[str, Reading] = Field(default_factory=dict)
    """Indicator name -> the wild type's own reading at the same group size, where it has one."""
    comparisons: tuple[Comparison, ...]
    """Against founder or wild type; `decides` marks those that the verdict rests on."""
    verdict: Verdict
    """The decision."""
    stratum: TailStratum | None = None
    """The tail of the founder, frozen; carried by every generation that was scored on it."""
    prescription: Mixture | None = None
    """The mixture that the guard asks for in the next generation; None: no opinion."""
    outlook: Outlook | None = None
    """Genetics of the lineage up to this generation; None: there is no founder, or it is the founder."""
    lost: tuple[LostItem, ...] = ()
    """What the wild type has and the samples have not: the worst of each kind first. Empty: nothing, or not asked."""
    seed: int = 0
    """Seed of everything random in the assessment."""
    look: int | None = None
    """How many times the generation was judged in the run before; None: it is judged only once."""
    decisions: tuple[Decision, ...] = ()
    """What was done in the middle of its training, oldest first."""
