"""FabricGuard: the guard as a callback of Fabric, whose loops call what hooks they like, with what they like."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from torch import nn

from collapse_guard.errors import InputError
from collapse_guard.guard.base import GuardBase
from collapse_guard.guard.loggers import Loggers, is_a
from collapse_guard.guard.ranks import Ranks
from collapse_guard.guard.training import Training
from collapse_guard.probes.weights import gathering


class FabricGuard(GuardBase):
    """The guard as a callback of Fabric: `Fabric(callbacks=[guard])`.

    It takes the arguments of `GuardBase`, acts like it, and has its attributes. Fabric calls no hook by itself: a loop
    calls those that it wants with `fabric.call`, on all ranks.

    | call                                                                | what happens                            |
    |---------------------------------------------------------------------|-----------------------------------------|
    | `fabric.call("on_train_start", fabric=fabric, model=model)`         | lineage and store are checked, and the  |
    |                                                                     | measurement is rehearsed                |
    | `fabric.call("on_train_batch_end", batch=batch)`, after an          | evaluation documents are looked for in  |
    | optimizer step                                                      | the first batches; a look, if one is due|
    | `fabric.call("on_train_epoch_end")`                                 | a look, where one is due                |
    | `fabric.call("on_train_end", fabric=fabric, model=model)`           | the generation is assessed and recorded |

    Only the last one is needed; without the first, what is wrong is noticed when training is paid for. Other arguments
    of a call are ignored.

    Attributes:
        should_stop: Whether the loop is to end, the same on all ranks; only with the action `stop` or `raise`.
    """

    should_stop = False

    def on_train_start(self, *_: Any, fabric: Any = None, model: Any = None, **__: Any) -> None:
        """Check lineage and store, and rehearse the measurement, before the first step.

        Args:
            fabric: The Fabric that trains.
            model: What is trained, as `fabric.setup` returned it.

        Raises:
            InputError: They are missing, or the lineage, its number, the store or the model does not fit.
        """
        if fabric is None or model is None:
            raise InputError(
                "`fabric` and `model` must be given when training starts: "
                'fabric.call("on_train_start", fabric=fabric, model=model)'
            )
        self._fabric, self._model, self.should_stop = fabric, model, False
        self._steps = self._epochs = 0
        self._begin(self._seen())
        self._rehearse(self._seen(), _module_of(model))

    def on_train_batch_end(self, *_: Any, batch: Any = None, **__: Any) -> None:
        """Count a training step, and look where one is due.

        Args:
            batch: What it was trained on: evaluation documents are looked for in the first ones; None: not said.
        """
        self._count()
        if batch is not None:
            self._see(batch)
        self._steps += 1
        if self._is_due(self._steps - 1, self._steps):
            self._look_now()

    def on_train_epoch_end(self, *_: Any, **__: Any) -> None:
        """Count an epoch, and look where one is due."""
        self._count()
        self._epochs += 1
        if self._is_due_after(self._epochs, None):
            self._look_now()

    def on_train_end(self, *_: Any, fabric: Any = None, model: Any = None, **__: Any) -> None:
        """Assess the generation, record it, act.

        Args:
            fabric: The Fabric that trained; None: that of `on_train_start`.
            model: What was trained; None: that of `on_train_start`.

        Raises:
            CollapsedError: On all ranks, when the verdict is COLLAPSED and the actions include `raise`.
            InputError: It is not known what was trained, or, where training did not start with `on_train_start`, the
                lineage, its number or the store does not fit.
        """
        if self._planned is None or self._is_recorded:
            if fabric is None or model is None:
                raise InputError(
                    "`fabric` and `model` must be given when training ends: "
                    'fabric.call("on_train_end", fabric=fabric, model=model)'
                )
            self._fabric, self._steps, self._epochs = fabric, 0, 0
            self._begin(self._seen())
        self._fabric = self._fabric if fabric is None else fabric
        self._model = self._model if model is None else model
        self._end(self._seen(), _module_of(self._model))

    def _count(self) -> None:
        if self._planned is None:
            raise InputError(
                "`on_train_start` must be called before steps and epochs are counted: "
                'fabric.call("on_train_start", fabric=fabric, model=model)'
            )

    def _look_now(self) -> None:
        self.should_stop |= self._look(self._seen(), _module_of(self._model))

    def _seen(self) -> Training:
        fabric = self._fabric
        timeout = getattr(fabric.strategy, "_timeout", None)
        seconds = timeout.total_seconds() if isinstance(timeout, timedelta) else None
        return Training(
            step=self._steps,
            ranks=Ranks(fabric.global_rank, fabric.world_size, seconds),
            journal=Loggers(fabric.loggers),
            context=fabric.autocast,
        )


def _module_of(model: Any) -> nn.Module:
    """The module that `fabric.setup` was given; its own methods can be called, which the wrapper refuses."""
    return gathering(model.module, model._forward_module) if is_a(model, "_FabricModule") else model
