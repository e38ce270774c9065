"""`profile`: files to a wild type, and what a person is told of it."""

import csv
import gzip
import json
import re

import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet
import pytest
from typer.testing import CliRunner

from collapse_guard.cli.app import app
from collapse_guard.wildtype import WildType

SMALL = ("--group-tokens", 512, "--evaluation-fraction", 0.5)


@pytest.fixture(scope="module")
def texts(files):
    return files.real.read_text(encoding="utf-8").splitlines()[:100]


def _csv(path, texts):
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([["id", "text"], *enumerate(texts)])


def _jsonl(path, texts):
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts), encoding="utf-8")


WRITERS = {
    "txt": lambda path, texts: path.write_text("\n".join(texts), encoding="utf-8"),
    "csv": _csv,
    "jsonl": _jsonl,
    "parquet": lambda path, texts: pyarrow.parquet.write_table(pa.table({"text": texts}), path),
    "arrow": lambda path, texts: pyarrow.feather.write_feather(pa.table({"text": texts}), path),
}


def test_the_same_documents_give_the_same_wild_type_from_every_format_and_from_parts(run, tmp_path, texts):
    fingerprints = set()
    for suffix, write in WRITERS.items():
        write(tmp_path / f"real.{suffix}", texts)
        assert run("profile", tmp_path / f"real.{suffix}", "--out", tmp_path / suffix).code == 0
        fingerprints.add(WildType.load(tmp_path / suffix).fingerprint)
    parts = tmp_path / "parts"
    parts.mkdir()
    WRITERS["txt"](parts / "a.txt", texts[50:])
    WRITERS["jsonl"](tmp_path / "b.jsonl", texts[:50])
    assert run("profile", parts, tmp_path / "b.jsonl", "--out", tmp_path / "both").code == 0
    fingerprints.add(WildType.load(tmp_path / "both").fingerprint)
    assert len(fingerprints) == 1


def test_a_folder_is_read_to_its_depth_and_what_is_left_out_of_it_is_said(run, tmp_path, texts):
    home = tmp_path / "real"
    (home / "more").mkdir(parents=True)
    WRITERS["txt"](home / "a.txt", texts[:50])
    (home / "more" / "b.jsonl.gz").write_bytes(
        gzip.compress("".join(json.dumps({"text": text}) + "\n" for text in texts[50:]).encode())
    )
    (home / "README.md").touch()
    (home / "more" / "_unfinished.txt").touch()
    WRITERS["txt"](tmp_path / "real.txt", texts)
    outcome = run("profile", home, "--out", tmp_path / "folder")
    assert f"warning: not read: 1 file of another kind in {home}/ (README.md)\n" in outcome.err
    assert f"warning: not read: 1 name that begins with . or _ in {home}/ (more/_unfinished.txt)\n" in outcome.err
    assert run("profile", home / "**" / "*.*", "--out", tmp_path / "pattern").code == 0
    assert run("profile", tmp_path / "real.txt", "--out", tmp_path / "file").code == 0
    made = {WildType.load(tmp_path / name).fingerprint for name in ("folder", "pattern", "file")}
    assert len(made) == 1


def test_standard_input_is_read(tmp_path, texts):
    WRITERS["txt"](tmp_path / "real.txt", texts)
    for path in ("-", tmp_path / "real.txt"):
        arguments = ["profile", str(path), "--out", str(tmp_path / "wild-type")]
        assert CliRunner().invoke(app, arguments, input="\n".join(texts)).exit_code == 0


def test_the_summary_tells_what_was_made_and_what_to_do_next(run, tmp_path, files):
    outcome = run("profile", files.real, files.few, files.real, "--out", tmp_path / "a b", *SMALL)
    assert outcome.code == 0
    wild_type = WildType.load(tmp_path / "a b")
    read, _, *lines = outcome.out.splitlines()
    facts = dict(line.strip().split(maxsplit=1) for line in lines[:5])
    assert read.startswith("Read real.txt and 2 more: 2,840 documents, 1,440 different, median ")
    assert read.endswith("100% end at 30 words.")
    assert facts["evaluation"].startswith(f"{len(wild_type.evaluation):,}, never")
    assert facts["pool"].startswith(f"{len(wild_type.pool):,}, which")
    assert facts["vocabulary"] == f"{wild_type.vocabulary_size:,} tokens"
    assert f"{len(wild_type.rare_words):,} are rare" in facts["words"]
    assert wild_type.fingerprint in outcome.out
    assert f"collapse-guard assess SAMPLES --wild-type '{tmp_path}/a b' --lineage NAME --founder" in outcome.out


def test_blank_rows_are_dropped_and_counted(run, tmp_path, texts):
    WRITERS["jsonl"](tmp_path / "real.jsonl", [None, *texts[:50], " ", *texts[50:], ""])
    outcome = run("profile", tmp_path / "real.jsonl", "--out", tmp_path / "wild-type")
    assert "Read real.jsonl: 103 rows, 3 blank, 100 documents, 100 different, median " in outcome.out


def test_seed_group_and_share_are_those_asked_for(run, tmp_path, texts):
    WRITERS["txt"](tmp_path / "real.txt", texts)
    options = ("--seed", 5, "--group-tokens", 300, "--evaluation-fraction", 0.4)
    assert run("profile", tmp_path / "real.txt", "--out", tmp_path / "wild-type", *options).code == 0
    settings = WildType.load(tmp_path / "wild-type").settings
    assert (settings.seed, settings.group_tokens, settings.evaluation_fraction) == (5, 300, 0.4)


def test_near_duplicates_are_counted_without_the_ones_that_they_resemble(run, tmp_path, texts):
    alike = [f"{text} once more" for text in texts[:7]]
    WRITERS["txt"](tmp_path / "real.txt", [*texts, *alike, f"{alike[0]} again"])
    outcome = run("profile", tmp_path / "real.txt", "--out", tmp_path / "wild-type")
    assert "near duplicates  8 documents, on the same side" in outcome.out


def test_a_wild_type_too_small_to_be_a_baseline_is_shown_now_and_not_at_the_first_verdict(run, tmp_path, files, texts):
    WRITERS["txt"](tmp_path / "real.txt", texts)
    outcome = run("profile", tmp_path / "real.txt", "--out", tmp_path / "wild-type")
    assert outcome.code == 0
    assert "warning: no founder can be judged by total_variance, effective_rank, vendi: " in outcome.err
    assert "40 windows of the wild type would do" in outcome.err
    assert "tail_loss needs 100 evaluation documents, and there are 20" in outcome.err
    enough = run("profile", files.real, "--out", tmp_path / "larger", *SMALL)
    assert enough.err == ""


def test_it_says_from_which_harm_on_this_much_data_finds_a_collapse_and_what_more_would_buy(run, files, tmp_path):
    outcome = run("profile", files.real, "--out", tmp_path / "wild-type", *SMALL)
    rows = {line.split()[0]: line.split()[1:] for line in outcome.out.splitlines() if " -" in line}
    n = len(WildType.load(tmp_path / "wild-type").evaluation)
    assert f"With {n:,} samples, as many as there are evaluation documents" in outcome.out
    margin, now, with_more = (float(cell.rstrip("%")) for cell in rows["vendi"])
    assert now < with_more < margin == pytest.approx(-13.0)


NAMES = [first + last for first in ("mari", "ken", "lo") for last in ("ta", "sho")]
WORDLESS = {
    "each is one word": (
        [f"{name}{i}" for name in NAMES for i in range(20)],
        (
            "no founder can be judged by rare_coverage, rare_mass: no word of the wild type is rare: each of 120",
            "the documents have 1.0 words each: rare words and pairs of words tell little of them",
            "the documents share so few words that the default embedder compares runs of three characters",
        ),
    ),
    "hardly a word comes often": (
        [f"a{i // 2}x b{i // 2}x c{i // 2}x d{i}x" for i in range(120)],
        ("the rare words are 75% of the text: hardly any word comes often",),
    ),
}


@pytest.mark.parametrize("case", WORDLESS)
def test_text_whose_words_tell_little_is_named(run, tmp_path, case):
    texts, expected = WORDLESS[case]
    WRITERS["txt"](tmp_path / "real.txt", texts)
    outcome = run("profile", tmp_path / "real.txt", "--out", tmp_path / "wild-type")
    assert outcome.code == 0
    assert [text for text in expected if f"warning: {text}" not in " ".join(outcome.err.split())] == []


@pytest.mark.parametrize("text", ["ราคาน้ำมันวันนี้", "経済は国の力です", "ប្រជាពលរដ្ឋខ្មែរ", "😀👍🏽🎉🚀"])
def test_text_without_spaces_has_words_and_rare_ones(run, tmp_path, text):
    texts = [text[i % 5 :] + text[: i % 7] + text[i % 11 :] * (i % 3) + text[i % 4] * (i % 13) for i in range(300)]
    WRITERS["jsonl"](tmp_path / "real.jsonl", texts)
    outcome = run("profile", tmp_path / "real.jsonl", "--out", tmp_path / "wild-type")
    wild_type = WildType.load(tmp_path / "wild-type")
    assert 0 < len(wild_type.rare_words) < len(wild_type.known_words)
    assert "words each" not in outcome.err
    assert "characters" not in outcome.err


FAULTS = {
    "empty": (b"", (), r"real\.txt must hold at least one row, but got none in 0 bytes"),
    "not UTF-8": (b"good line\nbad \xff line\n", (), r"real\.txt.*byte 14 \(0xff\)"),
    "too few": (b"one\ntwo\n", (), r"at least 20 distinct documents.* but got 2"),
    "half": (b"one\ntwo\n", ("--evaluation-fraction", 1.5), r"`evaluation_fraction`.*got 1\.5"),
    "group": (b"one\ntwo\n", ("--group-tokens", 0), r"`group_tokens`.*got 0"),
}


@pytest.mark.parametrize(("content", "options", "message"), FAULTS.values(), ids=FAULTS)
def test_real_documents_that_cannot_be_used_exit_with_2(run, tmp_path, content, options, message):
    (tmp_path / "real.txt").write_bytes(content)
    outcome = run("profile", tmp_path / "real.txt", "--out", tmp_path / "wild-type", *options)
    assert outcome.code == 2
    assert re.search(message, outcome.err), outcome.err
    assert not (tmp_path / "wild-type").exists()


def test_a_column_that_does_not_exist_lists_those_that_do(run, tmp_path, texts):
    WRITERS["csv"](tmp_path / "real.csv", texts)
    outcome = run("profile", tmp_path / "real.csv", "--out", tmp_path / "wild-type", "--column", "txt")
    assert outcome.code == 2
    assert "column `txt`" in outcome.err
    assert "did you mean `text`? Known: id, text" in outcome.err


def test_what_is_in_the_way_is_never_overwritten(run, tmp_path, files, texts):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("years of work", encoding="utf-8")
    outcome = run("profile", files.real, "--out", tmp_path / "out")
    assert outcome.code == 2
    assert "thesis.txt" in outcome.err
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["thesis.txt"]


def test_slices_of_a_column_are_shown_with_their_sizes_and_small_ones_are_said_to_be_merged(run, tmp_path, files):
    kinds = ["en"] * 110 + ["es"] * 90 + ["fr"] * 60 + ["de"] * 30 + [None] * 10
    rows = files.real.read_text(encoding="utf-8").splitlines()[:300]
    path = tmp_path / "real.jsonl"
    lines = (json.dumps({"text": text, "language": kind}) for text, kind in zip(rows, kinds, strict=True))
    path.write_text("\n".join(lines), encoding="utf-8")
    outcome = run("profile", path, "--out", tmp_path / "wild", "--slice", "language", "--evaluation-fraction", 0.5)
    assert outcome.code == 0
    slices = WildType.load(tmp_path / "wild").slices
    shown = outcome.out.partition("Kinds of documents, by `language`, each of which is watched by itself:\n")[2]
    listed = dict(line.split() for line in shown.splitlines()[1:5])
    assert listed == {**{name: str(n) for name, n in zip(slices.names, slices.sizes, strict=True)}, "(none)": "5"}
    assert set(slices.names) == {"en", "es", "other"}
    assert (
        "warning: 2 of the kinds in `language` have fewer than 40 evaluation documents and are together the slice "
        f'"other" (fr {slices.merged["fr"]}, de {slices.merged["de"]}): give more documents'
    ) in outcome.err


def test_a_slice_column_that_is_not_there_is_named_before_anything_is_written(run, tmp_path, texts):
    WRITERS["jsonl"](tmp_path / "real.jsonl", texts)
    outcome = run("profile", tmp_path / "real.jsonl", "--out", tmp_path / "wild", "--slice", "language")
    assert outcome.code == 2
    assert "must have a column `language` that says what kind a text is of, but has none of that name" in outcome.err
    assert not (tmp_path / "wild").exists()


def test_a_split_that_exists_is_kept_and_what_train_has_of_test_is_said(run, tmp_path, texts):
    train, test = texts[:75], texts[75:]
    WRITERS["jsonl"](tmp_path / "train.jsonl", [*train, "", test[0], f"{test[1]} once more"])
    WRITERS["txt"](tmp_path / "a.txt", test[:10])
    WRITERS["txt"](tmp_path / "b.txt", test[10:])
    split = ("--evaluation", tmp_path / "a.txt", "--evaluation", tmp_path / "b.txt")
    outcome = run("profile", tmp_path / "train.jsonl", *split, "--out", tmp_path / "wild-type")
    assert outcome.code == 0, outcome.err
    wild_type = WildType.load(tmp_path / "wild-type")
    assert (set(wild_type.evaluation), set(wild_type.pool)) == (set(test), set(train))
    assert "2 of `documents` are in `evaluation` too, or resemble a document there" in outcome.err
    assert "Read train.jsonl: 78 rows, 1 blank, 77 documents, 77 different, median " in outcome.out
    inside = run("profile", tmp_path / "train.jsonl", *split, "--out", tmp_path / "a.txt")
    assert inside.code == 2


def test_the_kinds_of_both_sides_of_a_split_are_read(run, tmp_path, texts):
    for name, rows in (("train", texts[:75]), ("test", texts[75:])):
        lines = (json.dumps({"text": text, "part": text.split()[0][:1]}) + "\n" for text in rows)
        (tmp_path / f"{name}.jsonl").write_text("".join(lines), encoding="utf-8")
    split = ("--evaluation", tmp_path / "test.jsonl", "--slice", "part")
    outcome = run("profile", tmp_path / "train.jsonl", *split, "--out", tmp_path / "wild-type")
    assert outcome.code == 0, outcome.err
    here, there = WildType.load(tmp_path / "wild-type").contents.labels
    wild_type = WildType.load(tmp_path / "wild-type")
    for labels, documents in ((here, wild_type.evaluation), (there, wild_type.pool)):
        assert list(labels) == [text.split()[0][:1] for text in documents]
