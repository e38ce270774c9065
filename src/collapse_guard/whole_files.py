"""Files that are written whole or not at all, whatever ends the process or fills the disk."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import stat
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from io import FileIO
from pathlib import Path
from typing import Literal

from collapse_guard.errors import InputError


def write_whole(path: Path, chunks: Iterable[bytes]) -> None:
    """Write a file: until all of it is on the disk, what was there before stays.

    A link is followed. What is no file, such as a pipe or `/dev/stdout`, is written to as it is; so is a file in a
    directory in which nothing else can be made.

    Raises:
        InputError: The system refuses; the message has the path.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, "report.html")
        ...     write_whole(path, [b"<!doctype html>"])
        ...     [file.name for file in Path(folder).iterdir()], path.read_bytes()
        (['report.html'], b'<!doctype html>')
    """
    with write_errors(path):
        if _is_other(path):
            with _opened(path, "wb") as file:
                for chunk in chunks:
                    _write_all(file, chunk)
        else:
            _replace(Path(os.path.realpath(path)), chunks)


def append_whole(path: Path, data: bytes) -> None:
    """Append to a file, whose end is as before where not all of it could be written; raises InputError.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     append_whole(Path(folder, "summary.md"), b"# Verdict")
        ...     Path(folder, "summary.md").read_bytes()
        b'# Verdict'
    """
    with write_errors(path):
        is_other, is_new = _is_other(path), not path.exists()
        with _opened(path, "ab") as file:
            end = 0 if is_other else file.tell()
            try:
                _write_all(file, data)
                if not is_other:
                    os.fsync(file.fileno())
            except OSError:
                if not is_other:
                    os.ftruncate(file.fileno(), end)
                if is_new:
                    path.unlink(missing_ok=True)
                raise


def sync(path: Path) -> None:
    """Wait until a file, or the names in a directory, are on the disk; a system that cannot is not asked."""
    with suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextmanager
def write_errors(path: Path) -> Iterator[None]:
    """Raise InputError with the path where the system refuses to write."""
    try:
        yield
    except UnicodeEncodeError as error:  # what other libraries open must have a name that is Unicode
        raise InputError(f"{str(path)!r} cannot be written: its name is no UTF-8: give it another one") from error
    except OSError as error:
        raise InputError(
            f"{str(path)!r} cannot be written: {error.strerror or error}: name another file, or make room for it"
        ) from error


def _is_other(path: Path) -> bool:
    """Whether there is something else than a file, or what this process prints to."""
    return path.exists() and (not stat.S_ISREG(path.stat().st_mode) or _stream_at(path) is not None)


def _stream_at(path: Path) -> int | None:
    """The descriptor of standard output or standard error, if that is what stands at the path."""
    for descriptor in (1, 2):
        with suppress(OSError):
            if os.path.samestat(path.stat(), os.fstat(descriptor)):
                return descriptor
    return None


def _opened(path: Path, mode: Literal["wb", "ab"]) -> FileIO:
    """Opened without a buffer, which would try again what could not be written; a stream goes on behind what it has."""
    stream = _stream_at(path)
    if stream is None:
        return path.open(mode, buffering=0)
    for printed in (sys.stdout, sys.stderr):
        printed.flush()
    return FileIO(os.dup(stream), "wb")


def _write_all(file: FileIO, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[file.write(left) :]


def _replace(path: Path, chunks: Iterable[bytes]) -> None:
    before = path.stat() if path.exists() else None
    if before is not None and not os.access(path, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    part = path.with_name(f".{path.name[:100]}.{secrets.token_hex(4)}.part")
    try:
        file = part.open("xb")
    except PermissionError:
        if before is None:
            raise
        return _overwrite(path, chunks)
    try:
        with file:
            if before is not None:
                _give_rights(file.fileno(), before)
            file.writelines(chunks)
            file.flush()
            os.fsync(file.fileno())
        _rename(part, path)
    finally:
        part.unlink(missing_ok=True)
    return sync(path.parent)


def _give_rights(descriptor: int, before: os.stat_result) -> None:
    with suppress(OSError):  # another's file: what may write it may not give it away
        os.fchown(descriptor, before.st_uid, before.st_gid)
    os.fchmod(descriptor, stat.S_IMODE(before.st_mode))


def _rename(part: Path, path: Path) -> None:
    try:
        part.replace(path)
    except OSError as error:
        if error.errno != errno.EBUSY:
            raise
        shutil.copyfile(part, path)  # a single file that is mounted cannot be replaced


def _overwrite(path: Path, chunks: Iterable[bytes]) -> None:
    with path.open("wb") as file:
        file.writelines(chunks)
        file.flush()
        os.fsync(file.fileno())
