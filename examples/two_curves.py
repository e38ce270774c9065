"""Fitness of an inbred population, perplexity of an inbred model: one curve. python examples/two_curves.py [--out PNG]

Left, a population: 50 individuals, inbreeding load 6. Without purging fitness only declines. Each thin line is
a simulated lineage (their mean lies above the law of the mean F, because exp is convex). With purging fitness declines,
turns and recovers, both in the recursion of g for d = 0.25 and in populations simulated with recessive alleles of
s = 0.5, for which d is s/2. The populations turn earlier, fall less and recover further than the recursion: it is an
approximation that purges too little here. So a fitted d is an effective parameter of the curve; the program prints it.
Right, a model of word frequencies by Zipf's law, retrained on its own text. If all text is replaced, its perplexity
climbs; with 10% fresh real text in every generation it levels off. The dotted lines are fits of the same curve of
inbreeding: ln PPL = ln PPL_0 + B g(n_e, d).
"""

import argparse
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from collapse_guard.genetics.depression import fit_depression
from collapse_guard.genetics.inbreeding import purged_inbreeding
from collapse_guard.worlds import Workflow, wright_fisher, zipf_text

INDIVIDUALS, LOAD, PURGING = 50, 6.0, 0.25
WORKFLOWS = {"replaced": Workflow(), "10% real": Workflow(name="mix", real_share=0.1)}
COLOURS = ("#1f5fbf", "#7b3fb5")


def population(*, generations, lineages, seed):
    """Relative fitness in generations 0 to `generations`, for simulated lineages and expected for each d."""
    types = np.full(1000, 1 / 1000)
    drift = wright_fisher.simulate(
        types, samples=2 * INDIVIDUALS, generations=generations - 1, lineages=lineages, seed=seed
    ).fixation_index
    # The world begins with a fitted founder, F_1; the source before it has F_0 = 0.
    drift = np.concatenate([np.zeros((lineages, 1)), np.clip(drift, 0.0, 1.0)], axis=1)
    paths = {d: purged_inbreeding(generations, samples=2 * INDIVIDUALS, purging=d) for d in (0.0, PURGING)}
    children = np.random.SeedSequence(seed).spawn(lineages)
    herds = [herd(np.random.default_rng(child), generations=generations) for child in children]
    return {
        "simulated": np.exp(-LOAD * drift),
        "selected": np.array(herds),
        **{d: np.exp(-LOAD * path) for d, path in paths.items()},
    }


def herd(rng, *, generations, individuals=INDIVIDUALS, load=LOAD, purging=PURGING, selects=True):
    """Mean fitness over generations of individuals who carry recessive alleles and mate at random.

    Each deleterious allele of the founders is unique and has a locus of its own; loci are not linked, and nothing
    mutates. Two copies multiply fitness by 1 - s, with s = 2 d. Fitness is the chance to be a parent.
    """
    s = 2 * purging
    owners = np.repeat(np.arange(2 * individuals), rng.poisson(load / s, 2 * individuals))
    genes = owners == np.arange(2 * individuals)[:, None]  # [genomes, loci]; i and i + individuals are one individual
    fixed, means = 0, []
    for _ in range(generations + 1):
        doubled = (genes[:individuals] & genes[individuals:]).sum(axis=1) + fixed
        fitness = (1 - s) ** doubled
        means.append(fitness.mean())
        chance = fitness / fitness.sum() if selects else None
        parents = rng.choice(individuals, size=2 * individuals, p=chance)
        is_first = rng.random(genes.shape) < 0.5
        genes = np.where(is_first, genes[parents], genes[parents + individuals])
        copies = genes.sum(axis=0)
        fixed += int((copies == 2 * individuals).sum())
        genes = genes[:, (copies > 0) & (copies < 2 * individuals)]
    return np.array(means)


def models(*, generations, lineages, seed):
    """For each workflow: ln perplexity over generations, and the fitted curve."""
    results = {}
    for name, workflow in WORKFLOWS.items():
        simulated = zipf_text.simulate(workflow=workflow, generations=generations, lineages=lineages, seed=seed)
        loss = simulated.loss.mean(axis=0)
        fit = fit_depression(loss, real_share=workflow.fresh_share)
        results[name] = loss, fit
    return results


def draw(fitness, fitted):
    figure = Figure(figsize=(9.0, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    left.plot(fitness["simulated"].T, color="#9aa4b0", linewidth=0.5, alpha=0.6)
    for colour, purging in zip(COLOURS, (0.0, PURGING), strict=True):
        label = f"law, d = {purging:g}" if purging else "law, d = 0 (no purging)"
        left.plot(fitness[purging], color=colour, linewidth=1.8, label=label)
    mean = fitness["selected"].mean(axis=0)
    left.plot(mean, "o", markersize=2.5, markevery=2, color=COLOURS[1], label=f"simulated, s = {2 * PURGING:g}")
    left.set(title="relative fitness (population view)", xlabel="generation", ylim=(0.0, 1.02))
    for colour, (name, (loss, fit)) in zip(COLOURS, fitted.items(), strict=True):
        curve = fit.curve(len(loss) - 1, real_share=WORKFLOWS[name].fresh_share)
        right.plot(np.exp(loss), "o", markersize=3.5, color=colour, label=name)
        right.plot(np.exp(curve), linestyle=(0, (1.0, 1.6)), color=colour, label=f"fitted: n_e = {float(fit.size):.0f}")
    right.set(title="perplexity (model view)", xlabel="generation")
    right.xaxis.set_major_locator(MaxNLocator(integer=True))
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False, fontsize=8.5)
    return figure


def sentences(fitness):
    """Describe the population's curves in words."""
    law, mean = fitness[PURGING], fitness["selected"].mean(axis=0)
    last, fit = len(law) - 1, fit_depression(-np.log(mean))
    d, low, high = fit.purging, fit.purging_low, fit.purging_high
    return [
        f"Without purging fitness falls to {fitness[0.0][-1]:.3f} in generation {last}.",
        f"With d = {PURGING:g} it is lowest, {law.min():.3f}, in generation {law.argmin()}, and ends at {law[-1]:.3f}.",
        f"Simulated with s = {2 * PURGING:g}: lowest, {mean.min():.3f}, in generation {mean.argmin()}, and ends at "
        f"{mean[-1]:.3f}; d = {d:.2f} ({low:.2f} to {high:.2f}) fits it.",
    ]


def main():
    parser = argparse.ArgumentParser(description="Draw fitness and perplexity under inbreeding, side by side.")
    parser.add_argument("--out", type=Path, default=Path("two_curves.png"), help="where to write the picture")
    parser.add_argument("--generations", type=int, default=100, help="of the population; a fifth of the model")
    parser.add_argument("--lineages", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    fitness = population(generations=arguments.generations, lineages=arguments.lineages, seed=arguments.seed)
    fitted = models(generations=arguments.generations // 5, lineages=arguments.lineages, seed=arguments.seed)
    print("\n".join(sentences(fitness)))
    for name, (loss, fit) in fitted.items():
        ends = " to ".join(f"{end:.0f}" for end in np.exp(loss[[0, -1]]))
        load, size = (f"{value:.2f} ({low:.2f} to {high:.2f})" for value, low, high in _estimates(fit))
        print(f"{name}: perplexity {ends}; load {load} nats, effective size {size}, p(purging) = {fit.p_purging:.2g}")
    draw(fitness, fitted).savefig(arguments.out, dpi=200)
    print(f"The picture is {arguments.out}.")


def _estimates(fit):
    return (fit.load, fit.load_low, fit.load_high), (fit.size, fit.size_low, fit.size_high)


if __name__ == "__main__":
    main()
