"""Best trial of a running sweep by its validation data, for people who watch it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sweeps.journal.state import TrialState
from sweeps.text import printable

_HEADLINES = {
    "val_cvar_05": ("validation CVaR 5 %", 1),
    "val_accuracy": ("validation accuracy", 1),
    "val_loss": ("validation loss", -1),
}
"""Name of a column of epochs and its better direction; the first that the trials have counts."""
ID_LENGTH = 8
"""Characters of a trial's id that displays show; every command accepts them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Best:
    """Best trial so far: its value of ``column`` in the epoch that validated best."""

    trial_id: str
    column: str
    value: float
    epoch: int  # the last one reported
    limit: int  # maximum of epochs
    config: Mapping[str, Any]

    def line(self) -> str:
        """One line for people."""
        name = _HEADLINES[self.column][0]
        return (
            f"best so far: {name} {self.value:.4g}, trial {printable(self.trial_id[:ID_LENGTH])}, "
            f"epoch {self.epoch}/{self.limit} ({axes(self.config)})"
        )


def best(trials: Mapping[str, TrialState]) -> Best | None:
    """The best of ``trials``, by id, that has a finite value; None without one."""
    found: tuple[float, str, str] | None = None
    for trial_id, trial in trials.items():
        column = next((name for name in _HEADLINES if name in trial.columns), None)
        row = trial.best() if column and trial.ended != "failed" else None
        value = row.get(column) if row and column else None
        if not isinstance(value, int | float) or not math.isfinite(value):
            continue
        assert column is not None
        rank = _HEADLINES[column][1] * value
        if found is None or rank > found[0]:
            found = rank, trial_id, column
    if found is None:
        return None
    _, trial_id, column = found
    trial = trials[trial_id]
    row = trial.best()
    assert row is not None
    return Best(
        trial_id=trial_id,
        column=column,
        value=float(row[column]),
        epoch=max(trial.epochs),
        limit=trial.entry.limit,
        config=trial.config,
    )


def axes(config: Mapping[str, Any]) -> str:
    """Values by axis in one line, such as "sparsity=0.9 lr=0.005"."""
    return " ".join(f"{printable(name)}={short(value)}" for name, value in config.items())


def short(value: Any) -> str:
    """Value of an axis for a display."""
    return f"{value:g}" if isinstance(value, float) else printable(value)
