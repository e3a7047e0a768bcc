"""Sweeps on Ray Tune: ``plan`` the trials of a search space and ``run`` them into a storage.

>>> sweep = sweeps.run("search_spaces/tickets.yaml", storage="results/tickets")
"""

from sweeps import signals as signals  # before slow imports

if signals.on_command_line():
    signals.exit_on_signals()

# isort: split
from sweeps import origin as origin  # before all other imports of this project

# isort: split
from importlib import import_module
from typing import TYPE_CHECKING

from hedgecore.errors import HedgesweepError
from search_spaces import SpaceError
from sweeps.errors import PreparationError, SweepError, UsageError
from sweeps.journal.state import TrialState
from sweeps.journal.storage import WriteError
from sweeps.monitoring.progress import Progress, SilentProgress
from sweeps.planning.budget import Budget

__all__ = [
    "Budget",
    "Classifier",
    "Decision",
    "Exporter",
    "Hedge",
    "HedgesweepError",
    "Plan",
    "PreparationError",
    "Progress",
    "SilentProgress",
    "SpaceError",
    "Sweep",
    "SweepError",
    "TrialPlan",
    "TrialState",
    "UsageError",
    "WriteError",
    "enqueue",
    "evaluate",
    "export_model",
    "load_bundle",
    "load_model",
    "plan",
    "retry",
    "run",
    "run_until",
    "stop",
]


def __dir__() -> list[str]:
    return __all__


if TYPE_CHECKING:
    from sweeps.bundles import load_bundle
    from sweeps.driver import run
    from sweeps.experiments import Classifier, Hedge
    from sweeps.inspection.evaluation import evaluate
    from sweeps.inspection.export import export_model
    from sweeps.inspection.models import load_model
    from sweeps.monitoring.exporters import Exporter
    from sweeps.outcome import Sweep
    from sweeps.planning.plan import Plan, TrialPlan, plan
    from sweeps.steering import enqueue, retry, stop
    from sweeps.until_decided import Decision, run_until
else:
    # Imported on first use, since torch is slow to import and reading a sweep does not need it.
    _LATER = {
        "Classifier": "sweeps.experiments",
        "Exporter": "sweeps.monitoring.exporters",
        "Plan": "sweeps.planning.plan",
        "TrialPlan": "sweeps.planning.plan",
        "Hedge": "sweeps.experiments",
        "enqueue": "sweeps.steering",
        "evaluate": "sweeps.inspection.evaluation",
        "retry": "sweeps.steering",
        "stop": "sweeps.steering",
        "export_model": "sweeps.inspection.export",
        "load_bundle": "sweeps.bundles",
        "load_model": "sweeps.inspection.models",
        "plan": "sweeps.planning.plan",
        "Sweep": "sweeps.outcome",
        "run": "sweeps.driver",
        "Decision": "sweeps.until_decided",
        "run_until": "sweeps.until_decided",
    }

    def __getattr__(name):
        if name in _LATER:
            return getattr(import_module(_LATER[name]), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
