"""Text of a file or of standard input: decompressed, decoded by its byte order mark, and with every fault named.

The Unicode that a byte order mark names is read; without one, text must be UTF-8. A lone CR ends a line, as LF and
CR LF do. pyarrow decompresses: other libraries need a package more for zstandard.
"""

from __future__ import annotations

import codecs
import io
import re
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

import pyarrow as pa

from collapse_guard.corpus.limits import LARGEST_TEXT, check_length, check_unpacked
from collapse_guard.errors import CorpusError

COMPRESSIONS = {".bz2": "bz2", ".gz": "gzip", ".zst": "zstd"}
"""Extension of compressed text -> its codec."""
STANDARD_INPUT = Path("-")
"""Stands for standard input."""

_CHUNK = 1 << 16
_CODECS = {
    "gzip": re.compile(rb"\x1f\x8b"),
    "zstd": re.compile(rb"\x28\xb5\x2f\xfd"),
    "bz2": re.compile(rb"BZh[1-9](1AY&SY|\x17rE8P\x90)"),
}
"""How compressed data begin: what has no name, or another one, is known by that."""
_BINARY = {b"PAR1": "Parquet", b"ARROW1": "Arrow", b"PK\x03\x04": "zip", b"\xfd7zXZ": "xz"}
_MARKS = {  # that of UTF-32 begins with that of UTF-16
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
    codecs.BOM_UTF8: "utf-8-sig",
}


class Text(io.TextIOWrapper):
    """A file of text that is open; each line keeps its end."""

    head: str
    """What it begins with."""
    _n_lines = 0

    def __next__(self) -> str:  # type: ignore[override]  # as TextIOWrapper has it
        """The next line; raises CorpusError where it is too long to be one."""
        line = self.readline(LARGEST_TEXT + 1)
        if not line:
            raise StopIteration
        self._n_lines += 1
        if len(line) > LARGEST_TEXT:
            check_length(f"line {self._n_lines} of {self.name}", len(line))
        return line


@contextmanager
def open_text(path: Path) -> Iterator[Text]:
    """Open a file of text, or standard input for `-`.

    Raises:
        CorpusError: While it is read: it cannot be decompressed, or is not the text that its byte order mark says, or
            UTF-8 where it has none; the message has the offset of the first bad byte.
    """
    with ExitStack() as stack:
        source = _Source(path, *_decompressed(path, stack))
        text = stack.enter_context(Text(source, encoding=source.encoding, newline=""))
        text.head = source.head.decode(source.encoding, "ignore")
        try:
            yield text
        except UnicodeDecodeError as error:
            _refuse_byte(source, error)


def name_of(path: Path) -> str:
    """The path as messages and records name it, also where its bytes are no UTF-8.

    Example:
        >>> name_of(Path("-")), name_of(Path("real.txt"))
        ('standard input', 'real.txt')
    """
    return "standard input" if path == STANDARD_INPUT else shown_name(str(path))


def shown_name(name: str) -> str:
    r"""A name that can be written: bytes of another encoding, which Python holds as halves of characters, are spelt.

    Example:
        >>> import os
        >>> shown_name(os.fsdecode(b"caf\xe9.txt"))
        'caf\\udce9.txt'
    """
    return name.encode(errors="backslashreplace").decode()


class _Counted(io.BufferedIOBase):
    """A file that counts the bytes that were read of it."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self.n_bytes = file, 0

    def readable(self) -> bool:
        return True

    def read(self, size: int | None = -1) -> bytes:
        data = self._file.read(-1 if size is None else size)
        self.n_bytes += len(data)
        return data


def _decompressed(path: Path, stack: ExitStack) -> tuple[Any, str | None, _Counted]:
    """The stream of a file, its codec if it is compressed, and the file itself."""
    file: BinaryIO = sys.stdin.buffer if path == STANDARD_INPUT else stack.enter_context(path.open("rb"))
    head = file.peek(10)[:10] if isinstance(file, io.BufferedReader) else b""
    known = (codec for codec, beginning in _CODECS.items() if beginning.match(head))
    codec = COMPRESSIONS.get(path.suffix.lower()) or next(known, None)
    counted = _Counted(file)
    if codec is None:
        return counted, None, counted
    unpacked = pa.CompressedInputStream(stack.enter_context(pa.PythonFile(counted, "r")), codec)
    return stack.enter_context(unpacked), codec, counted


class _Source(io.BufferedIOBase):
    """The bytes of a text, counted, so that a bad one can be named."""

    def __init__(self, path: Path, stream: Any, codec: str | None, file: _Counted) -> None:
        self._path, self._stream, self._codec, self._file = path, stream, codec, file
        self.position = 0
        self.head = self._next()
        self._waiting = self.head
        self.encoding = next((name for mark, name in _MARKS.items() if self.head.startswith(mark)), "utf-8")
        kind = next((name for mark, name in _BINARY.items() if self.head.startswith(mark)), None)
        if kind is not None:
            raise CorpusError(f"{name_of(path)} must be text, but it is a {kind} file: give it the name of one")

    @property
    def name(self) -> str:
        return name_of(self._path)

    def readable(self) -> bool:
        return True

    def read1(self, _: int = -1) -> bytes:
        chunk, self._waiting = self._waiting or self._next(), b""
        if self.encoding == "utf-8" and (place := chunk.find(0)) >= 0:
            self._refuse_nul(chunk, self.position + place)
        self.position += len(chunk)
        if self._codec is not None:
            check_unpacked(self.name, self.position, packed=self._file.n_bytes)
        return chunk

    def read(self, size: int | None = -1) -> bytes:
        return self.read1() if size is not None and size >= 0 else b"".join(iter(self.read1, b""))

    def _next(self) -> bytes:
        try:
            # pyarrow's `read` never frees its room where it raises: 64 kB for each damaged file.
            room = bytearray(_CHUNK)
            return bytes(room[: self._stream.readinto(room)])
        except OSError as error:
            if self._codec is None:
                raise
            raise CorpusError(
                f"{self.name} must be {self._codec} data, but it cannot be decompressed: {error}: "
                "copy it again, or write it anew"
            ) from error

    def _refuse_nul(self, chunk: bytes, place: int) -> NoReturn:
        encoding = _likely(chunk)
        raise CorpusError(
            f"{self.name} must be UTF-8 text, but byte {place} is NUL: "
            + (
                f"it looks like {encoding} without a byte order mark; convert it with `iconv -f {encoding} -t UTF-8`"
                if encoding
                else "it is no file of text, or is damaged; write it anew"
            )
        )


def _likely(chunk: bytes) -> str | None:
    """The Unicode that has NUL where these bytes have it; None if they are no Unicode, or UTF-8 with a stray NUL."""
    even, odd = chunk[::2].count(0), chunk[1::2].count(0)
    if even + odd > 0.6 * len(chunk):
        return "UTF-32LE" if chunk[0] else "UTF-32BE"
    if even + odd < 0.25 * len(chunk) and _is_utf8(chunk):
        return None
    return "UTF-16LE" if odd > 9 * even else "UTF-16BE" if even > 9 * odd else None


def _is_utf8(chunk: bytes) -> bool:
    try:
        codecs.getincrementaldecoder("utf-8")().decode(chunk)
    except UnicodeDecodeError:
        return False
    return True


def _refuse_byte(source: _Source, error: UnicodeDecodeError) -> NoReturn:
    at = source.position - len(error.object) + error.start
    but = f"byte {at} (0x{error.object[error.start]:02x}) is not"
    if source.encoding.startswith("utf-8"):
        advice = "convert it from the encoding that it was written in, for example `iconv -f WINDOWS-1252 -t UTF-8`"
        raise CorpusError(f"{source.name} must be UTF-8, but {but}: {advice}") from error
    name = source.encoding.upper()
    raise CorpusError(f"{source.name} must be {name}, as its byte order mark says, but {but}: write it anew") from error
