"""`simulate`: the table next to the closed form, the guard's verdicts, the file, and what is refused."""

import json
import re

import pytest
from typer.testing import CliRunner

from collapse_guard.cli.app import app
from collapse_guard.cli.commands import simulate as command
from collapse_guard.records import Severity
from collapse_guard.worlds import Workflow, gaussian


@pytest.fixture
def simulate():
    """Run the command in this process: exit code, standard output and standard error."""

    def run(*arguments):
        piped = {"COLUMNS": None, "FORCE_COLOR": None}
        done = CliRunner().invoke(app, ["simulate", *map(str, arguments)], env=piped)
        return done.exit_code, done.stdout, done.stderr

    return run


def rows(out):
    """Cells of the table below its caption, the heading first."""
    lines = [re.split(r"\s{2,}", line.strip()) for line in out.splitlines()[1:]]
    return [cells for cells in lines if cells[0] == "generation" or cells[0].isdigit()]


@pytest.mark.parametrize("world", command.World)
def test_every_world_has_a_row_for_each_generation(simulate, world):
    code, out, err = simulate(world, "--generations", 2, "--lineages", 3, "--samples", 30)
    assert (code, err) == (0, "")
    assert out.startswith(f"{world} under replace: 3 lineages, 30 ")
    assert [cells[0] for cells in rows(out)] == ["generation", "0", "1", "2"]
    assert {len(cells) for cells in rows(out)} == {len(rows(out)[0])}


def test_the_table_shows_what_was_simulated_and_the_closed_form_beside_it(simulate):
    code, out, _ = simulate("gaussian", "--samples", 10, "--generations", 3, "--lineages", 50, "--seed", 4)
    seen = gaussian.simulate(samples=10, dimensions=command.DIMENSIONS, generations=3, lineages=50, seed=4)
    logs = seen.observables[0]
    heading, *body = rows(out)
    assert heading[1:3] == ["ln variance: mean (10-90%)", "closed form"]
    for t, cells in enumerate(body):
        low, high = logs.quantile(0.1)[t], logs.quantile(0.9)[t]
        assert cells[1] == f"{logs.mean[t]:.4g} ({low:.4g} to {high:.4g})"
        assert float(cells[2]) == pytest.approx(-0.11520647 * (t + 1), rel=1e-3)  # science.md section 1.5
    assert code == 0


def test_a_closed_form_that_is_not_known_is_said_to_be_unknown(simulate):
    _, out, _ = simulate("gaussian", "--workflow", "mix", "--real-share", 0.5, "--generations", 1, "--lineages", 2)
    assert "gaussian under mix (0.5 real)" in out
    assert "No closed form is known for ln variance under mix (0.5 real)." in out
    assert rows(out)[0].count("closed form") == 1


def test_a_limit_is_not_called_a_closed_form(simulate):
    _, out, _ = simulate("wright-fisher", "--generations", 1, "--lineages", 2)
    assert rows(out)[0][-1] == "limit for large N"


def test_the_file_has_all_observables_and_only_finite_numbers_or_words(simulate, tmp_path):
    path = tmp_path / "simulated.json"
    options = ("--samples", 2, "--generations", 800, "--lineages", 2, "--json", path)
    assert simulate("gaussian", *options)[0] == 0
    found = json.loads(path.read_text("utf-8"))
    assert {k: found[k] for k in ("world", "workflow", "real_share", "samples", "seed", "lineages", "verdicts")} == {
        "world": "gaussian",
        "workflow": "replace",
        "real_share": None,
        "samples": 2,
        "seed": 0,
        "lineages": 2,
        "verdicts": [],
    }
    logs, *others = found["observables"]
    assert [seen["name"] for seen in others] == ["variance", "squared W2", "squared mean"]
    assert {len(seen["mean"]) for seen in found["observables"]} == {801}
    assert logs["mean"][800] == "-Infinity"  # the variance is below what a float can hold
    assert "Infinity" not in json.dumps(others)


@pytest.mark.slow
def test_the_guard_judges_vectors(simulate, tmp_path):
    """At n = 3 four fits take about 2.3 nats off the variance: no guard that works calls that healthy."""
    path = tmp_path / "judged.json"
    options = ("--samples", 3, "--generations", 3, "--lineages", 5, "--judge", 2, "--json", path)
    code, out, _ = simulate("gaussian", *options)
    assert code == 0
    heading, *body = rows(out)
    assert heading[-4:] == [str(severity) for severity in Severity]
    verdicts = json.loads(path.read_text("utf-8"))["verdicts"]
    assert [sum(counts.values()) for counts in verdicts] == [2] * 4
    assert verdicts[3]["COLLAPSED"] == 2
    assert verdicts[0]["COLLAPSED"] == 0
    assert body[3][-1] == "✖ 100%"
    assert out.rstrip().endswith("Verdicts are shares of the first 2 lineages.")


@pytest.mark.slow
@pytest.mark.parametrize(("workflow", "collapsed"), [("replace", 1), ("fresh", 0)])
def test_the_guard_judges_texts_and_losses(simulate, tmp_path, workflow, collapsed):
    path = tmp_path / "judged.json"
    options = ("--workflow", workflow, "--generations", 3, "--lineages", 1, "--judge", 1, "--json", path)
    code, _, err = simulate("zipf-text", *options)
    assert (code, err) == (0, "")
    found = json.loads(path.read_text("utf-8"))["verdicts"]
    assert found[0]["HEALTHY"] == 1
    assert found[3]["COLLAPSED"] == collapsed
    assert found[3]["HEALTHY"] == 1 - collapsed


@pytest.mark.slow
def test_another_policy_judges_otherwise(simulate, tmp_path):
    policy, path = tmp_path / "policy.toml", tmp_path / "judged.json"
    policy.write_text('decides = ["unique_samples"]\n', encoding="utf-8")
    options = ("--samples", 3, "--generations", 2, "--lineages", 1, "--judge", 1, "--policy", policy, "--json", path)
    assert simulate("gaussian", *options)[0] == 0
    assert [counts["HEALTHY"] for counts in json.loads(path.read_text("utf-8"))["verdicts"]] == [1] * 3


@pytest.mark.parametrize("name", command.WorkflowName)
def test_workflows_are_called_alike_here_and_in_the_worlds(simulate, tmp_path, name):
    path, mix = tmp_path / "out.json", ("--real-share", 0.5) if name == "mix" else ()
    small = ("--generations", 1, "--lineages", 1, "--samples", 10, "--json", path)
    assert simulate("gaussian", "--workflow", name, *mix, *small)[0] == 0
    assert json.loads(path.read_text("utf-8"))["workflow"] == name.replace("-", "_")


@pytest.mark.parametrize(
    ("workflow", "parents", "real"),
    [
        (Workflow(), (1,), 0.0),
        (Workflow(name="mix", real_share=0.25), (1,), 0.25),
        (Workflow(name="fresh"), (), 1.0),
        (Workflow(name="accumulate"), (0, 1), None),
    ],
)
def test_a_generation_says_what_it_was_trained_on(workflow, parents, real):
    founder, third = (command.generation_of(workflow, "gaussian 0", index) for index in (0, 2))
    assert (founder.parents, founder.mixture.real) == ((), 1.0)
    assert third.parents == parents
    assert (third.mixture and third.mixture.real) == real


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("gaussian", "--workflow", "mix"), "`--real-share` must be given with `--workflow mix`"),
        (("gaussian", "--real-share", 0.1), "but got 0.1 with `--workflow replace`"),
        (("regression", "--workflow", "accumulate-subsample"), "`workflow` must be one that the world regression has"),
        (("hutter", "--judge", 1), "`--judge` must be 0 in the world hutter"),
        (("gaussian", "--judge", 3, "--lineages", 2), "`--judge` must be at most `--lineages` = 2"),
        (("gaussian", "--policy", "strict"), "`--policy` must come with `--judge K`"),
        (("gaussian", "--judge", 1, "--policy", "no-such-file"), "cannot be read"),
        (("gaussian", "--samples", 1), "`samples` must be a whole number of at least 2"),
        (("gaussian", "--json", "no/such/dir.json"), "`--json` must be in an existing directory"),
    ],
)
def test_what_cannot_be_simulated_exits_with_2_and_a_sentence(simulate, arguments, message):
    code, out, err = simulate(*arguments)
    assert (code, out) == (2, "")
    assert message in err
    assert "Traceback" not in err


@pytest.mark.parametrize("arguments", [("gausian",), ("gaussian", "--real-share", 1.5), ("gaussian", "--judge", -1)])
def test_wrong_usage_exits_with_2(simulate, arguments):
    assert simulate(*arguments)[0] == 2
