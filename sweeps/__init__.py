"""Sweeps on Ray Tune: ``plan`` what a search space asks for, ``run`` it, keep every row.

>>> sweep = sweeps.run("search_spaces/tickets.yaml", storage="results/tickets")
"""

from pathlib import Path

import hedgecore
import search_spaces
from search_spaces import SpaceError
from sweeps import environment as environment  # before Ray is imported
from sweeps.budget import Budget
from sweeps.errors import PreparationError, SweepError, UsageError
from sweeps.planning import Plan, TrialPlan, plan

_root = Path(__file__).resolve().parent.parent
for _package in (hedgecore, search_spaces):
    if Path(str(_package.__file__)).resolve().parent.parent != _root:
        raise ImportError(
            f"{_package.__name__!r} comes from {_package.__file__}, not from {_root}: another "
            "distribution shadows it; uninstall that, or use a clean virtual environment"
        )

from sweeps.driver import Sweep, run  # noqa: E402
from sweeps.progress import Silent  # noqa: E402
from sweeps.storage import WriteError  # noqa: E402

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
