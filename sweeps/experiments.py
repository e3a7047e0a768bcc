"""The experiments that a space may name."""

from functools import cache
from typing import TYPE_CHECKING, Any

from hedgecore.experiment import Experiment
from hedgecore.registry import lookup
from search_spaces.experiments import GROUP, names
from sweeps.errors import UsageError

if TYPE_CHECKING:
    from hedgecore.hedging.hedge import Hedge as Hedge
    from hedgecore.insurance.classifier import Classifier as Classifier
else:

    def __getattr__(name):
        if name == "Hedge":
            from hedgecore.hedging.hedge import Hedge

            return Hedge
        if name == "Classifier":
            from hedgecore.insurance.classifier import Classifier

            return Classifier
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


@cache
def experiment(name: str) -> Experiment[Any, Any]:
    """Experiment of the ``name`` in a space, built in or from an installed package.

    Raises:
        ValueError: unknown name; the message lists the nearest.
        UsageError: the package that provides it is invalid.
    """
    if name in _BUILT_IN:
        return _BUILT_IN[name]()
    return lookup(dict.fromkeys(names(), _installed), name, kind="experiment")(name)


# Imported on use: a sweep of tickets needs no boosted trees.
def _tickets() -> Experiment[Any, Any]:
    from hedgecore.hedging.experiment import TICKETS

    return TICKETS


def _xnn() -> Experiment[Any, Any]:
    from hedgecore.insurance.experiment import XNN

    return XNN


def _installed(name: str) -> Experiment[Any, Any]:
    """The experiment of the one installed package that has an entry point ``name``."""
    from importlib.metadata import entry_points

    points = tuple(entry_points(group=GROUP, name=name))
    if len(points) > 1:
        packages = " and ".join(sorted(point.dist.name for point in points if point.dist))
        raise UsageError(f"experiment {name!r} is of {packages}; uninstall all but one")
    try:
        loaded = points[0].load()
    except (ImportError, AttributeError) as error:
        raise UsageError(
            f"experiment {name!r} cannot be loaded from {points[0].value} ({error}); "
            "install its package again"
        ) from error
    if not isinstance(loaded, Experiment) or loaded.name != name:
        raise UsageError(
            f"{points[0].value} is registered as experiment {name!r} but is not an Experiment of "
            "that name; correct the entry point of its package"
        )
    return loaded


_BUILT_IN = {"tickets": _tickets, "xnn": _xnn}
