"""Results of a sweep that the tables, findings and figures of a report share."""

import functools
import inspect
from collections.abc import Callable
from typing import Any, ParamSpec, Protocol, Self, TypeVar
from weakref import WeakKeyDictionary

from analysis.sweep import Sweep


class _Copyable(Protocol):
    def copy(self) -> Self: ...


P = ParamSpec("P")
T = TypeVar("T", bound=_Copyable)


def once_per_sweep(function: Callable[P, T]) -> Callable[P, T]:
    """``function`` of a sweep or frame, computed once for a sweep and equal other arguments.

    Every call returns a copy, and the results last as long as their sweep. Those of a frame, which
    its owner may change, and those of arguments that cannot be hashed are computed anew.
    """
    signature = inspect.signature(function)
    results: WeakKeyDictionary[Sweep, dict[Any, T]] = WeakKeyDictionary()

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        sweep, *settings = bound.arguments.values()
        if not isinstance(sweep, Sweep):
            return function(*args, **kwargs)
        # Names may be given as a list, which is no key.
        key = tuple(tuple(one) if isinstance(one, list) else one for one in settings)
        try:
            hash(key)
        except TypeError:
            return function(*args, **kwargs)
        of_sweep = results.setdefault(sweep, {})
        if key not in of_sweep:
            of_sweep[key] = function(*args, **kwargs)
        return of_sweep[key].copy()

    return call
