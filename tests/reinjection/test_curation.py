"""curate(): what each rule leaves out, planted; that weights bring a topic back to its share; real text in between."""

from itertools import pairwise

import numpy as np
import pytest
from scipy import stats

from collapse_guard.corpus.lexicon import words
from collapse_guard.demo.corpus import passages
from collapse_guard.errors import InputError
from collapse_guard.reinjection import curate
from collapse_guard.reinjection.curation import CLIP, RULES
from collapse_guard.wildtype import WildType


@pytest.fixture(scope="module")
def texts():
    found = list(passages())
    return [found[place] for place in np.random.default_rng(0).permutation(len(found))[:3000]]


@pytest.fixture(scope="module")
def wild_type(texts):
    return WildType.fit(texts[:2000], seed=0, vocabulary_size=2000)


@pytest.fixture(scope="module")
def fresh(texts):
    """Real text that the wild type has never seen: what a perfect model would write."""
    return texts[2000:]


def audit_of(found):
    return {row.rule: row for row in found.audit}


def kept_texts(found, samples):
    return [samples[place] for place in found.places]


class TestCopies:
    def test_of_wild_type_documents_and_of_other_samples_are_left_out(self, wild_type, fresh):
        leaked = [wild_type.evaluation[0], wild_type.pool[5], wild_type.evaluation[7]]
        samples = [*fresh[:40], *leaked, fresh[3], fresh[3]]
        found = curate(samples, wild_type, rules=["exact"])
        assert found.places.tolist() == list(range(40))
        assert [(row.rule, row.removed, row.left) for row in found.audit] == [("evaluation", 2, 43), ("exact", 3, 40)]
        assert found.audit[0].examples == tuple(text[:80] for text in leaked[::2])

    @pytest.mark.parametrize("rules", [[], ["quality"], ["toward"]])
    def test_of_evaluation_documents_are_left_out_by_whatever_rules(self, wild_type, fresh, rules):
        samples = [*fresh[:40], *wild_type.evaluation[:5]]
        found = curate(samples, wild_type, rules=rules)
        assert not set(range(40, 45)) & set(found.places.tolist())

    def test_what_is_like_a_sample_that_goes_need_not_go(self, wild_type, fresh):
        own = wild_type.evaluation[0].split()
        first = " ".join([*own[:-2], "zig", "zag"])
        second = " ".join(["zog", "zug", "zeg", *first.split()[3:15], "zyg", *first.split()[16:]])
        assert curate([*fresh[:20], first, second], wild_type, rules=["near"], near=0.45).audit[-1].removed == 2
        assert curate([*fresh[:20], "", first, second][:23], wild_type, rules=["near"], near=0.9).audit[-1].removed == 0
        found = curate([*fresh[:20], first, second], wild_type, rules=["near"], near=0.5)
        assert found.places.tolist() == [*range(20), 21]

    def test_nearly_the_same_is_left_out_too(self, wild_type, fresh):
        def edited(text):
            found = text.split()
            return " ".join([*found[:-1], "altogether"])

        samples = [*fresh[:40], edited(wild_type.evaluation[0]), edited(wild_type.pool[1]), edited(fresh[0])]
        assert curate(samples, wild_type, rules=["exact"]).places.tolist() == list(range(43))
        assert curate(samples, wild_type, rules=["near"]).places.tolist() == list(range(40))
        assert curate(samples, wild_type, rules=["near"], near=0.999).places.tolist() == list(range(43))


class TestQuality:
    def test_unusual_samples_are_left_out_each_by_its_bound(self, wild_type, fresh):
        long = " ".join(fresh[:40])
        stuck = " ".join(["the same four words"] * 8)
        noise = " ".join(f"zq{number}x" for number in range(34))
        usual = list(wild_type.pool[:100])
        samples = [*usual, long, "too short", stuck, noise]
        found = curate(samples, wild_type, rules=["quality"], quantile=0.0)
        assert found.places.tolist() == list(range(100))
        rows = audit_of(found)
        assert [row.removed for row in rows.values()] == [0, 2, 1, 1]
        assert long[:80] in rows["quality: words"].examples
        assert rows["quality: repeated 4-grams"].examples == (stuck[:80],)
        assert rows["quality: unknown words"].examples == (noise[:80],)

    def test_of_real_text_hardly_anything_is_left_out(self, wild_type, fresh):
        found = curate(fresh, wild_type, rules=["quality"])
        gone = len(fresh) - len(found.places)
        # Four bounds that each leave out one in 200 of the pool, estimated from 1,600 documents.
        assert gone <= stats.binom.ppf(1 - 1e-4, len(fresh), 4 * 0.005 * 2)
        wider = curate(fresh, wild_type, rules=["quality"], quantile=0.1)
        assert len(wider.places) < len(found.places) - 50

    def test_the_bounds_are_those_of_the_pool_and_not_of_the_evaluation_documents(self, wild_type):
        lengths = [len(words(text)) for text in wild_type.pool]
        short = " ".join(f"w{i}" for i in range(int(np.quantile(lengths, 0.2)) - 1))
        with pytest.raises(InputError, match=r"rule 'quality: words' left out 1"):
            curate([short], wild_type, rules=["quality"], quantile=0.2)


class TestProbable:
    def test_what_is_more_probable_than_nearly_all_real_text_is_left_out(self, wild_type, fresh):
        nats = np.linspace(1.0, 8.0, 100)
        found = curate(
            fresh[:100], wild_type, rules=["probable"], nats=nats, real_nats=np.linspace(3, 9, 1001), quantile=0.1
        )
        assert found.places.tolist() == np.flatnonzero(nats >= 3.6).tolist()
        assert audit_of(found)["probable"].bound == "at least 3.6 nats per token, as in 90.0% of real documents"

    @pytest.mark.slow
    def test_without_losses_it_says_that_it_was_not_applied(self, wild_type, fresh):
        row = audit_of(curate(fresh[:50], wild_type))["probable"]
        assert (row.removed, row.bound) == (0, "not applied: no nats per token were given")


TOPIC = ("harbour", "vessel", "cargo", "mariner", "anchor", "tonnage")
OTHER = ("farm", "harvest", "cattle", "orchard", "plough", "barn")


def with_a_topic(n, share, seed):
    """Texts of which a share has words of the topic, and which these are."""
    rng = np.random.default_rng(seed)
    about = rng.random(n) < share
    filler = np.array([f"word{i}" for i in range(300)])
    rows = [[*rng.choice(filler, 30), *rng.choice(TOPIC if one else OTHER, 4)] for one in about]
    return [" ".join(rng.permutation(row)) for row in rows], about


@pytest.fixture(scope="module")
def planted():
    real, _ = with_a_topic(2500, 0.2, 0)
    return WildType.fit(real, seed=0, vocabulary_size=500), *with_a_topic(4000, 0.7, 1)


class TestToward:
    """A topic that a fifth of real text has, planted: every such text has some of its words."""

    @pytest.mark.slow
    def test_a_topic_that_is_too_frequent_comes_down_to_its_share(self, planted):
        wild_type, samples, about = planted
        found = curate(samples, wild_type, n=800, rules=["toward"])
        share = about[found.places].mean()
        # Two samples of a share of .2, of 2,000 and of 800: four standard errors.
        assert share == pytest.approx(0.2, abs=4 * np.sqrt(0.16 * (1 / 800 + 1 / 2000)) + 0.02)
        assert len(found.places) == 800
        assert found.weights == pytest.approx(1.0)

    def test_where_too_few_are_left_they_are_kept_for_certain_and_have_what_is_left_of_their_weight(self, planted):
        wild_type, samples, about = planted
        found = curate(samples, wild_type, n=2500, rules=["toward"])
        kept = about[found.places]
        assert (~kept).sum() > 0.98 * (~about).sum()
        assert 0.15 < (found.weights * kept).sum() / found.weights.sum() < 0.3
        assert found.weights.mean() == pytest.approx(1.0)

    @pytest.mark.slow
    def test_weights_do_the_same_where_nothing_is_left_out(self, planted):
        wild_type, samples, about = planted
        found = curate(samples, wild_type, rules=["toward"])
        assert found.weights.mean() == pytest.approx(1)
        assert len(found.places) == 4000
        assert 0.15 < (found.weights * about).sum() / 4000 < 0.3
        assert found.weights.max() / np.median(found.weights) <= CLIP * (1 + 1e-9)
        row = found.audit[-1]
        effective = int(row.bound.split("worth ")[1].split(" ")[0].replace(",", ""))
        assert effective == pytest.approx((found.weights.sum() ** 2) / (found.weights**2).sum(), abs=1)

    def test_of_samples_that_are_like_the_pool_any_may_go(self, wild_type, fresh):
        found = curate(fresh, wild_type, rules=["toward"])
        assert found.weights.std() < 0.6
        drawn = curate(fresh, wild_type, n=300, rules=["toward"])
        assert abs(drawn.places.mean() / np.mean(range(len(fresh))) - 1) < 0.15

    @pytest.mark.slow
    def test_the_draw_is_by_its_seed(self, planted):
        wild_type, samples, _ = planted
        draws = [curate(samples, wild_type, n=50, rules=["toward"], seed=seed).places.tolist() for seed in (0, 0, 1)]
        assert draws[0] == draws[1] != draws[2]


@pytest.mark.slow
def test_all_rules_are_applied_in_their_order_and_audited(wild_type, fresh):
    samples = [*fresh[:300], fresh[0], wild_type.evaluation[0], "the same four words " * 20]
    found = curate(samples, wild_type, n=200)
    assert [row.rule for row in found.audit] == [
        "evaluation",
        "exact",
        "near",
        "quality: words",
        "quality: repeated 4-grams",
        "quality: unknown words",
        "probable",
        "toward",
    ]
    left = [len(samples), *(row.left for row in found.audit)]
    assert [row.removed for row in found.audit] == [a - b for a, b in pairwise(left)]
    assert len(found.places) == len(set(found.places.tolist())) == 200
    assert found.places.tolist() == sorted(found.places.tolist())
    assert wild_type.evaluation[0] not in kept_texts(found, samples)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"rules": ["exactly"]}, "`rules` must be of exact, near, quality, probable, toward, but got 'exactly'"),
        ({"n": 0}, "`n` must be a whole number of at least 1"),
        ({"n": 51}, "`n` must be at most the 50 samples, but got 51"),
        ({"quantile": 2}, "`quantile` must be a share"),
        ({"near": 7}, r"`near` must be a similarity from 0\.1 to 1, but got 7"),
        ({"quantile": 0.6}, "`quantile` must be below 0.5"),
        ({"nats": [1.0] * 50}, "`real_nats` must be given with `nats`"),
        ({"real_nats": [1.0]}, "`nats` must be given with `real_nats`"),
        (
            {"nats": [1.0] * 50, "real_nats": []},
            "`real_nats` must hold the nats per token of real documents, but got none",
        ),
        (
            {"nats": [1.0] * 3, "real_nats": [1.0]},
            r"`nats` must be one for each of 50 samples, but got the shape \(3,\)",
        ),
        ({"nats": [float("nan")] * 50, "real_nats": [1.0]}, "`nats` must hold finite numbers"),
    ],
)
def test_invalid_arguments_are_refused(wild_type, fresh, arguments, message):
    with pytest.raises(InputError, match=message):
        curate(fresh[:50], wild_type, **arguments)


def test_nothing_to_keep_is_an_error_that_names_the_rule(wild_type):
    with pytest.raises(InputError, match="`synthetic` must hold samples, but got none"):
        curate([], wild_type)
    with pytest.raises(InputError, match="`synthetic` must be a sequence of texts, but got 'a text'"):
        curate("a text", wild_type)
    with pytest.raises(InputError, match="`synthetic` must be a sequence of texts, but got 7"):
        curate(["a", 7], wild_type)
    with pytest.raises(InputError, match=r"but 0 are left; the rule 'exact' left out 5 \(copies of pool documents"):
        curate(list(wild_type.pool[:5]), wild_type)
    with pytest.raises(InputError, match="must have 3 samples that are fit, but 1 are left"):
        curate([*wild_type.pool[:5], "quite another text"], wild_type, n=3, rules=["exact"])


def test_without_weights_a_number_is_drawn_at_random(wild_type, fresh):
    found = curate(fresh[:50], wild_type, n=10, rules=["exact"])
    assert len(found.places) == 10
    assert found.audit[-1].bound == "10 drawn at random"
    assert curate(fresh[:50], wild_type, n=10, rules=["exact"], seed=1).places.tolist() != found.places.tolist()


def test_vectors_are_refused():
    vectors = WildType.fit_arrays(np.random.default_rng(0).normal(size=(200, 4)), seed=0)
    with pytest.raises(InputError, match="`wild_type` must be of texts"):
        curate(["a"], vectors)


def test_every_rule_has_a_row_in_the_documentation():
    from collapse_guard.reinjection import curation

    assert all(f"| `{rule}`" in (curation.__doc__ or "") for rule in RULES)
