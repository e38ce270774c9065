"""Oracle: sets of runs of eight words in plain Python, on real speeches and on the functions of Python's library."""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from collapse_guard.corpus.documents import Documents
from collapse_guard.corpus.lexicon import words
from collapse_guard.decision.leak import is_leaking
from collapse_guard.demo.corpus import passages
from collapse_guard.errors import InputError
from collapse_guard.records import TrainingCheck
from collapse_guard.wildtype import WildType
from collapse_guard.wildtype.leak_index import LeakIndex

Form = Callable[[WildType, list[str]], list[str]]
UNSEEN = 400


def runs(text: str) -> set[tuple[str, ...]]:
    found = words(text)
    return {tuple(found[i : i + 8]) for i in range(max(1, len(found) - 7))} if found else set()


def functions() -> list[str]:
    """The functions of Python's standard library, as they are written."""
    texts = []
    for path in sorted(Path(ast.__file__).parent.glob("[a-f]*.py")):
        source = path.read_text(encoding="utf-8")
        lines = source.splitlines()
        nodes = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef)]
        texts += ["\n".join(lines[node.lineno - 1 : node.end_lineno]) for node in nodes]
    return texts


CORPORA: dict[str, Callable[[], list[str]]] = {"speeches": lambda: list(passages(64))[::6], "code": functions}


@pytest.fixture(scope="module", params=CORPORA)
def real(request: pytest.FixtureRequest) -> tuple[WildType, list[str]]:
    """A wild type, and documents of the same source that it has never seen."""
    texts = CORPORA[request.param]()
    order = np.random.default_rng(0).permutation(len(texts))
    unseen = [texts[i] for i in order[:UNSEEN]]
    return WildType.fit([texts[i] for i in order[UNSEEN:]], max_evaluation_documents=250), unseen


def whole(_: WildType, texts: list[str]) -> list[str]:
    return texts


def retold(_: WildType, texts: list[str]) -> list[str]:
    """As a tokenizer may decode them: in lower case, with other spaces and without line breaks."""
    return [" , ".join(" ".join(text.lower().split()).split(",")) for text in texts]


def chunks(wild_type: WildType, texts: list[str]) -> list[str]:
    """64 tokens of one document each."""
    return wild_type.decode([ids[i : i + 64] for ids in wild_type.encode(texts) for i in range(0, len(ids), 64)])


def windows(wild_type: WildType, texts: list[str], length: int = 64) -> list[str]:
    """64 tokens of whatever comes next, cut where documents end or in their middle."""
    ids = np.concatenate(wild_type.encode(texts))
    return wild_type.decode([ids[i : i + length] for i in range(0, len(ids), length)])


def long_windows(wild_type: WildType, texts: list[str]) -> list[str]:
    return windows(wild_type, texts, 1024)


FORMS = [whole, retold, chunks, windows, long_windows]


@pytest.mark.parametrize("form", FORMS)
def test_evaluation_documents_are_found_in_every_form_and_the_pool_passes(
    real: tuple[WildType, list[str]], form: Form
) -> None:
    wild_type, _ = real
    held = wild_type.leaks_in(form(wild_type, list(wild_type.evaluation)))
    assert is_leaking(held)
    assert held.leaking > 0.85 * held.texts
    assert len(held.found) > 0.7 * held.evaluation
    clean = wild_type.leaks_in(form(wild_type, list(wild_type.pool)[:2000]))
    assert (clean.copies, clean.found) == (0, ())
    assert clean.of_pool > 0.9 * clean.texts


@pytest.mark.parametrize("form", FORMS)
def test_unseen_documents_of_the_same_source_are_no_leak(real: tuple[WildType, list[str]], form: Form) -> None:
    wild_type, unseen = real
    check = wild_type.leaks_in(form(wild_type, unseen))
    assert check.copies < 0.04 * check.pieces
    assert not is_leaking(check)


@pytest.mark.parametrize("form", [chunks, windows])
def test_a_tenth_of_training_is_seen_in_a_few_batches(real: tuple[WildType, list[str]], form: Form) -> None:
    """A batch is 16 texts of 64 tokens. Beside texts of the pool five will do; beside others, which may be copies by
    chance, it takes twenty."""
    wild_type, unseen = real
    rng = np.random.default_rng(1)
    leaked = form(wild_type, list(wild_type.evaluation))
    for others, n_batches in ((list(wild_type.pool)[:900], 5), (unseen, 20)):
        rest = form(wild_type, others)
        seen = 0
        for _ in range(20):
            drawn = [leaked if one else rest for one in rng.random(16 * n_batches) < 0.1]
            seen += is_leaking(wild_type.leaks_in([texts[rng.integers(len(texts))] for texts in drawn]))
        assert seen >= 16


def test_the_rule_is_that_of_sets_of_runs(real: tuple[WildType, list[str]]) -> None:
    wild_type, unseen = real
    pool = set().union(*map(runs, wild_type.pool))
    owner: dict[tuple[str, ...], int] = {}
    for number, text in enumerate(wild_type.evaluation):
        for run in sorted(runs(text) - pool):
            owner.setdefault(run, number)
    own = [sum(owner.get(run) == number for run in runs(text)) for number, text in enumerate(wild_type.evaluation)]

    def held(text: str) -> set[int]:
        has = runs(text)
        found = [owner[run] for run in has if run in owner]
        shared = {number: found.count(number) for number in set(found)}
        parts = {
            number: n
            for number, n in shared.items()
            if n >= 4 or (n == own[number] and len(has) == len(runs(wild_type.evaluation[number])))
        }
        is_mostly_held = sum(parts.values()) >= 0.5 * len(has - pool)
        return {number for number, n in parts.items() if is_mostly_held or n >= 0.5 * own[number]}

    texts = [
        text for text in [*unseen[:200], *chunks(wild_type, list(wild_type.evaluation)[:100])] if no_run_twice(text)
    ]
    documents = [text for text in wild_type.evaluation if no_run_twice(text)]
    for text in [*texts, *documents[:100]]:
        expected = sorted(wild_type.evaluation.hashes[number] for number in held(text))
        assert list(wild_type.leaks_in([text]).found) == expected, text


def no_run_twice(text: str) -> bool:
    return len(runs(text)) == max(1, len(words(text)) - 7)


def test_many_parts_are_counted_together(real: tuple[WildType, list[str]]) -> None:
    wild_type, unseen = real
    texts = [*unseen[:700], *list(wild_type.evaluation)[:40], *list(wild_type.pool)[:900]]
    parts = [wild_type.leaks_in(texts[i : i + 300]) for i in range(0, len(texts), 300)]
    together, at_once = (
        check.model_dump(exclude={"examples"}) for check in (TrainingCheck.together(parts), wild_type.leaks_in(texts))
    )
    assert together == at_once


LAW = "in the year {0} the congress of the united states met and wrote {1} laws on roads and canals and ports"
HELD = [LAW.format(1800 + i, 7 * i) for i in range(5)]
POOL = [LAW.format(1900 + i, 7 * i) for i in range(40)]


def checked(texts: list[str], held: list[str] = HELD, **options: int) -> TrainingCheck:
    documents = Documents.from_texts(held)
    return LeakIndex.of(documents, Documents.from_texts(POOL), **options).check(texts, documents)


def test_phrases_of_the_pool_and_other_documents_of_one_template_tell_nothing() -> None:
    other = [LAW.format(2000 + i, 11 * i) for i in range(40)]
    check = checked([*POOL, *other])
    assert (check.texts, check.copies) == (80, 0)
    assert checked(HELD).copies == 5


def test_a_short_document_is_found_as_a_whole_only() -> None:
    short = ["hear, hear!", "the house rose at nine and went home again"]
    assert checked(["Hear hear", "And so the house rose at nine and went home again, it is said"], short).copies == 1
    whole_only = checked(["The House rose at nine, and went home again."], short)
    assert (whole_only.leaking, whole_only.examples) == (1, ("'the house rose at nine and went home again'",))


def test_texts_too_short_to_tell_are_counted_apart() -> None:
    check = checked(["met and wrote", "", "..."])
    assert (check.texts, check.too_short, check.copies) == (0, 3, 0)
    assert (
        str(check)
        == "0 training texts, 0 words, 3 more too short to tell, 0 of the pool, none with an evaluation document"
    )


def test_of_a_large_pool_a_part_of_the_runs_is_held(real: tuple[WildType, list[str]]) -> None:
    wild_type, _ = real
    whole = LeakIndex.of(wild_type.evaluation, wild_type.pool)
    index = LeakIndex.of(wild_type.evaluation, wild_type.pool, most_held=len(whole.pool))
    assert index.step > whole.step == 1
    assert len(index.pool) == pytest.approx(len(whole.pool) / index.step, rel=0.05)
    assert index.check(list(wild_type.evaluation), wild_type.evaluation).leaking > 240
    clean = index.check(list(wild_type.pool)[:1000], wild_type.evaluation)
    assert clean.copies == 0
    assert clean.of_pool > 0.9 * clean.texts


def test_three_examples_are_cut_and_escaped() -> None:
    held = [f"{text}\n\x1b[31m  {number}" for number, text in enumerate(HELD)]
    check = checked(held, held)
    assert len(check.examples) == 3
    assert check.examples[0] == f"{HELD[0][:60]!r}"
    loud = checked(["\x1b[31m" + HELD[0]], ["\x1b[31m" + HELD[0]])
    assert loud.examples[0].startswith("'\\x1b[31m")


def test_the_index_is_kept_beside_the_wild_type(saved: Path) -> None:
    loaded = WildType.load(saved)
    before = loaded.leaks_in(loaded.evaluation)
    assert (saved / "made" / "leak-index.safetensors").is_file()
    again = WildType.load(saved)
    assert again.fingerprint == loaded.fingerprint
    assert again.leaks_in(again.evaluation) == before


def test_vectors_have_no_texts_to_look_for() -> None:
    with pytest.raises(InputError, match="holds vectors"):
        WildType.fit_arrays([[float(i), 1.0] for i in range(25)]).leaks_in(["a text"])


@pytest.mark.parametrize("form", FORMS)
def test_a_look_at_all_texts_misses_few_of_the_documents_that_it_can_tell(
    real: tuple[WildType, list[str]], form: Form
) -> None:
    """What is asked: one in five is missed at most. Documents that cannot be told are named."""
    wild_type, _ = real
    rng = np.random.default_rng(2)
    trained_on = [*list(wild_type.pool)[:900], *list(wild_type.evaluation)[:125]]
    check = wild_type.leaks_in(form(wild_type, [trained_on[place] for place in rng.permutation(len(trained_on))]))
    leaked = wild_type.evaluation.hashes[:125]
    missed = [key for key in leaked if key not in check.found and key not in check.untold]
    assert len(missed) <= 0.2 * len(leaked)
    assert not set(check.found) & set(check.untold)
    assert len(check.untold) < 0.4 * check.evaluation


def test_documents_that_are_short_or_like_others_cannot_be_told() -> None:
    words = [f"word{number}" for number in range(200)]
    short, long = " ".join(words[:22]), " ".join(words[22:45])
    common = " ".join([*POOL[0].split(), *words[50:60], *POOL[1].split()])
    alike = " ".join([*words[60:140], "again"]), " ".join([*words[60:140], "anew"])
    held = [short, long, common, *alike]
    check = checked([" ".join(words[100:160])], held)
    found, documents = set(check.found), Documents.from_texts(held)
    assert found == {documents.hashes[documents.texts.index(alike[0])]}
    named = {documents[documents.hashes.index(key)] for key in check.untold}
    assert named == {short, common, alike[1]}
    assert checked(["nothing of them"], held).untold == ()


def test_whether_texts_are_all_that_there_are_is_what_was_said(real: tuple[WildType, list[str]]) -> None:
    wild_type, unseen = real
    part, whole = wild_type.leaks_in(unseen[:20]), wild_type.leaks_in(unseen[:20], whole=True)
    assert (part.whole, whole.whole) == (False, True)
    assert TrainingCheck.together([part, whole, part]).whole
    assert not TrainingCheck.together([part, part]).whole
