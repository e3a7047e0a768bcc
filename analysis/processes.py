"""Calls in parallel processes."""

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import Any, TypeVar

T = TypeVar("T")
R = TypeVar("R")

_calls: list[Callable[[], Any]] = []
"""Calls of the pool at work, which its processes inherit: a figure's plan cannot be pickled."""


def in_processes(function: Callable[[T], R], arguments: Sequence[T]) -> list[R]:
    """``function`` of each of ``arguments``, in their order, on all cores of this process.

    The results are pickled. The first exception in that order is raised, after all have ended.
    Where processes cannot be forked safely, here one after another.
    """
    workers = min(len(os.sched_getaffinity(0)), len(arguments)) if sys.platform == "linux" else 1
    if workers < 2 or _calls:
        return [function(argument) for argument in arguments]
    _calls[:] = [partial(function, argument) for argument in arguments]
    fork = multiprocessing.get_context("fork")
    try:
        with ProcessPoolExecutor(workers, mp_context=fork, initializer=_uninterrupted) as pool:
            return list(pool.map(_call, range(len(arguments))))
    finally:
        _calls.clear()


def _uninterrupted() -> None:
    """Leave an interruption of the terminal to the parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _call(number: int) -> Any:
    return _calls[number]()
