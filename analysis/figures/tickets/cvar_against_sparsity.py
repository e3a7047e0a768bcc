"""Test CVaR and Sharpe ratio against the share of weights that remain."""

import math
from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter, NullLocator

from analysis.configurations import shared_paths
from analysis.contrast import bars
from analysis.figures.palette import GREEN, INK, LINES, MARKERS, MUTED
from analysis.figures.problem import one_problem
from analysis.figures.style import NothingToDraw, caption, label_beside, number, spread
from analysis.statistics import Estimate, over_seeds, student_reach
from analysis.sweep import Sweep, Trials
from analysis.tickets.baselines import DENSE, baselines
from analysis.tickets.efficiency import max_efficient_sparsity, sparsity_passes
from analysis.wording import percent

# Two lines of text, as a share of the axes' height.
_LABEL_GAP = 0.115
_TICKS = (100.0, 50.0, 20.0, 10.0, 5.0, 2.0, 1.0, 0.5, 0.2, 0.1)


def cvar_against_remaining(
    trials: Trials, ax: Axes, *, tolerance: float = 0.05, confidence: float = 0.95
) -> None:
    """Test CVaR 5 % against the remaining weights in %, one line per epsilon, and dense.

    The best hedge without training is dotted, if the manifest of the trials has any.

    Every point is a row of :func:`analysis.summary`, the learning rate with the best validation
    risk: its mean over seeds, with its Student interval and the range over seeds
    shaded. A ring marks the max efficient sparsity.

    Args:
        tolerance: share of the dense network's CVaR that may be lost; shaded.
        confidence: one-sided confidence level at which the loss must be within it.
    Raises:
        NothingToDraw: no trial has completed, there are more epsilons than line styles,
            or the trials are of more than one problem.
    """
    problem = one_problem(trials)
    passes = sparsity_passes(trials, tolerance=tolerance, confidence=confidence)
    answer = max_efficient_sparsity(trials, tolerance=tolerance, confidence=confidence)
    points = _points(passes, "cvar_05")
    dense = _dense(trials, "dense_cvar_05", "dense_cvar_05_se")
    labels: dict[float | None, str] = {}
    for epsilon, line in _lines(points):
        row = answer[_same(answer["epsilon"], epsilon)].iloc[0]
        most = row["max_efficient_sparsity"]
        labels[epsilon] = f"{_name(epsilon)}\n{_efficient(row)}".strip()
        ring = line[line["sparsity"].eq(most)]
        ax.plot(
            ring["remaining"],
            ring["cvar_05"],
            linestyle="none",
            marker="o",
            markersize=15,
            markerfacecolor="none",
            markeredgecolor=INK,
            markeredgewidth=1.3,
            zorder=6,
        )
    if math.isfinite(dense.mean):
        floor = dense.mean - tolerance * abs(dense.mean)
        ax.axhspan(floor, dense.mean, color=GREEN, alpha=0.10, linewidth=0.0, zorder=0)
    reach = points["cvar_05_se"] * [student_reach(n) for n in points["seeds"].fillna(0)]
    reach = reach.fillna(0.0)
    half = dense.reach if math.isfinite(dense.reach) else 0.0
    band = (dense.mean - half, dense.mean + half)
    hedge = _best_hedge(trials)
    _panel(ax, points, "cvar_05", reach=reach, labels=labels, dense=dense, band=band, hedge=hedge)
    ax.set_ylabel("test CVaR 5 % (currency per option, S0 = 100)")
    ax.set_title(f"Tail risk against remaining weights{problem}")
    caption(
        ax,
        [
            f"Points: {_choice(points)}{_seeds(points)}.",
            f"Green: within {percent(tolerance)} of the dense network (dashed; band: 95 % "
            f"interval); {bars(int(points['seeds'].max()))}.",
            "Ring: max efficient sparsity. It and every smaller swept one stay within green "
            f"at {percent(confidence)} confidence (paired difference).",
            *_unfinished(passes),
        ],
    )


def sharpe_against_remaining(trials: Trials, ax: Axes) -> None:
    """Sharpe ratio of test P&L against the remaining weights in %, at the CVaR figure's points.

    Raises:
        NothingToDraw: no trial has completed, there are more epsilons than line styles,
            or the trials are of more than one problem.
    """
    problem = one_problem(trials)
    passes = sparsity_passes(trials)
    if "sharpe_ratio" not in passes.columns:
        raise NothingToDraw("no Sharpe ratio was recorded")
    points = _points(passes, "sharpe_ratio")
    dense = _dense(trials, "dense_sharpe_ratio", None)
    labels = {epsilon: _name(epsilon) for epsilon, _ in _lines(points)}
    band = (dense.low, dense.high)
    _panel(ax, points, "sharpe_ratio", reach=None, labels=labels, dense=dense, band=band)
    ax.set_ylabel("Sharpe ratio of test P&L plus price (mean / s.d.)")
    ax.set_title(f"Sharpe ratio against remaining weights (not a selection criterion){problem}")
    caption(
        ax,
        [
            "Not a selection criterion: not hedging at all can have the better ratio. "
            "Sparsity is chosen on CVaR 5 %.",
            f"Points: {_choice(points)}{_seeds(points)}; dashed: the dense network.",
            *_unfinished(passes),
        ],
    )


def _points(passes: pd.DataFrame, metric: str) -> pd.DataFrame:
    points = passes[passes[metric].notna() & (passes["remaining"] > 0)]
    if points.empty:
        raise NothingToDraw("no trial has completed")
    epsilons = points["epsilon"].nunique(dropna=False)
    if epsilons > len(LINES):
        raise NothingToDraw(
            f"{epsilons} values of epsilon are more than {len(LINES)} lines can tell apart; "
            "draw a part of the trials"
        )
    return points


def _lines(points: pd.DataFrame) -> list[tuple[float | None, pd.DataFrame]]:
    # None, not NaN, for a missing axis, because a key must equal itself.
    ordered = points.sort_values("remaining", ascending=False)
    return [
        (None if pd.isna(e) else float(str(e)), line)
        for e, line in ordered.groupby("epsilon", dropna=False, sort=True)
    ]


def _panel(
    ax: Axes,
    points: pd.DataFrame,
    metric: str,
    *,
    reach: pd.Series | None,
    labels: dict[float | None, str],
    dense: Estimate,
    band: tuple[float, float],
    hedge: tuple[str, float] | None = None,
) -> None:
    ends = []
    shade = 0.18 if len(labels) <= 2 else 0.09
    for i, (epsilon, line) in enumerate(_lines(points)):
        color = LINES[i]
        x, y = line["remaining"], line[metric]
        ax.plot(x, y, marker=MARKERS[i], color=color, linewidth=1.8, markersize=6, zorder=4)
        if reach is not None:
            bars = reach[line.index]
            ax.errorbar(x, y, yerr=bars, fmt="none", ecolor=color, elinewidth=1.3, zorder=5)
        if line["seeds"].max() > 1:
            low, high = line[f"{metric}_low"], line[f"{metric}_high"]
            ax.fill_between(x, low, high, color=color, alpha=shade, linewidth=0.0, zorder=2)
        ends.append((float(y.iloc[-1]), labels[epsilon], color))
    if math.isfinite(dense.mean):
        ax.axhline(dense.mean, color=INK, linestyle="--", linewidth=1.3, zorder=3)
        if math.isfinite(band[0]) and band[1] > band[0]:
            ax.axhspan(*band, color=MUTED, alpha=0.18, linewidth=0.0, zorder=1)
        ends.append((dense.mean, f"dense network\n{number(dense.mean)}", INK))
    if hedge is not None:
        name, value = hedge
        ax.axhline(value, color=MUTED, linestyle=":", linewidth=1.5, zorder=3)
        ends.append((value, f"{name}\n{number(value)}", MUTED))
    _x_axis(ax, points["remaining"])
    ax.grid(True, axis="y")
    ax.margins(y=0.10)
    _label_ends(ax, ends)


def _x_axis(ax: Axes, remaining: pd.Series) -> None:
    least = float(remaining.min())
    ax.set_xscale("log")
    ax.set_xlim(112.0, min(least / 1.12, 88.0))
    ticks = [t for t in _TICKS if t >= least / 1.12]
    ax.xaxis.set_major_locator(FixedLocator(ticks))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.set_xlabel("remaining weights (% of prunable weights, log scale)")


def _label_ends(ax: Axes, ends: Sequence[tuple[float, str, str]]) -> None:
    bottom, top = ax.get_ylim()
    ax.set_ylim(bottom, top)
    heights = spread([(y - bottom) / (top - bottom) for y, _, _ in ends], gap=_LABEL_GAP)
    for height, (_, text, color) in zip(heights, ends, strict=True):
        label_beside(
            ax, height, text, color, xycoords="axes fraction", fontsize=9.0, linespacing=1.2
        )


def _dense(trials: Trials, value: str, se: str | None) -> Estimate:
    needed = [value] + ([se] if se else [])
    frame = Sweep.of(trials, needed=needed, purpose="the dense baseline").tickets
    frame = frame[frame[value].notna()].drop_duplicates("config/seed")
    errors = frame[se].tolist() if se else None
    return over_seeds(frame[value].tolist(), errors, shared_paths=shared_paths(frame))


def _best_hedge(trials: Trials) -> tuple[str, float] | None:
    """Name and CVaR 5 % of the best hedge without training; None without a manifest."""
    sweep = Sweep.of(trials)
    rows = baselines(sweep, sweep.manifest)
    rows = rows[rows["hedge"].ne(DENSE) & rows["cvar_05"].notna()]
    return None if rows.empty else (str(rows["name"].iloc[0]), float(rows["cvar_05"].iloc[0]))


def _name(epsilon: float | None) -> str:
    return "" if epsilon is None else f"ε = {epsilon:g}"


def _efficient(row: pd.Series) -> str:
    most, undecided = row["max_efficient_sparsity"], row["limited_by"] == "undecided"
    if pd.isna(most):
        return "undecided" if undecided else "none efficient"
    return f"efficient to {percent(most)}" + (" at least" if undecided else "")


def _unfinished(passes: pd.DataFrame) -> list[str]:
    remainder = int(passes["unfinished"].sum())
    total = int(passes["trials"].sum())
    return [f"Provisional: {remainder} of {total} trials unfinished."] if remainder else []


def _same(epsilons: pd.Series, epsilon: float | None) -> pd.Series:
    return epsilons.isna() if epsilon is None else epsilons.eq(epsilon)


def _choice(points: pd.DataFrame) -> str:
    """The selection behind the points; empty if no learning rate was swept."""
    number = int(points["selection"].eq("per seed").sum())
    where = "" if number == len(points) else f" at {number} of {len(points)} points"
    each = f" (of each seed{where})" if number else ""
    swept = number or points["lr"].notna().any()
    return f"learning rate with the best validation risk{each}, " if swept else ""


def _seeds(points: pd.DataFrame) -> str:
    most = int(points["seeds"].max())
    return f"mean over {most} seeds (shade: their range)" if most > 1 else "one seed"
