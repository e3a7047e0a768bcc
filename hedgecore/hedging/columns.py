"""Columns of a tickets sweep."""

from dataclasses import replace

from hedgecore.columns import Better, Column, Columns, Family

_CURRENCY = "currency per option (S0 = 100)"
_TAILS = (("05", "5 %"), ("01", "1 %"), ("50", "50 %"))


def _money(name: str, better: Better | None, meaning: str) -> Column:
    return Column(name, float, _CURRENCY, better, meaning)


def _cvar(tail: str, share: str, split: str) -> Column:
    meaning = f"mean {split} P&L of the worst {share} of paths"
    return _money(f"cvar_{tail}", "higher", meaning)


def _dense(column: Column) -> Column:
    meaning = f"{column.meaning}; of the seed's dense network"
    return replace(column, name=f"dense_{column.name}", meaning=meaning)


_CVARS = tuple(_cvar(tail, share, "test") for tail, share in _TAILS)
TEST = (
    _money("pnl_mean", "higher", "mean test P&L"),
    _money("pnl_std", "lower", "standard deviation of test P&L"),
    _money("pnl_min", "higher", "worst test P&L"),
    _money("pnl_max", None, "best test P&L"),
    _money("pnl_median", "higher", "median test P&L"),
    Column("pnl_skewness", float, "1", None, "skewness (third standardised moment) of test P&L"),
    Column("pnl_kurtosis", float, "1", None, "excess kurtosis of test P&L (0 for a normal)"),
    _money("var_05", "higher", "5 % quantile of test P&L"),
    _money("var_01", "higher", "1 % quantile of test P&L"),
    *_CVARS,
    *(_money(f"{c.name}_se", "lower", f"standard error of {c.name}") for c in _CVARS),
    Column(
        "sharpe_ratio", float, "1", "higher",
        "mean over standard deviation of test P&L plus price; not to select on",
    ),
    Column(
        "sortino_ratio", float, "1", "higher",
        "mean over downside deviation of test P&L plus price; not to select on",
    ),
    Column(
        "turnover", float, "shares per option", "lower",
        "mean number of shares traded on a test path, first trade and unwind included",
    ),
    _money("cost_paid", "lower", "mean transaction cost of a test path"),
    Column(
        "hedge_effectiveness", float, "1", "higher",
        "1 - Var(hedged P&L) / Var(unhedged P&L) on test paths",
    ),
    _money("hedging_error_rmse", "lower", "root mean square of test P&L plus price"),
)  # fmt: skip
"""Metrics of a hedge on the test paths: those that ``hedgecore.metrics.pnl_metrics`` computes."""

_TEST_BY_NAME = {column.name: column for column in TEST}
_EPOCHS_TO_95PCT = Column(
    "epochs_to_95pct", int, "epochs", "lower",
    "first of 5 epochs in a row with a clean validation risk within 5 % of the dense network's, "
    "or null",
)  # fmt: skip
_DIFFERENCE = _money(
    "cvar_05_minus_dense",
    "higher",
    "cvar_05 less that of the seed's dense network, on the same paths",
)

_ATTACKED = tuple(
    replace(_cvar(tail, share, split), name=f"{prefix}attacked_cvar_{tail}")
    for tail, share in _TAILS
    for prefix, split in (("", "test"), ("val_", "validation"))
)
_CONTROLLED = tuple(
    column
    for cvar in _CVARS
    for column in (
        replace(cvar, name=f"{cvar.name}_cv"),
        _money(f"{cvar.name}_cv_se", "lower", f"standard error of {cvar.name}_cv"),
        Column(
            f"{cvar.name}_cv_gain", float, "1", "higher",
            f"variance of {cvar.name} over that of {cvar.name}_cv: paths saved by the control",
        ),
    )
)  # fmt: skip
_ELSEWHERE = tuple(
    column
    for cvar in _CVARS
    for column in (
        cvar,
        replace(
            cvar,
            name=f"{cvar.name}_of_price",
            unit="1",
            meaning=f"{cvar.meaning}, over the option's price there",
        ),
        replace(cvar, name=f"{cvar.name}_worst", meaning=f"{cvar.meaning}, in the worst market"),
    )
)


def _also_dense(columns: tuple[Column, ...]) -> tuple[Column, ...]:
    return (*columns, *(_dense(c) for c in columns if not c.name.startswith("val_")))


COLUMNS = Columns(
    parameters=(
        Column("config/sparsity", float, "share", None, "share of prunable weights to remove"),
        Column("config/lr", float, "", None, "learning rate of the network"),
        Column(
            "config/epsilon", float, "price units", None, "attack budget in training; 0 is clean"
        ),
        Column("config/seed", int, "", None, "seed of the study: data, theta_0 and batches"),
    ),
    losses=(
        _money("train_loss", "lower", "training risk"),
        _money("val_loss", "lower", "pooled validation risk by which the best epoch is chosen"),
    ),
    training=(
        _money("val_clean_loss", "lower", "pooled validation risk on clean paths"),
        _money(
            "val_attacked_loss", "lower",
            "pooled validation risk under the attack of training; null where selection ignores it",
        ),
        replace(_cvar("05", "5 %", "validation"), name="val_cvar_05"),
        _money("val_pnl_mean", "higher", "mean validation P&L"),
        _money("val_pnl_std", "lower", "standard deviation of validation P&L"),
        _money("y", None, "inner scalar of the risk measure (the VaR level)"),
        Column("lr", float, "", None, "learning rate in this epoch"),
        Column("grad_norm", float, "", None, "norm of the gradient"),
    ),
    results=(
        _EPOCHS_TO_95PCT,
        Column("converged", bool, "", None, "whether the 95 % criterion was met"),
        Column("sparsity_achieved", float, "share", None, "share of prunable weights removed"),
        Column("weights_kept", int, "weights", "lower", "prunable weights that remain"),
        Column("weights_total", int, "weights", None, "prunable weights of the dense network"),
        Column(
            "dead_units", int, "units", "lower", "hidden units with no input or no output left"
        ),
        *TEST,
        Column(
            "attacks_not_finite", int, "attacks", "lower",
            "attacks of the test under which CVaR is not finite, so that their columns are null",
        ),
    ),
    families=(
        Family(
            bases=_also_dense(_CVARS),
            places={"attacked_paths": ", on the paths that are attacked, without an attack"},
        ),
        Family(
            bases=_also_dense(_ATTACKED),
            places={
                r"transfer:([\w.+-]+)": r"; under the dense network's worst paths, epsilon \1",
                r"(\w+)_([a-z]+):([\w.+-]+)": r"; under \2 (\1 threat, epsilon \3)",
            },
        ),
        Family(
            bases=_also_dense(_CONTROLLED),
            places={r"minimum_variance": "; the minimum-variance delta is the control variate"},
        ),
        Family(
            bases=_also_dense(_ELSEWHERE),
            places={
                r"regime:(\w+)": r"; in the regime \1",
                r"shift:([\w.+-]+)": r"; in markets with parameters moved by up to a share of \1",
            },
        ),
    ),
    references=(
        _DIFFERENCE,
        replace(
            _DIFFERENCE,
            name="cvar_05_minus_dense_se",
            better="lower",
            meaning="standard error of cvar_05_minus_dense, paired by path",
        ),
        _money(
            "dense_val_loss", "lower", "least pooled validation risk of the seed's dense network"
        ),
        replace(
            _EPOCHS_TO_95PCT,
            name="dense_epochs_to_95pct",
            meaning="epochs_to_95pct of the seed's dense network",
        ),
        *(
            _dense(_TEST_BY_NAME[name])
            for name in (
                *("cvar_05", "cvar_05_se", "cvar_01", "cvar_01_se", "cvar_50", "cvar_50_se"),
                *("sharpe_ratio", "pnl_mean", "pnl_std", "turnover", "cost_paid"),
            )
        ),
    ),
)  # fmt: skip
