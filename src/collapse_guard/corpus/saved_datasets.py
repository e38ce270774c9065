"""Datasets as Hugging Face's `datasets` saves and caches them: which files hold the rows, and which do not."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import BaseModel, Field, ValidationError

from collapse_guard.errors import CorpusError

_STATE, _SPLITS, _INFO = "state.json", "dataset_dict.json", "dataset_info.json"
_NOTES = (_SPLITS, _INFO, "dataset_infos.json")
_CACHES = ("cache-*.arrow", "tmp*")

ModelT = TypeVar("ModelT", bound=BaseModel)
PlainName = Annotated[str, Field(pattern=r"^[^./\\\x00][^/\\\x00]*$")]
"""A name within the folder: what is read may be hostile."""


class _File(BaseModel):
    filename: PlainName


class _State(BaseModel):
    files: list[_File] = Field(alias="_data_files", min_length=1)
    indices: list[_File] | None = Field(alias="_indices_data_files", default=None)


class _Splits(BaseModel):
    splits: list[PlainName]


@dataclass(frozen=True)
class SavedDataset:
    """A dataset that `save_to_disk` wrote."""

    folder: Path
    """Where it is."""
    files: tuple[Path, ...]
    """The Arrow files with its rows."""
    indices: tuple[Path, ...]
    """Arrow files with the numbers of the rows that it has, in its order; none: it has all of them in theirs."""

    def has(self, file: Path) -> bool:
        """Whether a file of the folder belongs to it."""
        return file in (*self.files, *self.indices) or file.name == _STATE or is_note(file)


def saved_dataset(folder: Path) -> SavedDataset | None:
    """The dataset that was saved in a folder, if there is one; raises CorpusError if its files are not there."""
    state = _read(folder / _STATE, _State, "_data_files")
    if state is None:
        return None
    files, indices = ([folder / file.filename for file in part] for part in (state.files, state.indices or ()))
    for file in (*files, *indices):
        if not file.is_file():
            raise CorpusError(
                f"{folder / _STATE} names {file.name}, but that is not there: copy the whole folder again"
            )
    return SavedDataset(folder, tuple(files), tuple(indices))


def saved_splits(folder: Path) -> tuple[Path, ...] | None:
    """The folders of the splits of a `DatasetDict` that was saved in a folder, in its order; None if there is none."""
    named = _read(folder / _SPLITS, _Splits, "splits")
    if named is None:
        return None
    folders = tuple(folder / name for name in named.splits)
    for split in folders:
        if not split.is_dir():
            raise CorpusError(
                f"{folder / _SPLITS} names {split.name}, but that is not there: copy the whole folder again"
            )
    return folders


def is_note(path: Path) -> bool:
    """Whether `datasets` writes such a file beside its rows, about them."""
    return path.name in _NOTES


def is_cache(path: Path) -> bool:
    """Whether a file beside its rows has what `datasets` computed of them, or began to."""
    return any(map(path.match, _CACHES)) and any((path.parent / name).is_file() for name in (_STATE, _INFO))


def _read(file: Path, kind: type[ModelT], key: str) -> ModelT | None:
    """What a file of `datasets` says; None if it is not there, or is another one of this name."""
    if not file.is_file():
        return None
    try:
        body = json.loads(file.read_bytes())
    except (ValueError, RecursionError) as error:
        raise CorpusError(f"{file} must be JSON, but it is not: {error}: copy the whole folder again") from error
    if not isinstance(body, dict) or key not in body:
        return None
    try:
        return kind.model_validate(body)
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(map(str, problem["loc"]))
        raise CorpusError(
            f"{file} must name files of its folder, but `{where}` is {problem['input']!r:.80}: write the dataset anew"
        ) from error
