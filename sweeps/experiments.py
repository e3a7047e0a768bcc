"""The experiments that a space may name."""

from functools import cache
from typing import Any

from hedgecore.experiment import Experiment
from hedgecore.registry import lookup


@cache
def experiment(name: str) -> Experiment[Any, Any]:
    """The experiment that ``experiment: NAME`` of a space means.

    Raises:
        ValueError: there is none; the message gives the nearest.
    """
    instance: Experiment[Any, Any] = lookup(_EXPERIMENTS, name, kind="experiment")()
    return instance


# Imported only when asked for: a sweep of tickets needs no boosted trees.
def _tickets() -> Experiment[Any, Any]:
    from hedgecore.hedging.experiment import TICKETS

    return TICKETS


def _xnn() -> Experiment[Any, Any]:
    from hedgecore.insurance.experiment import XNN

    return XNN


_EXPERIMENTS = {"tickets": _tickets, "xnn": _xnn}
