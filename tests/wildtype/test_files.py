"""A wild type is written whole or not at all, and any change to it is noticed."""

from __future__ import annotations

import json
import os
import resource
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from safetensors.numpy import load_file, save_file

from collapse_guard.errors import InputError, WildTypeError
from collapse_guard.wildtype import WildType
from collapse_guard.wildtype.contents import TextContents
from collapse_guard.wildtype.files import write

pytestmark = pytest.mark.filterwarnings("error")

Corpus = Callable[..., list[str]]


def test_a_wild_type_is_read_back_whole(wild_type: WildType, saved: Path, corpus: Corpus) -> None:
    loaded = WildType.load(str(saved))
    assert loaded.fingerprint == wild_type.fingerprint
    assert loaded.settings == wild_type.settings
    assert loaded.evaluation.texts == wild_type.evaluation.texts
    assert loaded.folds == wild_type.folds
    assert loaded.pool.texts == wild_type.pool.texts
    assert list(loaded.known_words.items()) == list(wild_type.known_words.items())
    assert list(loaded.rare_words.items()) == list(wild_type.rare_words.items())
    texts = corpus(9, seed=9)
    assert [ids.tolist() for ids in loaded.encode(texts)] == [ids.tolist() for ids in wild_type.encode(texts)]
    assert np.array_equal(loaded.embed(texts), wild_type.embed(texts))


def test_files_are_json_parquet_and_safetensors_and_carry_no_pickle(saved: Path) -> None:
    kinds = {".json": b"{", ".parquet": b"PAR1", ".safetensors": b""}
    assert len(list(saved.iterdir())) == 7
    for file in saved.iterdir():
        assert file.read_bytes().startswith(kinds[file.suffix])


def test_saving_again_is_idempotent(wild_type: WildType, saved: Path) -> None:
    before = {file: file.stat().st_mtime_ns for file in saved.iterdir()}
    assert wild_type.save(saved) == saved
    assert before == {file: file.stat().st_mtime_ns for file in saved.iterdir()}


def test_saving_makes_missing_parents_and_may_fill_an_empty_directory(wild_type: WildType, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for path in (tmp_path / "a" / "b", tmp_path / "empty"):
        assert WildType.load(wild_type.save(path)).fingerprint == wild_type.fingerprint
        assert [entry.name for entry in path.parent.iterdir() if entry.name.endswith(".part")] == []


def test_another_wild_type_is_never_overwritten(saved: Path, corpus: Corpus) -> None:
    other = WildType.fit(corpus(60))
    with pytest.raises(InputError, match=r"holds [0-9a-f]{32}: a wild type is never overwritten.*delete it yourself"):
        other.save(saved)
    assert WildType.load(saved).fingerprint != other.fingerprint


def test_what_is_not_a_wild_type_is_never_overwritten(wild_type: WildType, tmp_path: Path) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.txt").write_text("years of work", encoding="utf-8")
    (tmp_path / "file").write_text("a file", encoding="utf-8")
    for name in ("thesis", "file"):
        with pytest.raises(InputError, match=f"`path` must be free .*{name} must be a wild type.*choose another path"):
            wild_type.save(tmp_path / name)
    assert (tmp_path / "thesis" / "chapter.txt").read_text(encoding="utf-8") == "years of work"
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["file", "thesis"]


def test_an_interrupted_save_leaves_nothing(
    wild_type: WildType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(pq, "write_table", interrupted)
    with pytest.raises(KeyboardInterrupt):
        wild_type.save(tmp_path / "wild-type")
    assert list(tmp_path.iterdir()) == []


def test_the_directory_appears_with_all_of_its_files_at_once(
    wild_type: WildType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[bool] = []
    rename = os.rename

    def watched(source: Path, target: Path) -> None:
        seen.append((Path(source) / "wild-type.json").is_file() and not Path(target).exists())
        rename(source, target)

    monkeypatch.setattr(Path, "rename", watched)
    wild_type.save(tmp_path / "wild-type")
    assert seen == [True]


def test_what_is_not_a_wild_type_is_said_with_what_was_found(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "notes.txt").touch()
    (tmp_path / "empty").mkdir()
    for name, found in (
        ("nowhere", "there is nothing"),
        ("folder/notes.txt", "it is a file"),
        ("folder", r"a directory with notes\.txt"),
        ("empty", "a directory with nothing"),
    ):
        with pytest.raises(
            WildTypeError, match=rf"{name} must be a wild type \(a directory with wild-type\.json.*{found}"
        ):
            WildType.load(tmp_path / name)


def test_a_wild_type_that_there_is_no_room_for_leaves_nothing(wild_type: WildType, tmp_path: Path) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    for n_bytes in (0, 100, 2000, 20_000):
        resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, limits[1]))
        try:
            with pytest.raises(InputError, match=r"wild-type' cannot be written: .*File too large"):
                wild_type.save(tmp_path / "wild-type")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert list(tmp_path.iterdir()) == []


def test_of_two_that_save_the_same_wild_type_at_once_both_have_saved_it(
    wild_type: WildType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, rename = tmp_path / "wild-type", Path.rename

    def overtaken(draft: Path, target: Path) -> Path:
        monkeypatch.setattr(Path, "rename", rename)
        wild_type.save(path)
        return rename(draft, target)

    monkeypatch.setattr(Path, "rename", overtaken)
    assert WildType.load(wild_type.save(path)).fingerprint == wild_type.fingerprint
    assert [entry.name for entry in tmp_path.iterdir()] == ["wild-type"]


def edit_manifest(saved: Path, **changes: object) -> None:
    file = saved / "wild-type.json"
    file.write_text(json.dumps({**json.loads(file.read_text(encoding="utf-8")), **changes}), encoding="utf-8")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"schema_version": 1}, "of schema version 2, but got version 1: it was written by another version"),
        ({"fingerprint": "0"}, "`fingerprint` is invalid"),
        ({"surprise": 1}, "`surprise` is invalid"),
        ({"format": "something else"}, "`format` is invalid"),
        ({"settings": {"kind": "images"}}, "`settings` is invalid"),
        ({"fingerprint": "0" * 32}, f"with fingerprint {'0' * 32}, but its files give .*changed after it was saved"),
    ],
)
def test_a_manifest_that_does_not_fit_is_refused(saved: Path, changes: dict[str, object], said: str) -> None:
    edit_manifest(saved, **changes)
    with pytest.raises(WildTypeError, match=said):
        WildType.load(saved)


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b"[]", b"3"], ids=range(6))
def test_a_manifest_that_is_no_json_object_is_refused(saved: Path, body: bytes) -> None:
    (saved / "wild-type.json").write_bytes(body)
    with pytest.raises(
        WildTypeError, match=r"must be a wild type .* but (wild-type\.json is not JSON|in wild-type\.json)"
    ):
        WildType.load(saved)


FILES = [
    "documents.parquet",
    "words.parquet",
    "tokenizer.json",
    "embedder.json",
    "embedder.safetensors",
    "geometry.safetensors",
]


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("body", [None, b"", b"garbage"], ids=["missing", "empty", "garbage"])
def test_a_file_that_is_missing_or_broken_is_refused(saved: Path, name: str, body: bytes | None) -> None:
    (saved / name).unlink()
    if body is not None:
        (saved / name).write_bytes(body)
    with pytest.raises(WildTypeError, match="wild-type must hold the files of a wild type, but they cannot be read"):
        WildType.load(saved)


def change_documents(saved: Path) -> None:
    table = pq.read_table(saved / "documents.parquet")
    rows = table.to_pylist()
    rows[0]["text"] += " "
    pq.write_table(type(table).from_pylist(rows, table.schema), saved / "documents.parquet")


def change_roles(saved: Path) -> None:
    table = pq.read_table(saved / "documents.parquet")
    rows = table.to_pylist()
    rows[0]["role"] = "pool"
    pq.write_table(type(table).from_pylist(rows, table.schema), saved / "documents.parquet")


def change_words(saved: Path) -> None:
    table = pq.read_table(saved / "words.parquet")
    rows = table.to_pylist()
    next(row for row in rows if not row["rare"])["count"] += 1
    pq.write_table(type(table).from_pylist(rows, table.schema), saved / "words.parquet")


def change_rare_words(saved: Path) -> None:
    table = pq.read_table(saved / "words.parquet")
    rows = table.to_pylist()
    rows[0]["rare"] = not rows[0]["rare"]
    pq.write_table(type(table).from_pylist(rows, table.schema), saved / "words.parquet")


def change_tokenizer(saved: Path) -> None:
    body = json.loads((saved / "tokenizer.json").read_text(encoding="utf-8"))
    body["model"]["merges"].pop()
    (saved / "tokenizer.json").write_text(json.dumps(body), encoding="utf-8")


def change_embedder(saved: Path) -> None:
    arrays = load_file(saved / "embedder.safetensors")
    arrays["components"][0, 0] += 1e-12
    save_file(arrays, saved / "embedder.safetensors")


def change_terms(saved: Path) -> None:
    body = json.loads((saved / "embedder.json").read_text(encoding="utf-8"))
    body["terms"][0] += "x"
    (saved / "embedder.json").write_text(json.dumps(body), encoding="utf-8")


def change_geometry(saved: Path) -> None:
    arrays = load_file(saved / "geometry.safetensors")
    arrays["codebook"][0, 0] += 1e-12
    save_file(arrays, saved / "geometry.safetensors")


def change_settings(saved: Path) -> None:
    body = json.loads((saved / "wild-type.json").read_text(encoding="utf-8"))
    edit_manifest(saved, settings={**body["settings"], "group_tokens": 17})


@pytest.mark.parametrize(
    "change",
    [
        change_documents,
        change_roles,
        change_words,
        change_rare_words,
        change_tokenizer,
        change_embedder,
        change_terms,
        change_geometry,
        change_settings,
    ],
)
def test_any_change_after_saving_is_noticed(wild_type: WildType, saved: Path, change: object) -> None:
    change(saved)  # type: ignore[operator]
    with pytest.raises(WildTypeError, match="was changed after it was saved"):
        WildType.load(saved)
    with pytest.raises(InputError, match=r"`path` must be free .* was changed after it was saved"):
        wild_type.save(saved)


THAI = ["รัฐ", "สภา", "น้ำมัน", "ภาษี", "เมือง", "กองทัพ", "ข้าว", "ถนน", "คลอง", "โรงเรียน"]


def unspaced(n: int) -> list[str]:
    rng = np.random.default_rng(4)
    return ["".join(rng.choice(THAI, 12)) for _ in range(n)]


def test_a_wild_type_of_text_without_spaces_is_read_back_whole(tmp_path: Path) -> None:
    wild_type = WildType.fit(unspaced(60))
    loaded = WildType.load(wild_type.save(tmp_path / "wild-type"))
    assert (loaded.fingerprint, loaded.known_words) == (wild_type.fingerprint, wild_type.known_words)


@pytest.mark.parametrize("change", [lambda text: text, lambda text: f"{text}👍", lambda text: f"see {text} too"])
def test_words_that_were_found_by_another_rule_are_refused(change: Callable[[str], str], tmp_path: Path) -> None:
    documents = [change(text) for text in unspaced(60)]
    wild_type = WildType.fit(documents)
    assert isinstance(wild_type.contents, TextContents)
    whole = replace(wild_type.contents, known_words=dict.fromkeys(documents, 1), rare_words={})
    write(tmp_path / "before", wild_type.settings, whole)
    with pytest.raises(WildTypeError, match=r"which it does not know: another version divided .* fit it again on the"):
        WildType.load(tmp_path / "before")
