"""What every lineage store does, what else it may offer, and the one rule of what may be appended."""

from __future__ import annotations

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable

from collapse_guard.errors import (
    FOUND_ANEW,
    FingerprintMismatchError,
    GenerationTakenError,
    InputError,
    LineageError,
    LineageNotFoundError,
    near,
)
from collapse_guard.records import Assessment, Severity
from collapse_guard.store.mlflow.address import without_password

OWN_FILES = ("assessment.json", "verdict.json", "readings.json")
"""Files that a store writes itself; an attachment may not take their place."""

_FILE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,199}")


class LineageSummary(NamedTuple):
    """The newest generation of a lineage in a list of all lineages."""

    generation: int
    """Its number."""
    severity: Severity
    """Its verdict."""
    wild_type: str
    """Fingerprint of the wild type that it is measured against."""


class LineageStore(ABC):
    """The lineages of all models: append-only, one `Assessment` per generation.

    An append is whole or not done at all, even if the process is killed. A store may offer more: pages
    in a browser (`BrowsableStore`), and the runs of trainings (`RunStore`).
    """

    address: str = ""
    """What opens it again in another process, as `open_store` and `--store` take it; empty where nothing does."""

    @abstractmethod
    def lineages(self) -> list[str]:
        """Return the names of all lineages with at least one generation, sorted.

        Raises:
            StoreUnreachableError: the store does not answer.
        """

    @abstractmethod
    def history(self, lineage: str) -> list[Assessment]:
        """Return the generations of a lineage, sorted by index.

        Raises:
            LineageNotFoundError: no such lineage; the message names those that are near.
            LineageError: What is stored differs from what was written.
            StoreUnreachableError: the store does not answer.
        """

    @abstractmethod
    def append(self, assessment: Assessment) -> None:
        """Add one generation; appending again what is stored already changes nothing.

        Args:
            assessment: The generation. Indices need not come in order.

        Raises:
            GenerationTakenError: the store holds another content for this generation, or another process appends one
                in this moment: nothing was stored.
            FingerprintMismatchError: its founder was measured against another wild type.
            LineageError: it counts from another founder than its neighbours do.
            StoreUnreachableError: the store does not answer.
        """

    def attach(self, lineage: str, index: int, attachments: Mapping[str, str]) -> None:  # noqa: ARG002
        """Keep files for people beside a stored generation, such as a report; a store may drop them.

        Args:
            lineage: Its lineage.
            index: Number of the generation.
            attachments: File name -> text. Not part of the record: a file of the same name is replaced.

        Raises:
            InputError: An attachment's name is not a plain file name.
            LineageError: No such generation.
            StoreUnreachableError: the store does not answer.
        """
        check_attachments(attachments)

    def ledger(self, lineage: str) -> list[Assessment]:
        """What the next generation is compared with: those of `history`, or none if the lineage does not exist yet.

        The newest founder and the newest generation are whole. A store may give the others `abridged`, so that reading
        them costs the same whatever their number.

        Raises:
            LineageError: What is stored differs from what was written.
            StoreUnreachableError: the store does not answer.
        """
        return self.history(lineage) if self.has(lineage) else []

    def missing(self, lineage: str) -> dict[int, str]:  # noqa: ARG002
        """Generations that were stored and do not count any more: index -> how they come back, as a sentence.

        Raises:
            StoreUnreachableError: the store does not answer.
        """
        return {}

    def latest(self, lineage: str) -> Assessment:
        """Return the newest generation of a lineage; raises as `history`."""
        return self.history(lineage)[-1]

    def summaries(self) -> dict[str, LineageSummary | LineageError]:
        """All lineages and the newest generation of each, or why it cannot be read, sorted by name.

        A store that can tell without reading records does so: this is for lists, not for decisions.

        Raises:
            StoreUnreachableError: the store does not answer.
        """
        return {name: self._summary(name) for name in self.lineages()}

    def _summary(self, lineage: str) -> LineageSummary | LineageError:
        try:
            return summary_of(self.latest(lineage))
        except LineageError as error:
            return error

    def has(self, lineage: str) -> bool:
        """Whether the store has a generation of that lineage."""
        return lineage in self.lineages()

    def history_so_far(self, lineage: str) -> list[Assessment]:
        """The generations of a lineage, sorted by index; none if it does not exist yet."""
        return self.history(lineage) if self.has(lineage) else []


@runtime_checkable
class BrowsableStore(Protocol):
    """A store whose lineages can be looked at in a browser: what `collapse-guard ui` opens.

    It has methods only, because `isinstance` reads properties on Python 3.11, and these ask a server.
    """

    def server_address(self) -> str:
        """Address of the server that shows the pages already; empty: `server_command` starts one."""
        ...

    def server_command(self, port: int) -> list[str]:
        """The command that shows the pages at a port of this machine until it is ended, as a list of arguments."""
        ...

    def dashboard_path(self) -> str:
        """Path of the page of all lineages, to be put behind the address of the server.

        Returns:
            The path; empty while there is no such page, as before the first append.

        Raises:
            StoreUnreachableError: the store does not answer.
        """
        ...


@runtime_checkable
class RunStore(Protocol):
    """A store that has the runs of trainings too, and can keep a generation in the run that it was trained in."""

    def tracks(self, uri: str) -> bool:
        """Whether the runs that a logger sends to this tracking URI are in the store."""
        ...

    def in_run(self, run_id: str, *, step: int | None = None) -> LineageStore:
        """The same store, which keeps the generation that is appended next in this run instead of one of its own.

        Args:
            run_id: Run of the training.
            step: Step of the training at which the readings are logged there; None: the number of the generation, and
                what is logged there under the same name stays alone.
        """
        ...


def summary_of(assessment: Assessment) -> LineageSummary:
    """What a list of lineages shows of the newest generation of one."""
    verdict = assessment.verdict
    return LineageSummary(assessment.generation.index, verdict.severity, verdict.wild_type)


def next_index(history: Sequence[Assessment]) -> int:
    """Index of the generation that follows the newest one; 0 for an empty history.

    Example:
        >>> next_index([])
        0
    """
    return 1 + max((assessment.generation.index for assessment in history), default=-1)


def check_append(history: Iterable[Assessment], assessment: Assessment) -> bool:
    """Whether `assessment` is new to the history of its lineage: the rule that every store shares.

    Two assessments are the same when their JSON is the same: two NaN readings do not differ.

    Args:
        history: All generations stored of `assessment`'s lineage.
        assessment: What is to be appended.

    Returns:
        True: append it. False: it is stored already, do nothing.

    Raises:
        LineageError: the same generation is stored with another content, or counts from another founder than its
            neighbours do.
        FingerprintMismatchError: its founder was measured against another wild type.
    """
    for stored in history:
        _check_same_wild_type(stored, assessment)
        _check_founders_rise(stored, assessment)
        if stored.generation.index == assessment.generation.index:
            _check_same_content(stored, assessment)
            return False
    return True


def _check_same_wild_type(stored: Assessment, assessment: Assessment) -> None:
    known, got = stored.verdict.wild_type, assessment.verdict.wild_type
    if known != got and stored.generation.founder == assessment.generation.founder:
        raise FingerprintMismatchError(
            f"generations of lineage `{assessment.generation.lineage}` must be measured against the wild type of their "
            f"founder, {known}, but got generation {assessment.generation.index} measured against {got}: "
            f"assess it with that wild type, or {FOUND_ANEW}"
        )


def _check_founders_rise(stored: Assessment, assessment: Assessment) -> None:
    """Later generations count from the same founder or a later one."""
    here, new = stored.generation, assessment.generation
    if (new.index - here.index) * (new.founder - here.founder) < 0:
        raise LineageError(
            f"generation {new.index} of lineage `{new.lineage}` must count from the founder of its neighbours, but got "
            f"{new.founder}, and generation {here.index} counts from {here.founder}: assess it again"
        )


def _check_same_content(stored: Assessment, assessment: Assessment) -> None:
    digested = bool(stored.evidence and assessment.evidence)
    if _content(stored, digested=digested) != _content(assessment, digested=digested):
        index, lineage = assessment.generation.index, assessment.generation.lineage
        to_do = "append it as the next generation, or start a new lineage"
        if assessment.generation.is_founder:
            to_do = (
                "the lineage has a founder. Leave out `--founder` (or `generation=0`) to append this as its next "
                f"generation, or {FOUND_ANEW}"
            )
        raise GenerationTakenError(
            f"generation {index} of lineage `{lineage}` is stored and is never changed, but got another content for it "
            f"({stored.verdict.severity} is stored, {assessment.verdict.severity} is new): {to_do}"
        )


def _content(assessment: Assessment, *, digested: bool) -> dict[str, Any]:
    """All but where the evidence came from: a renamed file or a training that is run again is the same evidence, also
    where other training texts were looked at.

    Records of earlier versions have no digest of it: what is sent again is not another content because it has one.
    """
    aside = {"intake": (), "origin": None, "training_check": None, **({} if digested else {"evidence": ""})}
    return assessment.model_copy(update=aside).to_dict()


def check_attachments(attachments: Mapping[str, str]) -> None:
    """Refuse attachments that are not plain files beside the store's own.

    Raises:
        InputError: a name has a directory in it, or belongs to a file of the store.

    Example:
        >>> check_attachments({"report.html": "<html></html>"})
    """
    for name in attachments:
        if not _FILE_NAME.fullmatch(name) or name in OWN_FILES:
            raise InputError(
                "`attachments` must be named by plain file names (letters, digits, `_`, `.`, `-`) other than "
                f"{', '.join(OWN_FILES)}, but got {name!r}: rename it"
            )


def lineage_not_found(lineage: str, known: Iterable[str], *, address: str = "", hint: str = "") -> LineageNotFoundError:
    """The error for a lineage that is not in a store.

    Args:
        lineage: Its name.
        known: The lineages that are there, of which the near ones are named.
        address: Address of the store that was looked in; passwords in it are blanked.
        hint: Where it may be instead, as a sentence.

    Example:
        >>> print(lineage_not_found("newsbto", ["newsbot"], address="http://ml:5000"))
        `lineage` must be in the store `http://ml:5000`, but got 'newsbto': did you mean `newsbot`? Known: newsbot
    """
    store = f"the store `{without_password(address)}`" if address else "the store"
    message = f"`lineage` must be in {store}, but got {lineage!r}: {near(lineage, known)}"
    return LineageNotFoundError(f"{message}. {hint}" if hint else message)


def to_text(assessment: Assessment) -> str:
    """The whole record as JSON; `from_text` reads it back."""
    return json.dumps(assessment.to_dict(), ensure_ascii=False, indent=1, allow_nan=False)


def from_text(text: str, *, lineage: str, index: int, where: str) -> Assessment:
    """Read the text of `to_text`. It comes from outside: it may be damaged or hostile.

    Args:
        text: JSON of one assessment.
        lineage: Lineage that it must be about.
        index: Generation that it must be about.
        where: What is being read, for the message.

    Raises:
        LineageError: the text is not an assessment of that generation.
    """
    try:
        fields = json.loads(text)
        if not isinstance(fields, dict):
            raise InputError(f"a JSON object is required, but got {type(fields).__name__}")
        assessment = Assessment.from_dict(fields)
    except (ValueError, RecursionError) as error:
        raise LineageError(
            f"{where} must be an assessment of generation {index} of lineage `{lineage}`, but it cannot be read: "
            f"{error}. Restore the file from a backup"
        ) from error
    actual = assessment.generation
    if (actual.lineage, actual.index) != (lineage, index):
        raise LineageError(
            f"{where} must be an assessment of generation {index} of lineage `{lineage}`, "
            f"but got one of generation {actual.index} of `{actual.lineage}`: restore the file from a backup"
        )
    return assessment
