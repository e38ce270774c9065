"""Texts from files: documents, of which blank ones are dropped, and samples, of which none is."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from collapse_guard.corpus.arrow import Wanted
from collapse_guard.corpus.files import Given, Part, TextFiles
from collapse_guard.corpus.limits import check_length, check_unpacked
from collapse_guard.corpus.rows import Placed, Row, stream_chosen_rows, stream_rows
from collapse_guard.corpus.saved_datasets import SavedDataset
from collapse_guard.corpus.streams import name_of
from collapse_guard.corpus.text_column import OTHER_COLUMN, MissingFieldError, TextColumn
from collapse_guard.errors import CollapseGuardWarning, CorpusError, InputError

Paths = str | Path | Sequence[str | Path] | TextFiles


class TextRow(NamedTuple):
    """A row of a file, with its text."""

    text: str
    """Empty where the row has none."""
    path: Path
    """The file."""
    place: str
    """Where the row stands in it, such as "line 3"."""
    row: Row
    """What else it holds."""


def read_documents(paths: Paths, *, column: str = "text") -> Iterator[str]:
    """Read real documents from files, one after the other, in memory that does not grow with the files.

    Rows whose text is null or blank are passed over; read the samples of a model with `read_samples`, which keeps them.
    `docs/input-files.md` has the formats: they are known by the extension.

    Args:
        paths: A file, a directory, a pattern such as `real/*.parquet`, `-` for standard input, or several of them.
        column: Which text a row holds: the name of a column; `answer.text` for a part of one; `messages` for a chat, or
            `messages.assistant` for what one role wrote; or a template of several, such as `{question} {answer}`.

    Returns:
        An iterator over the documents, in the order of the files.

    Raises:
        CorpusError: At once if a path does not exist, has an unknown extension or holds no file. While reading, if a
            file is damaged or not Unicode (with the offset of the first bad byte), if a row lacks the column (with its
            line), or if a path has no documents.

    Warns:
        CollapseGuardWarning: Something in a directory is not read.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, "corpus.txt")
        ...     _ = path.write_text("A document.\\n\\nAnother one.\\n", encoding="utf-8")
        ...     list(read_documents(path))
        ['A document.', 'Another one.']
    """
    return _documents(_found(paths).given, TextColumn(column))


def read_samples(paths: Paths, *, column: str = "text") -> list[str]:
    """Read the samples of a generation: one text for each row, empty where the row has no text.

    An empty sample is evidence: it is kept, and counted by `empty_samples`. So a sample's number is that of its row.

    Args:
        paths: As in `read_documents`.
        column: As in `read_documents`; of chats and templates, name what the model wrote, without the prompt.

    Returns:
        The texts, in the order of the files; "" for one that is null or has white space only.

    Raises:
        CorpusError: As `read_documents`; a path may have blank rows alone, but must have rows.

    Warns:
        CollapseGuardWarning: Something in a directory is not read.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, "samples.jsonl")
        ...     _ = path.write_text('{"text": "We the people"}\\n{"text": null}\\n', encoding="utf-8")
        ...     read_samples(path)
        ['We the people', '']
    """
    return [one.text for one in sample_rows(_found(paths), column=column)]


def stream_samples(paths: Paths, *, column: str = "text") -> Iterator[str]:
    """The texts of `read_samples`, one after the other, in memory that does not grow with the files."""
    return (one.text for one in sample_rows(_found(paths), column=column))


def sample_rows(paths: Paths, *, column: str = "text", beside: Wanted = lambda _: []) -> Iterator[TextRow]:
    """The rows that `stream_samples` reads the texts of; `beside` chooses further columns, as in `rows_of`."""
    return _samples(_found(paths).given, TextColumn(column), beside)


def _found(paths: Paths) -> TextFiles:
    if isinstance(paths, TextFiles):
        return paths
    files = TextFiles.of(paths)
    if files.left_out:
        warnings.warn(f"not read: {'; '.join(files.left_out)}", CollapseGuardWarning, stacklevel=3)
    return files


def _samples(given: Iterable[Given], column: TextColumn, beside: Wanted) -> Iterator[TextRow]:
    for one in given:
        n = 0
        for row in rows_of(one, column, beside):
            n += 1
            yield row
        _require(n > 0, one, "one row")


def _documents(given: Iterable[Given], column: TextColumn) -> Iterator[str]:
    for one in given:
        n = 0
        for text in (row.text for row in rows_of(one, column)):
            if text:
                n += 1
                yield text
        _require(n > 0, one, "one document that is not blank")


def _require(is_there: bool, given: Given, what: str) -> None:
    if not is_there:
        files = [file for file in given.files if file.is_file()]
        size = f" in {sum(file.stat().st_size for file in files)} bytes" if files else ""
        raise CorpusError(f"{name_of(given.path)} must hold at least {what}, but got none{size}")


def rows_of(given: Given, column: TextColumn, beside: Wanted = lambda _: []) -> Iterator[TextRow]:
    """The text of each row, empty where it is null or blank, with what else the row holds.

    Args:
        given: A path with its files.
        column: Which text a row holds.
        beside: Chooses further columns of a file that has a schema or a header.

    Raises:
        CorpusError: As `read_documents`.
    """
    n_characters, name = 0, given.name
    size = sum(file.stat().st_size for file in given.files if file.is_file())

    def wanted(known: Sequence[str]) -> list[str]:
        return list(dict.fromkeys((*column.columns(known), *beside(known))))

    for path, rows in chain.from_iterable(_readers(part, wanted) for part in given.parts):
        for place, row in rows:
            try:
                text = column.text(row)
            except MissingFieldError as error:
                raise CorpusError(
                    f"{name_of(path)} must have a column `{column.name}` in every row, but {place} has none of that "
                    f"name: {error}. {OTHER_COLUMN}{_or_leave_out(given)}"
                ) from error
            except InputError as error:
                raise CorpusError(
                    f"column `{column.name}` of {name_of(path)} must hold strings, but {place} has {error}"
                ) from error
            if not text or text.isspace():
                yield TextRow("", path, place, row)
                continue
            n_characters += len(text)
            if size:
                check_unpacked(name, n_characters, packed=size)
            yield TextRow(_checked(text, name_of(path), place), path, place, row)


def _checked(text: str, name: str, place: str) -> str:
    """A text that can be written; raises CorpusError where it cannot, or is longer than any real one."""
    check_length(f"{place} of {name}", len(text))
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise CorpusError(
                f"{name} must hold Unicode texts, but {place} has {text[error.start]!r} at character {error.start}, "
                "half of a character: write the file anew from the bytes that it was made of"
            ) from error
    return text


def _or_leave_out(given: Given) -> str:
    """What else to do where a folder holds the file, perhaps beside the texts."""
    return f", or leave the file out with a pattern such as `{given.path}/*.jsonl`" if given.path.is_dir() else ""


def _readers(part: Part, wanted: Wanted) -> Iterator[tuple[Path, Iterator[Placed]]]:
    """The rows of each file, or of a dataset as a whole."""
    if not isinstance(part, SavedDataset):
        yield part, stream_rows(part, wanted)
    elif part.indices:
        yield part.folder, stream_chosen_rows(part.folder, part.files, part.indices, wanted)
    else:
        for file in part.files:
            yield file, stream_rows(file, wanted)
