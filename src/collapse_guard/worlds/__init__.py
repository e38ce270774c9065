"""Recursive worlds with closed-form answers: study collapse where it is understood, and try out policies.

Each world has `simulate(...)`, which returns its lineages, and the laws that their expectations follow:

- `gaussian`: mean and variance are refitted; the variance shrinks.
- `wright_fisher`: frequencies of types are refitted; types are lost, and homozygosity grows.
- `regression`: least squares on labels of the previous fit; the error grows.
- `hutter`: a learner that knows what it has seen, on a source with a heavy tail; the tail is lost.
- `zipf_text`: a word model on documents that obey Zipf's law, with texts and losses for the guard to judge.

Example:
    >>> from collapse_guard.worlds import Workflow, wright_fisher
    >>> lineages = wright_fisher.simulate(workflow=Workflow(name="mix", real_share=0.1), lineages=400, seed=1)
    >>> limit = wright_fisher.stationary_fixation(samples=100, real_share=0.1)
    >>> bool(abs(lineages.fixation_index[:, 10].mean() - limit) < 0.01)
    True
"""

from collapse_guard.worlds import gaussian, hutter, regression, wright_fisher, zipf_text
from collapse_guard.worlds.gaussian import GaussianLineages
from collapse_guard.worlds.hutter import HutterLineages
from collapse_guard.worlds.observable import Lineages, Observable
from collapse_guard.worlds.regression import RegressionLineages
from collapse_guard.worlds.workflow import WORKFLOWS, Workflow
from collapse_guard.worlds.wright_fisher import TypeLineages
from collapse_guard.worlds.zipf_text import TextLineages

__all__ = [
    "WORKFLOWS",
    "GaussianLineages",
    "HutterLineages",
    "Lineages",
    "Observable",
    "RegressionLineages",
    "TextLineages",
    "TypeLineages",
    "Workflow",
    "gaussian",
    "hutter",
    "regression",
    "wright_fisher",
    "zipf_text",
]
