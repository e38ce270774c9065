"""A record as JSON, for other programs."""

from __future__ import annotations

import json

from collapse_guard.records import Record


def json_text(record: Record) -> str:
    """A record, such as all that is known of a generation, as strict JSON: sorted keys, the same bytes every time.

    Numbers that are not finite are the strings "NaN", "Infinity" and "-Infinity"; `from_dict` reads them.
    """
    return json.dumps(record.to_dict(), sort_keys=True, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
