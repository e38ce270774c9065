"""Calibration: noise that is known is found, the policy file says it, and the promise about seeds is kept."""

import math
import tomllib

import numpy as np
import pytest

from building import make_assessment, make_reading
from collapse_guard.decision.calibration import calibrate, cells, evidence, policy_toml, sampling_sd
from collapse_guard.decision.policy import Policy
from collapse_guard.errors import FingerprintMismatchError, InputError
from collapse_guard.records import Direction, EffectScale

DOCUMENTS = 200


def groups(rng, mean, *, n=20):
    values = mean * (1 + 0.05 * rng.normal(size=n))
    return make_reading("vendi", float(values.mean()), n=n * 128, replicates=tuple(values), group="128 samples")


def documents(shift):
    rates = np.linspace(4.0, 6.0, DOCUMENTS) + shift
    named = {"keys": tuple(map(str, range(DOCUMENTS))), "weights": (40.0,) * DOCUMENTS, "group": "document"}
    return make_reading("perplexity", float(np.exp(rates.mean())), replicates=tuple(rates), **named)


def founder(name, shift=0.0, *, mean=20.0, seed=0, index=0, wild_type="w", **readings):
    known = {"perplexity": documents(shift), "vendi": groups(np.random.default_rng(seed), mean), **readings}
    reference = {"vendi": groups(np.random.default_rng(99), 25.0, n=60)}
    return make_assessment(name, index, known, wild_type=wild_type, reference=reference)


def of(calibration, indicator):
    return next(noise for noise in calibration.noise if noise.indicator == indicator)


def test_seed_noise_is_mean_and_spread_of_the_controls_against_the_founder():
    shifts = [0.03, -0.01, 0.02, 0.00]
    noise = of(calibrate(founder("bot"), [founder(f"c{i}", s) for i, s in enumerate(shifts)]), "perplexity")
    assert noise.seeds.controls == 4
    assert noise.seeds.mean == pytest.approx(np.mean(shifts))
    assert noise.seeds.sd == pytest.approx(np.std(shifts, ddof=1))
    assert noise.sampling_sd is None, "the documents are the same in every generation"
    policy = Policy()
    watch = policy.margin("perplexity", "founder").effects()[1]
    assert noise.limit == pytest.approx(noise.seeds.limit(0.05 / 10 / len(policy.decides), Direction.UP, watch=watch))
    assert noise.margin_in_force == max(noise.limit, math.log1p(0.10))


def test_a_row_of_the_table_is_what_a_calculator_gives_and_a_dash_where_nothing_was_measured():
    shifts = [0.09, -0.03, 0.06, 0.00]
    calibration = calibrate(founder("bot"), [founder(f"c{i}", s) for i, s in enumerate(shifts)])
    paired, grouped = of(calibration, "perplexity"), of(calibration, "vendi")
    mean, sd = 100 * math.expm1(np.mean(shifts)), 100 * math.expm1(np.std(shifts, ddof=1))
    limit = f"+{100 * math.expm1(paired.limit):.1f}%"
    assert cells(paired) == ("-", f"+{mean:.1f}%", f"{sd:.1f}%", limit, "+10.0%", limit)
    drawn = f"{100 * math.expm1(grouped.sampling_sd):.1f}%"
    assert cells(grouped) == (drawn, "±0.0%", "0.0%", "-", "-13.0%", "-13.0%")  # vendi may fall to 1 / 1.15
    alone = of(calibrate(founder("bot"), []), "vendi")
    assert cells(alone) == (drawn, "-", "-", "-", "-13.0%", "-13.0%")


def test_the_tail_of_a_control_is_read_on_the_founders_documents():
    """Each founder froze a tail of its own; what counts is how the controls do on that of the founder."""

    def tail(rows, shift):
        whole = documents(shift)
        parts = {part: tuple(getattr(whole, part)[i] for i in rows) for part in ("keys", "replicates", "weights")}
        return whole.model_copy(update={"indicator": "tail_loss", "scale": EffectScale.LOG, **parts})

    controls = [founder(f"c{i}", 0.1 * i, tail_loss=tail(range(i, 20 + i), 0.1 * i)) for i in (1, 2, 3)]
    calibration = calibrate(founder("bot", tail_loss=tail(range(180, 200), 0.0)), controls)
    assert of(calibration, "tail_loss").seeds.mean == pytest.approx(0.2)
    assert calibration.skipped == {}


def test_a_control_whose_documents_are_not_those_of_the_tail_is_read_by_its_own_tail():
    def tail(shift, n=DOCUMENTS):
        rows = documents(shift)
        parts = {part: getattr(rows, part)[:n] for part in ("keys", "replicates", "weights")}
        return rows.model_copy(update={"indicator": "tail_loss", "scale": EffectScale.LOG, **parts})

    cut = tail(0.0, 5).model_copy(update={"indicator": "perplexity", "scale": EffectScale.EXPONENTIAL})
    controls = [founder(f"c{i}", perplexity=cut, tail_loss=tail(0.1 * i)) for i in (1, 3)]
    calibration = calibrate(founder("bot", tail_loss=tail(0.0, 20)), controls)
    assert of(calibration, "tail_loss").seeds.mean == pytest.approx(0.2)
    assert "lacks 195 of its baseline's 200 documents" in calibration.skipped["perplexity"]

    faulty = [founder(f"c{i}", perplexity=documents(0.0).model_copy(update={"problem": "a NaN"})) for i in (1, 2)]
    assert calibrate(founder("bot", tail_loss=tail(0.0, 20)), faulty).skipped["tail_loss"].endswith(": a NaN")


def test_sampling_noise_is_that_of_two_samples_of_this_many_groups():
    """The closed form: each group varies by 5%, so the log ratio of two means of g groups has SD 0.05 sqrt(2/g)."""
    wild = groups(np.random.default_rng(0), 1.0, n=2000)
    for g in (5, 20, 80):
        assert sampling_sd(wild, g, np.random.default_rng(1)) == pytest.approx(0.05 * math.sqrt(2 / g), rel=0.1)
    for n, is_known in ((3, False), (4, True), (5, True)):
        spread = sampling_sd(groups(np.random.default_rng(0), 1.0, n=n), 5, np.random.default_rng(1))
        assert math.isfinite(spread) == is_known, f"{n} groups"


def test_the_same_seed_splits_alike_and_another_otherwise():
    spreads = [of(calibrate(founder("bot"), [], seed=seed), "vendi").sampling_sd for seed in (0, 0, 1)]
    assert spreads[0] == spreads[1] != spreads[2]
    assert of(calibrate(founder("bot"), []), "vendi").sampling_sd == spreads[0]


def test_without_controls_there_is_sampling_noise_only():
    calibration = calibrate(founder("bot"), [])
    assert all(noise.seeds is None for noise in calibration.noise)
    assert of(calibration, "vendi").sampling_sd > 0
    assert "perplexity" not in {noise.indicator for noise in calibration.noise}


def test_one_control_is_its_own_noise():
    noise = of(calibrate(founder("bot"), [founder("c", -0.02)]), "perplexity").seeds
    assert (noise.controls, noise.mean) == (1, 0.0)
    assert noise.sd == pytest.approx(0.02)
    assert noise.spread.freedom == 1.0


def test_the_file_is_the_policy_with_the_noise_and_its_evidence(tmp_path):
    policy = Policy(alpha=0.02, rotate_folds=5, drift={"vendi": {"margin": 0.3, "watch": 0.2}}, required=("vendi",))
    controls = [founder(f"c{i}", 0.03 * i, seed=i + 1) for i in range(4)]
    calibration = calibrate(founder("bot"), controls, policy=policy)
    path = tmp_path / "policy.toml"
    path.write_text(policy_toml(calibration, policy), encoding="utf-8")
    read = Policy.load(path)
    assert read.model_copy(update={"seed_noise": {}}) == policy
    assert read.seed_noise == {noise.indicator: noise.seeds for noise in calibration.noise}
    assert tomllib.loads(path.read_text())["seed_noise"]["perplexity"]["controls"] == 4
    assert "# 4 controls moved perplexity by +4.6% on average, SD 3.9%: another seed stays within" in path.read_text()
    assert "is raised to that" in path.read_text()


def test_a_file_of_a_policy_with_task_scores_is_read_back_whatever_their_names(tmp_path):
    policy = Policy(tasks={"f1.macro": {"margin": 0.1}, "exact-match": {}}, required=("f1.macro",))
    score = make_reading("f1.macro", 0.8, replicates=(0.7, 0.9, 0.8), direction=Direction.DOWN, scale="absolute")
    shifted = [
        score.model_copy(update={"replicates": tuple(value + 0.02 * i for value in score.replicates)}) for i in (1, 2)
    ]
    controls = [founder(f"c{i}", **{"f1.macro": reading}) for i, reading in enumerate(shifted)]
    calibration = calibrate(founder("bot", **{"f1.macro": score}), controls, policy=policy)
    path = tmp_path / "policy.toml"
    path.write_text(policy_toml(calibration, policy), encoding="utf-8")
    assert Policy.load(path).seed_noise["f1.macro"].mean == pytest.approx(0.03)
    assert Policy.load(path).model_copy(update={"seed_noise": {}}) == policy


def test_the_margins_that_calibration_speaks_of_are_those_against_the_founder():
    policy = Policy(
        alpha=0.0005,
        horizon=7,
        drift={"vendi": {"margin": 0.3, "watch": 0.2}, "perplexity": {"margin": 3.0, "watch": 1.0}},
        distance={"vendi": {"margin": 0.7, "watch": 0.2}},
    )
    spread = {"vendi": 0.4, "perplexity": 0.003}
    controls = [founder(f"c{i}", spread["perplexity"] * i, mean=20.0 * math.exp(spread["vendi"] * i)) for i in range(6)]
    calibration = calibrate(founder("bot"), controls, policy=policy)
    for name, margin, force in (("vendi", 0.3, "is raised to that"), ("perplexity", 3.0, "stays")):
        noise = of(calibration, name)
        assert noise.policy_margin == pytest.approx(math.log1p(margin))
        assert (
            noise.limit
            == policy.model_copy(update={"seed_noise": {name: noise.seeds}})
            .limits(name, "founder", direction=noise.direction, scale=noise.scale)
            .seeds
        )
        assert (noise.limit > noise.policy_margin) == (force == "is raised to that")
        assert noise.margin_in_force == max(noise.limit, noise.policy_margin)
        assert evidence(noise, policy).endswith(force)
        assert "in all 7 generations with 99.95%; the policy's" in evidence(noise, policy)


def test_evidence_says_where_there_is_none():
    alone = calibrate(founder("bot"), [])
    assert evidence(of(alone, "vendi"), Policy()) == "vendi: no seed noise was measured"
    alike = calibrate(founder("bot"), [founder("a"), founder("b")])
    assert of(alike, "perplexity").limit is None
    assert "all 2 controls have the same perplexity: that gives no limit" in evidence(of(alike, "perplexity"), Policy())


def test_an_indicator_is_split_where_its_wild_type_is_known_and_usable_only():
    whole = founder("bot")
    assert [noise.indicator for noise in calibrate(whole, []).noise] == ["vendi"]
    faulty = whole.reference["vendi"].model_copy(update={"problem": "too few"})
    for reference in (
        {"vendi": faulty},
        {"vendi": whole.reference["vendi"].model_copy(update={"replicates": (0.0,) * 8})},
    ):
        [noise] = calibrate(whole.model_copy(update={"reference": reference}), []).noise
        assert noise.sampling_sd is None
    controls = [founder("a", 0.1), founder("b", 0.2)]
    unknown = calibrate(whole.model_copy(update={"reference": {}}), controls)
    assert [(noise.indicator, noise.sampling_sd) for noise in unknown.noise] == [("perplexity", None), ("vendi", None)]
    assert all(noise.seeds is not None for noise in unknown.noise)


def test_what_a_control_lacks_or_cannot_be_compared_on_is_skipped_with_the_reason():
    short = groups(np.random.default_rng(0), 20.0).model_copy(update={"group": "64 samples"})
    calibration = calibrate(founder("bot"), [founder("a"), founder("b", vendi=short)])
    assert "groups of 64 samples, its baseline on groups of 128 samples" in calibration.skipped["vendi"]
    assert of(calibration, "vendi").seeds is None
    assert of(calibration, "perplexity").seeds is not None

    bare = founder("b")
    bare = bare.model_copy(update={"readings": {"perplexity": bare.readings["perplexity"]}})
    assert calibrate(founder("bot"), [founder("a"), bare]).skipped == {"vendi": "a control lacks it"}
    nothing = groups(np.random.default_rng(0), 0.0)
    infinite = calibrate(founder("bot"), [founder("a"), founder("b", vendi=nothing)])
    assert "effect is infinite" in infinite.skipped["vendi"]
    assert of(infinite, "vendi").seeds is None


@pytest.mark.parametrize(
    ("control", "error", "message"),
    [
        (founder("c", index=2), InputError, "must be founders, but got generation 2 of 'c'"),
        (founder("bot"), InputError, "each once, but got 'bot' again"),
        (founder("c", wild_type="other"), FingerprintMismatchError, "'c' is measured against the wild type other"),
    ],
    ids=["not a founder", "the founder itself", "another wild type"],
)
def test_what_is_no_control_is_refused(control, error, message):
    with pytest.raises(error, match=message):
        calibrate(founder("bot"), [control, founder("d")])


def test_a_control_that_is_given_twice_is_refused():
    with pytest.raises(InputError, match="each once, but got 'c' again"):
        calibrate(founder("bot"), [founder("c"), founder("d"), founder("c")])
