"""A model that was saved as Hugging Face saves models, and the probe that measures it."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn
from transformers import AutoModelForCausalLM, AutoTokenizer

from collapse_guard.errors import InputError
from collapse_guard.probes import CausalLMProbe


def load(checkpoint: Path) -> tuple[nn.Module, CausalLMProbe]:
    """The model of a directory, on an accelerator where there is one, and a probe with its own settings.

    Nothing is fetched from a hub, and no code of the directory is run.

    Raises:
        InputError: The directory has no tokenizer.
        OSError: It has no model.
        ValueError: It is of no causal language model.
    """
    if not (checkpoint / "tokenizer_config.json").is_file():  # transformers would make an empty one
        raise InputError(
            f"{checkpoint} must hold the model's tokenizer: `tokenizer.save_pretrained({str(checkpoint)!r})`"
        )
    tokenizer = AutoTokenizer.from_pretrained(checkpoint, local_files_only=True)
    model: nn.Module = AutoModelForCausalLM.from_pretrained(checkpoint, local_files_only=True)
    probe = CausalLMProbe.from_model(model, tokenizer)
    return model.to("cuda" if torch.cuda.is_available() else "cpu"), probe
