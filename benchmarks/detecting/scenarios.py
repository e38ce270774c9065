"""What each generation of a lineage is trained on: healthy data, and every way in which collapse begins."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from detecting.corpora import Real, topic
from detecting.models import Model
from detecting.ngram_model import Floats
from detecting.passages import Ids, Passages, joined

PROBABLE, TRIMMED = 0.8, 0.3
"""Share of the most probable that is kept, and share of synthetic data, where only the tail is lost."""
ADDED, FADED, DROPPED = 0.1, 0.05, 0.03
TOPIC_GENERATIONS, COPIED, COPIES_A_GENERATION, MOST_COPIES = 4, 30, 0.1, 0.6


@dataclass(kw_only=True)
class Past:
    """What a lineage knows when a generation is trained."""

    real: Real
    """The real data."""
    n: int
    """Documents wanted."""
    rng: np.random.Generator
    """Everything random of the lineage."""
    founding: Ids
    """Places in the pool of the founder's training documents."""
    founder: Model | None = None
    """The founder."""
    parent: Model | None = None
    """The newest model."""
    written: list[Passages] = field(default_factory=list)
    """What every generation so far has written; the newest last."""
    rarity: Floats | None = None
    """The founder's nats per token of each document of the pool, once a scenario asked for them."""

    @property
    def generation(self) -> int:
        """t of the generation that is trained now."""
        return len(self.written)


Training = Callable[[Past], Passages]


def fresh(past: Past) -> Passages:
    """Other real documents each time."""
    return past.real.pool[past.real.draw(past.n, past.rng)]


def same(past: Past) -> Passages:
    """The founder's documents again; only the seed of the training is new."""
    return past.real.pool[past.founding]


def replace(past: Past) -> Passages:
    """What the parent wrote, and nothing else."""
    return past.written[-1]


def accumulate(past: Past) -> Passages:
    """The founder's documents and all that was written since."""
    return joined(same(past), *past.written)


def accumulate_slowly(past: Past) -> Passages:
    """The founder's documents and a tenth of what each generation wrote."""
    tenth = np.arange(round(ADDED * past.n))
    return joined(same(past), *(written[tenth] for written in past.written))


def mix(real_share: float) -> Training:
    """Fresh real documents in a fixed share, and what the parent wrote."""
    return lambda past: _mixed(past, real_share)


def fading(past: Past) -> Passages:
    """As `mix`, with a real share that falls by five points a generation."""
    return _mixed(past, 1.0 - FADED * past.generation)


def _mixed(past: Past, real_share: float) -> Passages:
    n_real = round(real_share * past.n)
    real = past.real.pool[past.real.draw(n_real, past.rng)]
    return joined(real, past.written[-1][np.arange(past.n - n_real)])


def tail_only(past: Past) -> Passages:
    """Rare documents are dropped, by the founder's loss; of the parent's writing the most probable part is kept."""
    newest = past.written[-1]
    probable = _lowest(_known(past.parent).nll(newest), PROBABLE)
    n_written = round(TRIMMED * past.n)
    kept = newest[past.rng.permutation(probable)[:n_written]]
    return joined(_common(past, PROBABLE, past.n - n_written), kept)


def tail_fading(past: Past) -> Passages:
    """Fresh real documents of which the rarest are dropped, by the founder's loss: three points more a generation."""
    return _common(past, 1.0 - DROPPED * past.generation, past.n)


def _common(past: Past, share: float, n: int) -> Passages:
    if past.rarity is None:
        past.rarity = _known(past.founder).nll(past.real.pool) / past.real.pool.lengths
    common = _lowest(past.rarity, share)
    return past.real.pool[past.rng.choice(common, size=n, replace=n > len(common))]


def mode_loss(past: Past) -> Passages:
    """Fresh real documents from which a topic vanishes within four generations."""
    labels = past.real.labels
    vanishing = labels == topic(labels, np.random.default_rng(past.founding[:4]))
    kept = max(0.0, 1.0 - past.generation / TOPIC_GENERATIONS)
    left = np.flatnonzero(~vanishing | (past.rng.random(len(labels)) < kept))
    return past.real.pool[past.rng.choice(left, size=past.n, replace=past.n > len(left))]


def duplication(past: Past) -> Passages:
    """Fresh real documents of which ever more are copies of the same thirty."""
    n_copies = round(min(MOST_COPIES, COPIES_A_GENERATION * past.generation) * past.n)
    places = past.real.draw(past.n, past.rng)
    places[:n_copies] = past.rng.choice(past.founding[:COPIED], size=n_copies)
    return past.real.pool[places]


def _lowest(values: Floats, share: float) -> Ids:
    return np.flatnonzero(values <= np.quantile(values, share))


def _known(model: Model | None) -> Model:
    if model is None:
        raise ValueError("the founder is trained on real data alone: there is no model before it")
    return model


class Scenario(NamedTuple):
    """One way to go on from a founder."""

    group: str
    """What it is an example of."""
    training: Training
    """What each generation is trained on."""
    decoding: str = "pure"
    """How each generation writes."""
    times: int = 1
    """How many times as many documents as usual."""
    is_prompted: bool = False
    """Whether each generation continues the same beginnings of real documents, several times each."""


SCENARIOS = {
    "fresh": Scenario("healthy", fresh),
    "same": Scenario("healthy", same),
    "replace_pure": Scenario("fast", replace),
    "replace_top_k": Scenario("fast", replace, "top_k"),
    "replace_temperature": Scenario("fast", replace, "temperature"),
    "replace_beam": Scenario("fast", replace, "beam"),
    "replace_large": Scenario("fast", replace, times=5),
    "accumulate": Scenario("mixed", accumulate),
    "mix_75": Scenario("mixed", mix(0.75)),
    "mix_85": Scenario("mixed", mix(0.85)),
    "mix_95": Scenario("mixed", mix(0.95)),
    "accumulate_slowly": Scenario("slow", accumulate_slowly),
    "fading": Scenario("slow", fading),
    "tail_only": Scenario("tail", tail_only),
    "tail_fading": Scenario("fading tail", tail_fading),
    "mode_loss": Scenario("mode", mode_loss),
    "narrow": Scenario("narrow", mix(0.90), "narrow"),
    "duplication": Scenario("duplication", duplication),
    "prompted_fresh": Scenario("healthy", fresh, is_prompted=True),
    "prompted_replace": Scenario("fast", replace, is_prompted=True),
    "prompted_narrow": Scenario("narrow", mix(0.90), "narrow", is_prompted=True),
}
# A trigram model forgets so much in a generation that five times the documents do not make its replacement slow; and
# with a fixed real share its loss steps up once and stays. What is slow are small additions, and a share that fades.
PLAIN = ("fast", "duplication")
"""Groups that every detector sees."""
NOT_NEURAL = ("replace_beam", "replace_large", "replace_temperature", "replace_top_k", "prompted_replace")
"""Scenarios of trigram models only: a search and five times the documents cost a neural model too much, and what every
detector sees at once is worth no hours of training."""
OF_NEURAL = ("speeches",)
"""Corpora on which neural models collapse; healthy ones are of all corpora."""
