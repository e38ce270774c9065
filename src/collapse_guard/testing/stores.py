"""What every lineage store keeps."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from functools import partial

from collapse_guard.errors import FingerprintMismatchError, InputError, LineageError, LineageNotFoundError
from collapse_guard.records import Assessment, Direction, Generation, Mixture, Reading, Severity, Verdict
from collapse_guard.store import LineageStore, LineageSummary
from collapse_guard.testing.requirements import require, require_refusal, require_success

WILD_TYPE, OTHER_WILD_TYPE = "a" * 32, "b" * 32
LINEAGES = ("newsbot", "newsbot 2", "Newsbot", "日本語 モデル", "100% x = no", "a AND b -- c", " padded ")
"""Names that a store could mix up, or take for something else."""
UNKNOWN = ("newsbod", "x' OR 'a' = 'a", "`", "\\", '"', "a/b", "..", "", "new\nsbot")
"""Names that no lineage has."""
NO_FILE_NAMES = ("../report.html", "a/b.html", "assessment.json", "", ".hidden", "/etc/x")


def example_assessment(
    lineage: str = "newsbot", index: int = 0, *, value: float = 92.1, wild_type: str = WILD_TYPE
) -> Assessment:
    """A made-up HEALTHY assessment with one reading, for tests of what stores and shows assessments.

    Args:
        lineage: Name of the lineage.
        index: Number of the generation, whose parents are all generations before it.
        value: Perplexity that was read; may be NaN or infinite, as the replicates of the reading are.
        wild_type: Fingerprint of the wild type.

    Example:
        >>> print(example_assessment().verdict.severity)
        HEALTHY
    """
    reading = Reading(
        indicator="perplexity",
        family="likelihood",
        value=value,
        unit="perplexity",
        direction=Direction.UP,
        n=400,
        n_minimum=50,
        replicates=(1 / 3, math.nan, -math.inf),
    )
    parents, mixture = tuple(range(index)), Mixture(real=0.3, newest=0.7) if index else Mixture(real=1.0)
    verdict = Verdict(
        severity=Severity.HEALTHY,
        reasons=(),
        lineage=lineage,
        generation=index,
        wild_type=wild_type,
        policy="5d1e0c9a",
    )
    return Assessment(
        generation=Generation(lineage=lineage, index=index, parents=parents, mixture=mixture, wild_type=wild_type),
        readings={"perplexity": reading},
        comparisons=(),
        verdict=verdict,
    )


class StoreContract(ABC):
    """What every `LineageStore` keeps: subclass it in a test file and say how a store is made.

    Example:
        >>> from collapse_guard.store import MemoryStore
        >>> class TestMyStore(StoreContract):
        ...     def make_store(self):
        ...         return MemoryStore()
        >>> TestMyStore().test_lineages_do_not_mix()
    """

    @abstractmethod
    def make_store(self) -> LineageStore:
        """Return a store with nothing in it; called once in each test."""

    def reopen(self, store: LineageStore) -> LineageStore:
        """Return a store as the next process opens it, on the same data; itself where the data end with the process."""
        return store

    def attachments(self, store: LineageStore, lineage: str, index: int) -> Mapping[str, str] | None:  # noqa: ARG002
        """Return the attachments of a generation, file name -> text; None where the store drops them."""
        return None

    def test_a_new_store_is_empty(self) -> None:
        """`lineages`, `has` and `history_so_far` know nothing yet."""
        store = self.make_store()
        require(store.lineages() == [], "`lineages()` of a new store must be empty", store.lineages())
        require(not store.has("newsbot"), "`has` of a new store must be False", store.has("newsbot"))
        so_far = store.history_so_far("newsbot")
        require(so_far == [], "`history_so_far` of a lineage that has not begun must be empty", so_far)

    def test_an_assessment_is_read_back_whole(self) -> None:
        """Every field, NaN and infinity too."""
        store, founder = self.make_store(), example_assessment(value=math.inf)
        _append(store, founder)
        _require_history(store, [founder], "what was appended must be read back whole")
        _require_same([store.latest("newsbot")], [founder], "`latest` must return the newest generation")
        _require_same(store.history_so_far("newsbot"), [founder], "`history_so_far` must return what `history` does")
        require(store.has("newsbot"), "`has` must be True once a generation is appended", False)

    def test_the_next_process_reads_what_was_appended(self) -> None:
        """A store that was opened again has the same lineages; see `reopen`."""
        store = self.make_store()
        generations = [example_assessment(index=index) for index in range(3)]
        for generation in generations:
            _append(store, generation)
        again = self.reopen(store)
        require(
            again.lineages() == ["newsbot"], "a store that is opened again must know its lineages", again.lineages()
        )
        _require_history(again, generations, "a store that is opened again must have every generation")
        _append(again, example_assessment(index=3))

    def test_the_history_is_by_index_whatever_the_order_of_appending(self) -> None:
        """Generations may come late, and indices may be left out: 11 stays 11, and is newer than 2."""
        store, indices = self.make_store(), (0, 11, 2, 1)
        for index in indices:
            _append(store, example_assessment(index=index))
        got = [item.generation.index for item in store.history("newsbot")]
        require(got == sorted(indices), f"the history must have the generations {sorted(indices)} in this order", got)
        newest = store.latest("newsbot").generation.index
        require(newest == 11, "`latest` must return generation 11, the one with the largest index", newest)

    def test_the_ledger_has_every_generation(self) -> None:
        """The newest founder and the newest are whole, others may be abridged; before the founder there is nothing."""
        store = self.make_store()
        nothing = store.ledger("newsbot")
        require(nothing == [], "`ledger` of a lineage that has not begun must be empty", nothing)
        for index in (0, 3, 1):
            _append(store, example_assessment(index=index))
        founder, between, newest = store.ledger("newsbot")
        whole = [example_assessment(index=0), example_assessment(index=3)]
        _require_same([founder, newest], whole, "`ledger` must have the founder and the newest generation whole")
        known = [item.to_dict() for item in (example_assessment(index=1), example_assessment(index=1).abridged())]
        require(between.to_dict() in known, "`ledger` must have generation 1, whole or `abridged`", between.to_dict())

    def test_the_summaries_are_of_the_newest_generations(self) -> None:
        """`summaries` has a row for each lineage, sorted by name."""
        store = self.make_store()
        for name, index in (("omega", 0), ("alpha", 0), ("alpha", 2)):
            _append(store, example_assessment(name, index))
        got = store.summaries()
        expected = {
            name: LineageSummary(index, Severity.HEALTHY, WILD_TYPE) for name, index in (("alpha", 2), ("omega", 0))
        }
        require(list(got.items()) == list(expected.items()), f"`summaries()` must be {expected}", got)

    def test_nothing_is_missing_of_what_was_appended(self) -> None:
        """`missing` is empty where every generation is there, and where numbers were left out."""
        store = self.make_store()
        for index in (0, 3):
            _append(store, example_assessment(index=index))
        require(store.missing("newsbot") == {}, "`missing` must be empty", store.missing("newsbot"))

    def test_lineages_do_not_mix(self) -> None:
        """Names differ by case, spaces and alphabet, and may look like a query."""
        store = self.make_store()
        for number, name in enumerate(LINEAGES):
            _append(store, example_assessment(name, value=float(number)))
        got = store.lineages()
        require(got == sorted(LINEAGES), f"`lineages()` must be {sorted(LINEAGES)}, sorted", got)
        for number, name in enumerate(LINEAGES):
            expected = [example_assessment(name, value=float(number))]
            _require_same(store.history(name), expected, f"lineage {name!r} must have its own generations only")

    def test_a_generation_is_never_changed(self) -> None:
        """Another content for a generation is refused, and the first one stays."""
        store = self.make_store()
        _append(store, example_assessment(value=92.1))
        changed = partial(store.append, example_assessment(value=92.2))
        message = require_refusal(changed, LineageError, "another content for a generation must be refused")
        named = "generation 0" in message and "newsbot" in message
        require(named, "the message must name generation 0 and lineage newsbot", message)
        _require_history(store, [example_assessment(value=92.1)], "a refused append must change nothing")

    def test_appending_the_same_again_changes_nothing(self) -> None:
        """An append may be sent twice, by a process that was killed in between; NaN equals NaN."""
        store, founder = self.make_store(), example_assessment(value=math.nan)
        for _ in range(2):
            _append(store, founder)
        _require_history(store, [founder], "appending again what is stored must change nothing")

    def test_another_wild_type_is_refused(self) -> None:
        """All generations of a lineage are measured against one wild type; other lineages may have others."""
        store = self.make_store()
        _append(store, example_assessment())
        foreign = partial(store.append, example_assessment(index=1, wild_type=OTHER_WILD_TYPE))
        message = require_refusal(foreign, FingerprintMismatchError, "a second wild type in a lineage must be refused")
        named = WILD_TYPE in message and OTHER_WILD_TYPE in message
        require(named, "the message must name both wild types", message)
        _require_history(store, [example_assessment()], "a refused append must change nothing")
        other = example_assessment("another lineage", wild_type=OTHER_WILD_TYPE)
        _append(store, other)
        _require_same(
            store.history("another lineage"), [other], "another lineage must be free to have another wild type"
        )

    def test_a_lineage_may_be_founded_anew_with_another_wild_type(self) -> None:
        """What counts from the new founder has its wild type, and the ledger has that founder whole."""
        store = self.make_store()
        anew = Generation(lineage="newsbot", index=1, founding="new tokenizer", wild_type=OTHER_WILD_TYPE)
        founders = [example_assessment(), _of(anew)]
        later = [_of(anew.model_copy(update={"index": t, "founding": "", "parents": (t - 1,)})) for t in (2, 3)]
        for item in (*founders, *later):
            _append(store, item)
        _require_history(store, [*founders, *later], "a lineage must be readable across its founders")
        _, founder, _, newest = store.ledger("newsbot")
        rule = "`ledger` must have the newest founder and the newest generation whole"
        _require_same([founder, newest], [founders[1], later[1]], rule)
        late = partial(store.append, example_assessment(index=4))
        require_refusal(late, LineageError, "a generation that counts from an older founder must be refused")

    def test_an_unknown_lineage_is_not_found(self) -> None:
        """`history` and `latest` say which lineages there are; they neither return nothing nor make a lineage."""
        store = self.make_store()
        _append(store, example_assessment())
        for name in UNKNOWN:
            for read in (store.history, store.latest):
                rule = f"`{read.__name__}` of the unknown lineage {name!r} must be refused"
                message = require_refusal(partial(read, name), LineageNotFoundError, rule)
                require("newsbot" in message, "the message must name the lineages that there are: newsbot", message)
        require(store.lineages() == ["newsbot"], "reading must not make a lineage", store.lineages())

    def test_attachments_stay_beside_their_generation(self) -> None:
        """See `attachments`."""
        store = self.make_store()
        for index in range(2):
            _append(store, example_assessment(index=index))
        for index in range(2):
            files = {"report.html": f"<p>ü {index}</p>"}
            require_success(partial(store.attach, "newsbot", index, files), "a report of a generation must be taken")
        again = self.reopen(store)
        for index in range(2):
            stored = self.attachments(again, "newsbot", index)
            expected = {"report.html": f"<p>ü {index}</p>"}
            rule = f"the attachments of generation {index} must be {expected}"
            require(stored is None or dict(stored) == expected, rule, stored)

    def test_an_attachment_is_a_plain_file(self) -> None:
        """A name with a directory in it, or of one of the store's own files, is refused; the record stays."""
        store = self.make_store()
        _append(store, example_assessment())
        for name in NO_FILE_NAMES:
            outside = partial(store.attach, "newsbot", 0, {name: "text"})
            require_refusal(outside, InputError, f"the attachment {name!r} must be refused")
        _require_history(store, [example_assessment()], "a refused attachment must change nothing")

    def test_a_record_does_not_change_with_what_the_caller_holds(self) -> None:
        """What is appended, and what is read, are copies."""
        store, founder = self.make_store(), example_assessment()
        _append(store, founder)
        founder.readings.clear()
        store.latest("newsbot").readings.clear()
        _require_history(store, [example_assessment()], "a change of the caller's object must not change the store")


def _of(generation: Generation) -> Assessment:
    """A made-up assessment of a generation."""
    made = example_assessment(index=generation.index, wild_type=generation.wild_type)
    return made.model_copy(update={"generation": generation})


def _append(store: LineageStore, item: Assessment) -> None:
    rule = f"generation {item.generation.index} of lineage {item.generation.lineage!r} must be taken"
    require_success(partial(store.append, item), rule)


def _require_history(store: LineageStore, expected: Sequence[Assessment], rule: str) -> None:
    _require_same(store.history("newsbot"), expected, rule)


def _require_same(got: Sequence[Assessment], expected: Sequence[Assessment], rule: str) -> None:
    """Equal as JSON: NaN equals NaN."""
    same = [item.to_dict() for item in got] == [item.to_dict() for item in expected]
    require(same, rule, [item.to_dict() for item in got])
