"""Policies: defaults, files, and errors that say where and what."""

import math
import tomllib
from pathlib import Path

import pytest

from collapse_guard.errors import PolicyError
from collapse_guard.policy import Policy


def write(tmp_path, text):
    path = tmp_path / "policy.toml"
    path.write_text(text)
    return path


def test_a_file_changes_what_it_names_and_keeps_the_rest(tmp_path):
    policy = Policy.load(write(tmp_path, "alpha = 0.01\n[drift]\nperplexity = { margin = 0.03, watch = 0.01 }\n"))
    assert policy.alpha == 0.01
    assert policy.margin("perplexity", "founder").margin == 0.03
    assert policy.margin("vendi", "founder") == Policy().margin("vendi", "founder")
    assert policy.margin("perplexity", "wild_type") == Policy().distance["default"]
    assert policy.fingerprint != Policy().fingerprint


def test_the_documented_defaults_are_the_defaults():
    documented = Path(__file__).parents[1] / "examples" / "policy.toml"
    assert Policy.load(documented) == Policy()
    written = tomllib.loads(documented.read_text())
    assert written.keys() == Policy().model_dump().keys()
    assert written["drift"].keys() == Policy().drift.keys()
    assert written["distance"].keys() == Policy().distance.keys()


def test_an_empty_file_is_the_default_policy(tmp_path):
    assert Policy.load(write(tmp_path, "")) == Policy()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("alhpa = 0.1", r"line 1: unknown key `alhpa`: did you mean `alpha`\?"),
        ("\n[reinjection]\nminimun = 0.1", r"line 3: unknown key `reinjection.minimun`: did you mean `minimum`\?"),
        (
            "[drift]\nperplexty = { margin = 0.1, watch = 0.1 }",
            r"unknown indicator `perplexty`: did you mean `perplexity`\?",
        ),
        (
            "[drift]\nvendi = { margin = 0.1, watch = 0.2 }",
            r"line 2: .*`watch` must be at most `margin` \(0.1\), but got 0.2",
        ),
        ("alpha = 1.5", r"line 1: `alpha`: .*less than 1, got 1.5"),
        ("alpha = \nconfidence = 0.9", "not valid TOML: .*line 1"),
        ("[drift]\nvendi = { margin = nan, watch = 0.1 }", "finite number"),
    ],
)
def test_a_bad_file_is_refused_with_line_key_and_nearest_name(tmp_path, text, message):
    with pytest.raises(PolicyError, match=message):
        Policy.load(write(tmp_path, text))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(PolicyError, match=r"absent.toml' cannot be read"):
        Policy.load(tmp_path / "absent.toml")


def test_the_error_budget_of_any_number_of_generations_stays_within_alpha():
    policy = Policy(alpha=0.05)
    spent = [policy.alert_level(t) for t in range(10_000)]
    assert math.fsum(spent) < 0.05
    assert spent == sorted(spent, reverse=True)
