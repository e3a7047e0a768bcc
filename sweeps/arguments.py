"""Checks of the arguments of ``sweeps.run``, before anything is created."""

import math
import os
from collections.abc import Sequence
from numbers import Integral
from pathlib import Path
from typing import Any

from search_spaces import Asha, Hyperband, IEpoch, Median, Pbt, StockAsha
from sweeps.errors import UsageError
from sweeps.planning.budget import Budget
from sweeps.planning.plan import Plan

_EXPORTER = ("begin", "rows", "end", "close")
_PROGRESS = ("message", "update", "close")


def check_types(
    *,
    storage: Any,
    max_concurrent: Any,
    address: Any,
    insecure: Any,
    allow_mixed: Any,
    audit: Any,
    budget: Any,
    hang_after: Any,
    exporters: Any,
    progress: Any,
) -> None:
    """Refuse arguments that are invalid for every plan.

    Raises:
        UsageError: an argument of another type, or outside its range.
    """
    if not isinstance(storage, str | Path) or not os.fspath(storage):
        raise _wrong("storage", storage, "a directory, such as 'results/tickets'")
    if max_concurrent is not None and (not _whole(max_concurrent) or max_concurrent < 1):
        raise _wrong("max_concurrent", max_concurrent, "a whole number of at least 1, or None")
    if address is not None and not (isinstance(address, str) and address.strip()):
        raise _wrong("address", address, "the address of a Ray cluster, such as 'auto', or None")
    for name, flag in (("insecure", insecure), ("allow_mixed", allow_mixed)):
        if not isinstance(flag, bool):
            raise _wrong(name, flag, "True or False")
    if not _real(audit) or not 0 <= audit <= 1:
        raise _wrong("audit", audit, "a share in [0, 1]; 0.1 audits one in ten")
    if budget is not None and not isinstance(budget, Budget):
        raise _wrong("budget", budget, "a sweeps.Budget, such as Budget(hours=2), or None")
    if hang_after is not None and not (_real(hang_after) and 0 < hang_after < math.inf):
        raise _wrong("hang_after", hang_after, "a positive number of seconds, or None")
    if not isinstance(exporters, Sequence) or not all(_offers(e, _EXPORTER) for e in exporters):
        raise _wrong("exporters", exporters, "a list of objects such as TensorBoard(folder)")
    if progress is not None and not _offers(progress, _PROGRESS):
        raise _wrong("progress", progress, "an object such as sweeps.SilentProgress(), or None")


def check_rule(plan: Plan, *, audit: float, hang_after: float | None) -> None:
    """Refuse arguments that the scheduler of ``plan`` does not support.

    Raises:
        UsageError: an audit, or a watch on workers, of one of Ray's own schedulers.
    """
    rule = plan.space.scheduler
    if audit and not isinstance(rule, Asha | IEpoch):
        raise UsageError(
            "audit needs scheduler.asha or i_epoch; nothing else can be judged afterwards"
        )
    if hang_after is not None and isinstance(rule, StockAsha | Median | Hyperband | Pbt):
        raise UsageError(
            "hang_after needs scheduler.asha, i_epoch or none: Ray's own schedulers watch no "
            "worker"
        )


def _wrong(name: str, value: Any, right: str) -> UsageError:
    text = f"{value:g}" if type(value) is float else repr(value)
    shortened = text if len(text) <= 60 else f"{text[:57]}.."
    return UsageError(f"{name} must be {right}; got {shortened}")


def _whole(value: Any) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)  # including NumPy's


def _real(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _offers(value: Any, methods: Sequence[str]) -> bool:
    return all(callable(getattr(value, name, None)) for name in methods)
