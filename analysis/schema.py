"""The dictionary of all columns: type, unit, direction and meaning.

Parameters carry the prefix ``config/``; metrics are bare. Two families are open, because the space
decides which of them there are: ``config/<dotted path>`` and ``<metric>@<where>:<size>``, a metric
under an attack (``attacked_cvar_05@path_pgd:0.1``) or in another market
(``cvar_05@regime:high_vol``); with the prefix ``val_`` of the validation paths, with ``dense_`` of
the dense network.
"""

import re
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Literal

import pandas as pd

Dtype = Literal["string", "category", "Int64", "float64", "boolean", "any"]
Direction = Literal["higher", "lower"]

STATUSES = ("completed", "stopped", "failed", "running", "interrupted")
AXES = ("sparsity", "lr", "epsilon", "seed")
PROBLEM = ("market.", "option.", "cost.", "risk.", "evaluation.")


class ColumnError(ValueError):
    """A column is unknown or absent; the message is one line and names the cure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """What one column holds; ``direction`` says which end is better, or None where neither is."""

    name: str
    dtype: Dtype
    unit: str
    direction: Direction | None
    meaning: str


def column(name: str) -> Column:
    """The entry of column ``name``, trials first, with the two open families resolved.

    Raises:
        ColumnError: unknown ``name``; the message gives the nearest known one.
    """
    for table in (TRIALS, EPOCHS):
        if name in table:
            return table[name]
    if name.startswith("config/") and len(name) > len("config/"):
        path = name.removeprefix("config/")
        return Column(name=name, dtype="any", unit="", direction=None, meaning=f"parameter {path}")
    if match := _PLACED.fullmatch(name):
        metric = TRIALS.get(match["metric"])
        if metric is not None and metric.name in TEST_METRICS:
            meaning = metric.meaning + _FORMS[match["form"] or ""] + "; " + _place(match)
            if match["of"] == "val_":
                meaning = meaning.replace("test P&L", "validation P&L")
            elif match["of"]:
                meaning += "; of the seed's dense network"
            unit = "1" if match["form"] == "_of_price" else metric.unit
            return replace(metric, name=name, meaning=meaning, unit=unit)
    raise ColumnError(_unknown(name, [*TRIALS, *EPOCHS]))


def describe() -> pd.DataFrame:
    """One row a column: table, name, dtype, unit, direction, meaning."""
    rows = [
        (table, c.name, c.dtype, c.unit, c.direction, c.meaning)
        for table, columns in TABLES.items()
        for c in columns.values()
    ]
    return pd.DataFrame(rows, columns=["table", "name", "dtype", "unit", "direction", "meaning"])


def check(frame: pd.DataFrame, table: Literal["trials", "epochs"]) -> list[str]:
    """What is wrong with the columns of ``frame``, one line each; an empty list when all is well.

    Parameters (``config/...``) are never missing, because the space decides which there are.

    Raises:
        ColumnError: unknown ``table``.
    """
    if table not in TABLES:
        raise ColumnError(_unknown(table, TABLES, kind="table"))
    known, problems = TABLES[table], []
    for name in known:
        if name not in frame.columns and not name.startswith("config/"):
            problems.append(f"{table}: column {name!r} is missing")
    for name in map(str, frame.columns):
        try:
            entry = known.get(name) or column(name)
        except ColumnError as error:
            problems.append(f"{table}: {error}")
            continue
        if entry.name not in known and not name.startswith("config/") and table != "trials":
            problems.append(f"{table}: column {name!r} belongs to another table")
        found = str(frame[name].dtype)
        if entry.dtype not in ("any", found):
            problems.append(f"{table}: column {name!r} should be {entry.dtype}, got {found}")
    return problems


def best(frame: pd.DataFrame, metric: str) -> Hashable | None:
    """The index label of the best row by ``metric``; None where every value is null.

    The direction comes from the dictionary, so nobody takes the minimum of a negative CVaR.

    Raises:
        ColumnError: ``metric`` unknown, or without a better end.
    """
    direction = column(metric).direction
    if direction is None:
        raise ColumnError(f"column {metric!r} has no better end; choose one with a direction")
    values = frame[metric].dropna()
    if values.empty:
        return None
    return values.idxmax() if direction == "higher" else values.idxmin()


def _unknown(name: str, known: Iterable[str], *, kind: str = "column") -> str:
    near = get_close_matches(str(name), list(known), n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"unknown {kind} {name!r}; {hint}analysis.schema.describe() lists all"


def _place(match: re.Match[str]) -> str:
    """Where a metric of the open family was taken."""
    where, size = match["where"], match["size"]
    if where == "regime":
        return f"in the regime {size}"
    if where == "shift":
        return f"in markets whose parameters are moved by up to {float(size):.0%}"
    if where == "transfer":
        return f"under the worst paths for the dense network, epsilon {size}"
    model, _, attack = where.rpartition("_")
    return f"under {attack} ({model} threat, epsilon {size})"


def _table(
    *groups: tuple[tuple[str, Dtype, str, Direction | None, str], ...],
) -> dict[str, Column]:
    return {
        name: Column(name=name, dtype=dtype, unit=unit, direction=direction, meaning=meaning)
        for rows in groups
        for name, dtype, unit, direction, meaning in rows
    }


_PLACED = re.compile(
    r"(?P<of>val_|dense_)?(?:attacked_)?(?P<metric>\w+?)(?P<form>_of_price|_worst)?"
    r"@(?P<where>\w+):(?P<size>[\w.+-]+)"
)
_FORMS = {"": "", "_of_price": ", over the option's price there", "_worst": ", worst market"}


_CURRENCY = "currency per option (S0 = 100)"

_CONFIG: tuple[tuple[str, Dtype, str, Direction | None, str], ...] = (
    ("config/sparsity", "float64", "share", None, "share of prunable weights to remove"),
    ("config/lr", "float64", "", None, "learning rate of the network"),
    ("config/epsilon", "float64", "price units", None, "attack budget in training; 0 is clean"),
    ("config/seed", "Int64", "", None, "seed of the study: data, theta_0 and batches"),
)
_IDENTITY: tuple[tuple[str, Dtype, str, Direction | None, str], ...] = (
    ("trial_id", "string", "", None, "hash of everything that determines the result"),
    ("index", "Int64", "", None, "order of creation"),
    ("status", "category", "", None, ", ".join(STATUSES)),
    ("stopped_at", "Int64", "epoch", None, "epoch where the trial was stopped early, else null"),
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
        _CURRENCY,
        "lower",
        "best validation risk of the whole run of an audited trial, else null",
    ),
    ("error", "string", "", None, "first line of the error of a failed trial, else null"),
)
_TRAINING: tuple[tuple[str, Dtype, str, Direction | None, str], ...] = (
    ("epochs", "Int64", "epochs", None, "epochs trained"),
    ("best_epoch", "Int64", "epoch", None, "epoch with the best validation risk"),
    ("val_loss", "float64", _CURRENCY, "lower", "best pooled validation risk"),
    ("epochs_to_95pct", "Int64", "epochs", "lower", "epochs until within 5 % of dense, or null"),
    ("converged", "boolean", "", None, "whether the 95 % criterion was met"),
    ("sparsity_achieved", "float64", "share", None, "share of prunable weights removed"),
    ("weights_kept", "Int64", "weights", "lower", "prunable weights that remain"),
    ("weights_total", "Int64", "weights", None, "prunable weights of the dense network"),
    ("dead_units", "Int64", "units", "lower", "hidden units without any input or output left"),
)
_TEST: tuple[tuple[str, Dtype, str, Direction | None, str], ...] = (
    ("pnl_mean", "float64", _CURRENCY, "higher", "mean test P&L"),
    ("pnl_std", "float64", _CURRENCY, "lower", "standard deviation of test P&L"),
    ("pnl_min", "float64", _CURRENCY, "higher", "worst test P&L"),
    ("pnl_max", "float64", _CURRENCY, None, "best test P&L"),
    ("pnl_median", "float64", _CURRENCY, "higher", "median test P&L"),
    ("pnl_skewness", "float64", "", None, "skewness of test P&L"),
    ("pnl_kurtosis", "float64", "", None, "excess kurtosis of test P&L (0 for a normal)"),
    ("var_05", "float64", _CURRENCY, "higher", "5 % quantile of test P&L"),
    ("var_01", "float64", _CURRENCY, "higher", "1 % quantile of test P&L"),
    ("cvar_05", "float64", _CURRENCY, "higher", "mean test P&L of the worst 5 %"),
    ("cvar_01", "float64", _CURRENCY, "higher", "mean test P&L of the worst 1 %"),
    ("cvar_50", "float64", _CURRENCY, "higher", "mean test P&L of the worst 50 %"),
    ("cvar_05_se", "float64", _CURRENCY, "lower", "standard error of cvar_05"),
    ("cvar_01_se", "float64", _CURRENCY, "lower", "standard error of cvar_01"),
    ("cvar_50_se", "float64", _CURRENCY, "lower", "standard error of cvar_50"),
    ("sharpe_ratio", "float64", "", "higher", "mean over sd of P&L plus price; not to select on"),
    (
        "sortino_ratio",
        "float64",
        "",
        "higher",
        "mean over downside sd of P&L plus price; not to select on",
    ),
    ("turnover", "float64", "shares per option", "lower", "mean number of shares traded"),
    ("cost_paid", "float64", _CURRENCY, "lower", "mean transaction cost"),
    ("hedge_effectiveness", "float64", "share", "higher", "share of unhedged variance removed"),
    ("hedging_error_rmse", "float64", _CURRENCY, "lower", "root mean square of P&L plus price"),
)
_DENSE: tuple[tuple[str, Dtype, str, Direction | None, str], ...] = (
    ("dense_val_loss", "float64", _CURRENCY, "lower", "val_loss of the seed's dense network"),
    ("dense_epochs_to_95pct", "Int64", "epochs", "lower", "epochs_to_95pct of the dense network"),
    ("dense_cvar_05", "float64", _CURRENCY, "higher", "cvar_05 of the dense network"),
    ("dense_cvar_05_se", "float64", _CURRENCY, "lower", "standard error of dense_cvar_05"),
    ("dense_cvar_01", "float64", _CURRENCY, "higher", "cvar_01 of the dense network"),
    ("dense_cvar_01_se", "float64", _CURRENCY, "lower", "standard error of dense_cvar_01"),
    ("dense_cvar_50", "float64", _CURRENCY, "higher", "cvar_50 of the dense network"),
    ("dense_cvar_50_se", "float64", _CURRENCY, "lower", "standard error of dense_cvar_50"),
    ("dense_sharpe_ratio", "float64", "", "higher", "sharpe_ratio of the dense network"),
    ("dense_pnl_mean", "float64", _CURRENCY, "higher", "pnl_mean of the dense network"),
    ("dense_pnl_std", "float64", _CURRENCY, "lower", "pnl_std of the dense network"),
    ("dense_turnover", "float64", "shares per option", "lower", "turnover of the dense network"),
    ("dense_cost_paid", "float64", _CURRENCY, "lower", "cost_paid of the dense network"),
    ("cvar_05_minus_dense", "float64", _CURRENCY, "higher", "cvar_05 less dense, same paths"),
    ("cvar_05_minus_dense_se", "float64", _CURRENCY, "lower", "its standard error, paired"),
)
_PROVENANCE: tuple[tuple[str, Dtype, str, Direction | None, str], ...] = (
    ("theta_0_sha256", "string", "", None, "fingerprint of the network's initial point"),
    ("data_sha256", "string", "", None, "fingerprint of the simulated paths"),
    ("seconds", "float64", "s", None, "wall time of the trial; depends on the machine"),
)
_EPOCH: tuple[tuple[str, Dtype, str, Direction | None, str], ...] = (
    ("trial_id", "string", "", None, "the trial this epoch belongs to"),
    ("epoch", "Int64", "epoch", None, "1 is the first"),
    ("train_loss", "float64", _CURRENCY, "lower", "training risk"),
    ("val_loss", "float64", _CURRENCY, "lower", "pooled validation risk the best is chosen by"),
    ("val_clean_loss", "float64", _CURRENCY, "lower", "pooled validation risk on clean paths"),
    (
        "val_attacked_loss",
        "float64",
        _CURRENCY,
        "lower",
        "pooled validation risk under the attack of training; null where it plays no part",
    ),
    ("val_cvar_05", "float64", _CURRENCY, "higher", "mean validation P&L of the worst 5 %"),
    ("val_pnl_mean", "float64", _CURRENCY, "higher", "mean validation P&L"),
    ("val_pnl_std", "float64", _CURRENCY, "lower", "standard deviation of validation P&L"),
    ("y", "float64", _CURRENCY, None, "the risk measure's inner scalar (the VaR level)"),
    ("lr", "float64", "", None, "learning rate in this epoch"),
    ("grad_norm", "float64", "", None, "norm of the gradient"),
    ("best", "boolean", "", None, "whether val_loss is the best so far"),
    ("audit", "boolean", "", None, "whether it lies after the stop of an audited trial"),
    ("seconds", "float64", "s", None, "wall time of the epoch; depends on the machine"),
)

TEST_METRICS = tuple(row[0] for row in _TEST)
TRIALS = _table(_IDENTITY, _CONFIG, _TRAINING, _TEST, _DENSE, _PROVENANCE)
EPOCHS = _table(_EPOCH[:2], _CONFIG, _EPOCH[2:])
TABLES: Mapping[str, dict[str, Column]] = {"trials": TRIALS, "epochs": EPOCHS}
