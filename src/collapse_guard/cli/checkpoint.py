"""A trained model as evidence: it is loaded by code of the user, or as Hugging Face saves models, and measured."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from torch import nn

from collapse_guard.cli.terminal import say
from collapse_guard.errors import CollapseGuardError, InputError
from collapse_guard.evidence import Evidence
from collapse_guard.probes.isolation import untouched
from collapse_guard.probes.probe import Probe, check_probe
from collapse_guard.probes.sharding import mixed_seed
from collapse_guard.probes.weights import weights_digest
from collapse_guard.records import Origin
from collapse_guard.wildtype import WildType

Loader = Callable[[Path], tuple[nn.Module, Probe]]
_HOW = "give `--loader FILE.py:FUNCTION`, a function of the path that returns the model and its probe"


def measured(checkpoint: Path, loader: str | None, wild_type: WildType, seed: int) -> tuple[Evidence, Origin]:
    """Load a trained model and measure it. The same weights give the same evidence.

    Args:
        checkpoint: The model: a directory of Hugging Face, or what the loader reads.
        loader: MODULE:FUNCTION or FILE.py:FUNCTION, which takes the path and returns the model and its probe; None: it
            is loaded as Hugging Face saves models.
        wild_type: What it is measured against.
        seed: Of all sampling.

    Raises:
        InputError: It cannot be loaded or measured; the message says why.
    """
    load = _found(loader) if loader else _hugging_face(checkpoint)
    loaded = _tried(lambda: _checked(load(checkpoint)), f"`{loader or '--checkpoint'}` did not load {checkpoint}")
    module, probe = cast("tuple[nn.Module, Probe]", loaded)
    check_probe(probe, wild_type)
    digest = weights_digest(module)
    drawn_with = mixed_seed(seed, int(digest or "0", 16))
    say(f"Measuring {checkpoint.name}.")

    def collect() -> Evidence:
        with untouched(module):
            return probe.collect(module, wild_type, seed=drawn_with, rank=0, world_size=1)

    evidence: Evidence = _tried(collect, f"{checkpoint} could not be measured")
    origin = Origin(training=uuid.uuid4().hex, step=0, weights=digest, measured=checkpoint.name)
    return evidence, origin


def _found(loader: str) -> Loader:
    place, _, name = loader.rpartition(":")
    if not place or not name:
        raise InputError(f"`--loader` must be MODULE:FUNCTION or FILE.py:FUNCTION, but got {loader!r:.120}: {_HOW}")
    module = _tried(lambda: _imported(place), f"`--loader` could not import {place}")
    function = getattr(module, name, None)
    if not callable(function):
        raise InputError(f"`--loader` must name a function, but {place} has no {name!r:.80}: {_HOW}")
    return cast("Loader", function)


def _imported(place: str) -> Any:
    if not place.endswith(".py"):
        sys.path.insert(0, str(Path.cwd()))
        return importlib.import_module(place)
    spec = importlib.util.spec_from_file_location(Path(place).stem, place)
    if spec is None or spec.loader is None or not Path(place).is_file():
        raise InputError(f"there is no file {place}")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _hugging_face(checkpoint: Path) -> Loader:
    if not (checkpoint / "config.json").is_file():
        raise InputError(f"`--checkpoint` must be a directory that Hugging Face saved, but got {checkpoint}: {_HOW}")
    try:
        from collapse_guard.transformers.checkpoint import load
    except ImportError as error:
        raise InputError(
            "`--checkpoint` of Hugging Face needs `transformers`, which is not installed: "
            'pip install "collapse-guard[transformers]"'
        ) from error
    return load


def _checked(loaded: Any) -> tuple[nn.Module, Probe]:
    if not (isinstance(loaded, tuple) and len(loaded) == 2 and isinstance(loaded[0], nn.Module)):
        raise InputError(f"it must return the model and its probe, but got {type(loaded).__name__}")
    return loaded


def _tried(action: Callable[[], Any], failed: str) -> Any:
    """What an action returns; an error in one line where code of somebody else fails."""
    try:
        return action()
    except CollapseGuardError as error:
        raise InputError(f"{failed}: {error}") from error
    except Exception as error:
        raise InputError(f"{failed}: {type(error).__name__}: {error}".rstrip(": ")) from error
