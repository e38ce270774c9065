"""Retrain a small VAE on its own samples, and measure every generation: python examples/vae_on_digits.py [--seed N].

The images are scikit-learn's 8 x 8 digits. One lineage is trained only on its parent's samples; in the other, half of
each training set is real. Both are measured against the same frozen real images.
"""

import argparse
import math
from pathlib import Path

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn

from collapse_guard import Evidence, Generation, Mixture, WildType, assess

SHOWN = ("total_variance", "effective_rank", "vendi", "frechet", "mmd", "precision", "recall", "coverage")
MAIN = ("total_variance", "recall", "frechet")
LATENTS, KL_WEIGHT = 16, 0.1  # a smaller weight gives sharper samples


class VAE(nn.Module):
    def __init__(self, pixels=64, hidden=128):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(pixels, hidden), nn.ReLU(), nn.Linear(hidden, 2 * LATENTS))
        self.decoder = nn.Sequential(nn.Linear(LATENTS, hidden), nn.ReLU(), nn.Linear(hidden, pixels))

    def loss(self, x):
        mean, log_variance = self.encoder(x).chunk(2, dim=1)
        z = mean + (log_variance / 2).exp() * torch.randn_like(mean)
        reconstruction = nn.functional.binary_cross_entropy_with_logits(self.decoder(z), x, reduction="sum")
        divergence = (mean.square() + log_variance.exp() - log_variance - 1).sum() / 2
        return (reconstruction + KL_WEIGHT * divergence) / len(x)

    @torch.no_grad()
    def sample(self, n):
        return torch.sigmoid(self.decoder(torch.randn(n, LATENTS))).numpy()


def train(images, *, steps, seed):
    torch.manual_seed(seed)
    x = torch.tensor(images, dtype=torch.float32)
    model = VAE(x.shape[1])
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    for _ in range(steps):
        optimizer.zero_grad()
        model.loss(x[torch.randint(len(x), (128,))]).backward()
        optimizer.step()
    return model


def mix(real, synthetic, share, rng):
    """As many images as there are real ones: a `share` of them real, the others synthetic."""
    n_real = round(share * len(real))
    places = rng.choice(len(real), n_real, replace=False), rng.choice(len(synthetic), len(real) - n_real, replace=False)
    return np.concatenate([real[places[0]], synthetic[places[1]]])


def grow(wild_type, lineage, *, real_share, generations, steps, seed):
    """The assessments of a founder and `generations` retrained descendants."""
    real, rng = wild_type.pool_vectors, np.random.default_rng(seed)
    history, images = [], real
    for index in range(generations + 1):
        samples = train(images, steps=steps, seed=1000 * seed + index).sample(len(real))
        share = real_share if index else 1.0
        generation = Generation(
            lineage=lineage,
            index=index,
            parents=(index - 1,) if index else (),
            mixture=Mixture.with_real(share),
        )
        history.append(assess(wild_type, Evidence(samples=samples), history=history, generation=generation))
        images = mix(real, samples, real_share, rng)
    return history


def table(history):
    """One line per generation: its readings and its verdict."""
    names = shown(history)
    lines = ["  ".join(["t", *names, "verdict"])]
    for assessment in history:
        values = (f"{assessment.readings[name].value:{len(name)}.3g}" for name in names)
        severity = "founder" if assessment.generation.index == 0 else assessment.verdict.severity
        lines.append("  ".join([str(assessment.generation.index), *values, severity]))
    return "\n".join(lines)


def shown(history):
    return [name for name in SHOWN if name in history[0].readings]


def summary(history):
    """Compare the first and the last generation in one line."""
    first, last = history[0].readings, history[-1].readings
    changes = [f"{name} {first[name].value:.3g} -> {last[name].value:.3g}" for name in MAIN if name in first]
    return f"from generation 0 to {len(history) - 1}: {', '.join(changes)}"


def figure(lineages, path):
    from matplotlib import pyplot as plt

    names = shown(next(iter(lineages.values())))
    columns = math.ceil(len(names) / 2)
    drawing, axes = plt.subplots(2, columns, figsize=(2.3 * columns, 4), layout="constrained", squeeze=False)
    for axis, name in zip(axes.flat, names, strict=False):
        for lineage, history in lineages.items():
            axis.plot([assessment.readings[name].value for assessment in history], marker=".", label=lineage)
        axis.set_title(name)
        axis.set_ylim(bottom=0)
    drawing.supxlabel("generation")
    drawing.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=len(lineages))
    drawing.savefig(path, dpi=100)
    plt.close(drawing)


def run(*, seed=0, generations=6, steps=600):
    """Both lineages, by name."""
    torch.set_num_threads(1)  # so small a model is faster on one thread
    images = load_digits().data / 16.0
    wild_type = WildType.fit_arrays(images, seed=seed, evaluation_fraction=0.4, group_samples=64)
    settings = {"generations": generations, "steps": steps, "seed": seed}
    return {
        "own samples only": grow(wild_type, "own-samples-only", real_share=0.0, **settings),
        "half real": grow(wild_type, "half-real", real_share=0.5, **settings),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--generations", type=int, default=6)
    parser.add_argument("--steps", type=int, default=600, help="training steps of each generation")
    parser.add_argument("--figure", type=Path, help="where to write a figure of all readings")
    arguments = parser.parse_args()
    lineages = run(seed=arguments.seed, generations=arguments.generations, steps=arguments.steps)
    for lineage, history in lineages.items():
        print(f"\n{lineage}\n{table(history)}\n{summary(history)}")
    if arguments.figure:
        figure(lineages, arguments.figure)
