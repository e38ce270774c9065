"""With real MLflow stores: which run a generation gets, and what happens when the store goes away."""

import warnings
from pathlib import Path

import pytest
import pytorch_lightning as pl
from mlflow import MlflowClient

from collapse_guard.errors import CollapseGuardWarning, FingerprintMismatchError, LineageError, StoreUnreachableError
from collapse_guard.guard.loggers import Loggers
from collapse_guard.lightning import CollapseGuard
from collapse_guard.lineage.outbox import list_pending, load_pending
from collapse_guard.records import Severity
from collapse_guard.store import MemoryStore, open_store
from collapse_guard.store.mlflow.layout import metric_name
from collapse_guard.wildtype import WildType


@pytest.fixture(scope="module")
def uri(tmp_path_factory):
    """One database for the module: MLflow takes seconds to make one."""
    return f"sqlite:///{tmp_path_factory.mktemp('mlflow') / 'mlflow.db'}"


@pytest.fixture
def train(wild_type, scripted, trainer_of, model_of, loader):
    def run(lineage, *, namespace=pl, logger=False, store=None, **settings):
        usual = {"store": store, "actions": (), "generation": 0}
        guard = CollapseGuard(wild_type, lineage, scripted("healthy"), **{**usual, **settings})
        trainer_of(guard, namespace=namespace, max_epochs=2, logger=logger).fit(model_of(namespace), loader)
        return guard

    return run


def mlflow_logger(uri, tmp_path, namespace=pl):
    return namespace.loggers.MLFlowLogger("training", tracking_uri=uri, artifact_location=tmp_path.as_uri())


def runs_of(uri, lineage):
    """Tags of the runs of a lineage's generations, and the runs."""
    client = MlflowClient(uri)
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    query = f"tags.`collapse_guard.lineage` = '{lineage}' AND tags.`collapse_guard.kind` = 'generation'"
    return client.search_runs(experiments, query)


class TestWithAnMLFlowLogger:
    @pytest.mark.slow
    def test_its_run_is_the_run_of_the_generation(self, train, uri, tmp_path, namespace):
        logger, lineage = mlflow_logger(uri, tmp_path, namespace), f"of {namespace.__name__}"
        train(lineage, namespace=namespace, logger=logger, assess_every_n_epochs=1)
        [run] = runs_of(uri, lineage)
        assert run.info.run_id == logger.run_id
        assert run.info.status == "FINISHED"
        assert run.data.tags["collapse_guard.verdict"] == "HEALTHY"
        assert open_store(uri).latest(lineage).verdict.severity is Severity.HEALTHY
        series = MlflowClient(uri).get_metric_history(logger.run_id, "likelihood/perplexity")
        assert [metric.step for metric in series] == [4, 8]

    @pytest.mark.slow
    def test_only_the_first_of_several_guards_owns_it(
        self, wild_type, scripted, trainer_of, model, loader, uri, tmp_path
    ):
        logger = mlflow_logger(uri, tmp_path)
        settings = {"actions": (), "generation": 0}
        guards = [CollapseGuard(wild_type, name, scripted("healthy"), **settings) for name in ("first", "second")]
        with warnings.catch_warnings():
            warnings.simplefilter("error", CollapseGuardWarning)
            trainer_of(*guards, logger=logger, max_epochs=1).fit(model, loader)
        [[first], [second]] = [runs_of(uri, name) for name in ("first", "second")]
        assert first.info.run_id == logger.run_id != second.info.run_id

    def test_training_that_raises_leaves_a_failed_run_without_a_generation(
        self, wild_type, scripted, trainer_of, model, loader, uri, tmp_path
    ):
        def explode(batch, batch_idx):
            raise ZeroDivisionError("loss")

        model.training_step = explode
        logger = mlflow_logger(uri, tmp_path)
        guard = CollapseGuard(wild_type, "exploded", scripted("healthy"), generation=0)
        with pytest.raises(ZeroDivisionError, match="loss"):
            trainer_of(guard, logger=logger).fit(model, loader)
        run = MlflowClient(uri).get_run(logger.run_id)
        assert run.info.status == "FAILED"
        assert not any(tag.startswith("collapse_guard") for tag in run.data.tags)
        assert not open_store(uri).has("exploded")

    def test_the_report_of_the_whole_lineage_is_beside_the_assessment(self, train, uri, tmp_path):
        logger = mlflow_logger(uri, tmp_path)
        train("reported", logger=logger)
        names = {file.path for file in MlflowClient(uri).list_artifacts(logger.run_id)}
        assert {"assessment.json", "report.html"} <= names


class MLFlowLogger:
    """What matters of a logger, under its name."""

    run_id = "of the logger"

    def __init__(self, uri):
        self._tracking_uri = uri


class TestTheTrainersRun:
    def is_used(self, store, *loggers):
        """Whether the generation is kept in the run that the trainer logs to."""
        return Loggers(loggers).place(store, 8) is not store

    def test_is_the_generations_where_both_are_in_one_place(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        store = open_store(f"sqlite:///{tmp_path}/mlflow.db")
        assert self.is_used(store, object(), MLFlowLogger("sqlite:///mlflow.db"))

    @pytest.mark.parametrize("uri", ["sqlite:///other.db", "http://localhost:1", "file:./mlruns"])
    def test_is_not_where_the_logger_is_elsewhere(self, uri, tmp_path):
        assert not self.is_used(open_store(f"sqlite:///{tmp_path}/mlflow.db"), MLFlowLogger(uri))

    def test_is_not_where_there_is_no_mlflow(self, tmp_path):
        assert not self.is_used(MemoryStore(), MLFlowLogger("sqlite:///mlflow.db"))
        assert not self.is_used(open_store(f"sqlite:///{tmp_path}/mlflow.db"))


NAMES = ("новости", "погода", "日本語 モデル", "モデル", "bot/2".replace("/", "∕"), "100% x = no", "newsbot")
"""Names that MLflow's logger would strip to one key, or to none."""


class TestTheKeysOfSeveralLineages:
    @pytest.mark.slow
    def test_differ_whatever_the_alphabet_and_the_generations_are_recorded(
        self, wild_type, scripted, trainer_of, model, loader, uri, tmp_path
    ):
        logger = mlflow_logger(uri, tmp_path)
        settings = {"actions": (), "generation": 0, "assess_every_n_epochs": 1}
        guards = [CollapseGuard(wild_type, name, scripted("healthy"), **settings) for name in ("plain", *NAMES)]
        trainer_of(*guards, logger=logger, max_epochs=2).fit(model, loader)
        store = open_store(uri)
        assert all(store.has(name) for name in ("plain", *NAMES))
        keys = [key for key in MlflowClient(uri).get_run(logger.run_id).data.metrics if key.endswith("/perplexity")]
        assert set(keys) == {f"{metric_name(name)}/likelihood/perplexity" for name in NAMES} | {"likelihood/perplexity"}
        assert len(keys) == len(NAMES) + 1
        for key in keys:
            steps = [metric.step for metric in MlflowClient(uri).get_metric_history(logger.run_id, key)]
            assert steps == [4, 8]


class Faulty(pl.loggers.CSVLogger):
    """A logger whose server is gone."""

    def log_metrics(self, metrics, step=None):
        raise ConnectionError("no route to http://ann:secret@ml:5000")


class Witness(pl.loggers.CSVLogger):
    """Notes whether the generation was recorded before it was logged."""

    def __init__(self, folder, store):
        super().__init__(folder)
        self.store, self.recorded = store, []

    def log_metrics(self, metrics, step=None):
        if "likelihood/perplexity" in metrics:
            self.recorded.append((step, self.store.lineages()))


def ours(warned):
    """The guard's warnings among all."""
    return [str(one.message) for one in warned if one.category is CollapseGuardWarning]


class TestALoggerThatFails:
    def test_costs_neither_the_generation_nor_the_other_loggers(self, train, tmp_path):
        store = MemoryStore()
        witness = Witness(tmp_path, store)
        with pytest.warns(CollapseGuardWarning) as warned:
            guard = train("faulty", store=store, logger=[Faulty(tmp_path), witness])
        assert store.latest("faulty") == guard.assessment
        assert witness.recorded == [(8, ["faulty"])]
        [message] = ours(warned)
        assert message.startswith(
            "Faulty did not take the readings of generation 0 of 'faulty': ConnectionError: no route to "
            "http://ann:***@ml:5000. Training and the lineage go on"
        )

    def test_in_the_run_does_not_end_it(self, train, tmp_path):
        store = MemoryStore()
        with pytest.warns(CollapseGuardWarning, match="Faulty did not take the readings") as warned:
            guard = train("looks", store=store, logger=Faulty(tmp_path), assess_every_n_epochs=1)
        assert (len(guard.looks), len(ours(warned))) == (1, 2)
        assert store.has("looks")

    @pytest.mark.slow
    def test_of_mlflow_itself_costs_no_record(self, train, uri, tmp_path, monkeypatch):
        logger = mlflow_logger(uri, tmp_path)
        monkeypatch.setattr(type(logger), "log_metrics", lambda *_, **__: (_ for _ in ()).throw(OSError("gone")))
        with pytest.warns(CollapseGuardWarning, match="MLFlowLogger did not take .*OSError: gone"):
            train("broken logger", logger=logger, assess_every_n_epochs=1)
        series = MlflowClient(uri).get_metric_history(logger.run_id, "likelihood/perplexity")
        assert [metric.step for metric in series] == [8], "the store itself keeps the readings, at the step of the run"
        assert open_store(uri).has("broken logger")

    def test_that_cannot_name_its_run_leaves_the_generation_a_run_of_its_own(self, uri, monkeypatch):
        store = open_store(uri)
        logger = MLFlowLogger(uri)
        monkeypatch.setattr(
            MLFlowLogger, "run_id", property(lambda self: (_ for _ in ()).throw(OSError("gone"))), raising=True
        )
        with pytest.warns(CollapseGuardWarning, match="MLFlowLogger did not say which run it logs to: OSError: gone"):
            assert Loggers([logger]).place(store, 8) is store

    @pytest.mark.slow
    def test_a_prefix_of_the_logger_is_kept_to(self, train, uri, tmp_path):
        logger = pl.loggers.MLFlowLogger(
            "training", tracking_uri=uri, artifact_location=tmp_path.as_uri(), prefix="mine"
        )
        train("prefixed", logger=logger)
        series = MlflowClient(uri).get_metric_history(logger.run_id, "mine-likelihood/perplexity")
        assert [metric.step for metric in series] == [8]


class TestWithoutOne:
    def test_the_store_is_that_of_the_environment_or_of_the_working_directory(self, train, uri, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
        train("environment")
        assert open_store(uri).has("environment")
        assert not (tmp_path / "mlflow.db").exists()


class Failing(MemoryStore):
    """Answers until the generation is to be recorded."""

    def __init__(self, error):
        super().__init__()
        self.error = error

    def append(self, *args, **settings):
        raise self.error


class TestWhenTheStoreFailsAtTheEnd:
    @pytest.mark.parametrize(
        "error",
        [
            StoreUnreachableError("the network is down"),
            LineageError("somebody was faster"),
            FingerprintMismatchError("somebody began the lineage with another wild type"),
        ],
    )
    def test_the_evidence_is_kept_and_training_is_not_lost(self, train, tmp_path, monkeypatch, wild_type, error):
        monkeypatch.chdir(tmp_path)
        said = rf"generation 0 of 'kept' is not in the store: {error}\n(.|\n)*collapse-guard assess --resume$"
        with pytest.warns(CollapseGuardWarning, match=said):
            guard = train("kept", store=Failing(error), seed=3)
        assert guard.verdict.severity is Severity.HEALTHY
        [path] = list_pending(".collapse_guard/pending")
        pending = load_pending(path)
        assert (pending.request.lineage, pending.request.index, pending.request.seed) == ("kept", 0, 3)
        assert pending.evidence.losses.documents == wild_type.evaluation.hashes
        assert WildType.load(pending.request.wild_type_path).fingerprint == wild_type.fingerprint
        assert Path(pending.request.wild_type_path).is_absolute()

    def test_keeping_twice_is_fine(self, train, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        for _ in range(2):
            with pytest.warns(CollapseGuardWarning, match="kept in"):
                train("kept", store=Failing(StoreUnreachableError("down")))
        assert len(list_pending(".collapse_guard/pending")) == 2
