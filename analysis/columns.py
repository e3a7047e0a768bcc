"""Columns of a table, and those that the trials of every experiment have."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Dtype = Literal["string", "category", "Int64", "float64", "boolean", "any"]
Direction = Literal["higher", "lower"]
Rows = tuple[tuple[str, Dtype, str, Direction | None, str], ...]
"""Name, dtype, unit, direction and meaning of columns."""

LATER = ("model_sha256", "arithmetic")
"""Columns of trials that tables of older sweeps lack."""

STATUSES = ("completed", "stopped", "failed", "running", "interrupted")


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """What one column holds; ``direction`` says which end is better, or None where neither is."""

    name: str
    dtype: Dtype
    unit: str
    direction: Direction | None
    meaning: str


def table(*groups: Rows) -> dict[str, Column]:
    """The columns of ``groups`` by name."""
    return {
        name: Column(name=name, dtype=dtype, unit=unit, direction=direction, meaning=meaning)
        for rows in groups
        for name, dtype, unit, direction, meaning in rows
    }


def floats(names: Iterable[tuple[str, str, Direction | None, str]]) -> Rows:
    """Rows of real numbers: name, unit, direction and meaning."""
    return tuple((name, "float64", unit, end, meaning) for name, unit, end, meaning in names)


def identity(unit: str) -> Rows:
    """Who a trial is and how it ended; ``unit`` is that of the validation loss."""
    return (
        ("trial_id", "string", "", None, "hash of everything that determines the result"),
        ("index", "Int64", "", None, "order of creation"),
        ("status", "category", "", None, ", ".join(STATUSES)),
        ("stopped_at", "Int64", "epoch", None, "epoch where the trial was stopped early, or null"),
        (
            "reason",
            "string",
            "",
            None,
            "why it was stopped or failed (rank 4 of 6 at epoch 8), or null",
        ),
        ("audited", "boolean", "", None, "whether it was run on after its stop, as an audit"),
        (
            "audit_val_loss",
            "float64",
            unit,
            "lower",
            "best validation loss of the whole run of an audited trial, else null",
        ),
        ("error", "string", "", None, "first line of the error of a failed trial, else null"),
    )


def provenance(data: str) -> Rows:
    """What a trial was made from and how long it took; ``data`` says what the data are."""
    return (
        ("model_sha256", "string", "", None, "sha256 of the file of the model; null without one"),
        (
            "arithmetic",
            "string",
            "",
            None,
            "identity of the arithmetic (CPU kernels, BLAS, threads) that computed the trial; "
            "+ joins several",
        ),
        ("theta_0_sha256", "string", "", None, "fingerprint of the network's initial point"),
        ("data_sha256", "string", "", None, data),
        ("seconds", "float64", "s", None, "wall time of the trial; depends on the machine"),
    )
