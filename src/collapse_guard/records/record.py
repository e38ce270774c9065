"""Record: the base class of records, validated when read, versioned when written.

A record holds what was measured and decided, never how it is shown. `to_dict` gives plain JSON types, in which a number
that is not finite is the string "NaN", "Infinity" or "-Infinity"; `from_dict` refuses unknown fields.
"""

from __future__ import annotations

import json
from typing import Annotated, Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from collapse_guard.errors import InputError

Share = Annotated[float, Field(ge=0.0, le=1.0)]


class Record(BaseModel):
    """Base of all records: immutable, no unknown fields, `to_dict` and `from_dict` with a schema version."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings", allow_inf_nan=True)
    schema_version: ClassVar[int] = 1

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types, with the schema version under "schema"."""
        body: dict[str, Any] = json.loads(self.model_dump_json())
        return {"schema": self.schema_version, **body}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """Rebuild a record from `to_dict`; raises InputError on another schema version or on fields that do not fit."""
        fields = dict(data)
        version = fields.pop("schema", None)
        if version != cls.schema_version:
            raise InputError(
                f"a {cls.__name__} of schema version {cls.schema_version} is required, but got version {version!r}: "
                "it was written by another version of collapse_guard; read it with that version"
            )
        return cls.checked(**fields)

    @classmethod
    def checked(cls, **fields: Any) -> Self:
        """Build a record from values that come from outside; raises InputError where one does not fit."""
        try:
            return cls.model_validate(fields)
        except ValidationError as error:
            raise InputError(f"not a valid {cls.__name__}: {_first_problem(error)}") from error


def _first_problem(error: ValidationError) -> str:
    problem = error.errors()[0]
    where = ".".join(str(part) for part in problem["loc"]) or "record"
    said = problem["msg"].removeprefix("Value error, ")
    # A check of a whole record says itself what it got.
    return (
        f"`{where}`: {said}"
        if isinstance(problem["input"], dict)
        else f"`{where}`: {said}, got {problem['input']!r:.200}"
    )
