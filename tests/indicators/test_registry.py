"""Indicators of one's own: registered by a decorator or found by their entry point."""

import math
import subprocess
import sys

import numpy as np
import pytest

import collapse_guard
from collapse_guard import Evidence, Indicator, Losses, Policy, WildType, assess, register
from collapse_guard import indicators as face
from collapse_guard.errors import InputError, PolicyError
from collapse_guard.indicators.base import all_indicators
from collapse_guard.indicators.rates import Rates
from collapse_guard.indicators.registry import DECLARATIONS, ENTRY_POINTS, built_in, names, unregister
from collapse_guard.measurement.measure import measure, reference_readings

BODY = {
    "name": "mean_length",
    "family": "house",
    "unit": "tokens",
    "direction": "down",
    "value_range": (0.0, math.inf),
    "minimum_n": 5,
    "evidence": "tokens",
    "read": classmethod(lambda cls, group: sum(map(len, group.tokens)) / len(group.tokens)),
}


@pytest.fixture(autouse=True)
def _as_before():
    yield
    for name in set(names()) - set(built_in()):
        unregister(name)


def indicator(**changes):
    body = {name: value for name, value in (BODY | changes).items() if value is not None}
    return type(changes.get("title", "MeanLength"), (Indicator,), body)


@pytest.fixture(scope="module")
def texts():
    rng = np.random.default_rng(0)
    return [" ".join(f"w{i}" for i in rng.zipf(1.3, size=40).clip(max=500)) for _ in range(300)]


@pytest.fixture(scope="module")
def wild_type(texts):
    return WildType.fit(texts, vocabulary_size=300, near_duplicate_threshold=1.0, group_tokens=200, group_samples=10)


def test_a_registered_indicator_is_read_compared_and_decides(wild_type, texts):
    register(indicator())
    policy = Policy(decides=("mean_length",), drift={"mean_length": {"margin": 0.2, "watch": 0.1}})
    founder = assess(wild_type, Evidence(samples=texts[:150]), policy=policy)
    halves = [text[: len(text) // 2] for text in texts[:150]]
    child = assess(wild_type, Evidence(samples=halves), history=[founder], policy=policy)
    reading = founder.readings["mean_length"]
    assert reading.value == pytest.approx(200 / 3, rel=0.05)  # of texts of about 85 tokens, three fill a group
    assert (reading.family, reading.unit, reading.direction, reading.group) == ("house", "tokens", "down", "200 tokens")
    assert child.verdict.severity.name == "COLLAPSED"
    assert child.verdict.reasons[0].indicator == "mean_length"
    assert list(founder.readings)[-1] == "mean_length"
    assert "mean_length" in reference_readings(wild_type, sample_tokens=20)


@pytest.mark.parametrize(
    ("evidence", "value"),
    [
        ("words", lambda group: float(sum(map(len, group.words)))),
        ("texts", lambda group: float(len(group.texts))),
        ("vectors", lambda group: float(len(group.vectors))),
    ],
)
def test_each_kind_of_groups_is_given_whole(wild_type, texts, evidence, value):
    register(indicator(evidence=evidence, read=classmethod(lambda cls, group: value(group))))
    replicates = measure(wild_type, Evidence(samples=texts), only=["mean_length"])["mean_length"].replicates
    assert set(replicates) == {200.0 if evidence == "words" else 10.0}


def test_rows_are_given_to_indicators_of_vectors_and_to_those_that_say_so(rng):
    register(indicator(name="as_rows", reads_rows=True, read=classmethod(lambda cls, group: float(group.counts.sum()))))
    register(indicator(name="as_vectors", evidence="vectors", read=classmethod(lambda cls, group: 1.0)))
    register(indicator(name="as_tokens"))
    wild_type = WildType.fit_arrays(rng.normal(size=(100, 2)), group_samples=10)
    readings = measure(wild_type, Evidence(samples=rng.normal(size=(60, 2))))
    assert set(readings["as_rows"].replicates) == {10.0}
    assert "as_vectors" in readings
    assert "as_tokens" not in readings


def test_an_indicator_of_losses_is_paired_by_document(wild_type, rng):
    def read(cls, scored):
        losses = scored.losses
        return Rates(value=1.0, documents=losses.documents, sums=losses.nll, units=losses.n_tokens)

    register(indicator(evidence="losses", minimum_n=30, read=classmethod(read)))
    losses = Losses(documents=tuple(map(str, range(40))), nll=rng.gamma(2.0, size=40), n_tokens=np.ones(40, int))
    reading = measure(wild_type, Evidence(losses=losses))["mean_length"]
    assert reading.keys == losses.documents
    assert reading.replicates == tuple(losses.nll)
    assert reading.is_usable


def test_an_indicator_may_need_more_groups_than_five(wild_type, texts):
    register(indicator(minimum_n=40))
    short, long = (measure(wild_type, Evidence(samples=texts[:n]))["mean_length"] for n in (90, 200))
    assert len(short.replicates) < 40 <= len(long.replicates)
    assert "40 are needed" in short.problem
    assert not short.is_usable
    assert long.is_usable
    assert short.n < short.n_minimum <= long.n


@pytest.mark.parametrize("missing", DECLARATIONS)
def test_a_class_that_lacks_a_declaration_is_refused_with_what_is_missing(missing):
    with pytest.raises(InputError, match=rf"MeanLength lacks 1 declarations. Add `{missing}`: "):
        register(indicator(**{missing: None}))
    assert "mean_length" not in names()


def test_all_missing_declarations_are_named_at_once():
    with pytest.raises(InputError) as error:
        register(type("Nothing", (Indicator,), {}))
    assert all(f"`{name}`: {what}" in str(error.value) for name, what in DECLARATIONS.items())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "mean length"}, "`name` must be letters"),
        ({"direction": "sideways"}, "`direction`: .*'sideways'"),
        ({"evidence": "token"}, "`evidence` must be one of losses, .*'token'"),
        ({"scale": "ratio"}, "`scale`: .*'ratio'"),
        ({"unit": 3}, "`unit`: .*3"),
        ({"value_range": (1.0, 1.0)}, r"`value_range` must be .*\(1.0, 1.0\)"),
        ({"value_range": (-1.0, 1.0)}, '`scale` must be "absolute" where a value may be negative'),
        ({"minimum_n": 4}, "`minimum_n` must be at least 5, but got 4"),
        ({"minimum_n": 1, "evidence": "losses"}, "`minimum_n` must be at least 2, but got 1"),
    ],
)
def test_a_declaration_that_cannot_be_is_refused(changes, message):
    with pytest.raises(InputError, match=message):
        register(indicator(**changes))
    assert changes.get("name", "mean_length") not in names()


def test_a_name_that_is_taken_is_refused_and_a_class_that_is_defined_again_takes_its_place():
    with pytest.raises(InputError, match=r"'vendi' is taken by collapse_guard.indicators.spread"):
        register(indicator(name="vendi"))
    first, again = indicator(), indicator()
    register(first)
    assert register(again) is again
    assert all_indicators()["mean_length"] is again
    with pytest.raises(InputError, match=r"'mean_length' is taken by .*MeanLength"):
        register(indicator(title="Other"))
    with pytest.raises(InputError, match="needs a subclass of Indicator, but got <class 'int'>"):
        register(int)


def test_an_indicator_that_is_forgotten_is_unknown_and_its_name_is_free():
    register(indicator())
    unregister("mean_length")
    assert "mean_length" not in names()
    assert "mean_length" not in all_indicators()
    register(indicator(title="Another"))
    assert all_indicators()["mean_length"].__name__ == "Another"


@pytest.mark.parametrize("name", ["vendi", "mean_lengt"])
def test_only_a_registered_indicator_can_be_forgotten(name):
    register(indicator())
    with pytest.raises(InputError, match=rf"`name` must be a registered indicator, but got '{name}': .*mean_length"):
        unregister(name)
    assert {"vendi", "mean_length"} <= set(names())


def test_a_policy_knows_it_once_it_is_registered():
    with pytest.raises(PolicyError, match="unknown indicator `mean_length`"):
        Policy.from_dict({"decides": ["mean_length"]})
    register(indicator())
    assert Policy.from_dict({"decides": ["mean_length"]}).decides == ("mean_length",)


class Installed(Indicator):
    """What a package of someone else would hold."""

    name, family, unit, direction = "installed", "house", "share", "up"
    value_range, minimum_n, evidence = (0.0, 1.0), 5, "texts"

    @classmethod
    def read(cls, group):
        """Nothing."""
        return 0.5


@pytest.fixture
def entry_point(monkeypatch, tmp_path):
    """Puts an installed package on the search path."""

    def offer(name, value):
        metadata = tmp_path / "house-1.0.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: house\nVersion: 1.0\n", encoding="utf-8")
        (metadata / "entry_points.txt").write_text(f"[{ENTRY_POINTS}]\n{name} = {value}\n", encoding="utf-8")
        monkeypatch.syspath_prepend(tmp_path)

    return offer


def test_an_entry_point_is_known_by_name_without_being_loaded_and_loaded_when_it_is_read(entry_point, monkeypatch):
    monkeypatch.setitem(sys.modules, "house_indicators", sys.modules[__name__])
    entry_point("installed", "house_indicators:Installed")
    assert names()[-1] == "installed"
    with pytest.raises(InputError, match="`name` must be a registered indicator, but got 'installed': there are none"):
        unregister("installed")
    assert all_indicators()["installed"] is Installed
    assert names().count("installed") == 1


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("installed", "house_indicators:Missing", "has no attribute 'Missing'"),
        ("installed", "no_such_module:Installed", "No module named 'no_such_module'"),
        ("other", "house_indicators:Installed", "must have the name of its indicator, but got 'installed'"),
        ("number", "house_indicators:BODY", "needs a subclass of Indicator"),
    ],
)
def test_an_entry_point_that_leads_nowhere_is_an_error_that_names_it(entry_point, monkeypatch, name, value, message):
    monkeypatch.setitem(sys.modules, "house_indicators", sys.modules[__name__])
    entry_point(name, value)
    with pytest.raises(InputError, match=rf"the entry point `{name}` of house .*{message}"):
        all_indicators()


def test_every_indicator_and_its_function_can_be_imported_from_the_room():
    for metric in all_indicators().values():
        assert getattr(face, metric.__name__) is metric
    assert face.vendi([[1.0, 0.0], [0.0, 1.0]]) == pytest.approx(2.0)
    with pytest.raises(AttributeError, match="did you mean `Vendi`"):
        face.Vendy  # noqa: B018
    assert {"Vendi", "vendi", "Indicator", "register"} <= set(dir(face))
    assert collapse_guard.register is face.register


def test_names_and_policies_cost_no_import_of_torch():
    code = "import sys; from collapse_guard import Policy; Policy(decides=('vendi',)); print('torch' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "False"


def test_people_read_families_and_indicators_in_this_order():
    families = list(dict.fromkeys(built_in().values()))
    assert families == ["likelihood", "reverse", "diversity", "tails", "spread", "distance", "novelty", "genetics"]
    assert list(built_in())[:10] == [
        *("perplexity", "bits_per_byte", "tail_loss", "tail_token_loss", "tail_gap", "cvar_loss"),
        *("worst_slice_loss", "entropy", "own_perplexity", "founder_perplexity"),
    ]
    in_rooms = {family: [name for name, room in built_in().items() if room == family] for family in families}
    assert in_rooms["reverse"] == ["reverse_perplexity", "reverse_tail_loss", "worst_slice_reverse", "real_equivalent"]
    assert in_rooms["diversity"][-7:-4] == ["unique_samples", "near_unique_samples", "empty_samples"]
    assert in_rooms["diversity"][-3:] == ["distinct_within_prompts", "distinct_between_prompts", "sample_length"]
    assert in_rooms["tails"] == ["rare_coverage", "rare_mass", "missing_mass", "lost_ngrams", "hill_index"]
