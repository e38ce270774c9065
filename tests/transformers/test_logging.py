"""Where readings go: the log history, the reporters of a trainer, and the MLflow run that it logs to."""

import mlflow
import pytest
from mlflow import MlflowClient
from transformers import TrainerCallback

from collapse_guard.errors import CollapseGuardWarning
from collapse_guard.store import open_store
from tiny_models import gpt2

READING = "likelihood/perplexity"


class Reporter(TrainerCallback):
    """Keeps what it is told, as reporters of experiments do, and refuses what comes after it has closed."""

    def __init__(self, fails=False):
        self.told, self.is_open, self.fails = [], True, fails

    def on_log(self, args, state, control, logs=None, **kwargs):
        assert self.is_open
        if self.fails and READING in logs:
            raise OSError("the disk is full")
        self.told.append((state.global_step, sorted(logs)))

    def on_train_end(self, args, state, control, **kwargs):
        self.is_open = False


@pytest.mark.usefixtures("founder")
class TestReporters:
    def test_they_are_told_where_the_guard_knows_the_trainer(self, scripted, trainer_of, model):
        reporter, guard = Reporter(), scripted("healthy", assess_every_n_steps=4)
        trainer = trainer_of(model, reporter)
        assert guard.attach(trainer) is guard
        trainer.train()
        readings = [step for step, names in reporter.told if READING in names]
        losses = [step for step, names in reporter.told if "loss" in names]
        assert readings == [4, 8]
        assert losses == [4, 8]

    def test_the_log_history_has_them_in_any_case(self, scripted, trainer_of, model):
        reporter = Reporter()
        trainer = trainer_of(model, reporter, scripted("healthy", assess_every_n_steps=4))
        trainer.train()
        assert not any(READING in names for _, names in reporter.told)
        assert [line["step"] for line in trainer.state.log_history if READING in line] == [4, 8]

    def test_those_that_the_readings_do_not_reach_are_named(self, scripted, trainer_of, model):
        trainer = trainer_of(model, scripted("healthy"))
        trainer.args.report_to = ["mlflow", "tensorboard"]  # not installed
        with pytest.warns(CollapseGuardWarning, match=r"will not be in tensorboard, .* call `guard.attach\(trainer\)`"):
            trainer.train()

    def test_one_that_fails_costs_neither_training_nor_record(self, scripted, trainer_of, model, store):
        trainer = trainer_of(model, Reporter(fails=True))
        scripted("healthy").attach(trainer)
        with pytest.warns(CollapseGuardWarning, match="Trainer did not take the readings .* OSError: the disk is full"):
            trainer.train()
        assert store.latest("newsbot").generation.index == 1

    def test_a_second_guard_logs_under_its_lineage(self, scripted, trainer_of, model, store):
        trainer = trainer_of(model, scripted("healthy"), scripted("healthy", lineage="other"))
        trainer.train()
        names = {name for line in trainer.state.log_history for name in line}
        assert {READING, f"other/{READING}"} <= names
        assert [store.latest(lineage).generation.index for lineage in ("newsbot", "other")] == [1, 0]


@pytest.fixture(scope="module")
def uri(tmp_path_factory):
    """One database for the module, where MLflow is told to log: whoever told it before in this process is put back."""
    before = mlflow.get_tracking_uri() if mlflow.is_tracking_uri_set() else None
    uri = f"sqlite:///{tmp_path_factory.mktemp('mlflow') / 'mlflow.db'}"
    mlflow.set_tracking_uri(uri)
    yield uri
    mlflow.set_tracking_uri(before)


@pytest.mark.slow
@pytest.mark.parametrize("is_attached", [False, True], ids=["alone", "attached"])
def test_the_run_of_an_mlflow_callback_is_the_run_of_the_generation(
    scripted, trainer_of, tokenizer, uri, tmp_path, monkeypatch, is_attached
):
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "trainings")
    monkeypatch.chdir(tmp_path)
    lineage = f"newsbot {is_attached}"
    guard = scripted("healthy", lineage=lineage, store=None, generation=0, assess_every_n_steps=4)
    trainer = trainer_of(gpt2(tokenizer), *([] if is_attached else [guard]), report_to="mlflow")
    if is_attached:
        guard.attach(trainer)
    trainer.train()
    client = MlflowClient(uri)
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    query = f"tags.`collapse_guard.lineage` = '{lineage}' AND tags.`collapse_guard.kind` = 'generation'"
    [run] = client.search_runs(experiments, query)
    assert run.data.tags["collapse_guard.verdict"] == "HEALTHY"
    assert run.data.params["max_steps"] == "8"
    assert run.info.status == "FINISHED"
    assert [metric.step for metric in client.get_metric_history(run.info.run_id, READING)] == [4, 8]
    assert [metric.step for metric in client.get_metric_history(run.info.run_id, "loss")] == [4, 8]
    assert open_store(uri).latest(lineage).origin.step == 8
