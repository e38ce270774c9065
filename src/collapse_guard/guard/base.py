"""What every guard does, whatever trains: plan, rehearse, look, assess, record and act. A shell translates its trainer.

No formula and no threshold is here, and no trainer.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from torch import nn

from collapse_guard.decision.policy import Policy
from collapse_guard.errors import CollapsedError
from collapse_guard.evidence import Evidence
from collapse_guard.guard.again import of_same_weights, origin_of, recorded_before, warn_of_other, warn_of_recorded
from collapse_guard.guard.alerts import alert
from collapse_guard.guard.budget import TimeBudget
from collapse_guard.guard.mailbox import Mailbox
from collapse_guard.guard.measuring import Measurement
from collapse_guard.guard.ranks import Ranks
from collapse_guard.guard.rehearsal import check_rehearsal
from collapse_guard.guard.settings import check_settings, wild_type_of
from collapse_guard.guard.steering import steer_run
from collapse_guard.guard.training import Training
from collapse_guard.guard.training_texts import TrainingTexts, warned_of_leak
from collapse_guard.lineage.candidate import Candidate, find_place
from collapse_guard.probes.cost import Cost
from collapse_guard.probes.probe import Probe, ReadingProbe, check_probe
from collapse_guard.records import Assessment, Decision, Generation, Mixture, Origin, Severity, TrainingCheck, Verdict
from collapse_guard.store import LineageStore
from collapse_guard.wildtype import WildType

_log = logging.getLogger("collapse_guard")


class GuardBase:
    """What each guard is: it assesses the generation that is trained, adds it to its lineage, and acts on the verdict.

    When training starts, the guard checks store, lineage and wild type, so that the result can be recorded, and
    rehearses the measurement. When training ends, all ranks collect evidence, rank 0 assesses it, appends the
    assessment to the store and then tells the loggers, and all ranks get the same verdict. Measuring leaves no trace:
    unless the guard acts, the weights are bit for bit those of a run without it.

    Once training has begun, nothing that fails is raised: not a probe, a store or a logger. Each costs one warning that
    says what to do. What was not measured is UNDECIDED, and is not stored; what the store does not take is kept. A
    training that is run again, from its checkpoint or to the same weights, is the same generation and adds nothing
    (`docs/training.md`).

    | action     | what happens                                                                                       |
    |------------|----------------------------------------------------------------------------------------------------|
    | `alert`    | a `CollapseGuardWarning` with the verdict when the lineage's alert is raised (`alerts.alert_after`);|
    |            | a log message when it is taken back                                                                |
    | `reinject` | `ReinjectionDataModule` applies the mixture that the newest parent's assessment asks for; and where|
    |            | the run draws by a `MixtureSampler`, an in-run WATCH or COLLAPSED raises the real share at once,   |
    |            | from the first item that no loader has fetched (`reinjection.controller`)                          |
    | `stop`     | an in-run COLLAPSED ends training early; the generation is assessed and recorded as usual          |
    | `raise`    | as `stop`, and `CollapsedError` on all ranks once a COLLAPSED generation is recorded               |

    Args:
        wild_type: The frozen real data, or the directory of a saved one.
        lineage: Name of the lineage.
        probe: Collects the evidence: `CausalLMProbe`, `EmbeddingProbe`, or any object with `collect` (`Probe`).
        policy: Margins and levels, or the path of a TOML file; None: `Policy()`.
        generation: Index; 0 founds the lineage, None is one after the newest. A lineage that the store does not have is
            warned of unless it is founded so, and is an error where the environment variable CI is set.
        founding: Why the lineage is founded anew with this training, as with another tokenizer, wild type or base
            model: it is compared with no earlier generation, and later ones are compared with it. Given once; empty: it
            is not.
        parents: Generations whose samples this one is trained on; None: from the data module, else the newest.
        store: A store or its address; None: where the trainer logs to MLflow, else MLFLOW_TRACKING_URI, else
            sqlite:///mlflow.db in the working directory.
        actions: Any of `alert`, `reinject`, `stop`, `raise`.
        assess_every_n_epochs: Assess during training too, at the end of every n-th epoch but the last; None: never.
            In-run assessments are logged to the trainer's loggers and not added to the lineage; they and the last one
            share the generation's part of alpha. They compare the model as it is with a founder whose training is
            complete: choose n so that the first look comes when the model should be as good.
        assess_every_n_steps: The same, after every n-th training step, of however many optimizers. Both may be given.
        mixture: What the generation is trained on, if known; what the data module tells (`TrainingData`) takes its
            place. None: real data only for the founder, else not known.
        seed: Of all sampling; generation t uses a seed made of it and t.
        dry_run: Say what `reinject` would change in the run, and do not change it.
        probe_timeout: Seconds after which a probe that does not end is interrupted, on each rank; None: never. Where
            the process group waits less for a rank, it is nine tenths of that.
        time_budget: Seconds that the guard may take for each second of training, such as 0.05: as many samples are
            drawn as fit, and a warning says what fewer cost (`docs/training.md`); None: all, however long it takes.

    Attributes:
        evidence: What it rests on, on rank 0 only: its samples may be what the next generation is trained on.
        prescription: The mixture that its newest parent's assessment asks for; None: it asks for nothing.
        looks: (step, severity) of each in-run assessment so far.
        decisions: What `reinject` did in the run so far, or would have done, the same on all ranks.
        cost: What the guard took of the training so far, part by part, in this process.

    Raises:
        InputError: An argument is invalid.
    """

    _assessment: Assessment | None = None
    _checked: TrainingCheck | None = None
    _is_recorded = _is_kept = False

    def __init__(
        self,
        wild_type: WildType | str | Path,
        lineage: str,
        probe: Probe,
        *,
        policy: Policy | str | Path | None = None,
        generation: int | None = None,
        founding: str = "",
        parents: Sequence[int] | None = None,
        store: LineageStore | str | None = None,
        actions: Sequence[str] = ("alert",),
        assess_every_n_epochs: int | None = None,
        assess_every_n_steps: int | None = None,
        mixture: Mixture | None = None,
        seed: int = 0,
        dry_run: bool = False,
        probe_timeout: float | None = 3600.0,
        time_budget: float | None = None,
    ) -> None:
        super().__init__()
        self.wild_type = wild_type_of(wild_type)
        self.policy = policy if isinstance(policy, Policy) else Policy.load(policy) if policy else Policy()
        self.lineage, self.probe, self.store, self.mixture, self.seed = lineage, probe, store, mixture, seed
        self.actions = tuple(actions)
        self.assess_every_n_epochs = assess_every_n_epochs
        self.assess_every_n_steps = assess_every_n_steps
        self.dry_run, self.probe_timeout, self.time_budget = dry_run, probe_timeout, time_budget
        self._index, self._parents = generation, None if parents is None else tuple(parents)
        self._founding = founding
        self._training = ""
        self._mailbox = Mailbox()
        self._forget()
        self._check(actions)

    @property
    def assessment(self) -> Assessment | None:
        """The newest assessment of this training, the same on all ranks; None before the first."""
        left = self._mailbox.take()
        if left is not None:
            self._assessment = left
        return self._assessment

    @property
    def verdict(self) -> Verdict | None:
        """The newest verdict of this training, the same on all ranks; None before the first."""
        assessment = self.assessment
        return assessment.verdict if assessment else None

    def assess(self, module: nn.Module) -> Verdict:
        """Measure a module that is trained, and record it, as where measuring failed at the end of its training.

        It is the generation that was planned when training began. Where that is recorded, or without a training, it is
        the next one of the lineage, or that of the argument `generation`. All ranks must call it.

        Args:
            module: The model, on the device where it is to be measured.

        Raises:
            CollapsedError: On all ranks, when the verdict is COLLAPSED and the actions include `raise`.
            InputError: The lineage, its number or the store does not fit, as when training begins.
        """
        training = Training(step=self._step, ranks=Ranks.current())
        if self._planned is None or self._is_recorded:
            self._begin(training)
        return self._end(training, module)

    def check(self, texts: Iterable[str], *, whole: bool = False) -> TrainingCheck:
        """Look for evaluation documents in the texts that the coming generation is trained on, before it is.

        What is found is warned of, and enters the record of the next generation that is measured: a model that was
        trained on what it is measured with cannot be judged by losses. The first batches of a training are looked at
        without being asked, where they can be read.

        Args:
            texts: All of them or a part, in one call: a later call takes the place of an earlier one. One pass.
            whole: Whether these are all: evaluation documents that are in none then decide beside such a founder.

        Returns:
            What was found.

        Raises:
            InputError: The wild type is not of text.
        """
        self._checked = self.wild_type.leaks_in(texts, whole=whole)
        warned_of_leak(self._checked)
        return self._checked

    def _see(self, batch: object) -> None:
        """Look at a training batch, of which the first ones are read."""
        if self._texts.is_looking:
            with self.cost.of("reading training texts"):
                self._texts.see(batch)

    def _forget(self) -> None:
        """Nothing is known of the training that begins, but what was checked for it."""
        if self._is_recorded:
            self._checked = None
        self._texts = TrainingTexts(
            self.wild_type, self.probe.text_of if isinstance(self.probe, ReadingProbe) else None
        )
        self._assessment = None
        self.evidence: Evidence | None = None
        self.prescription: Mixture | None = None
        self.looks: list[tuple[int, str]] = []
        self.decisions: list[Decision] = []
        self._planned: Generation | None = None
        self._store: LineageStore | None = None
        self._candidate: Candidate | None = None
        self._looked_at: int | None = None
        self._budget: TimeBudget | None = None
        self.cost = Cost()
        self._step = 0
        self._is_warned = self._is_trained = self._is_recorded = False

    def _begin(self, training: Training) -> None:
        """Check store, lineage and wild type before training; the outcome is the same on all ranks."""
        self._forget()
        with self.cost.of("reading the lineage"):
            self._planned, self.prescription, self._training = training.ranks.on_rank_zero(lambda: self._plan(training))

    def _plan(self, training: Training) -> tuple[Generation, Mixture | None, str]:
        self._store = training.journal.open(self.store)
        place = find_place(
            self._store,
            self.wild_type,
            lineage=self.lineage,
            policy=self.policy,
            seed=self.seed,
            index=self._index,
            parents=self._parents,
            mixture=self.mixture,
            founding=self._founding,
        )
        # It stays the parent of what is trained on it, whoever is faster meanwhile.
        self._candidate = replace(place, follows_newest=False)
        return place.generation, place.prescription, uuid.uuid4().hex

    def _rehearse(self, training: Training, module: nn.Module) -> None:
        """Try the measurement on little before training is paid for; raises InputError with all that is in its way."""
        with self.cost.of("rehearsing"):
            check_rehearsal(self.probe, module, self.wild_type, training, decides=self.policy.decides)
            if self.time_budget is not None:
                self._budget = TimeBudget(self.time_budget, self.probe, self.policy.decides)
                self._budget.find_price(training, module, self.wild_type)
        self.cost.begin_training(training.step)

    def _is_due(self, before: int, now: int) -> bool:
        """Whether a look is due where so many training steps were done before, and so many are now."""
        every = self.assess_every_n_steps
        return every is not None and now // every > before // every

    def _is_due_after(self, epochs: int, most: int | None) -> bool:
        """Whether a look is due after so many epochs, which are not the last."""
        every = self.assess_every_n_epochs
        return every is not None and epochs % every == 0 and epochs != most

    def _look(self, training: Training, module: nn.Module) -> bool:
        """Assess in the run, and act. Returns whether training is to stop, the same on all ranks."""
        if self._planned is None or self._looked_at == training.step:
            return False
        self._looked_at = training.step
        before = Severity(self.looks[-1][1]) if self.looks else None
        verdict = self._assess(training, module, self._planned, None, self._planned.index)
        if verdict.is_unmeasured:
            return False
        self.looks.append((training.step, verdict.severity.value))
        may_stop = bool({"stop", "raise"} & set(self.actions))
        halts = "reinject" in self.actions and self._steer(training, before)
        return may_stop and (halts or verdict.severity is Severity.COLLAPSED)

    def _steer(self, training: Training, before: Severity | None) -> bool:
        """Change what is to be changed in the run, on all ranks. Returns whether the run should halt."""
        decision = steer_run(
            training,
            cast("Assessment", self._assessment),
            before=before,
            history=self._candidate.history if self._candidate else (),
            rule=self.policy.reinjection,
            dry_run=self.dry_run,
        )
        self.decisions += [decision] if decision else []
        return decision is not None and decision.halt

    def _end(self, training: Training, module: nn.Module) -> Verdict:
        """Assess the generation, record it, act; raises CollapsedError on all ranks where that is asked for."""
        self._is_trained, self._step = True, training.step
        self.cost.end_training()
        verdict = self._conclude(training, module, cast("Generation", self._planned))
        self._is_recorded = not verdict.is_unmeasured
        if training.ranks.rank == 0 and self._assessment is not None:
            self._mailbox.leave(self._assessment)
            _log.info("%s", self.cost)
        if verdict.severity is Severity.COLLAPSED and "raise" in self.actions:
            raise CollapsedError(str(verdict), verdict)
        return verdict

    def _conclude(self, training: Training, module: nn.Module, generation: Generation) -> Verdict:
        """Assess and record the generation, unless it is recorded: a training that is run again is no other one."""
        # A number that the user gives is meant, and so is a founder.
        is_meant = self._index is not None or self._founding
        history = self._candidate.history if self._candidate and not is_meant else ()

        def known() -> tuple[Origin, Assessment | None, int]:
            origin = origin_of(training, module, self._training)
            twin = of_same_weights(origin, history)
            return origin, recorded_before(origin, history), (twin.generation if twin else generation).index

        try:
            origin, stored, seeded_as = training.ranks.on_rank_zero(known)
        except Exception as error:  # of a rank that is gone, which the measurement will say
            _log.info("the ranks cannot agree on what is recorded", exc_info=error)
            origin, stored = Origin(training=self._training, step=training.step, measured=training.weights), None
            seeded_as = generation.index
        if stored is None:
            return self._assess(training, module, generation, origin, seeded_as)
        self._assessment = stored
        if training.ranks.rank == 0:
            warn_of_recorded(stored.generation)
        return stored.verdict

    def _assess(
        self, training: Training, module: nn.Module, generation: Generation, origin: Origin | None, seeded_as: int
    ) -> Verdict:
        """Measure and judge the same on all ranks; with an origin the generation is recorded."""
        unread = Candidate(generation=generation, history=(), wild_type=self.wild_type, policy=self.policy)
        plan = self._budget.plan(training, self.cost, is_look=origin is None) if self._budget else None
        measurement = Measurement(
            training=training,
            module=module,
            candidate=self._candidate or unread,
            store=self._store,
            probe=plan.probe if plan else self.probe,
            seed=self.seed,
            seeded_as=seeded_as,
            timeout=self.probe_timeout,
            look=len(self.looks) if self.assess_every_n_epochs or self.assess_every_n_steps else None,
            decisions=self.decisions,
            parents_are_given=self._parents is not None,
            seen=self._texts.known(self._checked if training.ranks.rank == 0 else None),
            under=self._under,
        )
        with self.cost.counting():
            self._assessment = measurement.assess(origin)
        self.evidence, self._is_kept = measurement.evidence, measurement.is_kept
        if training.ranks.rank == 0:
            with self.cost.of("logging"):
                measurement.tell(self._assessment, self.cost, of_faults=origin is not None or not self._is_warned)
                if plan:
                    plan.tell(self._assessment.readings, self.policy, is_look=origin is None)
            self._is_warned = origin is None and (self._is_warned or bool(measurement.fault))
            if "alert" in self.actions and not (self.looks and self.looks[-1][1] == self._assessment.verdict.severity):
                alert(self._assessment.verdict)
        return self._assessment.verdict

    @property
    def _under(self) -> str:
        """A lineage whose name is put before the names of metrics, where another guard has the plain ones."""
        return ""

    def _state(self) -> dict[str, Any]:
        """The generation in training and its in-run assessments, as plain values; never the policy."""
        if self._planned is None:
            return {}
        state = {"generation": self._planned.index, "training": self._training, "trained": self.cost.trained or 0.0}
        return {**state, "looks": self.looks, "decisions": [decision.to_dict() for decision in self.decisions]}

    def _resume(self, state: dict[str, Any]) -> None:
        """Go on with the in-run assessments of an interrupted run of the same generation."""
        if self._planned is None:
            return
        self._training = str(state.get("training", self._training))
        self.cost.trained_before = float(state.get("trained", 0.0))
        if state["generation"] == self._planned.index:
            self.looks = [(int(step), str(severity)) for step, severity in state["looks"]]
            self._looked_at = self.looks[-1][0] if self.looks else None
            self.decisions = [Decision.from_dict(decision) for decision in state.get("decisions", ())]
            return
        warn_of_other(state["generation"], self._planned)

    def _check(self, actions: Sequence[str]) -> None:
        """Refuse settings that do not fit; raises InputError."""
        check_settings(
            actions=actions,
            assess_every_n_epochs=self.assess_every_n_epochs,
            assess_every_n_steps=self.assess_every_n_steps,
            mixture=self.mixture,
            probe_timeout=self.probe_timeout,
            time_budget=self.time_budget,
        )
        check_probe(self.probe, self.wild_type)
        parents = self._parents if self._parents and self._index is not None else ()
        index = (1 if self._founding else 0) if self._index is None else self._index
        Generation.checked(lineage=self.lineage, index=index, parents=parents, founding=self._founding)
