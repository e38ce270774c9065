"""Settings of a probe that a model brings along: its positions, the ids that begin and end texts, and its decoding.

They are read from attributes as models of Hugging Face's and of minGPT's kind have them; no such library is imported.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

from torch import nn

from collapse_guard.errors import CollapseGuardWarning

_log = logging.getLogger("collapse_guard")

_POSITIONS = (
    "max_position_embeddings",
    "n_positions",
    "max_seq_len",
    "max_sequence_length",
    "seq_length",
    "block_size",
    "context_length",
    "n_ctx",
)
LONGEST = 1024
"""Ids per forward that are asked of a model which takes more: what long contexts cost is not worth it here."""
_TOP_K = 50
"""What Hugging Face's `generate` takes where a model samples and says nothing else."""
_NEUTRAL: Mapping[str, Any] = {
    "num_beams": 1,
    "num_beam_groups": 1,
    "diversity_penalty": 0.0,
    "penalty_alpha": 0.0,
    "dola_layers": None,
    "min_p": None,
    "top_h": None,
    "typical_p": 1.0,
    "epsilon_cutoff": 0.0,
    "eta_cutoff": 0.0,
    "repetition_penalty": 1.0,
    "encoder_repetition_penalty": 1.0,
    "no_repeat_ngram_size": 0,
    "min_length": 0,
    "min_new_tokens": 0,
    "bad_words_ids": None,
    "force_words_ids": None,
    "constraints": None,
    "forced_bos_token_id": None,
    "forced_eos_token_id": None,
    "suppress_tokens": None,
    "begin_suppress_tokens": None,
    "sequence_bias": None,
    "exponential_decay_length_penalty": None,
    "guidance_scale": 1.0,
    "stop_strings": None,
    "watermarking_config": None,
}
"""Settings of a generation config that `Decoding` has not -> the value with which they change nothing."""


def settings_of(model: nn.Module, tokenizer: Any, *, decodes: bool) -> dict[str, Any]:
    """Settings of `CausalLMProbe` that a model has; those that it says nothing of are left out.

    Args:
        model: Or a module that holds it.
        tokenizer: Its `bos_token_id` is preferred.
        decodes: Whether the probe draws tokens itself, so that decoding matters.

    Example:
        >>> model = nn.Linear(2, 2)
        >>> model.block_size = 128
        >>> settings_of(model, None, decodes=True)
        {'max_length': 128}
    """
    sources = list(_sources(model))
    found = {
        "max_length": min(_positions(sources), default=None),
        "bos_token_id": _bos(sources, tokenizer),
        "eos_token_id": _stops(sources, tokenizer),
        **(_decoding(sources) if decodes else {}),
    }
    taken = {name: value for name, value in found.items() if value is not None}
    _log.info("read from the model: %s", taken)
    return taken


def _sources(model: nn.Module) -> Iterator[Any]:
    """Generation config, config and its part for text, and the model itself: of the first part that has them."""
    holder = next((part for part in model.modules() if hasattr(part, "config")), model)
    config = getattr(holder, "config", None)
    for source in (getattr(holder, "generation_config", None), config, getattr(config, "text_config", None), holder):
        if source is not None:
            yield source


def _positions(sources: list[Any]) -> list[int]:
    """What each attribute says, and the most that is asked for; none where nothing says anything."""
    said = [getattr(source, name, None) for source in sources for name in _POSITIONS]
    numbers = [number for number in said if isinstance(number, int) and not isinstance(number, bool) and number > 0]
    return [*numbers[:1], LONGEST] if numbers else []


def _bos(sources: list[Any], tokenizer: Any) -> int | None:
    """None where the tokenizer knows it; else the id that begins a text, or the one that ends it and divides texts."""
    if getattr(tokenizer, "bos_token_id", None) is not None:
        return None
    began = (getattr(source, "bos_token_id", None) for source in (*sources, None))
    found = next((id_ for id_ in began if id_ is not None), None)
    return found if found is not None else next(iter(_stops(sources, tokenizer) or ()), None)


def _stops(sources: list[Any], tokenizer: Any) -> tuple[int, ...] | None:
    """The tokenizer's end, and those of the model, which may have several."""
    ends = (getattr(source, "eos_token_id", None) for source in sources)
    of_model = next((ids for ids in ends if ids is not None), None)
    found = [
        getattr(tokenizer, "eos_token_id", None),
        *(of_model if isinstance(of_model, list | tuple) else [of_model]),
    ]
    return tuple(dict.fromkeys(int(id_) for id_ in found if id_ is not None)) or None


def _decoding(sources: list[Any]) -> dict[str, Any]:
    """Temperature, top-k and top-p where the model samples; a warning names what cannot be taken."""
    config = next((source for source in sources if hasattr(source, "do_sample")), None)
    if config is None:
        return {}
    others = [
        f"{name}={getattr(config, name)!r}" for name, neutral in _NEUTRAL.items() if _is_set(config, name, neutral)
    ]
    if others:
        message = (
            f"samples are drawn without {', '.join(others)} of the model's generation config. If it writes training "
            "data with them, give `generate=`, a function of (module, prompts, seed) that returns texts"
        )
        warnings.warn(message, CollapseGuardWarning, stacklevel=4)
    if config.do_sample is not True:
        return {}
    top_k, top_p = (getattr(config, name, None) for name in ("top_k", "top_p"))
    return {
        "temperature": getattr(config, "temperature", None),
        "top_k": (_TOP_K if top_k is None else top_k) or None,
        "top_p": None if top_p is None or top_p >= 1.0 else top_p,
    }


def _is_set(config: Any, name: str, neutral: Any) -> bool:
    return getattr(config, name, None) not in (None, False, neutral)
