"""What robust training costs on clean paths, and what it buys under attack.

CVaR is mean P&L of the worst 5 %, so larger is better: training under attack costs where the
difference to standard tickets is negative, and buys where it is positive.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd

from analysis.baselines import DENSE
from analysis.configurations import (
    groups,
    parameter_dtypes,
    parameters,
    prepared,
    problem_axes,
    shared_paths,
    typed,
)
from analysis.seeds import Rng, holm, interval, signed_rank
from analysis.selection import by_validation
from analysis.statistics import over_seeds
from analysis.tables import GROUP
from analysis.threats import CLEAN, attacks

TICKET = "ticket"
ENDS = ("", "_se", "_low", "_high")
"""Of a metric in :func:`robustness_table`: its mean, standard error and interval."""

_NEEDED = ("val_loss", "converged", "epochs_to_95pct", CLEAN)
_MARKETS = ("cvar_05@", "cvar_05_of_price@", "cvar_05_worst@")
_KINDS = ("config/ticket", "config/pruning.ticket")


def robustness_table(
    trials: pd.DataFrame, *, confidence: float = 0.95, rng: Rng = 0
) -> pd.DataFrame:
    """One row for the dense network and one a (sparsity, epsilon): CVaR clean and attacked.

    Every ticket row is the configuration that :func:`analysis.selection.by_validation` selects;
    controls of the lottery take no part, and a parameter that changes the problem has rows of its
    own for each value. ``epsilon`` is the attack budget of training. The metrics keep their names:
    ``cvar_05`` on clean paths, ``attacked_cvar_05@path_pgd:0.1`` under attack and
    ``cvar_05@regime:calm`` in another market, all in currency per option. Each is a mean over
    ``seeds``, with its standard error ``_se`` and the ends ``_low`` and ``_high`` of its bootstrap
    interval, which is null below two seeds.

    Args:
        trials: the frame from :func:`analysis.load_trials`.
        confidence: of the intervals.
        rng: of the bootstrap; a whole number gives every interval the same draws.
    Raises:
        schema.ColumnError: a column is missing although trials have completed.
    """
    problem, rest = _axes(trials)
    metrics = _metrics(trials)
    rows: list[dict[str, Any]] = []
    for values, part in groups(prepared(trials, _NEEDED, purpose="robustness"), problem):
        dense = _dense(part, metrics)
        if len(dense):
            rows.append({**values, "network": DENSE, "frame": dense})
        rows += [{**values, "network": TICKET, **key, "frame": own} for key, own in chosen(part)]
    for row in rows:
        frame = row.pop("frame")
        row["seeds"] = len(frame)
        for metric in metrics:
            if metric in frame.columns:
                row |= _estimated(frame, metric, confidence=confidence, rng=rng)
    return typed(
        rows,
        {
            **parameter_dtypes(problem),
            "network": "string",
            **parameter_dtypes([*GROUP, *rest]),
            "selection": "string",
            "seeds": "Int64",
            **dict.fromkeys((f"{m}{end}" for m in metrics for end in ENDS), "float64"),
        },
    )


def robust_against_standard(
    trials: pd.DataFrame, *, confidence: float = 0.95, rng: Rng = 0
) -> pd.DataFrame:
    """One row a sparsity, training epsilon above 0 and metric: robust less standard tickets.

    Standard tickets are those of epsilon 0 at the same sparsity; both are chosen as in
    :func:`robustness_table` and paired by seed. ``metric`` is ``cvar_05``, what robustness costs,
    or CVaR under an attack, what it buys; ``standard`` and ``robust`` are the means over the
    ``seeds`` that have both. ``difference`` is robust less standard, in currency per option, with
    its bootstrap interval; ``p`` is of Wilcoxon's signed-rank test, ``p_holm`` corrected for all
    rows of the problem. ``share`` is the difference over the CVaR that the attack takes from
    standard tickets, null on clean paths and where it takes none.

    Args:
        trials: the frame from :func:`analysis.load_trials`.
        confidence: of the intervals.
        rng: of the bootstrap; a whole number gives every interval the same draws.
    Raises:
        schema.ColumnError: a column is missing although trials have completed.
    """
    problem, _ = _axes(trials)
    rows: list[dict[str, Any]] = []
    for values, part in groups(prepared(trials, _NEEDED, purpose="robustness"), problem):
        own = list(_differences(part, confidence=confidence, rng=rng))
        for row, p in zip(own, holm([row["p"] for row in own]), strict=True):
            rows.append({**values, **row, "p_holm": p})
    floats = ("standard", "robust", "difference", "difference_low", "difference_high")
    return typed(
        rows,
        {
            **parameter_dtypes([*problem, *GROUP]),
            "metric": "string",
            "seeds": "Int64",
            **dict.fromkeys((*floats, "share", "p", "p_holm"), "float64"),
        },
    )


def chosen(part: pd.DataFrame) -> Iterator[tuple[dict[str, Any], pd.DataFrame]]:
    """Every (sparsity, epsilon) of one problem with its chosen trials, one a seed.

    Beside sparsity and epsilon stand the other parameters, null where they differ between seeds,
    and how the trials were selected.

    Args:
        part: trials of one problem, as :func:`analysis.configurations.prepared` returns them.
    """
    for axis in _KINDS:
        if axis in part.columns:
            part = part[part[axis].eq("lottery")]
    _, rest = _axes(part)
    for key, group in groups(part, GROUP):
        choice = by_validation(group, rest)
        if choice is not None:
            own = {**key, **choice.parameters, "selection": choice.selection}
            yield own, group.loc[choice.rows]


def _axes(trials: pd.DataFrame) -> tuple[list[str], list[str]]:
    """The parameters that change the problem, and the others beside sparsity and epsilon."""
    names = parameters(trials)
    problem = problem_axes(names)
    return problem, [n for n in names if n not in (*GROUP, *problem)]


def _metrics(trials: pd.DataFrame) -> list[str]:
    named = [str(n) for n in trials.columns if str(n).startswith(_MARKETS)]
    markets = [n for kind in _MARKETS for n in named if n.startswith(kind)]
    return [CLEAN, *(attack.column for attack in attacks(trials)), *markets]


def _dense(part: pd.DataFrame, metrics: Sequence[str]) -> pd.DataFrame:
    """The metrics of the dense networks of one problem, one row a seed."""
    names = {f"dense_{m}": m for m in (*metrics, f"{CLEAN}_se") if f"dense_{m}" in part.columns}
    if f"dense_{CLEAN}" not in names:
        return pd.DataFrame()
    known = part[part[f"dense_{CLEAN}"].notna()].drop_duplicates(["config/seed", f"dense_{CLEAN}"])
    # A seed has several where the space varies what they depend on, say the widths.
    means = known.groupby("config/seed", dropna=False)[list(names)].mean().rename(columns=names)
    if "data_sha256" in known.columns:
        means["data_sha256"] = known.groupby("config/seed", dropna=False)["data_sha256"].first()
    return means.reset_index()


def _estimated(
    frame: pd.DataFrame, metric: str, *, confidence: float, rng: Rng
) -> dict[str, float]:
    values = frame[metric].astype("float64").dropna()
    errors = frame.loc[values.index, f"{metric}_se"] if f"{metric}_se" in frame.columns else None
    estimate = over_seeds(
        values.tolist(),
        None if errors is None else errors.astype("float64").tolist(),
        shared_paths=shared_paths(frame),
    )
    ends = interval(values, confidence=confidence, rng=rng)
    found = (estimate.mean, estimate.se, ends.low, ends.high)
    return {f"{metric}{end}": value for end, value in zip(ENDS, found, strict=True)}


def _differences(part: pd.DataFrame, *, confidence: float, rng: Rng) -> Iterator[dict[str, Any]]:
    metrics = [CLEAN, *(attack.column for attack in attacks(part))]
    tickets = {
        # None rather than NaN for "no such axis": a key must equal itself.
        (None if pd.isna(key["sparsity"]) else key["sparsity"], key["epsilon"]): _by_seed(own)
        for key, own in chosen(part)
    }
    for (sparsity, epsilon), robust in tickets.items():
        standard = tickets.get((sparsity, 0.0))
        if standard is None or not epsilon > 0.0:
            continue
        for metric in metrics:
            values = {"standard": standard, "robust": robust, "clean": standard}
            names = {"standard": metric, "robust": metric, "clean": CLEAN}
            pair = pd.DataFrame({k: v[names[k]].astype("float64") for k, v in values.items()})
            pair = pair.dropna()
            if pair.empty:
                continue
            difference = pair["robust"] - pair["standard"]
            ends = interval(difference, confidence=confidence, rng=rng)
            taken = float((pair["clean"] - pair["standard"]).mean())
            yield {
                "sparsity": sparsity,
                "epsilon": epsilon,
                "metric": metric,
                "seeds": len(pair),
                "standard": pair["standard"].mean(),
                "robust": pair["robust"].mean(),
                "difference": difference.mean(),
                "difference_low": ends.low,
                "difference_high": ends.high,
                "share": difference.mean() / taken if taken > 0.0 else math.nan,
                "p": signed_rank(difference),
            }


def _by_seed(own: pd.DataFrame) -> pd.DataFrame:
    # A space without seeds has one of each ticket, and they are a pair.
    return own.set_index(own["config/seed"].fillna(0).astype(int))
