"""Expected inbreeding of a pedigree, against the laws of drift and against genes dropped through it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collapse_guard.errors import InputError
from collapse_guard.genetics.pedigree import Training, expected_inbreeding, kinship
from collapse_guard.records import Generation, Mixture
from collapse_guard.worlds import Workflow
from collapse_guard.worlds.drift import expected_fixation


def founder(items=20):
    return Training(generation=0, items=items, real=1.0)


@pytest.mark.parametrize("n", [2, 20, 500])
def test_replacement_is_wrights_law(n):
    lineage = [founder(n), *(Training(generation=t, items=n, parents={t - 1: 1.0}) for t in range(1, 9))]
    expected = [expected_fixation(k, samples=n, workflow=Workflow()) for k in range(1, 10)]
    assert kinship(lineage).inbreeding == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("n", [2, 20, 500])
def test_keeping_everything_is_the_law_of_accumulation(n):
    lineage = [founder(n)]
    for t in range(1, 9):
        shares = dict.fromkeys(range(t), 1 / (t + 1))
        lineage.append(
            Training(generation=t, items=n * (t + 1), real=1 / (t + 1), real_origin="archive", parents=shares)
        )
    expected = [expected_fixation(k, samples=n, workflow=Workflow(name="accumulate")) for k in range(1, 10)]
    assert kinship(lineage).inbreeding == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("real", [0.1, 0.5, 1.0])
def test_fresh_real_data_follow_drift_with_migration_but_for_exact_counts(real):
    n, path = 40, [1 / 40]
    lineage = [founder(n)]
    for t in range(1, 30):
        parents = {t - 1: 1 - real} if real < 1 else {}
        lineage.append(Training(generation=t, items=n, real=real, parents=parents))
        path.append(1 / n + (1 - real) * max(0.0, 1 - real - 1 / n) * path[-1])
    found = kinship(lineage).inbreeding
    assert found == pytest.approx(path, rel=1e-9)
    by_chance = expected_fixation(30, samples=n, workflow=Workflow(name="mix", real_share=real))
    assert found[-1] == pytest.approx(by_chance, rel=0.1)


def test_an_archive_keeps_a_lineage_as_inbred_as_itself_where_fresh_data_do_not():
    lineages = {}
    for origin in ("fresh", "archive"):
        mixed = (
            Training(generation=t, items=300, real=0.1, real_origin=origin, parents={t - 1: 0.9}) for t in range(1, 60)
        )
        lineages[origin] = kinship([founder(30), *mixed]).inbreeding[-1]
    assert lineages["fresh"] < 0.02
    assert lineages["archive"] > 1 / 30


@pytest.mark.parametrize("taken", [20, 40, 1000])
def test_an_archive_that_is_repeated_has_no_more_items_than_it_had(taken):
    again = Training(generation=1, items=taken, real=1.0, real_origin="archive")
    assert kinship([founder(20), again]).inbreeding == pytest.approx([1 / 20, 1 / 20])


@pytest.mark.parametrize("n", [20, 100])
def test_a_subsample_of_all_that_was_kept_is_nearly_its_law_where_it_is_known_how_much_was_written(n):
    def path(written):
        lineage = [Training(generation=0, items=n, real=1.0, written=written)]
        for t in range(1, 10):
            shares = dict.fromkeys(range(t), 1 / (t + 1))
            lineage.append(
                Training(
                    generation=t, items=n, real=1 / (t + 1), real_origin="archive", parents=shares, written=written
                )
            )
        return kinship(lineage).inbreeding

    law = [expected_fixation(k, samples=n, workflow=Workflow(name="accumulate_subsample")) for k in range(1, 11)]
    assert path(n) == pytest.approx(law, rel=0.11 / n)
    assert (path(None)[2:] > np.array(law)[2:] * 1.03).all(), "without it F is an upper bound"


# A founder of 6; 1 from 0; 2 from 0 and 1 and fresh data; 3 from 1 and 2 and the founder's documents again.
WEB = [
    founder(6),
    Training(generation=1, items=8, parents={0: 1.0}),
    Training(generation=2, items=10, real=0.2, parents={0: 0.4, 1: 0.4}),
    Training(generation=3, items=12, real=0.5, real_origin="archive", parents={1: 0.25, 2: 0.25}),
    Training(generation=4, items=6, parents={3: 1.0}),
]


def dropped(lineage, rng):
    """Every real item has a label of its own; labels are passed on item by item. What each model writes, much of it."""
    labels, models, sets = iter(range(10**6)), {}, {}
    real = np.array([next(labels) for _ in range(lineage[0].items)])
    sizes = {}
    for training in lineage:
        for parent, part in training.parents.items():
            sizes[parent] = max(sizes.get(parent, 1), round(part * training.items))
    sizes |= {training.generation: training.written for training in lineage if training.written}
    for training in lineage:
        parts, n_real = [], round(training.real * training.items)
        if training.generation == 0 or training.real_origin == "archive":
            parts.append(np.resize(rng.permutation(real), n_real))
        else:
            parts.append(np.array([next(labels) for _ in range(n_real)], dtype=int))
        for parent, part in training.parents.items():
            parts.append(rng.permutation(sets[parent])[: round(part * training.items)])
        models[training.generation] = np.concatenate(parts)
        sets[training.generation] = rng.choice(models[training.generation], sizes.get(training.generation, 1))
    return models


def web(seed):
    """A random pedigree of six generations with up to three parents each, in whole items."""
    rng = np.random.default_rng(seed)
    lineage = [Training(generation=0, items=6, real=1.0, written=12)]
    for t in range(1, 6):
        chosen = rng.choice(t, size=min(t, int(rng.integers(1, 4))), replace=False)
        taken = {int(parent): int(rng.integers(1, 9)) for parent in chosen}
        real = int(rng.choice([0, 0, 3, 6, 12]))
        items = real + sum(taken.values())
        lineage.append(
            Training(
                generation=t,
                items=items,
                real=real / items,
                real_origin="archive" if rng.random() < 0.6 else "fresh",
                parents={parent: number / items for parent, number in taken.items()},
                written=None if rng.random() < 0.5 else int(rng.integers(8, 16)),
            )
        )
    return lineage


@pytest.mark.slow
@pytest.mark.parametrize("lineage", [WEB, *map(web, range(4))], ids=["WEB", *map(str, range(4))])
def test_a_web_of_parents_is_what_dropped_genes_show(lineage):
    rng, runs = np.random.default_rng(1), 3000
    seen = np.zeros((runs, len(lineage)))
    for run in range(runs):
        for t, model in dropped(lineage, rng).items():
            shares = np.unique(model, return_counts=True)[1] / len(model)
            seen[run, t] = (shares**2).sum()
    error = seen.std(axis=0, ddof=1) / np.sqrt(runs)
    assert (np.abs(kinship(lineage).inbreeding - seen.mean(axis=0)) <= 4 * error + 1e-12).all()


def slow_coancestry(lineage, j, k):
    """By Wright's rule, the younger one followed to its sources, with every item of a training set a part of its own.

    Data sets are named by generation and the founder's documents by "real"; fresh documents are kin to nobody.
    """
    by = {training.generation: training for training in lineage}
    order = {"real": -1, **{t: t for t in by}}

    def sources(t):
        real = [("real" if t == 0 or by[t].real_origin == "archive" else None, round(by[t].real * by[t].items))]
        return [*real, *((parent, round(part * by[t].items)) for parent, part in by[t].parents.items())]

    def items_alike(t):
        slots = [(source, number) for source, count in sources(t) for number in range(count)]
        chances = [same_slot(first, second) for first in slots for second in slots]
        return sum(chances) / len(chances)

    def same_slot(first, second):
        if first[0] != second[0]:
            return 0.0 if None in (first[0], second[0]) else alike(first[0], second[0])
        if first[0] == "real":
            return float(first[1] % by[0].items == second[1] % by[0].items)
        if first == second:
            return 1.0
        return 0.0 if first[0] is None else items_alike(first[0])

    def alike(one, other):
        if one == other:
            kept = by[0].items if one == "real" else size(one)
            return 1 / kept + (1 - 1 / kept) * (0.0 if one == "real" else items_alike(one))
        younger, older = sorted((one, other), key=order.__getitem__, reverse=True)
        parts = [(source, count) for source, count in sources(younger) if source is not None]
        return sum(count * alike(source, older) for source, count in parts) / by[younger].items

    def size(t):
        taken = [round(child.parents[t] * child.items) for child in lineage if t in child.parents]
        return by[t].written or (max(taken) if taken else by[t].items)

    return items_alike(j) if j == k else alike(j, k)


@pytest.mark.parametrize("lineage", [WEB[:4], web(0)[:4], web(1)[:4], web(3)[:4]])
def test_kinship_is_that_of_every_item_followed_to_its_source(lineage):
    found = kinship(lineage)
    for j in range(len(lineage)):
        assert found.inbreeding[j] == pytest.approx(slow_coancestry(lineage, j, j), rel=1e-9)
        for k in range(j):
            assert found.coancestry[j, k] == pytest.approx(slow_coancestry(lineage, j, k), rel=1e-9)


def test_items_that_were_written_for_each_child_alone_share_nothing_but_their_writer():
    def coancestry(written):
        parent = Training(generation=1, items=8, parents={0: 1.0}, written=written)
        return kinship([founder(8), parent, Training(generation=2, items=8, parents={1: 1.0})])

    alone, kept = coancestry(10**12), coancestry(None)
    assert alone.coancestry[1, 1] == pytest.approx(alone.inbreeding[1])
    assert kept.coancestry[1, 1] == pytest.approx(1 / 8 + 7 / 8 * kept.inbreeding[1])


def test_a_child_cannot_take_more_than_was_written():
    parent = Training(generation=0, items=9, real=1.0, written=4)
    with pytest.raises(InputError, match="`written` of generation 0 must be at least the 5 items that generation 1 ta"):
        kinship([parent, Training(generation=1, items=10, real=0.5, parents={0: 0.5})])


def test_coancestry_is_symmetric_and_at_most_that_of_a_set_with_itself():
    table = kinship(WEB).coancestry
    assert table == pytest.approx(table.T)
    assert (table <= np.sqrt(np.outer(table.diagonal(), table.diagonal())) + 1e-12).all()
    assert table[0, 1] == pytest.approx(kinship(WEB).coancestry[1, 0])


@given(st.integers(2, 200), st.lists(st.floats(0, 1), min_size=1, max_size=6))
def test_inbreeding_is_a_probability_and_real_data_only_lower_it(n, shares):
    def path(scale):
        lineage = [founder(n)]
        for t, share in enumerate(shares, 1):
            real = share * scale
            lineage.append(Training(generation=t, items=n, real=real, parents={t - 1: 1.0 - real}))
        return kinship(lineage).inbreeding

    found = path(1.0)
    assert ((found >= 0) & (found <= 1)).all()
    assert (found <= path(0.5) + 1e-12).all()


@given(st.lists(st.integers(1, 5), min_size=len(WEB), max_size=len(WEB)))
@settings(max_examples=20)
def test_the_numbers_of_generations_are_names_only(gaps):
    names = dict(enumerate([0, *np.cumsum(gaps)[: len(WEB) - 1].tolist()]))
    renamed = [
        Training(
            generation=names[training.generation],
            items=training.items,
            real=training.real,
            real_origin=training.real_origin,
            parents={names[parent]: part for parent, part in training.parents.items()},
        )
        for training in WEB
    ]
    assert kinship(renamed).inbreeding == pytest.approx(kinship(WEB).inbreeding)


# ---- from records


def test_recorded_mixtures_say_who_was_trained_on_whom():
    recorded = [
        Generation(lineage="bot", index=0, items=20),
        Generation(lineage="bot", index=1, items=20, parents=(0,), mixture=Mixture(real=0.2, newest=0.8)),
        Generation(
            lineage="bot", index=2, items=30, parents=(0, 1), mixture=Mixture(real=0.1, earlier=0.3, newest=0.6)
        ),
        Generation(
            lineage="bot",
            index=3,
            items=20,
            parents=(2, 0),
            parent_shares=(0.5, 0.25),
            mixture=Mixture(real=0.25, earlier=0.25, newest=0.5),
            real_origin="archive",
        ),
        Generation(lineage="bot", index=4, items=20, parents=(3,)),
    ]
    spelled = [
        founder(20),
        Training(generation=1, items=20, real=0.2, parents={0: 0.8}),
        Training(generation=2, items=30, real=0.1, parents={0: 0.3, 1: 0.6}),
        Training(generation=3, items=20, real=0.25, real_origin="archive", parents={2: 0.5, 0: 0.25}),
        Training(generation=4, items=20, parents={3: 1.0}),
    ]
    assert expected_inbreeding(recorded) == pytest.approx(kinship(spelled).inbreeding)


def test_older_parents_without_recorded_shares_wrote_equally_much():
    first = [Generation(lineage="bot", index=0, items=20)]
    first += [Generation(lineage="bot", index=t, parents=(t - 1,), items=20) for t in (1, 2)]
    mixture = Mixture(real=0.0, earlier=0.6, newest=0.4)
    left_out = Generation(lineage="bot", index=3, parents=(0, 1, 2), items=20, mixture=mixture)
    spelled = left_out.model_copy(update={"parent_shares": (0.3, 0.3, 0.4)})
    assert expected_inbreeding([*first, left_out]) == pytest.approx(expected_inbreeding([*first, spelled]))


def test_what_a_pedigree_needs_comes_back_from_a_record_and_older_records_load_without_it():
    full = Generation(
        lineage="bot",
        index=2,
        parents=(0, 1),
        parent_shares=(0.25, 0.5),
        items=30,
        real_origin="archive",
        mixture=Mixture(real=0.25, earlier=0.25, newest=0.5),
    )
    assert Generation.from_dict(full.to_dict()) == full
    old = Generation.from_dict({"schema": 1, "lineage": "bot", "index": 1, "parents": [0]})
    assert (old.parent_shares, old.items, old.real_origin) == ((), None, "fresh")


def test_a_generation_without_a_size_is_refused():
    with pytest.raises(InputError, match="`items` of generation 1 must be known, but got None"):
        expected_inbreeding([Generation(lineage="b", index=0, items=9), Generation(lineage="b", index=1, parents=(0,))])


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"parents": (0,), "parent_shares": (0.5, 0.5)}, "parent_shares must be one for each of 1 parents, but got 2"),
        ({"parents": (0,), "parent_shares": (0.5,)}, "parent_shares and the real share must sum to 1, but got 0.5"),
        ({"items": 0}, "`items`"),
        ({"real_origin": "stolen"}, "`real_origin`"),
    ],
)
def test_a_record_that_does_not_add_up_is_refused(fields, message):
    with pytest.raises(InputError) as error:
        Generation.from_dict({"schema": 1, "lineage": "bot", "index": 1, **fields})
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("lineage", "message"),
    [
        ([], "must begin with the founder, generation 0, but got no generation"),
        ([(1, 1.0, {})], "must begin with the founder, generation 0, but got 1"),
        ([(0, 0.5, {0: 0.5})], "must begin with a founder that has no parents, but got [0]"),
        ([(0, 1.0, {}), (2, 0.0, {0: 1.0}), (1, 0.0, {0: 1.0})], "must rise from generation to generation, but got 1"),
        ([(0, 1.0, {}), (1, 0.0, {0: 1.0}), (1, 0.0, {0: 1.0})], "must rise from generation to generation, but got 1"),
        (
            [(0, 1.0, {}), (1, 0.0, {2: 1.0}), (2, 0.0, {1: 1.0})],
            "`parents` of generation 1 must be earlier generations of the lineage (0), but got 2",
        ),
        (
            [(0, 1.0, {}), (1, 0.0, {1: 1.0})],
            "`parents` of generation 1 must be earlier generations of the lineage (0), but got 1",
        ),
        (
            [(0, 1.0, {}), (3, 0.0, {2: 1.0})],
            "`parents` of generation 3 must be earlier generations of the lineage (0), but got 2: add that generation",
        ),
    ],
)
def test_a_pedigree_that_cannot_be_is_refused(lineage, message):
    made = [Training(generation=t, items=5, real=real, parents=parents) for t, real, parents in lineage]
    with pytest.raises(InputError) as error:
        kinship(made)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"real": 0.5, "parents": {0: 0.4}},
            "shares of generation 1 must sum to 1, but `real` and `parents` sum to 0.9",
        ),
        ({"real": 1.5}, "`real` must be a share from 0 to 1, but got 1.5"),
        ({"parents": {0: -1.0}}, "`parents` must be a share from 0 to 1, but got -1.0"),
        ({"real": 1.0, "written": 0}, "`written` must be a whole number of at least 1, but got 0"),
        ({"real": 1.0, "items": 0}, "`items` must be a whole number of at least 1, but got 0"),
        ({"real": 1.0, "real_origin": "old"}, "`real_origin` must be fresh or archive, but got 'old'"),
    ],
)
def test_shares_that_are_none_are_refused(fields, message):
    with pytest.raises(InputError) as error:
        Training(**{"generation": 1, "items": 5, **fields})
    assert message in str(error.value)
