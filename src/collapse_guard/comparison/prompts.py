"""Readings with a replicate for each prompt: paired on the prompts that both sides have, where these are enough."""

from __future__ import annotations

from collapse_guard.records import Reading

PROMPT = "prompt"
"""`Reading.group` of readings whose replicates are prompts."""


def on_common_prompts(reading: Reading, reference: Reading) -> tuple[Reading, Reading]:
    """Two readings of prompts on the prompts that both have, or unpaired where these are too few; others as they are.

    Prompts are draws from those that a model is asked, so other prompts can be compared as two samples can; the same
    ones are paired, which removes the spread between them. Which of both is done depends on the prompts alone.

    Args:
        reading: Of this generation.
        reference: Of the baseline.
    """
    if reading.group != PROMPT or reference.group != PROMPT:
        return reading, reference
    common = set(reading.keys) & set(reference.keys)
    is_enough = len(common) >= max(reading.n_minimum, reference.n_minimum)
    here, there = (_cut(side, common) if is_enough else _unpaired(side) for side in (reading, reference))
    return here, there


def _cut(reading: Reading, prompts: set[str]) -> Reading:
    places = [place for place, key in enumerate(reading.keys) if key in prompts]
    if len(places) == len(reading.keys):
        return reading
    columns = ("keys", "replicates", "weights")
    return reading.model_copy(
        update={name: tuple(getattr(reading, name)[place] for place in places) for name in columns}
    )


def _unpaired(reading: Reading) -> Reading:
    return reading.model_copy(update={"keys": (), "weights": ()})
