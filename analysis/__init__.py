"""Tables and figures of a sweep, read from the files in its storage directory.

    trials = analysis.load_trials("results/tickets")     # one row per trial
    epochs = analysis.load_epochs("results/tickets")     # one row per trial and epoch
    analysis.trial_list(trials, where=["sparsity>=0.9"], sort="cvar_05")  # some, the best first
    analysis.recommendations(trials, manifest)           # networks to deploy
    analysis.claims(trials, manifest)                    # the claims of the field, judged
    analysis.best_lr(trials)                             # the fastest learning rate of every group
    analysis.learning_rates(trials)                      # every learning rate, marked
    analysis.max_efficient_sparsity(trials)              # the sparsest network within tolerance
    analysis.baselines(trials, analysis.load_manifest("results/tickets"))  # without training
    analysis.compare(trials)                             # paired tests between configurations
    analysis.robust_against_standard(trials)             # cost and gain of robust training
    analysis.controls(trials)                            # tickets compared with their controls
    analysis.budget_curves(trials, manifest)             # CVaR by budget of training epochs
    analysis.xnn.cells(trials)                           # an X-NN sweep by configuration
    analysis.schema.describe()                           # meaning of every column

A frame may be a concatenation: equal rows count once, and two different results of one
configuration, problem and seed are refused. Trials without a seed are one seed.

Figures are in :mod:`analysis.figures`, which is imported only on demand. An argument means
the same in every function:

    trials, epochs, manifest     from load_trials, load_epochs and load_manifest
    tolerance                    share of the dense network's CVaR that may be lost
    level, confidence            of tests; of intervals (1 - level in functions with only level)
    ax, figure                   empty Axes or Figure to draw into
"""

from analysis import schema, xnn
from analysis.audit import audit, soundness
from analysis.claims import claims
from analysis.differences import differences
from analysis.errors import AnalysisError
from analysis.i_epoch import i_epoch
from analysis.intervals import Interval, bootstrap_interval, interval
from analysis.load import StorageError, load_epochs, load_manifest, load_trials
from analysis.recommendations import Recommendation, recommendations
from analysis.schema import ColumnError
from analysis.sequential import e_values, one_sided_e_values
from analysis.statistics import holm, interquartile_mean, more_seeds, paired_size
from analysis.tensors import SweepFiles
from analysis.tickets.attack_checks import attack_checks
from analysis.tickets.baselines import baselines
from analysis.tickets.boosting import budget_curves
from analysis.tickets.comparison import compare
from analysis.tickets.controls import controls
from analysis.tickets.efficiency import max_efficient_sparsity, sparsity_passes
from analysis.tickets.learning_rates import learning_rates
from analysis.tickets.robustness import robust_against_standard, robustness_table
from analysis.tickets.summary import best_lr, summary
from analysis.trial_list import trial_list

__all__ = [
    "AnalysisError",
    "ColumnError",
    "Interval",
    "Recommendation",
    "StorageError",
    "SweepFiles",
    "attack_checks",
    "audit",
    "baselines",
    "best_lr",
    "bootstrap_interval",
    "budget_curves",
    "claims",
    "compare",
    "controls",
    "differences",
    "e_values",
    "holm",
    "i_epoch",
    "interquartile_mean",
    "interval",
    "learning_rates",
    "load_epochs",
    "load_manifest",
    "load_trials",
    "max_efficient_sparsity",
    "more_seeds",
    "one_sided_e_values",
    "paired_size",
    "recommendations",
    "robust_against_standard",
    "robustness_table",
    "schema",
    "soundness",
    "sparsity_passes",
    "summary",
    "trial_list",
    "xnn",
]


def __dir__() -> list[str]:
    return __all__
