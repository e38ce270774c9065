"""Samples from files with what stands beside them: the prompt that each answers, and whether it was cut."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from collapse_guard.corpus.reading import Paths, TextRow, sample_rows
from collapse_guard.corpus.rows import Row
from collapse_guard.corpus.streams import name_of
from collapse_guard.corpus.text_column import MissingFieldError, TextColumn
from collapse_guard.errors import CorpusError, InputError, near
from collapse_guard.evidence import Evidence

PROMPT = "prompt"
"""The column of prompts that is read where it is there."""
_ENDS = ("truncated", "finish_reason", "stop_reason")
"""Columns that say whether a sample was cut; the first that is there is read."""
_CUT = ("length", "max_length", "max_new_tokens", "max_output_tokens", "max_tokens", "true", "1", "1.0")
_ENDED = (
    *("end_turn", "eos", "eos_token", "function_call", "stop", "stop_sequence", "tool_calls", "tool_use"),
    *("false", "0", "0.0"),
)


def read_evidence(paths: Paths, *, column: str = "text", prompt_column: str | None = None) -> Evidence:
    """Read the samples of a generation, with their prompts and whether they were cut, where the files say so.

    Args:
        paths: As in `read_samples`.
        column: As in `read_samples`: what the model wrote, without the prompt.
        prompt_column: Which prompt a row holds, as in `column`; None: the column `prompt`, where there is one.

    Returns:
        The samples. `truncated` is read from a column `truncated` of yes and no, or from `finish_reason` or
        `stop_reason` as the interfaces of models give it.

    Raises:
        CorpusError: As `read_samples`; or a row lacks the prompt that was named, or it is no text.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, "samples.jsonl")
        ...     _ = path.write_text('{"prompt": "Who won?", "text": "Nobody.", "finish_reason": "stop"}\\n', "utf-8")
        ...     evidence = read_evidence(path)
        >>> evidence.prompts, evidence.truncated
        (['Who won?'], [False])
    """
    files = PromptedFiles(paths, column=column, prompt_column=prompt_column)
    return Evidence(samples=list(files), **files.beside)


class PromptedFiles:
    """The samples of files: their texts, one after the other, and afterwards what stood beside them.

    Raises:
        InputError: A template is not one of names in braces.
    """

    def __init__(self, paths: Paths, *, column: str = "text", prompt_column: str | None = None) -> None:
        """Begin with nothing read; the arguments are those of `read_evidence`."""
        self._paths, self._column, self._named = paths, column, prompt_column
        self.prompt_column = prompt_column or PROMPT
        """The column of prompts."""
        # Within a template a number is text too, so that prompts may be told by their numbers.
        is_template = "{" in self.prompt_column
        self._prompt = TextColumn(self.prompt_column if is_template else f"{{{self.prompt_column}}}")
        self._is_read = prompt_column is not None or column != PROMPT
        self._prompts: list[str | None] = []
        self._ends: list[bool | None] = []

    def __iter__(self) -> Iterator[str]:
        """The texts, as `stream_samples` gives them."""
        self._prompts, self._ends = [], []
        for one in sample_rows(self._paths, column=self._column, beside=self._wanted):
            self._prompts.append(self._prompt_of(one))
            self._ends.append(_is_cut(one.row))
            yield one.text

    @property
    def beside(self) -> dict[str, Any]:
        """`prompts` and `truncated` of an `Evidence`, of what was read so far; None where the files have none."""
        return {"prompts": _unless_none(self._prompts, ""), "truncated": _unless_none(self._ends, None)}

    @property
    def without_prompt(self) -> int:
        """How many rows have no prompt, where others have one."""
        return self._prompts.count(None) if _unless_none(self._prompts, "") else 0

    def _wanted(self, known: Sequence[str]) -> list[str]:
        try:
            prompt = self._prompt.columns(known) if self._is_read else []
        except InputError as error:
            if self._named is not None:
                raise InputError(_lacks(self._named, known)) from error
            prompt = []
        return [*prompt, *(name for name in _ENDS if name in known)]

    def _prompt_of(self, one: TextRow) -> str | None:
        if not self._is_read:
            return None
        try:
            return self._prompt.text(_columns(one.row))
        except MissingFieldError as error:
            if self._named is None:
                return None
            known = list(one.row) if isinstance(one.row, Mapping) else []
            raise CorpusError(f"{name_of(one.path)} {_lacks(self._named, known)} (in {one.place})") from error
        except InputError as error:
            raise CorpusError(
                f"column `{self.prompt_column}` of {name_of(one.path)} must hold prompts, but {one.place} has {error}"
            ) from error


def _lacks(name: str, known: Sequence[str]) -> str:
    return (
        f"must have a column `{name}` of prompts in every row, but has none of that name: {near(name, known)}. Name "
        "the right one with `--prompt-column` (`prompt_column=` in Python)"
    )


def _columns(row: Row) -> Mapping[str, Any]:
    return row if isinstance(row, Mapping) else {}


def _is_cut(row: Row) -> bool | None:
    """What a row says of its end; None where it says nothing that is known."""
    columns = _columns(row)
    said = next((str(columns[name]).strip().casefold() for name in _ENDS if name in columns), "")
    return True if said in _CUT else False if said in _ENDED else None


def _unless_none(values: Sequence[Any], default: Any) -> list[Any] | None:
    """The values, with a default in the place of None; None where there is no other."""
    if all(value is None for value in values):
        return None
    return [default if value is None else value for value in values]
