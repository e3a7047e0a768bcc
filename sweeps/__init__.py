"""Sweeps on Ray Tune: ``plan`` what a search space asks for, ``run`` it, keep every row.

>>> sweep = sweeps.run("search_spaces/tickets.yaml", storage="results/tickets")
"""

from sweeps import signals as signals  # before what takes its time to import

if signals.on_command_line():
    signals.exit_on_signals()

# isort: split
from sweeps import origin as origin  # before every other import of ours

# isort: split
from importlib import import_module
from typing import TYPE_CHECKING

from hedgecore.errors import HedgesweepError
from search_spaces import SpaceError
from sweeps.errors import PreparationError, SweepError, UsageError
from sweeps.journal.storage import WriteError
from sweeps.monitoring.progress import SilentProgress
from sweeps.planning.budget import Budget

__all__ = [
    "Budget",
    "HedgesweepError",
    "Plan",
    "PreparationError",
    "SilentProgress",
    "SpaceError",
    "Sweep",
    "SweepError",
    "TrialPlan",
    "UsageError",
    "WriteError",
    "plan",
    "run",
]


def __dir__() -> list[str]:
    return __all__


if TYPE_CHECKING:
    from sweeps.driver import run
    from sweeps.outcome import Sweep
    from sweeps.planning.plan import Plan, TrialPlan, plan
else:
    # What needs torch is imported when it is asked for: looking at a sweep takes no such time.
    _LATER = {
        "Plan": "sweeps.planning.plan",
        "TrialPlan": "sweeps.planning.plan",
        "plan": "sweeps.planning.plan",
        "Sweep": "sweeps.outcome",
        "run": "sweeps.driver",
    }

    def __getattr__(name):
        if name in _LATER:
            return getattr(import_module(_LATER[name]), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
