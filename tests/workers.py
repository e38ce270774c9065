"""What workers that load data do in tests: in a module that a new process imports in a moment."""

import multiprocessing
import sys

import torch

STARTS = ("fork", "spawn", "forkserver")


def as_vector(number):
    return torch.full((4,), float(number))


def started(_):
    """In which way the process that reads was started: one that is not forked needs no trainer."""
    start = multiprocessing.get_start_method()
    assert start == "fork" or "pytorch_lightning" not in sys.modules
    return as_vector(STARTS.index(start))
