"""Tables and figures of a sweep, read from the plain files it leaves behind.

    trials = analysis.load_trials("results/tickets")     # one row a trial
    epochs = analysis.load_epochs("results/tickets")     # one row a trial and epoch
    analysis.best_lr(trials)                             # the fastest learning rate of every group
    analysis.max_efficient_sparsity(trials)              # how sparse the network may be
    analysis.baselines(trials, analysis.load_manifest("results/tickets"))  # without training
    analysis.compare(trials)                             # told apart, or only other seeds?
    analysis.robust_against_standard(trials)             # what robust training costs and buys
    analysis.controls(trials)                            # the ticket beside its controls
    analysis.budget_curves(trials)                       # how few epochs are enough
    analysis.xnn.cells(trials)                           # an X-NN sweep by configuration
    analysis.schema.describe()                           # what every column means

Figures live in :mod:`analysis.figures`, which is imported only when asked for. An argument
means the same in every function:

    trials, epochs, manifest     from load_trials, load_epochs and load_manifest
    tolerance                    share of the dense network's CVaR that may be lost
    level, confidence            of tests; of intervals, 1 - level where there are both
    rng                          of the bootstrap; a number gives every interval the same draws
    ax, figure                   empty, to be drawn into
"""

from analysis import schema, xnn
from analysis.audit import audit, soundness
from analysis.errors import AnalysisError
from analysis.load import StorageError, load_epochs, load_manifest, load_trials
from analysis.schema import ColumnError
from analysis.statistics import (
    Interval,
    holm,
    interquartile_mean,
    interval,
    least_seeds,
    more_seeds,
    paired_size,
    signed_rank,
)
from analysis.tensors import SweepFiles
from analysis.tickets.attack_checks import attack_checks
from analysis.tickets.baselines import baselines
from analysis.tickets.boosting import budget_curves
from analysis.tickets.comparison import compare
from analysis.tickets.controls import controls
from analysis.tickets.efficiency import max_efficient_sparsity, sparsity_passes
from analysis.tickets.robustness import robust_against_standard, robustness_table
from analysis.tickets.summary import best_lr, summary

__all__ = [
    "AnalysisError",
    "ColumnError",
    "Interval",
    "StorageError",
    "SweepFiles",
    "attack_checks",
    "audit",
    "baselines",
    "best_lr",
    "budget_curves",
    "compare",
    "controls",
    "holm",
    "interquartile_mean",
    "interval",
    "least_seeds",
    "load_epochs",
    "load_manifest",
    "load_trials",
    "max_efficient_sparsity",
    "more_seeds",
    "paired_size",
    "robust_against_standard",
    "robustness_table",
    "schema",
    "signed_rank",
    "soundness",
    "sparsity_passes",
    "summary",
    "xnn",
]


def __dir__() -> list[str]:
    return __all__
