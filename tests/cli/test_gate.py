"""`gate`: the stored verdict as an exit code, by another policy too, and where to roll back to."""

import json
import re
from dataclasses import fields

import pytest

from collapse_guard.assessment import assess, reassess
from collapse_guard.cli.outputs import ReportFiles
from collapse_guard.decision.policy import Policy
from collapse_guard.evidence import Evidence
from collapse_guard.genetics.ancestry import healthy_ancestor
from collapse_guard.records import Generation, Severity
from collapse_guard.wildtype import WildType


@pytest.mark.parametrize(("generation", "code"), [(0, 0), (1, 0), (2, 1)])
def test_the_gate_answers_by_the_stored_verdict(run, world, generation, code):
    outcome = run("gate", "--lineage", "bot", "--generation", generation, "--store", world.uri)
    assert (outcome.code, outcome.err) == (code, "")
    assert outcome.out.rstrip().endswith(f"exit code {code}")


def test_without_a_number_the_newest_generation_counts_and_the_way_back_is_named(run, world):
    outcome = run("gate", "--lineage", "bot", "--store", world.uri)
    assert outcome.code == 1
    assert "COLLAPSED: generation 2 of bot" in outcome.out
    assert "Roll back to generation 1, its newest HEALTHY ancestor." in outcome.out
    assert "Comparisons of generation 2; intervals at 95%" in outcome.out
    rows = {line.split()[0]: line.split()[1:3] for line in outcome.out.splitlines() if "(founder)" in line}
    assert rows.keys() == {c.indicator for c in world.store.latest("bot").comparisons if c.decides}
    assert rows["vendi"] == ["✖", "collapsed"]
    healthy = run("gate", "--lineage", "bot", "--generation", 1, "--store", world.uri)
    assert "Roll back" not in healthy.out


@pytest.mark.parametrize("name", [field.name for field in fields(ReportFiles)])
def test_a_format_that_is_declared_is_an_option_of_both_commands_and_has_a_text(run, world, tmp_path, name):
    path = tmp_path / name
    outcome = run("gate", "--lineage", "bot", "--generation", 0, "--store", world.uri, f"--{name}", path)
    assert (outcome.code, outcome.err) == (0, "")
    assert "bot" in path.read_text("utf-8")
    assert f"--{name}" in run("assess", "--help").out


def test_the_environment_names_the_store(run, world, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", world.uri)
    assert run("gate", "--lineage", "bot").code == 1
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def severities(world):
    """Lineages of one generation, one for every severity."""
    stored = world.store.history("bot")[0]
    for severity in Severity:
        generation = stored.generation.model_copy(update={"lineage": f"is {severity}"})
        first, *others = stored.verdict.reasons
        reasons = (first.model_copy(update={"severity": severity}), *others)
        told = {"lineage": generation.lineage, "severity": severity, "shown": severity, "reasons": reasons}
        verdict = stored.verdict.model_copy(update=told)
        world.store.append(stored.model_copy(update={"generation": generation, "verdict": verdict}))


@pytest.mark.slow
@pytest.mark.usefixtures("severities")
@pytest.mark.parametrize(
    ("severity", "options", "code"),
    [
        ("WATCH", [], 0),
        ("WATCH", ["--strict"], 1),
        ("UNDECIDED", [], 3),
        ("UNDECIDED", ["--strict"], 3),
        ("UNDECIDED", ["--allow-undecided"], 0),
        ("COLLAPSED", ["--allow-undecided"], 1),
    ],
)
def test_flags_change_the_code_and_the_text_says_so(run, world, tmp_path, severity, options, code):
    reports = ("--junit", tmp_path / "junit.xml", "--json", tmp_path / "v.json", "--summary", tmp_path / "s.md")
    outcome = run("gate", "--lineage", f"is {severity}", *options, "--store", world.uri, *reports)
    assert outcome.code == code
    *_, last = outcome.out.rstrip().splitlines()
    assert last.startswith(severity)
    assert last.endswith(f"exit code {code}")
    assert ("passed" in last) == (code == 0)
    assert json.loads((tmp_path / "v.json").read_text("utf-8"))["verdict"]["severity"] == severity
    assert severity in (tmp_path / "s.md").read_text("utf-8")
    cases = (tmp_path / "junit.xml").read_text("utf-8")
    assert severity in cases
    assert ("<failure" in cases, "<error" in cases) == (code == 1, code == 3)


def test_a_collapsed_lineage_without_a_healthy_ancestor_says_so(run, world, severities):
    outcome = run("gate", "--lineage", "is COLLAPSED", "--store", world.uri)
    assert "It has no HEALTHY ancestor to roll back to." in outcome.out


def test_a_step_summary_is_written_only_where_it_is_asked_for_and_is_appended(run, world, tmp_path, monkeypatch):
    path = tmp_path / "summary.md"
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(path))
    run("gate", "--lineage", "bot", "--store", world.uri)
    assert not path.exists()
    path.write_text("# Earlier step\n", encoding="utf-8")
    run("gate", "--lineage", "bot", "--store", world.uri, "--summary", path)
    text = path.read_text("utf-8")
    assert text.startswith("# Earlier step\n")
    assert "COLLAPSED: generation 2 of bot" in text


def test_a_lineage_that_does_not_exist_names_near_ones(run, world):
    outcome = run("gate", "--lineage", "bott", "--store", world.uri)
    assert (outcome.code, outcome.out) == (2, "")
    assert "did you mean `bot`?" in outcome.err


def test_a_generation_that_does_not_exist_names_those_that_do(run, world):
    outcome = run("gate", "--lineage", "bot", "--generation", 7, "--store", world.uri)
    assert outcome.code == 2
    assert "`--generation` must be one of lineage `bot` (0, 1, 2), but got 7" in outcome.err


def test_a_store_that_does_not_answer_exits_with_2(run, tmp_path):
    outcome = run("gate", "--lineage", "bot", "--store", f"sqlite:///{tmp_path}/no/mlflow.db")
    assert outcome.code == 2
    assert "does not answer" in outcome.err
    assert "Traceback" not in outcome.err
    (tmp_path / "mlflow.db").write_bytes(b"this is not a database, it is a text that is long enough" * 9)
    assert run("gate", "--lineage", "bot", "--store", f"sqlite:///{tmp_path}/mlflow.db").code == 2


def test_the_healthy_ancestor_is_found_along_the_parents_and_not_along_the_numbers(world):
    stored = world.store.history("bot")[0]

    def past(index, severity, *parents):
        generation = Generation(lineage="bot", index=index, parents=parents)
        verdict = stored.verdict.model_copy(update={"severity": severity})
        return stored.model_copy(update={"generation": generation, "verdict": verdict})

    healthy, watch, collapsed = Severity.HEALTHY, Severity.WATCH, Severity.COLLAPSED
    branches = [past(0, healthy), past(1, watch, 0), past(2, healthy, 0), past(3, watch, 1), past(4, collapsed, 3)]
    assert healthy_ancestor(branches).generation.index == 0
    assert healthy_ancestor([*branches, past(5, collapsed, 3, 2)]).generation.index == 2
    assert healthy_ancestor([past(1, healthy), past(2, collapsed)]) is None
    assert healthy_ancestor([past(1, healthy, 0), past(3, collapsed, 2)]) is None


POLICIES = {
    "tolerant": Policy(
        drift={"default": {"margin": 9.0, "watch": 4.0}}
        | {n: {"margin": 9.0, "watch": 4.0} for n in ("rare_coverage", "rare_mass", "effective_rank", "vendi")}
    ),
    "one indicator": Policy(decides=("rare_mass",)),
    "strict": Policy(drift={name: {"margin": 0.001, "watch": 0.001} for name in Policy().decides}),
    "perplexity required": Policy(required=("perplexity",)),
    "very sure": Policy(alpha=1e-12, confidence=0.999),
}


@pytest.fixture(scope="module")
def evidence(world):
    return [
        Evidence(samples=path.read_text("utf-8").splitlines(), sources={"samples": path.name})
        for path in (world.founder, world.healthy, world.collapsed)
    ]


@pytest.mark.slow
@pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES)
@pytest.mark.parametrize("index", [1, 2])
def test_another_policy_decides_on_stored_readings_as_it_would_have_on_the_evidence(world, evidence, policy, index):
    history = world.store.history("bot")
    stored, earlier = history[index], history[:index]
    again = reassess(stored, history=earlier, policy=policy)
    measured = assess(
        WildType.load(world.wild_type), evidence[index], history=earlier, policy=policy, generation=stored.generation
    )
    assert again.to_dict() == measured.to_dict()  # a NaN equals itself there


DISTANCES = {
    "as stored": Policy(),
    "strict": Policy(distance={"default": {"margin": 0.001, "watch": 0.001}}),
    "middle": Policy(distance={"default": {"margin": 0.6, "watch": 0.05}}, confidence=0.9),
    "one indicator": Policy(decides=("vendi",), distance={"vendi": {"margin": 0.6, "watch": 0.005}}),
}


@pytest.mark.slow
@pytest.mark.parametrize("policy", DISTANCES.values(), ids=DISTANCES)
def test_distances_from_the_wild_type_are_held_against_another_policy_as_if_measured_anew(world, evidence, policy):
    stored = world.store.history("bot")[0]
    measured = assess(WildType.load(world.wild_type), evidence[0], policy=policy, generation=stored.generation)
    assert reassess(stored, history=[], policy=policy) == measured


def test_the_gate_decides_by_a_policy_file_and_leaves_the_store_as_it_was(run, world, tmp_path):
    policy = tmp_path / "policy.toml"
    policy.write_text('decides = ["rare_mass"]\n', encoding="utf-8")
    options = ("--lineage", "bot", "--store", world.uri, "--policy", policy, "--json", tmp_path / "v.json")
    outcome = run("gate", *options)
    assert outcome.code == 0
    assert "HEALTHY: generation 2 of bot" in outcome.out
    assert json.loads((tmp_path / "v.json").read_text("utf-8"))["verdict"]["policy"] == Policy.load(policy).fingerprint
    assert world.store.history("bot")[2].verdict.severity is Severity.COLLAPSED


def test_a_policy_file_that_is_not_valid_exits_with_2_and_names_the_line(run, world, tmp_path):
    policy = tmp_path / "policy.toml"
    policy.write_text("alpha = 0.05\nconfidenze = 0.9\n", encoding="utf-8")
    outcome = run("gate", "--lineage", "bot", "--store", world.uri, "--policy", policy)
    assert outcome.code == 2
    assert re.search(r"policy\.toml', line 2: unknown key `confidenze`: did you mean `confidence`", outcome.err)
