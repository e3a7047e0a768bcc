"""Tables of an X-NN sweep: cost and gain of explaining a network.

table = analysis.xnn.cells(trials)                   # one row per configuration
analysis.xnn.best(table)                             # the most explanation within 0.02 nat
analysis.xnn.methods(trials)                         # each method against its control
analysis.xnn.pareto(table)                           # Pareto front, its knee and hypervolume
analysis.xnn.baselines(manifest)                     # boosted trees and the plain network
analysis.xnn.stability(files, trials, table)         # agreement of explanations across seeds
analysis.xnn.by_group(trials, cell, plain)           # rates by group of insured

Here ``files`` are ``analysis.SweepFiles.of(storage, trials, manifest)``.
"""

from analysis.xnn.baselines import baselines
from analysis.xnn.cells import cells, members, plain_of
from analysis.xnn.fairness import by_group
from analysis.xnn.fixed_settings import spelled_out
from analysis.xnn.methods import methods
from analysis.xnn.pareto import Front, pareto
from analysis.xnn.selection import Choice, best, choose
from analysis.xnn.stability import stability

__all__ = [
    "Choice",
    "Front",
    "baselines",
    "best",
    "by_group",
    "cells",
    "choose",
    "members",
    "methods",
    "pareto",
    "plain_of",
    "spelled_out",
    "stability",
]
