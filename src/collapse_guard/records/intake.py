"""What was read of one part of the evidence, counted."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from collapse_guard.records.record import Record, Share

Count = Annotated[int, Field(ge=0)]


class Intake(Record):
    """What was read of one part of the evidence: of a file, or of what Python was given. Its text is one line.

    Example:
        >>> str(Intake(part="losses", unit="losses", source="losses.csv", rows=600, median=52, mean_nats=6.65))
        'losses.csv: 600 losses, median 52 tokens, 6.65 nats per token'
    """

    part: str
    """Which part of the evidence, such as "samples", "prompts", "losses", "embeddings" or "documents"; or a task."""
    unit: Literal["texts", "vectors", "documents", "losses", "scores", "prompts"]
    """What its rows are."""
    source: str = ""
    """Name of the file or folder; empty where it came from Python."""
    rows: Count
    """Rows that were read, as the file has them."""
    empty: Count = 0
    """Rows without anything but white space."""
    different: Count | None = None
    """Different ones among the rows that are not empty; None: not counted."""
    median: float | None = None
    """Median number of tokens of the rows that are not empty; columns, where they are vectors; None: not known."""
    quantiles: tuple[float, ...] = ()
    """Number of tokens that 5%, 25%, 75% and 95% of the rows that are not empty have at most; empty: not known."""
    truncated: Share | None = None
    """Share of the rows that were cut at a limit of length; None: nobody said."""
    longest: Count | None = None
    """Most words, characters or tokens that a text has, where many have just as many; None: there is no such limit."""
    longest_unit: str = ""
    """What `longest` counts."""
    at_longest: Share = 0.0
    """Share of the texts that end there: perhaps they were cut."""
    mean_nats: float | None = None
    """Nats per token, where rows are losses; None: not known."""

    def __str__(self) -> str:
        """Where it was read from, how many rows, and what they are."""
        facts = [self._rows()]
        if self.different is not None:
            facts.append(f"{self.different:,} different")
        if self.median is not None:
            what = f"{self.median:g} column" if self.unit == "vectors" else f"median {self.median:g} token"
            facts.append(what if self.median == 1 else f"{what}s")
        if self.longest is not None:
            facts.append(f"{self.at_longest:.0%} end at {self.longest:,} {self.longest_unit}")
        if self.truncated is not None:
            facts.append(f"{self.truncated:.0%} cut before their end")
        if self.mean_nats is not None:
            facts.append(f"{self.mean_nats:.3g} nats per token")
        return f"{self.source or self.part.replace('_', ' ')}: {', '.join(facts)}"

    def _rows(self) -> str:
        if not self.empty:
            return f"{self.rows:,} {self._units(self.rows)}"
        written = self.rows - self.empty
        return f"{self.rows:,} rows, {self.empty:,} blank, {written:,} {self._units(written)}"

    def _units(self, n: int) -> str:
        if self.unit == "losses":
            return "loss" if n == 1 else "losses"
        return self.unit.removesuffix("s") if n == 1 else self.unit
