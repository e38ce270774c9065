"""An assessment as JSON, for other programs."""

from __future__ import annotations

import json

from collapse_guard.records import Assessment


def json_text(assessment: Assessment) -> str:
    """Everything known of a generation as strict JSON: keys sorted, two spaces of indent, the same bytes every time.

    Numbers that are not finite are the strings "NaN", "Infinity" and "-Infinity"; `Assessment.from_dict` reads them.
    """
    return json.dumps(assessment.to_dict(), sort_keys=True, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
