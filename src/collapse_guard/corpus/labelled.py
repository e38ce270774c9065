"""Texts from files with the column that says which kind each of them is of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from collapse_guard.corpus.labels import label_of
from collapse_guard.corpus.reading import Paths, sample_rows
from collapse_guard.corpus.streams import name_of
from collapse_guard.corpus.text_column import MissingFieldError, TextColumn
from collapse_guard.errors import CorpusError, InputError, near


def stream_labelled(paths: Paths, *, column: str = "text", slices: str) -> Iterator[tuple[str, str]]:
    """The texts of `read_samples`, each with its label: "" where the row has none.

    Args:
        paths: As in `read_samples`.
        column: Which text a row holds, as in `read_samples`.
        slices: The column of labels: its name, `meta.language` for a part of one, or a template of several.

    Raises:
        CorpusError: As `read_samples`; or no row has the column, or a value in it is no label.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, "real.jsonl")
        ...     _ = path.write_text('{"text": "We the people", "language": "en"}\\n{"text": "Peace"}\\n', "utf-8")
        ...     list(stream_labelled(path, slices="language"))
        [('We the people', 'en'), ('Peace', '')]
    """
    labels = TextColumn(slices)

    def wanted(known: Sequence[str]) -> list[str]:
        try:
            return labels.columns(known)
        except InputError as error:
            raise InputError(_lacks(slices, near(slices, known))) from error

    is_there, last, what = False, None, ""
    for one in sample_rows(paths, column=column, beside=wanted):
        last = one
        try:
            label = label_of(labels.value(one.row))
            is_there = True
        except MissingFieldError as error:
            label, what = "", str(error)
        except InputError as error:
            raise CorpusError(f"column `{slices}` of {name_of(one.path)}, {one.place}: {error}") from error
        yield one.text, label
    if last is not None and not is_there:
        raise CorpusError(f"{name_of(last.path)} {_lacks(slices, what)}")


def _lacks(name: str, what: str) -> str:
    return f"must have a column `{name}` that says what kind a text is of, but has none of that name: {what}"
