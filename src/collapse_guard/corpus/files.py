"""Files with texts: which ones the given paths stand for, and what is left out of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from glob import has_magic
from itertools import chain, takewhile
from pathlib import Path
from typing import TypeAlias

from collapse_guard.corpus.formats import TEXTS, check_extension, either, is_known, is_stream
from collapse_guard.corpus.saved_datasets import SavedDataset, is_cache, is_note, saved_dataset, saved_splits
from collapse_guard.corpus.streams import name_of, shown_name
from collapse_guard.errors import CorpusError, near

Part: TypeAlias = Path | SavedDataset
"""What is read at once: a file, a stream, or a dataset whose rows stand in several files."""
_SHOWN = 3
_ADDRESS = re.compile("[a-z][a-z0-9+.-]+:/")


@dataclass(frozen=True)
class Given:
    """One of the paths that were given."""

    path: Path
    """As it was given: a file, a directory, a pattern, or `-`."""
    parts: tuple[Part, ...]
    """What it stands for, in the order in which it is read."""

    @property
    def files(self) -> tuple[Path, ...]:
        """The files with its rows."""
        return tuple(
            chain.from_iterable(part.files if isinstance(part, SavedDataset) else (part,) for part in self.parts)
        )

    @property
    def name(self) -> str:
        """A short name, such as "healthy.jsonl" or "samples/ (3 files)"."""
        if self.files == (self.path,):
            return name_of(self.path) if is_stream(self.path) else shown_name(self.path.name)
        n = len(self.files)
        name = f"{self.path.resolve().name}/" if self.path.is_dir() else str(self.path)
        return f"{shown_name(name)} ({n} {'file' if n == 1 else 'files'})"


@dataclass(frozen=True)
class TextFiles:
    """The files that paths stand for. Make it with `of`.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     for name in ("a.txt", "notes.md", ".hidden.txt"):
        ...         _ = Path(folder, name).write_text("We the people", encoding="utf-8")
        ...     files = TextFiles.of(folder)
        >>> [file.name for file in files.files], len(files.left_out)
        (['a.txt'], 2)
    """

    given: tuple[Given, ...]
    """Each path that was given."""
    left_out: tuple[str, ...]
    """What is not read of directories and patterns, in words."""

    @classmethod
    def of(cls, paths: str | Path | Sequence[str | Path]) -> TextFiles:
        """Find the files.

        A directory stands for the files of known formats in it and in its directories, in the order of their names; a
        dataset that was saved in one, for the files that it names. A pattern such as `samples/*.jsonl` stands for what
        it matches, and `-` for standard input. Names that begin with `.` or `_` are left out.

        Raises:
            CorpusError: A path does not exist, has an unknown extension, or holds nothing that is read.
        """
        chosen = [Path(paths)] if isinstance(paths, str | Path) else [Path(path) for path in paths]
        if not chosen:
            raise CorpusError("`paths` must name at least one file or directory, but got none")
        _check_streams(chosen)
        walk = _Walk()
        given = tuple(Given(path, walk.parts_of(path)) for path in chosen)
        return cls(given, tuple(chain.from_iterable(left.phrases() for left in walk.left_out)))

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that are read, in order."""
        return tuple(chain.from_iterable(one.files for one in self.given))

    @property
    def paths(self) -> tuple[Path, ...]:
        """What was given, and the files that it stands for."""
        return (*(one.path for one in self.given), *self.files)

    @property
    def name(self) -> str:
        """A short name for all of them, such as "healthy.jsonl" or "samples/ (3 files)"."""
        first, *others = self.given
        if len(others) > 1:
            return f"{first.name} and {len(others)} more"
        return " and ".join(one.name for one in self.given)


def near_file(path: Path) -> str:
    """The files nearest to one that is not there, for the end of an error message."""
    return near(path.name, [file.name for file in path.parent.iterdir()] if path.parent.is_dir() else [])


def _check_streams(paths: Sequence[Path]) -> None:
    streams = [path for path in paths if is_stream(path)]
    if len(set(streams)) < len(streams):
        raise CorpusError(f"{name_of(streams[0])} must be given once, but got it {len(streams)} times: it is read once")


@dataclass
class _LeftOut:
    """What is left out of one directory or pattern."""

    where: str
    base: Path
    hidden: list[str] = field(default_factory=list)
    caches: list[str] = field(default_factory=list)
    again: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)

    def add(self, paths: Sequence[Path]) -> None:
        """Note paths that are not read."""
        for path in paths:
            kind = self.hidden if _is_hidden(path.name) else self.caches if is_cache(path) else self.others
            kind.append(self.named(path))

    def named(self, path: Path) -> str:
        """The path within what was given."""
        return str(path.relative_to(self.base))

    def phrases(self) -> list[str]:
        """Each kind, with the first names."""
        kinds = [
            (self.hidden, "name that begins with . or _", "names that begin with . or _"),
            (self.others, "file of another kind", "files of other kinds"),
            (self.caches, "cache of `datasets`", "caches of `datasets`"),
            (self.again, "link to what is read already", "links to what is read already"),
        ]
        return [
            f"{len(names)} {one if len(names) == 1 else several} in {self.where} ({_first(names)})"
            for names, one, several in kinds
            if names
        ]


def _first(names: Sequence[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (", …" if len(names) > _SHOWN else "")


class _Walk:
    """Finds files, each directory once."""

    def __init__(self) -> None:
        self.left_out: list[_LeftOut] = []

    def parts_of(self, path: Path) -> tuple[Part, ...]:
        """What a path stands for; raises CorpusError if that is nothing."""
        try:
            if path.is_dir():
                return self._all(path, partial(self._directory, path, seen=set()))
            if not is_stream(path) and not path.exists() and has_magic(str(path)):
                return self._all(path, partial(self._matches, path))
            _check_file(path)
        except OSError as error:
            raise CorpusError(f"{error.filename or path} cannot be read: {error.strerror or error}") from error
        return (path,)

    def _all(self, path: Path, find: Callable[[_LeftOut], Iterator[Part]]) -> tuple[Part, ...]:
        left = _LeftOut(f"{path}/", path) if path.is_dir() else _LeftOut(str(path), _fixed(path))
        self.left_out.append(left)
        parts = tuple(find(left))
        if not parts:
            what = "directory" if path.is_dir() else "pattern"
            got = ", ".join(left.phrases()) or "it holds none of them"
            raise CorpusError(f"{what} {path} must hold {either(TEXTS)} files, but {got}")
        return parts

    def _matches(self, pattern: Path, left: _LeftOut) -> Iterator[Part]:
        seen: set[Path] = set()
        base = _fixed(pattern)
        try:
            matches = sorted(base.glob(str(pattern.relative_to(base))))
        except ValueError as error:
            raise CorpusError(
                f"{pattern} must be a pattern such as samples/**/*.jsonl, but it is none: {error}"
            ) from error
        folders = {path for path in matches if path.is_dir()}
        for path in matches:
            if folders.isdisjoint(path.parents):
                names = path.relative_to(base).parent.parts
                yield from self._entry(path, left, seen, is_hidden=any(map(_is_hidden, names)))

    def _directory(self, folder: Path, left: _LeftOut, seen: set[Path]) -> Iterator[Part]:
        if folder.resolve() in seen:
            left.again.append(left.named(folder))
            return
        seen.add(folder.resolve())
        dataset, splits = saved_dataset(folder), saved_splits(folder)
        entries = sorted(folder.iterdir())
        if dataset is not None:
            yield dataset
            left.add([path for path in entries if not dataset.has(path)])
        elif splits is not None:
            for split in splits:
                yield from self._directory(split, left, seen)
            left.add([path for path in entries if path not in splits and not is_note(path)])
        else:
            for path in entries:
                yield from self._entry(path, left, seen)

    def _entry(self, path: Path, left: _LeftOut, seen: set[Path], *, is_hidden: bool = False) -> Iterator[Part]:
        if is_hidden or _is_hidden(path.name):
            left.add([path])
        elif path.is_dir():
            yield from self._directory(path, left, seen)
        elif path.is_file() and is_known(path, TEXTS) and not is_cache(path) and not is_note(path):
            if path.resolve() in seen:
                left.again.append(left.named(path))
            else:
                seen.add(path.resolve())
                yield path
        else:
            left.add([path])


def _fixed(pattern: Path) -> Path:
    """The directory that a pattern begins with."""
    return Path(*takewhile(lambda part: not has_magic(part), pattern.parts))


def _is_hidden(name: str) -> bool:
    return name.startswith((".", "_"))


def _check_file(path: Path) -> None:
    if _ADDRESS.match(str(path)) and not path.exists():
        raise CorpusError(f"{path} must be on this machine, but it is an address: download it, or pipe it into `-`")
    if not is_stream(path) and not path.exists():
        raise CorpusError(f"{path} must be a file or a directory, but it does not exist: {near_file(path)}")
    check_extension(path, TEXTS)
