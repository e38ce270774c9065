"""Policies: defaults, files, and errors that say where and what."""

import hashlib
import json
import math
import re
import tempfile
import tomllib
import traceback
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from collapse_guard.decision.margins import SeedNoise
from collapse_guard.decision.policy import PRESETS, Policy
from collapse_guard.errors import PolicyError
from collapse_guard.records import Direction, EffectScale


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
    documented = Path(__file__).parents[2] / "examples" / "policy.toml"
    assert Policy.load(documented) == Policy()
    written = tomllib.loads(documented.read_text())
    assert written.keys() | {"rotate_folds"} == Policy().model_dump().keys(), "TOML has no null"
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
            r"line 2: `drift` names the unknown indicator `perplexty`: did you mean `perplexity`\?",
        ),
        (
            "# Of perplexty, see below.\ndecides = [\n'vendi', # not perplexty\n\n'perplexty',\n]",
            r"line 5: `decides` names the unknown indicator `perplexty`",
        ),
        ("decides = ['vendi',\n'perplexty']", r"line 2: `decides` names"),
        (
            "[drift]\nvendi = { margin = 0.1, watch = 0.2 }",
            r"line 2: .*`watch` must be at most `margin` \(0.1\), but got 0.2",
        ),
        ("alpha = 1.5", r"line 1: `alpha`: .*less than 1, got 1.5"),
        ("alpha = \nconfidence = 0.9", "not valid TOML: .*line 1"),
        ("[drift]\nvendi = { margin = nan, watch = 0.1 }", "finite number"),
        ("\n[alerts]\nwarmup = 3", r"line 3: unknown key `alerts.warmup`: did you mean `warm_up`\?"),
        (
            "\n[seed_noise]\nvendi = { controls = 0, mean = 0, sd = 0.1 }",
            r"line 3: `seed_noise.vendi.controls`: .*got 0",
        ),
        (
            "[seed_noise.vendi]\ncontrols = 3\nmean = 0\nsdev = 0.1",
            r"line 4: unknown key `seed_noise.vendi.sdev`: did you mean `sd`\?",
        ),
        ("[seed_noise]\nvendy = { controls = 3, mean = 0, sd = 0.1 }", r"unknown indicator `vendy`"),
        (
            'preset = "sttrict"',
            r"`preset` must be strict, default, lenient, rl, but got 'sttrict': did you mean `strict`\?",
        ),
        ('preset = ["strict"]', r"line 1: `preset` must be strict, default, lenient, rl, but got \['strict'\]"),
        ("[slices]\nspanish = { margn = 0.3 }", r"line 2: unknown key `slices.spanish.margn`: did you mean `margin`\?"),
        (
            '[slices."tax, income"]\nmargin = 0.1\nwatch = 0.2',
            r"`watch` must be at most `margin` \(0.1\), but got 0.2",
        ),
        ("[slices]\nspanish = { margin = 'wide' }", r"line 2: `slices.spanish.margin`: .*got 'wide'"),
        ("rotate_folds = 1", r"line 1: `rotate_folds`: .*greater than or equal to 2, got 1"),
        ('accumulate = "sum"', "line 1: `accumulate`"),
        ('accumulate = """\nsum"""\nalpha = 0.1', "line 1: `accumulate`"),
        (
            "alpha = 0.1\n\n[seed_noise.vendi]\nmean = 0\nsd = 0.1",
            r"line 3: `seed_noise.vendi.controls`: Field required",
        ),
    ],
)
def test_a_bad_file_is_refused_with_line_key_and_nearest_name(tmp_path, text, message):
    with pytest.raises(PolicyError, match=message):
        Policy.load(write(tmp_path, text))


def test_a_slice_may_have_a_margin_of_its_own(tmp_path):
    text = '[slices."tax, income"]\nmargin = 0.3\n[slices.es]\nmargin = 0.2\nwatch = 0.15\n'
    policy, names = Policy.load(write(tmp_path, text)), ("tax, income", "es", "en")
    limits = {name: policy.slice_limits("worst_slice_loss", name, scale=EffectScale.LOG) for name in names}
    assert limits["tax, income"][:2] == pytest.approx((math.log(1.3), math.log(1.15)))
    assert limits["es"][:2] == pytest.approx((math.log(1.2), math.log(1.15)))
    usual = policy.margin("worst_slice_loss", "founder").effects(EffectScale.LOG)
    assert limits["en"][:2] == pytest.approx(usual)
    policy.check_slices(["en", "es", "tax, income"])
    with pytest.raises(PolicyError, match=r"`slices` names `es`, which is no slice .*did you mean `esp`\?"):
        Policy(slices={"es": {"margin": 0.2}}).check_slices(["en", "esp"])
    Policy().check_slices([])


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(PolicyError, match=r"absent.toml' cannot be read"):
        Policy.load(tmp_path / "absent.toml")


def test_the_error_budget_of_any_number_of_generations_stays_within_alpha():
    policy = Policy(alpha=0.05)
    spent = [policy.alert_level(t) for t in range(1, 10_000)]
    assert 0.0499 < math.fsum(spent) < 0.05
    assert spent == sorted(spent, reverse=True)


def test_looks_in_the_run_share_the_part_of_their_generation():
    policy = Policy()
    assert math.fsum(policy.alert_level(3, look) for look in range(1000)) < policy.alert_level(3)
    assert policy.alert_level(3, 0) == policy.alert_level(3) / 2


@pytest.mark.parametrize("name", list(PRESETS))
def test_a_preset_is_loaded_by_its_name_in_a_file_or_in_the_place_of_one(tmp_path, name):
    assert Policy.load(name) == Policy.preset(name) == Policy.load(write(tmp_path, f'preset = "{name}"'))


def test_presets_are_ordered_from_strict_to_lenient():
    strict, default, lenient = (Policy.preset(name) for name in ("strict", "default", "lenient"))
    for indicator in Policy().decides:
        margins = [policy.margin(indicator, "founder") for policy in (strict, default, lenient)]
        assert margins[0].margin < margins[1].margin < margins[2].margin
        assert margins[0].watch < margins[1].watch < margins[2].watch
        assert len({policy.margin(indicator, "wild_type") for policy in (strict, default, lenient)}) == 1


@pytest.mark.parametrize("preset", PRESETS)
def test_a_default_of_ones_own_is_that_of_perplexity_too(tmp_path, preset):
    text = f'preset = "{preset}"\n[drift]\ndefault = {{ margin = 0.3, watch = 0.2 }}\n'
    policy = Policy.load(write(tmp_path, text))
    for name in ("default", "perplexity", "reverse_perplexity", "distinct_2"):
        assert policy.margin(name, "founder").margin == 0.3
    named = Policy.load(write(tmp_path, f"{text}perplexity = {{ margin = 0.1, watch = 0.1 }}\n"))
    assert named.margin("perplexity", "founder").margin == 0.1


def test_a_file_changes_one_margin_of_its_preset(tmp_path):
    text = 'preset = "strict"\nalpha = 0.01\n[drift]\nvendi = { margin = 0.4, watch = 0.3 }\n'
    policy, strict = Policy.load(write(tmp_path, text)), Policy.preset("strict")
    assert policy.margin("vendi", "founder").margin == 0.4
    assert policy.margin("perplexity", "founder") == strict.margin("perplexity", "founder")
    assert policy.alpha == 0.01


@pytest.mark.parametrize(("controls", "multiplier"), [(10, 3.41), (20, 2.93)])
def test_the_prediction_limit_of_ten_generations_is_that_of_the_literature(controls, multiplier):
    """science.md 5.2, from the t distribution: alpha = .05, T = 10. From nine controls on nothing is assumed."""
    noise = SeedNoise(controls=controls, mean=0.0, sd=2.0)
    for watch in (0.01, 5.0):
        assert noise.limit(0.05 / 10, Direction.UP, watch=watch) == pytest.approx(2.0 * multiplier, abs=0.012)


@pytest.mark.parametrize("controls", [1, 2, 3, 5, 8])
def test_few_controls_leave_part_of_the_limit_to_what_the_policy_assumes(controls):
    """Controls that are as noisy as the policy assumes leave the limit at the watch level, but for their own error; two
    that are ten times as noisy raise it, and do not make it so wide that nothing is ever beyond it."""
    level, watch = 0.001, 0.05
    assumed = watch / stats.t.isf(level, 8)
    usual, loud = (SeedNoise(controls=controls, mean=0.0, sd=sd) for sd in (assumed, 10 * assumed))
    limit = usual.limit(level, Direction.UP, watch=watch)
    assert watch * (1 - 1e-12) <= limit <= watch * math.sqrt(1 + 1 / 8)
    of_controls, freedom = (1.0, 1) if controls == 1 else (1 + 1 / controls, controls - 1)
    by_hand = assumed * math.sqrt((8 - freedom + freedom * of_controls * 100) / 8) * stats.t.isf(level, 8)
    assert loud.limit(level, Direction.UP, watch=watch) == pytest.approx(by_hand)
    assert watch < by_hand < 11 * watch


def test_a_limit_is_of_harm_whichever_way_harm_goes():
    noise = SeedNoise(controls=5, mean=0.3, sd=1.0)
    up, down, both = (
        noise.limit(0.05, direction, watch=0.1) for direction in (Direction.UP, Direction.DOWN, Direction.BOTH)
    )
    assert up - down == pytest.approx(0.6)
    assert both == pytest.approx(noise.limit(0.025, Direction.UP, watch=0.1))
    assert SeedNoise(controls=5, mean=-0.3, sd=1.0).limit(0.05, Direction.BOTH, watch=0.1) == pytest.approx(both)


def test_controls_that_are_all_alike_set_no_limit():
    policy = Policy(seed_noise={"unique_samples": SeedNoise(controls=8, mean=0.0, sd=0.0)})
    assert policy.limits("unique_samples", "founder", direction=Direction.DOWN).seeds is None


def test_the_margin_in_force_is_the_larger_of_the_policys_and_what_seeds_do():
    quiet, loud = (SeedNoise(controls=8, mean=0.0, sd=sd) for sd in (0.001, 0.05))
    policy = Policy(seed_noise={"perplexity": quiet, "vendi": loud})
    untouched = policy.limits("perplexity", "founder", direction=Direction.UP)
    assert (untouched.margin, untouched.watch) == (math.log1p(0.10), math.log1p(0.04))
    assert (
        untouched.seeds
        == quiet.limit(0.05 / 10 / len(policy.decides), Direction.UP, watch=untouched.watch)
        < untouched.watch
    )
    raised = policy.limits("vendi", "founder", direction=Direction.DOWN)
    assert (
        raised.margin
        == raised.seeds
        == loud.limit(0.05 / 10 / len(policy.decides), Direction.DOWN, watch=math.log1p(0.075))
        > math.log1p(0.15)
    )
    assert raised.watch == raised.margin
    assert policy.limits("vendi", "wild_type", direction=Direction.DOWN).seeds is None


TABLES = {
    ("drift", "vendi"): ["margin = 0.2", "watch = 0.1"],
    ("distance", "vendi"): ["margin = 0.2", "watch = 0.1"],
    ("seed_noise", "vendi"): ["controls = 3", "mean = 0.0", "sd = 0.1"],
    ("reinjection",): ["release_after = 2", "minimum = 0.1"],
    ("alerts",): ["warm_up = 1", "recover_after = 2"],
}


def in_style(style, keys, settings):
    """The lines of a table, and of each of its settings the place among them."""
    name = ".".join(keys)
    if style == "section":
        return [f"[{name}]", *settings], range(1, len(settings) + 1)
    if style == "inline":
        return [f"{name} = {{ {', '.join(settings)} }}"], [0] * len(settings)
    return [f"{'.'.join(map(quoted, keys))} . {setting}" for setting in settings], range(len(settings))


def quoted(key):
    return f'"{key[0]}\\u{ord(key[1]):04x}{key[2:]}"'


@given(
    styles=st.fixed_dictionaries({keys: st.sampled_from(["section", "inline", "dotted"]) for keys in TABLES}),
    order=st.permutations(list(TABLES)),
    wrong=st.sampled_from(list(TABLES)),
    fill=st.lists(st.sampled_from(["", "# watch = 0.1", "\r"]), max_size=3),
    data=st.data(),
)
def test_the_line_of_a_fault_is_that_of_its_own_table_in_every_way_of_writing(styles, order, wrong, fill, data):
    at = data.draw(st.integers(0, len(TABLES[wrong]) - 1))
    key, _, value = TABLES[wrong][at].partition(" = ")
    lines = []
    for keys in sorted(order, key=lambda keys: styles[keys] == "section"):
        settings = list(TABLES[keys])
        if keys == wrong:
            settings[at] = f"{key} = '{value}.'"
        lines += fill
        written, places = in_style(styles[keys], keys, settings)
        if keys == wrong:
            expected = len(lines) + places[at] + 1
        lines += written
    with tempfile.TemporaryDirectory() as folder, pytest.raises(PolicyError) as caught:
        Policy.load(write(Path(folder), "\n".join(lines)))
    assert f", line {expected}: `{'.'.join(wrong)}.{key}`: Input should be a valid" in str(caught.value)
    assert caught.value.loc == (*wrong, key)


def test_nothing_but_messages_stands_in_the_traceback_of_a_fault(tmp_path):
    with pytest.raises(PolicyError) as caught:
        Policy.load(write(tmp_path, "[reinjection]\nminimun = 0.1"))
    assert "minimun" not in "".join(traceback.format_exception(caught.value)).splitlines()


@pytest.mark.parametrize("written", [b"alpha = 0.1 # \xff", b"alpha = ", b"alpha = 2.0", b"alhpa = 0.1"])
def test_every_fault_of_a_file_names_it(tmp_path, written):
    path = tmp_path / "policy.toml"
    path.write_bytes(written)
    with pytest.raises(PolicyError, match=re.escape(repr(str(path)))) as caught:
        Policy.load(path)
    assert ("not UTF-8 at byte 14" in str(caught.value)) == (b"\xff" in written)


def test_a_fault_says_nothing_of_the_library_that_found_it():
    with pytest.raises(PolicyError, match=r"^`drift.vendi`: `watch` must be at most"):
        Policy.from_dict({"drift": {"vendi": {"margin": 0.1, "watch": 0.2}}})


@pytest.mark.parametrize("baseline", ["drift", "distance"])
def test_a_key_of_a_margin_that_is_misspelt_is_shown_with_the_nearest(baseline):
    with pytest.raises(PolicyError, match=r"unknown key `\w+.vendi.margni`: did you mean `margin`"):
        Policy.from_dict({baseline: {"vendi": {"margni": 0.1, "watch": 0.05}}})


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_keeps_its_margins_where_other_settings_change(preset):
    changed = Policy.from_dict({"preset": preset, "alpha": 0.01})
    assert changed == Policy.preset(preset).model_copy(update={"alpha": 0.01})


@pytest.mark.parametrize("baseline", ["founder", "wild_type"])
@pytest.mark.parametrize("indicator", ["perplexity", "vendi", "rare_mass"])
def test_without_controls_the_limits_are_the_margins_of_indicator_and_baseline(indicator, baseline):
    policy = Policy()
    margin = policy.margin(indicator, baseline)
    limits = policy.limits(indicator, baseline, direction=Direction.DOWN)
    assert limits == (math.log1p(margin.margin), math.log1p(margin.watch), None)


def test_one_indicator_has_the_whole_of_alpha_to_itself():
    noise = SeedNoise(controls=8, mean=0.0, sd=0.5)
    policy = Policy(decides=("vendi",), seed_noise={"vendi": noise})
    seeds = policy.limits("vendi", "founder", direction=Direction.DOWN).seeds
    assert seeds == noise.limit(policy.alpha / policy.horizon, Direction.DOWN, watch=math.log1p(0.075))


@pytest.mark.parametrize(
    ("setting", "default", "other"),
    [("lowest_perplexity", 1.5, 1.2), ("watch_alpha", 0.1, 0.05), ("slices", {}, {"es": {"margin": 0.2}})],
)
def test_what_came_later_is_part_of_the_fingerprint_only_where_it_is_set(setting, default, other):
    assert Policy(**{setting: default}).fingerprint == Policy().fingerprint
    assert Policy(**{setting: other}).fingerprint != Policy().fingerprint


def test_the_fingerprint_of_an_older_policy_is_that_of_the_settings_that_it_had():
    older = Policy().model_dump(mode="json", exclude={"tasks", "slices", "lowest_perplexity", "watch_alpha"})
    recorded = hashlib.blake2b(json.dumps(older, sort_keys=True).encode(), digest_size=8).hexdigest()
    assert Policy.model_validate(older).fingerprint == recorded
