"""The ledger of a lineage: a line for each generation, with what later ones are compared with. Pure.

It is a copy, kept so that reading a lineage costs the same whatever its length. A line is believed only if its digest
is noted on the lineage's run; the record of a generation without such a line is read instead.
"""

from __future__ import annotations

import base64
import hashlib
import re
import zlib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from collapse_guard.records import Assessment

FILE = "ledger.txt"
_TAG = "collapse_guard.ledger."
"""On the run of a lineage: digests of the lines of `_BLOCK` generations."""
_BLOCK = 400
_ROW = re.compile(r"([0-9]{1,18}) (\S+) (.*)")
_LAYOUT = "1"
"""Changes with what a line holds: lines of another layout are not believed."""


class Line(NamedTuple):
    """What the ledger has of one generation."""

    generation: int
    """Number of the generation."""
    run_id: str
    """Its run."""
    packed: str
    """Its assessment, abridged: JSON, compressed."""

    def __str__(self) -> str:
        """The line of the file."""
        return f"{self.generation} {self.run_id} {self.packed}"

    @property
    def digest(self) -> str:
        """What is noted of it."""
        return hashlib.blake2b(f"{_LAYOUT} {self}".encode(), digest_size=8).hexdigest()

    def assessment(self, lineage: str) -> Assessment | None:
        """The abridged assessment; None where another version of this package cannot have meant it so."""
        try:
            found = Assessment.model_validate_json(zlib.decompress(base64.b64decode(self.packed)))
        except (ValueError, zlib.error):
            return None
        is_meant = (found.generation.lineage, found.generation.index) == (lineage, self.generation)
        return found if is_meant else None


def line_of(assessment: Assessment, run_id: str) -> Line:
    """The line of a generation."""
    packed = base64.b64encode(zlib.compress(assessment.abridged().model_dump_json().encode())).decode()
    return Line(assessment.generation.index, run_id, packed)


def text_of(lines: Mapping[int, Line]) -> str:
    """The file, sorted by generation."""
    return "".join(f"{lines[index]}\n" for index in sorted(lines))


def tags_of(lines: Iterable[Line]) -> dict[str, str]:
    """What is noted of lines: the digests of many in one tag, which MLflow limits to 8,000 characters."""
    digests: defaultdict[str, list[str]] = defaultdict(list)
    for line in sorted(lines):
        digests[f"{_TAG}{line.generation // _BLOCK}"].append(line.digest)
    return {name: " ".join(found) for name, found in digests.items()}


def believed(text: str, tags: Mapping[str, str]) -> dict[int, Line]:
    """The lines of a file that the tags of the lineage's run vouch for, by generation.

    Args:
        text: The file. It comes from outside: lines may be cut off, changed or lost.
        tags: Tags of the run, all of them.

    Example:
        >>> line = Line(0, "abc", "eJw=")
        >>> noted = tags_of([line])
        >>> believed(f"{line}\\n", noted) == {0: line}, believed(f"{line}\\n".replace("eJw", "eJx"), noted)
        (True, {})
    """
    digests = {digest for name, noted in tags.items() if name.startswith(_TAG) for digest in noted.split()}
    lines = (_parsed(row) for row in text.split("\n"))
    return {line.generation: line for line in lines if line is not None and line.digest in digests}


def _parsed(row: str) -> Line | None:
    match = _ROW.fullmatch(row)
    return Line(int(match[1]), match[2], match[3]) if match else None
