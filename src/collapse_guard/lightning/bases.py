"""The base classes of both Lightnings.

`pytorch_lightning` and `lightning.pytorch` are two full copies that share no class: each trainer refuses the other's
data modules and single callbacks. A class that inherits from both works in both. Installing `lightning` installs
`pytorch_lightning` too, so only the second copy may be missing. It is imported whenever it is installed, because a
script may import collapse_guard first.
"""

from __future__ import annotations

import importlib
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, TypeAlias

import pytorch_lightning

Trainer: TypeAlias = Any
"""A trainer of either Lightning. They share no class, and set much of what a callback reads at run time."""

if TYPE_CHECKING:
    from pytorch_lightning import Callback, LightningDataModule

    class CallbackBase(Callback):
        """A callback of both Lightnings."""

    class DataModuleBase(LightningDataModule):
        """A data module of both Lightnings."""
else:

    def _copies() -> list[Any]:
        if find_spec("lightning") is None:
            return [pytorch_lightning]
        try:
            return [pytorch_lightning, importlib.import_module("lightning.pytorch")]
        except ImportError:  # another package of that name
            return [pytorch_lightning]

    class CallbackBase(*(copy.Callback for copy in _copies())):
        """A callback of both Lightnings."""

    class DataModuleBase(*(copy.LightningDataModule for copy in _copies())):
        """A data module of both Lightnings."""
