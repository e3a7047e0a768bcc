"""The columns of a tickets sweep, and its family of metrics under attack or in other markets."""

import re
from dataclasses import replace

from analysis.columns import Column, Rows, identity, provenance, table

_CURRENCY = "currency per option (S0 = 100)"

_CONFIG: Rows = (
    ("config/sparsity", "float64", "share", None, "share of prunable weights to remove"),
    ("config/lr", "float64", "", None, "learning rate of the network"),
    ("config/epsilon", "float64", "price units", None, "attack budget in training; 0 is clean"),
    ("config/seed", "Int64", "", None, "seed of the study: data, theta_0 and batches"),
)
_TRAINING: Rows = (
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
_TEST: Rows = (
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
_DENSE: Rows = (
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
_EPOCH: Rows = (
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
    ("seconds", "float64", "s", None, "wall time of the trial so far; depends on the machine"),
)

TEST_METRICS = tuple(row[0] for row in _TEST)
TRIALS = table(
    identity(_CURRENCY),
    _CONFIG,
    _TRAINING,
    _TEST,
    _DENSE,
    provenance("fingerprint of the simulated paths"),
)
EPOCHS = table(_EPOCH[:2], _CONFIG, _EPOCH[2:])

_PLACED = re.compile(
    r"(?P<of>val_|dense_)?(?:attacked_)?(?P<metric>\w+?)(?P<form>_of_price|_worst)?"
    r"@(?P<where>\w+):(?P<size>[\w.+-]+)"
)
_FORMS = {"": "", "_of_price": ", over the option's price there", "_worst": ", worst market"}


def placed(name: str) -> Column | None:
    """The column ``<metric>@<where>:<size>``; None where ``name`` is no such."""
    match = _PLACED.fullmatch(name)
    metric = TRIALS.get(match["metric"]) if match else None
    if match is None or metric is None or metric.name not in TEST_METRICS:
        return None
    meaning = metric.meaning + _FORMS[match["form"] or ""] + "; " + _place(match)
    if match["of"] == "val_":
        meaning = meaning.replace("test P&L", "validation P&L")
    elif match["of"]:
        meaning += "; of the seed's dense network"
    unit = "1" if match["form"] == "_of_price" else metric.unit
    return replace(metric, name=name, meaning=meaning, unit=unit)


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
