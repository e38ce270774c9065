"""Fitness of an inbred population, perplexity of an inbred model: one curve. python examples/two_curves.py [--out PNG]

Left, the population: 50 individuals, inbreeding load 6. Without purging fitness only declines, and each thin line is a
simulated lineage (their mean lies above the law of the mean F, as exp is convex). With purging (d = 0.25) it declines,
turns and recovers, as the recursion of g says.
Right, the model: words of Zipf's law, and a model of their frequencies that is retrained on its own text. Replaced, its
perplexity climbs; with 10 % fresh real text in every generation it levels off. The dotted lines are the same curve
of inbreeding, fitted: ln PPL = ln PPL_0 + B g(n_e, d).
"""

import argparse
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from collapse_guard.genetics.depression import fit_depression
from collapse_guard.genetics.inbreeding import expected_fitness, purged_inbreeding
from collapse_guard.worlds import Workflow, wright_fisher, zipf_text

INDIVIDUALS, LOAD, PURGING = 50, 6.0, 0.25
WORKFLOWS = {"replaced": Workflow(), "10 % real": Workflow(name="mix", real_share=0.1)}
COLOURS = ("#1f5fbf", "#7b3fb5")


def population(*, generations, lineages, seed):
    """Fitness without purging, of simulated lineages and expected, and expected with purging."""
    types = np.full(1000, 1 / 1000)
    drift = wright_fisher.simulate(
        types, samples=2 * INDIVIDUALS, generations=generations, lineages=lineages, seed=seed
    ).fixation_index
    paths = {
        purging: purged_inbreeding(generations + 1, samples=2 * INDIVIDUALS, purging=purging)[1:]
        for purging in (0.0, PURGING)
    }
    return {
        "simulated": expected_fitness(np.clip(drift, 0.0, 1.0), load=LOAD),
        **{purging: expected_fitness(path, load=LOAD) for purging, path in paths.items()},
    }


def models(*, generations, lineages, seed):
    """For each workflow: perplexity over generations, and the fitted curve."""
    found = {}
    for name, workflow in WORKFLOWS.items():
        grown = zipf_text.simulate(workflow=workflow, generations=generations, lineages=lineages, seed=seed)
        loss = grown.loss.mean(axis=0)
        fit = fit_depression(loss, real_share=workflow.fresh_share)
        found[name] = loss, fit
    return found


def draw(fitness, fitted):
    figure = Figure(figsize=(9.0, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    left.plot(fitness["simulated"].T, color="#9aa4b0", linewidth=0.5, alpha=0.6)
    for colour, purging in zip(COLOURS, (0.0, PURGING), strict=True):
        label = f"d = {purging:g}" if purging else "d = 0, no purging"
        left.plot(fitness[purging], color=colour, linewidth=1.8, label=label)
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


def main():
    parser = argparse.ArgumentParser(description="Draw fitness and perplexity under inbreeding, side by side.")
    parser.add_argument("--out", type=Path, default=Path("two_curves.png"), help="where to write the picture")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    fitness = population(generations=100, lineages=40, seed=arguments.seed)
    fitted = models(generations=20, lineages=40, seed=arguments.seed)
    lowest = int(fitness[PURGING].argmin())
    print(f"without purging fitness falls to {fitness[0.0][-1]:.3f}; with d = {PURGING:g} it is lowest,")
    print(f"{fitness[PURGING][lowest]:.3f}, in generation {lowest} and {fitness[PURGING][-1]:.3f} in generation 100")
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
