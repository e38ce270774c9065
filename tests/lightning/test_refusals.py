"""What a guard refuses before training is paid for."""

import pytest

from collapse_guard.errors import (
    FingerprintMismatchError,
    InputError,
    LineageError,
    LineageNotFoundError,
    StoreUnreachableError,
)
from collapse_guard.lightning import CollapseGuard
from collapse_guard.probes import EmbeddingProbe
from collapse_guard.records import Generation
from collapse_guard.wildtype import WildType


class TestBeforeTrainingIsPaidFor:
    @pytest.fixture
    def refused(self, trainer_of, model, loader):
        def run(own, error, match):
            with pytest.raises(error, match=match):
                trainer_of(own).fit(model, loader)
            assert model.losses == []

        return run

    def test_a_generation_that_exists_is_refused(self, guard, founder, model, refused):
        refused(
            guard("healthy", generation=0), LineageError, r"`generation` must be new to lineage 'newsbot', but got 0"
        )

    @pytest.mark.slow
    def test_a_parent_that_does_not_exist_is_refused(self, guard, founder, model, refused):
        refused(
            guard("healthy", generation=9, parents=[0, 4]),
            LineageError,
            r"`parents` of generation 9 must be .*\(0\), but got 4",
        )

    def test_another_wild_type_is_refused(self, guard, founder, model, refused, scripted, store):
        other = WildType.fit(["another language altogether " + str(i) for i in range(100)], vocabulary_size=300)
        own = CollapseGuard(other, "newsbot", scripted("healthy"), store=store)
        refused(own, FingerprintMismatchError, "load that wild type, or found the lineage anew")

    def test_in_ci_a_lineage_that_nobody_founds_is_refused(self, guard, founder, model, refused, monkeypatch):
        monkeypatch.setenv("CI", "true")
        said = "`lineage` must be in the store, but got 'newsbto': did you mean `newsbot`.*generation=0"
        refused(guard("collapsed", lineage="newsbto", generation=None), LineageNotFoundError, said)

    def test_a_store_that_does_not_answer_is_refused(self, guard, refused, tmp_path):
        own = guard("healthy", store=f"sqlite:///{tmp_path}/no/such/directory/mlflow.db")
        refused(own, StoreUnreachableError, "does not answer")

    @pytest.mark.parametrize(
        ("settings", "message"),
        [
            ({"actions": ("alert", "rase")}, "but got 'rase': did you mean `raise`"),
            ({"actions": "alert"}, "`actions` must be a sequence of actions, but got 'alert'"),
            ({"actions": ("stop",)}, "`assess_every_n_epochs` must be a number with the action stop, but got None"),
            ({"assess_every_n_epochs": 0}, "`assess_every_n_epochs` must be a whole number of at least 1, but got 0"),
            ({"lineage": ""}, "not a valid Generation: `lineage`"),
            ({"lineage": "a/b"}, "not a valid Generation: `lineage`"),
            ({"generation": -1}, "not a valid Generation: `index`"),
            ({"generation": 1, "parents": [1]}, "parents must be earlier generations than 1"),
            ({"generation": 0, "founding": "new"}, "founding must be the reason why a lineage is founded anew"),
            ({"mixture": 0.5}, "`mixture` must be a Mixture or None, but got 0.5"),
            ({"policy": "no-such.toml"}, "the policy file 'no-such.toml' cannot be read"),
        ],
    )
    def test_invalid_arguments_are_refused(self, guard, settings, message):
        with pytest.raises(InputError, match=message):
            guard("healthy", **settings)

    def test_the_place_is_checked_by_the_record_of_today(self, guard, monkeypatch):
        monkeypatch.setattr(Generation, "schema_version", Generation.schema_version + 1)
        assert guard("healthy", generation=3, parents=[0]).lineage == "newsbot"

    def test_a_wild_type_that_is_none_is_refused(self, scripted):
        with pytest.raises(
            InputError, match=r"`wild_type` must be a WildType or the directory of one, but got \['a'\]"
        ):
            CollapseGuard(["a"], "newsbot", scripted("healthy"))

    def test_a_probe_that_is_none_is_refused(self, wild_type):
        with pytest.raises(InputError, match="`probe` must have a method `collect`, but got 'causal'"):
            CollapseGuard(wild_type, "newsbot", "causal")

    def test_a_probe_for_another_kind_of_wild_type_is_refused(self, wild_type):
        with pytest.raises(InputError, match="`probe` must be for a wild type of text, but got one for vectors"):
            CollapseGuard(wild_type, "newsbot", EmbeddingProbe(print))
