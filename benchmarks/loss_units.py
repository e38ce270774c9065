"""What retraining and collapse do to the losses of each document, beside what another unit does to them.

    python benchmarks/loss_units.py [--passages 3000] [--held-out 1000] [--out losses.json]

A small GRU is trained on passages of 8 to 60 words of speeches, again on other passages, and is made to collapse in ten
ways; about six minutes on one core. Each row compares losses with the founder's, as `decision/units.py` does:

- the ratio of the means, and how far the nearest factor of a unit is from the median ratio;
- the noise: robust standard deviation of the log ratio, times the root of the mean length, and as a share of the
  spread of the founder's log rates;
- the change of that spread.

docs/losses.md has the results. `tests/decision/real_losses.csv` holds 300 documents of such models.
"""

from __future__ import annotations

import argparse
import json
import math
import random
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from tokenizers import Tokenizer
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel
from tokenizers.trainers import BpeTrainer
from torch import Tensor
from torch.nn import functional

from collapse_guard.decision.units import Scored, factors, is_one_factor, log_ratios, spread_of
from collapse_guard.demo.corpus import speeches
from collapse_guard.demo.model import BOS, IGNORE, PAD, TinyLanguageModel, encoder

LENGTH = 64


class Setup(NamedTuple):
    """Encoded passages: BOS, up to 64 tokens, and IGNORE as padding."""

    pool: Tensor
    held_out: Tensor
    vocabulary: int
    bos: int


def main() -> None:
    parser = argparse.ArgumentParser(description="What retraining, collapse and units do to losses.")
    parser.add_argument("--passages", type=int, default=3000, metavar="N", help="passages of one training")
    parser.add_argument("--held-out", type=int, default=1000, metavar="N", help="passages that are scored")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write all losses here")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    setup = prepare(arguments.passages, arguments.held_out)
    founder, kept = None, {}
    for name, scored in models(setup, arguments.passages):
        founder, kept[name] = founder or scored, scored.nll.tolist()
        print(row(name, scored, founder), flush=True)
    if arguments.out:
        arguments.out.write_text(json.dumps({"n_tokens": founder.tokens.tolist(), "nll": kept}), encoding="utf-8")


def prepare(passages: int, held_out: int) -> Setup:
    """Cut passages of 8 to 60 words, and encode them: the last ones are held out, three trainings fit in the others."""
    rng = random.Random(0)  # noqa: S311 - no secret
    paragraphs = (line.split() for path in speeches() for line in path.read_text(encoding="utf-8").splitlines())
    texts = [" ".join(words[: rng.randint(8, 60)]) for words in paragraphs if len(words) >= 8]
    rng.shuffle(texts)
    tokenizer = Tokenizer(BPE(unk_token=None))
    tokenizer.pre_tokenizer = ByteLevel()
    alphabet = ByteLevel.alphabet()
    trainer = BpeTrainer(vocab_size=2000, special_tokens=[BOS, PAD], initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(texts[:5000], trainer)
    encode = encoder(tokenizer, LENGTH)
    pool, held = texts[:-held_out][: 3 * passages], texts[-held_out:]
    return Setup(
        torch.stack([encode(text) for text in pool]),
        torch.stack([encode(text) for text in held]),
        tokenizer.get_vocab_size(),
        tokenizer.token_to_id(BOS),
    )


def models(setup: Setup, passages: int) -> Iterator[tuple[str, Scored]]:
    """The founder, its healthy retrains, and collapses, each with its losses on the passages held out."""
    real = setup.pool[:passages]
    founder = train(setup, real, seed=0)
    yield "founder", score(setup, founder)
    for seed in (1, 2):
        other = setup.pool[seed * passages : (seed + 1) * passages]
        yield f"other passages {seed}", score(setup, train(setup, other, seed=seed))
    yield "twice the epochs", score(setup, train(setup, real, seed=3, epochs=4))
    for scale in (2.0, 3.0, 0.5, 0.25):
        yield f"predictions sharpened {scale:g} times", score(setup, founder, scale=scale)
    for share, epochs in ((10, 10), (10, 30), (30, 30), (100, 60)):
        few = real[: max(2, passages // share)]
        yield f"{len(few)} passages, {epochs} epochs", score(setup, train(setup, few, seed=5, epochs=epochs))
    for noise in (0.2, 0.5, 0.8):
        yield f"{noise:.0%} labels at random", score(setup, train(setup, real, seed=6, noise=noise))
    for name, options in (
        ("pure sampling", {}),
        ("top-k 20", {"top_k": 20}),
        ("top-k 5", {"top_k": 5}),
        ("temperature 0.7", {"temperature": 0.7}),
    ):
        parent = founder
        for generation in (1, 2, 3):
            parent = train(setup, sample(setup, parent, passages, **options), seed=10 + generation)
            yield f"{name}, generation {generation}", score(setup, parent)


def train(setup: Setup, ids: Tensor, *, seed: int, epochs: int = 2, noise: float = 0.0) -> TinyLanguageModel:
    """A model of its own seed; `noise` is the share of labels that are drawn at random."""
    torch.manual_seed(seed)
    model = TinyLanguageModel(setup.vocabulary)
    optimizer = torch.optim.AdamW(model.parameters(), lr=model.learning_rate, weight_decay=0.01)
    steps = epochs * math.ceil(len(ids) / 32) + 1
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, model.learning_rate, total_steps=steps, pct_start=0.1)
    for _ in range(epochs):
        for batch in ids[torch.randperm(len(ids))].split(32):
            labels = batch[:, 1:]
            wrong = (torch.rand(labels.shape) < noise) & (labels != IGNORE)
            labels = torch.where(wrong, torch.randint(setup.vocabulary, labels.shape), labels)
            loss = functional.cross_entropy(model(batch[:, :-1]).flatten(0, 1), labels.flatten(), ignore_index=IGNORE)
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
    return model


@torch.no_grad()
def score(setup: Setup, model: TinyLanguageModel, *, scale: float = 1.0) -> Scored:
    """Losses on the passages held out, with logits times `scale`."""
    model.eval()
    parts = []
    for batch in setup.held_out.split(100):
        labels, logits = batch[:, 1:], scale * model(batch[:, :-1])
        nats = functional.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=IGNORE, reduction="none")
        parts.append(nats.view(labels.shape).sum(1))
    tokens = (setup.held_out[:, 1:] != IGNORE).sum(1).double().numpy()
    return Scored(keys=tuple(map(str, range(len(tokens)))), nll=torch.cat(parts).double().numpy(), tokens=tokens)


@torch.no_grad()
def sample(
    setup: Setup, model: TinyLanguageModel, n: int, *, top_k: int | None = None, temperature: float = 1.0
) -> Tensor:
    """n samples of 48 tokens, encoded as passages."""
    model.eval()
    ids, state = [torch.full((n, 1), setup.bos)], None
    for _ in range(48):
        logits, state = model.generate_step(ids[-1], state)
        if top_k:
            logits = logits.masked_fill(logits < logits.topk(top_k).values[:, -1:], -math.inf)
        ids.append(torch.multinomial((logits / temperature).softmax(-1), 1))
    return torch.cat([*ids, torch.full((n, LENGTH - 48), IGNORE)], dim=1)


def row(name: str, scored: Scored, founder: Scored) -> str:
    """What happened to the losses, on one line."""
    ratios, before = log_ratios(scored, founder), spread_of(np.log(founder.nll / founder.tokens))
    noise, spread = spread_of(ratios), spread_of(np.log(scored.nll / scored.tokens))
    distance = min(abs(float(np.median(ratios - one.logs))) for one in factors(scored, founder))
    unit = any(is_one_factor(scored, founder, one) for one in factors(scored, founder))
    return (
        f"{name:34s} losses x {scored.nll.sum() / founder.nll.sum():.3f}   nearest unit at {distance:5.1%}   noise "
        f"{noise * math.sqrt(founder.tokens.mean()):.2f} / sqrt n, {noise / before:.2f} of the spread   spread x "
        f"{spread / before:.2f}   {'taken for a unit' if unit else 'no unit'}"
    )


if __name__ == "__main__":
    main()
