"""Sweeps on Ray Tune: ``plan`` what a search space asks for, ``run`` it, keep every row.

>>> sweep = sweeps.run("search_spaces/tickets.yaml", storage="results/tickets")
"""

from sweeps import signals as signals  # before what takes its time to import

if signals.on_command_line():
    signals.exit_on_signals()

# isort: split
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hedgecore
import search_spaces
from search_spaces import SpaceError
from sweeps import environment as environment  # before Ray is imported
from sweeps.errors import PreparationError, SweepError, UsageError
from sweeps.planning.budget import Budget
from sweeps.record.storage import WriteError
from sweeps.watching.progress import Silent

if TYPE_CHECKING:
    from sweeps.driver import Sweep, run
    from sweeps.planning.plan import Plan, TrialPlan, plan

_root = Path(__file__).resolve().parent.parent
for _package in (hedgecore, search_spaces):
    if Path(str(_package.__file__)).resolve().parent.parent != _root:
        raise ImportError(
            f"{_package.__name__!r} comes from {_package.__file__}, not from {_root}: another "
            "distribution shadows it; uninstall that, or use a clean virtual environment"
        )

# What needs torch is imported when it is asked for: looking at a sweep takes no such time.
_LATER = {
    "Plan": "sweeps.planning.plan",
    "TrialPlan": "sweeps.planning.plan",
    "plan": "sweeps.planning.plan",
    "Sweep": "sweeps.driver",
    "run": "sweeps.driver",
}

__all__ = [
    "Budget",
    "Plan",
    "PreparationError",
    "Silent",
    "SpaceError",
    "Sweep",
    "SweepError",
    "TrialPlan",
    "UsageError",
    "WriteError",
    "plan",
    "run",
]


def __getattr__(name: str) -> Any:
    if name in _LATER:
        return getattr(import_module(_LATER[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
