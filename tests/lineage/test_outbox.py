import hashlib
import json
import math
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from collapse_guard.errors import InputError
from collapse_guard.evidence import Evidence, Losses, Scores
from collapse_guard.lineage import outbox as pending
from collapse_guard.lineage.outbox import PendingRequest, discard_pending, list_pending, load_pending, save_pending
from collapse_guard.records import Mixture

CREATED = datetime(2026, 11, 22, 15, 4, 5, tzinfo=UTC)


def request(**changes):
    fields = {
        "lineage": "newsbot",
        "wild_type_path": "wild-type",
        "wild_type": "9f2c4be0d17a44e1a6b8c0d2e4f60718",
        "policy": {"alpha": 0.01, "margins": {"perplexity": 0.1}},
        "seed": 7,
        "created": CREATED,
    }
    return PendingRequest(**(fields | changes))


def round_trip(directory, evidence):
    back = load_pending(save_pending(directory, evidence=evidence, request=request())).evidence
    assert back.digest() == evidence.digest()
    return back


def rewritten(folder, **changes):
    """The kept evidence as another version would have written it, with other contents of pending.json."""
    contents = json.loads((folder / "pending.json").read_text("utf-8")) | changes
    left = {name: value for name, value in contents.items() if value is not None}
    (folder / "pending.json").write_text(json.dumps(left), encoding="utf-8")
    digest = hashlib.blake2b(digest_size=8)
    for file in sorted(folder.iterdir()):
        digest.update(file.name.encode() + file.read_bytes())
    return folder.rename(folder.with_name(f"{folder.name.rpartition('-')[0]}-{digest.hexdigest()}"))


def identical(left, right):
    """Equal to the bit, of the same type and shape: NaN equals NaN, and -0.0 differs from 0.0."""
    left, right = np.asarray(left), np.asarray(right)
    return left.dtype == right.dtype and left.shape == right.shape and left.tobytes() == right.tobytes()


texts = st.lists(st.text(max_size=20), max_size=5)
ids = st.lists(st.lists(st.integers(0, 2**40), max_size=6), min_size=1, max_size=5)
vectors = hnp.arrays(
    st.sampled_from([np.float64, np.float32, np.float16, np.int64]), st.tuples(st.integers(0, 4), st.integers(1, 3))
)
floats = st.floats(allow_nan=True, allow_infinity=True)


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    return tmp_path_factory.mktemp("pending")


@settings(max_examples=40)
@given(samples=texts)
def test_texts_come_back_as_they_were(directory, samples):
    evidence = Evidence(samples=samples)
    assert round_trip(directory, evidence).samples == evidence.samples


@settings(max_examples=40)
@given(samples=ids)
def test_token_ids_come_back_as_they_were(directory, samples):
    back = round_trip(directory, Evidence(samples=samples)).samples
    assert [row.tolist() for row in back] == samples
    assert {row.dtype for row in back} == {np.dtype(np.int64)}


def test_a_table_comes_back_with_its_columns(directory):
    given = pd.DataFrame({"city": ["Oslo", None, ""], "age": [0.1, float("nan"), -0.0], "": [1, 2, 3]})
    evidence = Evidence(samples=given)
    back = round_trip(directory, evidence).samples
    assert list(back.columns) == ["city", "age", ""]
    assert back.columns["city"] == ("Oslo", "", "")
    assert identical(back.columns["age"], given["age"])
    changed = [given.rename(columns={"age": "years"}), given[["age", "city", ""]], given.assign(city="Oslo")]
    assert len({evidence.digest(), *(Evidence(samples=other).digest() for other in changed)}) == 4


@settings(max_examples=40)
@given(samples=vectors, embeddings=vectors)
def test_vectors_and_embeddings_come_back_to_the_bit(directory, samples, embeddings):
    back = round_trip(directory, Evidence(samples=samples, embeddings=embeddings))
    assert identical(back.samples, samples)
    assert identical(back.embeddings, embeddings)


@st.composite
def losses(draw):
    documents = draw(st.lists(st.text(min_size=1, max_size=8), unique=True, max_size=4))
    count = len(documents)
    n_tokens = draw(st.lists(st.integers(1, 5), min_size=count, max_size=count))
    token_nll = tuple(np.array(draw(st.lists(floats, min_size=n, max_size=n)), dtype=np.float64) for n in n_tokens)
    return Losses(
        documents=tuple(documents),
        nll=np.array(draw(st.lists(floats, min_size=count, max_size=count)), dtype=np.float64),
        n_tokens=np.array(n_tokens, dtype=np.int64),
        n_bytes=draw(st.sampled_from([None, np.arange(count, dtype=np.int64)])),
        token_nll=draw(st.sampled_from([None, token_nll])),
        entropy=draw(st.sampled_from([None, np.resize([-0.0, np.inf, np.nan], count)])),
    )


@settings(max_examples=60)
@given(before=losses())
def test_losses_come_back_to_the_bit_also_where_they_are_not_numbers(directory, before):
    back = round_trip(directory, Evidence(losses=before)).losses
    assert back.documents == before.documents
    assert identical(back.nll, before.nll)
    assert identical(back.n_tokens, before.n_tokens)
    assert (back.n_bytes is None) == (before.n_bytes is None)
    assert before.n_bytes is None or identical(back.n_bytes, before.n_bytes)
    assert (back.token_nll is None) == (before.token_nll is None)
    if before.token_nll is not None:
        assert len(back.token_nll) == len(before.token_nll)
        assert all(map(identical, back.token_nll, before.token_nll))
    assert (back.entropy is None) == (before.entropy is None)
    assert before.entropy is None or identical(back.entropy, before.entropy)


@pytest.mark.parametrize("name", ["own_losses", "founder_losses", "training_losses"])
def test_losses_on_samples_come_back_under_their_own_name(tmp_path, name):
    scored = Losses(documents=("0", "2"), nll=[1.5, np.nan], n_tokens=[3, 4], entropy=[0.5, 0.25])
    back = round_trip(tmp_path, Evidence(samples=["a", "b", "c"], **{name: scored}))
    others = {"losses", "own_losses", "founder_losses", "training_losses"} - {name}
    assert getattr(back, name).documents == scored.documents
    assert identical(getattr(back, name).nll, scored.nll)
    assert identical(getattr(back, name).entropy, scored.entropy)
    assert {getattr(back, other) for other in others} == {None}


def test_evidence_that_was_kept_before_samples_were_scored_is_still_read(tmp_path):
    kept = save_pending(tmp_path, evidence=Evidence(samples=["a"]), request=request())
    later = dict.fromkeys(
        ("has_own_losses", "has_founder_losses", "has_training_losses", "has_prompts", "has_truncated", "digests")
    )
    assert load_pending(rewritten(kept, **later)).evidence.own_losses is None


def test_parts_that_were_not_collected_stay_missing(tmp_path):
    back = round_trip(tmp_path, Evidence(embeddings=np.ones((2, 3))))
    assert back.samples is None
    assert back.losses is None


@pytest.mark.parametrize("samples", [["a", "b", ""], [[5, 6], [7], []], np.zeros((3, 2))])
def test_what_stands_beside_samples_comes_back(tmp_path, samples):
    beside = {"prompts": ["Who?", "", "Who?"], "truncated": [True, None, False]}
    back = round_trip(tmp_path, Evidence(samples=samples, **beside))
    assert (back.prompts, back.truncated) == (beside["prompts"], beside["truncated"])
    alone = round_trip(tmp_path, Evidence(samples=samples, prompts=beside["prompts"]))
    assert (alone.prompts, alone.truncated) == (beside["prompts"], None)


def test_names_of_files_come_back(tmp_path):
    named = Evidence(samples=["a", ""], sources={"samples": "healthy.jsonl"})
    assert round_trip(tmp_path, named).sources == {"samples": "healthy.jsonl"}
    assert round_trip(tmp_path, Evidence(samples=["a"])).sources is None


def test_one_object_array_of_texts_is_texts(tmp_path):
    assert round_trip(tmp_path, Evidence(samples=np.array(["a", "b"], dtype=object))).samples == ["a", "b"]
    assert round_trip(tmp_path, Evidence(samples=np.array(["a", "bc"]))).samples == ["a", "bc"]


@pytest.mark.parametrize(
    "changes", [{}, {"index": 3, "parents": (1, 2), "mixture": Mixture(real=0.3, earlier=0.2, newest=0.5)}]
)
def test_the_request_comes_back_as_it_was(tmp_path, changes):
    made = request(**changes)
    assert load_pending(save_pending(tmp_path, evidence=Evidence(samples=["a"]), request=made)).request == made


def test_lists_of_vectors_come_back_as_one_array(tmp_path):
    assert identical(round_trip(tmp_path, Evidence(samples=[[0.5, 1.5], (2.0, 3.0)])).samples, [[0.5, 1.5], [2.0, 3.0]])


def test_rows_of_different_lengths_are_refused_with_what_to_do(tmp_path):
    with pytest.raises(
        InputError, match=r"`samples` must be texts, lists of token ids, or rows of as many.*but got a sequence of list"
    ):
        save_pending(tmp_path, evidence=Evidence(samples=[[0.5, 1.5], [2.5]]), request=request())
    assert list(tmp_path.iterdir()) == []


def test_pending_evidence_is_listed_oldest_first_and_discarded_when_sent(tmp_path):
    assert list_pending(tmp_path / "nothing here") == []
    late = timezone(timedelta(hours=9))
    times = [CREATED, CREATED - timedelta(days=1), (CREATED + timedelta(microseconds=1)).astimezone(late)]
    newest_last = [times[1], times[0], times[2]]
    for created in times:
        save_pending(tmp_path, evidence=Evidence(samples=["a"]), request=request(created=created))
    assert [load_pending(path).request.created for path in list_pending(tmp_path)] == newest_last
    discard_pending(list_pending(tmp_path)[0])
    assert [load_pending(path).request.created for path in list_pending(tmp_path)] == newest_last[1:]


def test_saving_the_same_again_changes_nothing(tmp_path):
    paths = {save_pending(tmp_path, evidence=Evidence(samples=["a"]), request=request()) for _ in range(2)}
    assert list(tmp_path.iterdir()) == list(paths) == list_pending(tmp_path)
    save_pending(tmp_path, evidence=Evidence(samples=["b"]), request=request())
    assert len(list_pending(tmp_path)) == 2


def test_a_save_appears_all_at_once(tmp_path, monkeypatch):
    seen = []
    rename = Path.rename
    monkeypatch.setattr(Path, "rename", lambda own, to: (seen.append(own.stat().st_ino), rename(own, to))[1])
    path = save_pending(tmp_path, evidence=Evidence(samples=["a"]), request=request())
    assert seen == [path.stat().st_ino], "the directory that was written must be moved, not copied"


def test_a_save_that_breaks_leaves_nothing(tmp_path, monkeypatch):
    def broken(_):
        raise OSError("disk full")

    monkeypatch.setattr("os.fsync", broken)
    with pytest.raises(OSError, match="disk full"):
        save_pending(tmp_path, evidence=Evidence(samples=["a"]), request=request())
    assert list(tmp_path.iterdir()) == []


def test_a_save_that_was_killed_is_not_listed(tmp_path, monkeypatch):
    monkeypatch.setattr(pending.shutil, "rmtree", lambda *_, **__: None)
    monkeypatch.setattr(Path, "rename", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError, match="by zero"):
        save_pending(tmp_path, evidence=Evidence(samples=["a"]), request=request())
    assert len(list(tmp_path.iterdir())) == 1
    assert list_pending(tmp_path) == []


def truncate(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-20])


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: (folder / "pending.json").unlink(),
        lambda folder: truncate(folder / "pending.json"),
        lambda folder: (folder / "pending.json").write_text("[]"),
        lambda folder: (folder / "pending.json").write_bytes(b"\xff"),
        lambda folder: truncate(folder / "samples.parquet"),
        lambda folder: truncate(folder / "losses.parquet"),
        lambda folder: (folder / "losses.parquet").write_bytes((folder / "samples.parquet").read_bytes()),
        lambda folder: (folder / "arrays.safetensors").unlink(),
        lambda folder: truncate(folder / "arrays.safetensors"),
    ],
)
def test_a_damaged_directory_is_refused_and_named(tmp_path, damage):
    losses = Losses(documents=("a",), nll=[1.0], n_tokens=[2])
    evidence = Evidence(samples=["a"], losses=losses, embeddings=np.ones((1, 2)))
    folder = save_pending(tmp_path, evidence=evidence, request=request())
    damage(folder)
    with pytest.raises(InputError, match=f"`path` must be a directory that save_pending wrote, but got '{folder}'"):
        load_pending(folder)


def flip(file: Path, place: int) -> None:
    data = bytearray(file.read_bytes())
    data[place % len(data)] ^= 1 << place % 8
    file.write_bytes(data)


WHOLE = Evidence(
    samples=["a", "b"],
    losses=Losses(documents=("a",), nll=[1.0], n_tokens=[2]),
    own_losses=Losses(documents=("0",), nll=[1.0], n_tokens=[2]),
    embeddings=np.ones((2, 2)),
    scores={"facts": [1.0, 0.0]},
)


@settings(max_examples=60)
@given(file=st.sampled_from(["samples", "losses", "own_losses", "scores", "arrays"]), place=st.integers(0, 10**6))
def test_a_flipped_bit_is_noticed_and_its_file_named(file, place):
    with TemporaryDirectory() as home:
        folder = save_pending(home, evidence=WHOLE, request=request())
        (damaged,) = folder.glob(f"{file}.*")
        flip(damaged, place)
        with pytest.raises(InputError, match=rf"{damaged.name} is not what was written.*restore it from a backup"):
            load_pending(folder)


@settings(max_examples=60)
@given(place=st.integers(0, 10**6))
def test_a_request_with_a_flipped_bit_is_refused(place):
    with TemporaryDirectory() as home:
        folder = save_pending(home, evidence=WHOLE, request=request())
        flip(folder / "pending.json", place)
        with pytest.raises(InputError, match="must be a directory that save_pending wrote"):
            load_pending(folder)


def test_a_request_that_was_edited_is_refused(tmp_path):
    folder = save_pending(tmp_path, evidence=WHOLE, request=request())
    text = (folder / "pending.json").read_text("utf-8")
    (folder / "pending.json").write_text(text.replace('"newsbot"', '"otherbot"'), encoding="utf-8")
    with pytest.raises(InputError, match=r"pending\.json is not what was written, or the directory was renamed"):
        load_pending(folder)


def test_evidence_of_before_there_were_digests_is_checked_too(tmp_path):
    folder = rewritten(save_pending(tmp_path, evidence=WHOLE, request=request()), digests=None)
    assert load_pending(folder).evidence.digest() == WHOLE.digest()
    flip(folder / "arrays.safetensors", -1)
    with pytest.raises(InputError, match="one of its files is not what was written"):
        load_pending(folder)


def test_what_a_file_manager_leaves_in_the_directory_does_not_matter(tmp_path):
    folder = save_pending(tmp_path, evidence=WHOLE, request=request())
    (folder / ".DS_Store").write_bytes(b"icons")
    assert load_pending(folder).evidence.digest() == WHOLE.digest()


def test_a_request_of_another_version_is_refused(tmp_path):
    folder = save_pending(tmp_path, evidence=Evidence(samples=["a"]), request=request())
    folder = rewritten(folder, schema=2)
    with pytest.raises(InputError, match="schema version 1 is required, but got version 2"):
        load_pending(folder)


def test_only_pending_evidence_is_discarded(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(InputError, match="`path` must be a directory that save_pending wrote"):
        discard_pending(tmp_path)
    assert (tmp_path / "thesis.tex").exists()


@st.composite
def scores(draw):
    values = draw(st.lists(st.floats(0.0, 1.0) | st.just(math.nan), min_size=1, max_size=5))
    ids = st.lists(st.text(max_size=8), unique=True, min_size=len(values), max_size=len(values)).map(tuple)
    return Scores(values=values, items=draw(st.none() | ids), lower_is_better=draw(st.booleans()))


@settings(max_examples=40)
@given(tasks=st.dictionaries(st.sampled_from(["facts", "code", "a.b-c_1"]), scores()))
def test_scores_of_tasks_come_back_as_they_were(directory, tasks):
    back = round_trip(directory, Evidence(scores=tasks)).scores
    assert list(back) == list(tasks)
    for name, found in back.items():
        assert identical(found.values, tasks[name].values)
        assert (found.items, found.lower_is_better) == (tasks[name].items, tasks[name].lower_is_better)


def test_evidence_that_was_kept_before_there_were_scores_has_none(directory):
    folder = save_pending(directory, evidence=Evidence(samples=["old"]), request=request())
    assert load_pending(rewritten(folder, has_scores=None)).evidence.scores is None
