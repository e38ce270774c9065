"""Several processes that assess at the same time, without a number."""

from __future__ import annotations

from killing.process import must, run, start, wait
from killing.trial import stored_in
from killing.world import World

_FIRST_SEED = 100


def write_at_once(world: World, writers: int, store: str) -> list[str]:
    """What is wrong after as many processes have assessed evidence of their own at the same time; none: nothing.

    Args:
        world: Its lineage is founded first where the store is another one.
        writers: How many.
        store: Address of a store without the lineage; empty: the sqlite file of a trial.
    """
    folder = world.trial(f"writers to {'another store' if store else 'sqlite'}")
    uri = store or f"sqlite:///{folder / 'mlflow.db'}"
    if store:
        must(run(world.assess(1, "--founder", store=uri), folder), 0, 3)
    commands = [world.assess(_FIRST_SEED + number, store=uri) for number in range(writers)]
    ended = [wait(one) for one in [start(command, folder) for command in commands]]
    faults = [f"a writer ended with {one.code}: {one.said}" for one in ended if one.code not in (0, 3)]
    stored = stored_in(uri)
    if sorted(stored) != list(range(writers + 1)) or len(set(stored.values())) != writers + 1:
        faults.append(f"{writers} writers at once left generations {sorted(stored)} behind their founder")
    return faults
