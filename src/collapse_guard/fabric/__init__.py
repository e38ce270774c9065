"""The guard as a callback of Lightning Fabric."""

from collapse_guard.fabric.callback import FabricGuard

__all__ = ["FabricGuard"]
