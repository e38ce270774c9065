"""Which epoch a trainer is in, and what its own count of epochs and batches misses when training is resumed."""

from __future__ import annotations

from collapse_guard.lightning.bases import Trainer


def coming_epoch(trainer: Trainer) -> int:
    """The epoch that the trainer is about to run, at the time it asks for its data.

    When training is resumed, Lightning tells a sampler its epoch only after workers have fetched the first batches
    (Lightning issue 21938), and `trainer.current_epoch` is that of the last completed epoch. A checkpoint taken at
    the last batch of an epoch, but before its end, resumes with the next epoch too.
    """
    progress = trainer.fit_loop.epoch_progress.current
    is_over: bool = progress.started > progress.processed and trainer.is_last_batch
    return int(progress.processed + is_over)


def count_epoch(trainer: Trainer) -> None:
    """Count the epoch that is being trained as begun, where Lightning does not.

    Resumed from a checkpoint of the last batch of an epoch, it trains the next one without counting that it began. All
    checkpoints of that run would resume at the first batch of their epoch, and train on its data again.
    """
    progress = trainer.fit_loop.epoch_progress
    is_resumed = getattr(trainer.fit_loop, "restarted_mid_epoch", False)
    if is_resumed and progress.current.started == progress.current.processed:
        progress.increment_ready()
        progress.increment_started()


def end_epoch(trainer: Trainer, n_batches: int) -> None:
    """Have the trainer resume with a new epoch, where the last one had another number of batches.

    Lightning takes a batch for the last of its epoch only if there are not more of them now: with smaller batches,
    other ranks or another limit it would leave out the first ones of the new epoch, or train on the old one again.
    """
    limit = trainer.limit_train_batches
    n_batches = min(n_batches, limit) if isinstance(limit, int) else int(n_batches * limit)
    epochs, batches = trainer.fit_loop.epoch_progress.current, trainer.fit_loop.epoch_loop.batch_progress
    is_known = batches.is_last_batch and batches.current.ready == n_batches
    if epochs.started > epochs.processed and not is_known:
        batches.is_last_batch = True
        batches.total.completed = batches.total.processed - 1
        batches.current.completed = n_batches - 1


def is_complete(trainer: Trainer) -> bool:
    """Whether a run that was resumed had been trained to its end before."""
    progress, most = trainer.fit_loop.epoch_progress.current, trainer.max_epochs
    is_last_epoch = most is not None and most > 0 and progress.processed >= most
    return bool(is_last_epoch or 0 < trainer.max_steps <= trainer.global_step)


def is_over(trainer: Trainer) -> bool:
    """Whether the step that was just done is the last of the run."""
    is_last_epoch = trainer.current_epoch + 1 == trainer.max_epochs
    is_last_step = 0 < trainer.max_steps <= trainer.global_step
    return bool(is_last_step or (is_last_epoch and trainer.is_last_batch))


def steps_of_batch(trainer: Trainer) -> tuple[int, int]:
    """Training steps before the batch that was just trained on, and after it: none is done while gradients accumulate.

    `global_step` counts every optimizer, so with two of them it passes over every other number.
    """
    loop = trainer.fit_loop.epoch_loop
    before = int(loop._batches_that_stepped)  # which is counted after this hook
    return before, before + (not loop._should_accumulate())
