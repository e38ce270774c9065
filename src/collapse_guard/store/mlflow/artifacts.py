"""Where the artifacts of a run lie. MLflow records absolute places, and people move a database with its artifacts.

What lies beside the database, at the place relative to it, comes first: a moved or copied store is whole, and never
reads or changes what was left behind.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.exceptions import MlflowException

from collapse_guard.errors import LineageError
from collapse_guard.store.mlflow.address import without_password

_FOLDER = "mlruns"


def home(database: Path, experiment: str) -> Path:
    """The folder beside a database in which the artifacts of an experiment are kept.

    Example:
        >>> home(Path("/data/mlflow.db"), "collapse_guard").as_posix()
        '/data/mlruns/collapse_guard'
    """
    return database.parent / _FOLDER / quote(experiment, safe="")


def read(client: MlflowClient, run: Run, name: str, database: Path | None, where: str) -> bytes:
    """A file that is kept with a run.

    Args:
        client: Asks the store, where the file is not on this machine.
        run: The run.
        name: Name of the file.
        database: File of the store; None: it is no file.
        where: What is being read, for the message.

    Raises:
        LineageError: It is not there, or cannot be read; the message names the places that were tried.
    """
    run_id, uri = run.info.run_id, run.info.artifact_uri
    folders = places(uri, run_id, database)
    if folders:
        return _first([folder / name for folder in folders], where)
    try:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(client.download_artifacts(run_id, name, folder))
            _check_download(client, run_id, file)
            return file.read_bytes()
    except (OSError, MlflowException) as error:
        if any(file.path == name for file in client.list_artifacts(run_id)):
            raise
        raise LineageError(f"{where} is not there: put it back at {without_password(uri)}") from error


def _check_download(client: MlflowClient, run_id: str, file: Path) -> None:
    """Tell a record that is damaged from the page of a proxy that answers in place of the server.

    Raises:
        OSError: What came is no JSON object, and not as long as the record either.
    """
    if file.suffix == ".json" and not file.read_bytes().lstrip().startswith(b"{"):
        kept = [one.file_size for one in client.list_artifacts(run_id) if one.path == file.name]
        if kept != [file.stat().st_size]:
            raise OSError(f"it answered with something else than {file.name}")


def _first(files: Sequence[Path], where: str) -> bytes:
    """The content of the first file that exists."""
    try:
        found = next((file for file in files if file.exists()), None)
        if found is not None:
            return found.read_bytes()
    except OSError as error:
        raise LineageError(f"{where} cannot be read: {error}") from error
    tried = ", nor ".join(str(file) for file in files)
    raise LineageError(f"{where} is not there: no file is {tried}. Put it back at one of them")


def write(client: MlflowClient, run: Run, texts: Mapping[str, str], database: Path | None, experiment: str) -> None:
    """Keep files, name -> text, with a run; beside the database, also where it was moved after it was made."""
    with tempfile.TemporaryDirectory() as folder:
        for name, text in texts.items():
            Path(folder, name).write_bytes(text.encode())
        moved = place_for(run.info.artifact_uri, run.info.run_id, database, experiment)
        if moved is None:
            client.log_artifacts(run.info.run_id, folder)
        else:
            shutil.copytree(folder, moved, dirs_exist_ok=True)


def places(uri: str, run_id: str, database: Path | None) -> list[Path]:
    """The local folders in which the artifacts of a run may be, likeliest first; none where they are not local.

    Args:
        uri: What MLflow recorded as the place of the run's artifacts.
        run_id: The run, whose id is a folder of that place.
        database: File of the store; None: it is no file, so that nothing lies beside it.

    Example:
        >>> places("s3://bucket/1/abc/artifacts", "abc", None)
        []
    """
    recorded = _local(uri)
    if recorded is None:
        return []
    beside = None if database is None else _beside(recorded, run_id, database)
    return [recorded] if beside in (None, recorded) else [beside, recorded]


def _beside(recorded: Path, run_id: str, database: Path) -> Path | None:
    """The longest end of the recorded place, with its run's id in it, that exists below a folder of the database.

    Where there is none, the end that is expected beside the database, so that a message can name it.
    """
    starts = range(1, recorded.parts.index(run_id) + 1) if run_id in recorded.parts else ()
    candidates = (above.joinpath(*recorded.parts[start:]) for above in database.parents for start in starts)
    place = next((place for place in candidates if place.is_dir()), None)
    if place is None and _FOLDER in recorded.parts:
        return database.parent.joinpath(*recorded.parts[recorded.parts.index(_FOLDER) :])
    return place


def place_for(uri: str, run_id: str, database: Path | None, experiment: str) -> Path | None:
    """The folder beside a moved database for the artifacts of a new run; None where MLflow's own place is right.

    Args:
        uri: Place of the run's artifacts, as MLflow made it from the place that the experiment had in the beginning.
        run_id: The new run.
        database: File of the store; None: it is no file.
        experiment: Name that the experiment of the lineages was made with.
    """
    recorded = _local(uri)
    if database is None or recorded is None or run_id not in recorded.parts:
        return None
    now = home(database, experiment)
    end = recorded.parts.index(run_id)
    is_ours = recorded.parts[max(0, end - 2) : end] == now.parts[-2:]
    return now.joinpath(*recorded.parts[end:]) if is_ours and recorded.parts[:end] != now.parts else None


def _local(uri: str) -> Path | None:
    """The folder of a file URI or a plain path."""
    parts = urlsplit(uri)
    if parts.scheme not in ("", "file") or parts.netloc not in ("", "localhost"):
        return None
    return Path(unquote(parts.path) if parts.scheme else uri)
