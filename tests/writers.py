"""Other processes that write to a store, and some that are killed while they do.

They are forked off a process that has imported what they need.
"""

import multiprocessing
import os
import signal
import threading

import tenacity
from mlflow import MlflowClient

from collapse_guard.errors import GenerationTakenError
from collapse_guard.records import Assessment
from collapse_guard.store import next_index
from collapse_guard.store.mlflow.store import MLflowStore
from waiting import PATIENCE

KILLED = -signal.SIGKILL
_PROCESSES = multiprocessing.get_context("forkserver")
_PROCESSES.set_forkserver_preload(["pytest", "collapse_guard.store.mlflow.store"])


def at_once(work, *several):
    """Do the work in a process for each tuple of arguments, all at once; their exit codes."""
    processes = [_PROCESSES.Process(target=work, args=arguments) for arguments in several]
    for process in processes:
        process.start()
    for process in processes:
        process.join(PATIENCE)
    return [process.exitcode for process in processes]


def append_all(uri, records):
    """Append records, which are given as dictionaries."""
    store = MLflowStore(uri)
    for record in records:
        store.append(Assessment.from_dict(record))


def append_and_be_killed(uri, record, nth):
    """Append a record, and be killed when MLflow's client is asked for the nth time; exit code 0: it was not."""
    asked = [0]
    counting = threading.Lock()

    def counted(request):
        def ask(*arguments, **settings):
            with counting:
                asked[0] += 1
                if asked[0] == nth:
                    os.kill(os.getpid(), signal.SIGKILL)
            return request(*arguments, **settings)

        return ask

    for name in dir(MlflowClient):
        request = getattr(MlflowClient, name)
        if not name.startswith("_") and callable(request):
            setattr(MlflowClient, name, counted(request))
    append_all(uri, [record])


def append_as_next(uri, record):
    """Append a record under the next number that is free, as often as another process is faster."""
    store, own = MLflowStore(uri), Assessment.from_dict(record)
    overtaken = tenacity.retry_if_exception_type(GenerationTakenError)
    for attempt in tenacity.Retrying(retry=overtaken, wait=tenacity.wait_random(0.0, 1.0)):
        with attempt:
            store.append(numbered(own, next_index(store.ledger(own.generation.lineage))))


def numbered(assessment, index):
    """The assessment as that of another generation."""
    generation = assessment.generation.model_copy(update={"index": index, "parents": tuple(range(index))})
    verdict = assessment.verdict.model_copy(update={"generation": index})
    return assessment.model_copy(update={"generation": generation, "verdict": verdict})
