"""Trials that early stopping ended, by rung, and the cost of that where an audit measured it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from markupsafe import Markup

from analysis.html import progress
from analysis.stopped_units import scheduler_kind

AUDIT = "Early stopping, audited"
"""Section of a report with the findings of an audit."""
_UNAUDITED = (
    "What the stopped trials would have reached is not shown: no trial was audited. "
    "hedgesweep run .. --audit 0.1 trains a random tenth of the stopped trials to the end."
)
_AUDITABLE = ("asha", "i_epoch")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopping:
    """Numbers by rung, their drawing, and the ``lines`` on what stopping may have cost."""

    rungs: Sequence[tuple[int, int, int]]
    drawing: Markup | None
    lines: Sequence[str]


def stopping(
    trials: pd.DataFrame, manifest: Mapping[str, Any], audit: Sequence[str]
) -> Stopping | None:
    """Early stopping of a sweep; None where nothing was stopped and nothing audited.

    Args:
        audit: the findings of the report's section :data:`AUDIT`; empty without one.
    """
    stopped = trials["status"].eq("stopped").any()
    if not stopped and not audit:
        return None
    lines = list(audit)
    if not lines and scheduler_kind(manifest) in _AUDITABLE:
        lines = [_UNAUDITED]
    elif not lines:
        lines = ["What the stopped trials would have reached is not shown: no trial was audited."]
    return Stopping(
        rungs=progress.rung_counts(trials, manifest),
        drawing=progress.survival(trials, manifest),
        lines=lines,
    )
