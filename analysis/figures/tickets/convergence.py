"""Convergence speed and test CVaR by learning rate."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from analysis.configurations import configurations, counts, parameters, shared_paths
from analysis.figures.palette import BLUE, FAINT, INK, MUTED, SKY, VERMILION
from analysis.figures.problem import one_problem
from analysis.figures.style import NothingToDraw, caption, label, label_beside, number, short
from analysis.statistics import Estimate, over_seeds
from analysis.sweep import SPEED, Sweep, Trials
from analysis.tickets.summary import best_lr
from analysis.wording import percent

# Bars take the lower part and CVaR the upper one, so that the two do not overlap.
_BARS, _QUALITY = 0.58, 0.30
_MOST_LABELS = 9
MOST_BARS = 100
_NEEDED = (*SPEED, "cvar_05", "cvar_05_se", "dense_cvar_05")


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeedBar:
    """A learning rate: epochs to the criterion, or the reason for none, and test CVaR 5 %.

    ``trained`` is the mean number of epochs of its trials; ``best`` is true for that of
    :func:`analysis.best_lr`, ``whole`` if every seed has completed.
    """

    lr: float
    epochs: Estimate
    text: str
    cvar: Estimate
    trained: float
    best: bool
    whole: bool

    @property
    def finite(self) -> bool:
        """True if there is a mean of epochs, and so a bar."""
        return math.isfinite(self.epochs.mean)

    @property
    def reach(self) -> float:
        """Half of the error bar of CVaR; 0 without an interval."""
        return self.cvar.reach if math.isfinite(self.cvar.reach) else 0.0


def convergence_speed(trials: Trials, ax: Axes, *, sparsity: float, epsilon: float | None) -> None:
    """Bars of epochs to the 95 % criterion against the learning rate; test CVaR 5 % above them.

    If other parameters vary, every learning rate is drawn with the values at which it is fastest.

    A learning rate that did not converge at every seed has no bar: its place is hatched and
    labelled "NC", or "stopped", "failed", "running" if that is the reason. The best one is that of
    :func:`analysis.best_lr`; there is none if no learning rate completed at every seed. CVaR is
    the mean over seeds with its Student interval, hollow if a seed is missing.

    Args:
        ax: an empty Axes; its twin shows CVaR.
        sparsity: the sparsity to draw.
        epsilon: the attack budget to draw; None if the space has no such axis.
    Raises:
        NothingToDraw: no trial of this sparsity and epsilon has completed, or they are of more
            than one problem.
    """
    sweep = Sweep.of(trials, needed=_NEEDED, purpose="convergence_speed")
    group = group_of(sweep.tickets, sparsity, epsilon)
    if not (group["status"] == "completed").any():
        raise NothingToDraw("no trial has completed")
    problem = one_problem(group)
    bars = speed_bars(group)
    places = range(len(bars))
    dense = speed_of_dense(group)
    heights = [b.epochs.high for b in bars if b.finite]
    top = max([*heights, dense if math.isfinite(dense) else 1.0, 1.0]) * 1.12
    ax.set_ylim(0.0, top / _BARS)
    side = 0.6 if len(bars) > 1 else 1.5  # a single bar would fill the figure
    ax.set_xlim(-side, len(bars) - 1 + side)
    for x, bar in zip(places, bars, strict=True):
        _draw_bar(ax, x, bar)
        if len(bars) <= _MOST_LABELS:
            _label_bar(ax, x, bar, alone=len(bars) == 1)
    if math.isfinite(dense):
        ax.axhline(dense, color=MUTED, linestyle=":", linewidth=1.2, zorder=1)
        label_beside(ax, dense, f"dense\n{dense:.3g} epochs", MUTED, by=(6, 0))
    _draw_quality(ax, group, bars)
    step = math.ceil(len(bars) / _MOST_LABELS)
    chosen = next((x for x in places if bars[x].best), 0)
    tick_places = [x for x in places if (x - chosen) % step == 0]
    ax.set_xticks(tick_places, [rate(bars[x].lr) for x in tick_places])
    for tick, x in zip(ax.get_xticklabels(), tick_places, strict=True):
        tick.set_fontweight("bold" if bars[x].best else "normal")
    ticks = [t for t in MaxNLocator(5, integer=True).tick_values(0, top) if 0 <= t <= top]
    ax.set_yticks(ticks)
    ax.spines["left"].set_bounds(0.0, top)
    ax.tick_params(axis="y", labelcolor=BLUE)
    ax.tick_params(axis="x", length=0)
    ax.set_xlabel("learning rate")
    ax.set_ylabel("epochs to 95 % of dense", color=BLUE, y=_BARS / 2, ha="center")
    where = f"sparsity {percent(sparsity)}"
    where += "" if epsilon is None else f", ε = {epsilon:g} in price units"
    ax.set_title(f"Convergence speed and final quality, {where}{problem}")
    caption(ax, [*_notes(group, bars), *rates_left_out(bars, group)])


def group_of(trials: pd.DataFrame, sparsity: float, epsilon: float | None) -> pd.DataFrame:
    """Trials of a pair of sparsity and epsilon; None for a space without epsilon."""
    same = trials["config/sparsity"].eq(sparsity)
    budget = trials["config/epsilon"]
    same &= budget.isna() if epsilon is None or math.isnan(epsilon) else budget.eq(epsilon)
    return trials[same]


def _rows(frame: pd.DataFrame) -> list[pd.Series]:
    return [row for _, row in frame.iterrows()]


def speed_bars(group: pd.DataFrame) -> list[SpeedBar]:
    """Learning rates of a :func:`group_of` in ascending order, each with its fastest values.

    Of more than :data:`MOST_BARS`, the best and others, evenly.
    """
    names = [n for n in parameters(group) if n not in ("sparsity", "epsilon")]
    configs = configurations(group, names)
    winner = best_lr(group).iloc[0]
    one = winner[["selection"]].eq("one configuration").fillna(False).iloc[0]
    wins = [one and all(_fits(c[n], winner[n]) for n in names) for c in _rows(configs)]
    configs["best"] = pd.Series(wins, index=configs.index, dtype="bool")
    order = {"best": False, "converged": False, "epochs_to_95pct": True, "val_loss": True}
    ranked = configs.sort_values(list(order), ascending=list(order.values()), kind="stable")
    bars = []
    for config in _rows(_sample(ranked.drop_duplicates("lr").sort_values("lr"))):
        trials = group.loc[config["rows"]]
        cvar = over_seeds(
            trials["cvar_05"].tolist(),
            trials["cvar_05_se"].tolist(),
            shared_paths=shared_paths(trials),
        )
        epochs = over_seeds(
            trials["epochs_to_95pct"].astype("float64").tolist() if config["converged"] else [],
            shared_paths=True,
        )
        bars.append(
            SpeedBar(
                lr=config["lr"],
                epochs=epochs,
                text=f"{epochs.mean:.3g}" if config["converged"] else _reason(config, trials),
                cvar=cvar,
                trained=_trained(group, config["lr"]),
                best=bool(config["best"]),
                whole=bool(config["whole"]),
            )
        )
    return bars


def rates_left_out(bars: Sequence[SpeedBar], group: pd.DataFrame) -> list[str]:
    """Caption line on learning rates of ``group`` without a bar; empty if all have one."""
    number = group["config/lr"].nunique(dropna=False)
    if number <= len(bars):
        return []
    best = "the best and others, evenly" if any(bar.best for bar in bars) else "evenly"
    return [f"{len(bars)} of {number:,} learning rates, {best}."]


def _sample(rates: pd.DataFrame) -> pd.DataFrame:
    places = np.linspace(0, len(rates) - 1, min(MOST_BARS, len(rates))).round().astype(int)
    return rates.iloc[np.union1d(places, np.flatnonzero(rates["best"]))]


def _trained(group: pd.DataFrame, lr: float) -> float:
    """Mean number of epochs of the trials of a learning rate, NaN without any."""
    of_rate = group["config/lr"].isna() if pd.isna(lr) else group["config/lr"].eq(lr)
    return float(group.loc[of_rate, "epochs"].astype("float64").mean())


def _fits(value: Any, winning: Any) -> bool:
    """True if a parameter is that of the winner or unset; pandas' NA has no truth value."""
    return bool(pd.isna(value) or (not pd.isna(winning) and value == winning))


def _reason(config: pd.Series, trials: pd.DataFrame) -> str:
    if config["whole"]:
        met = int(trials["converged"].fillna(False).sum())
        return "NC" if met == 0 else f"NC ({met} of {len(trials)})"
    for outcome, word in (("stopped", "stopped"), ("failed", "failed")):
        if config[outcome]:
            return word
    return "running" if config["unfinished"] or trials.empty else "not every seed"


def _draw_bar(ax: Axes, x: int, bar: SpeedBar) -> None:
    width = 0.56
    if not bar.finite:
        # Full height of the bars' zone in the lightest grey, to show a gap rather than a value.
        look: Any = {"facecolor": "none", "edgecolor": FAINT, "hatch": "////", "linewidth": 0.0}
        ax.axvspan(x - width / 2, x + width / 2, ymax=_BARS, zorder=0, **look)
    else:
        ax.bar(x, bar.epochs.mean, width, color=BLUE if bar.best else SKY, zorder=2)
        if bar.epochs.high > bar.epochs.low:
            ax.vlines(x, bar.epochs.low, bar.epochs.high, color=INK, linewidth=1.3, zorder=3)


def _label_bar(ax: Axes, x: int, bar: SpeedBar, *, alone: bool) -> None:
    text = bar.text
    if bar.best and not alone:
        text += "\nfastest" if bar.finite else "\nlowest val. loss"
    top = bar.epochs.high if bar.finite else 0.0
    look: Any = {"fontsize": 9.5, "fontweight": "bold" if bar.best else "normal", "zorder": 4}
    look["bbox"] = {"boxstyle": "square,pad=0.15", "facecolor": "white", "edgecolor": "none"}
    label(ax, text, (x, top), (0, 4), ha="center", va="bottom", linespacing=1.2, **look)


def _draw_quality(ax: Axes, group: pd.DataFrame, bars: list[SpeedBar]) -> None:
    dense = float(group["dense_cvar_05"].dropna().astype("float64").mean())
    points = [(x, b) for x, b in enumerate(bars) if math.isfinite(b.cvar.mean)]
    ends = [b.cvar.mean + sign * b.reach for _, b in points for sign in (-1, 1)]
    ends += [dense] if math.isfinite(dense) else []
    if not ends:
        return
    low, high = min(ends), max(ends)
    room = max(high - low, 0.02 * abs(high), 1e-6)
    twin = ax.twinx()
    twin.set_ylim(high + 0.04 * room - room / _QUALITY, high + 0.16 * room)
    for whole, fill in ((True, VERMILION), (False, "white")):
        if not (some := [(x, b) for x, b in points if b.whole == whole]):
            continue
        x, y, error = zip(*((x, b.cvar.mean, b.reach) for x, b in some), strict=True)
        look: Any = {"color": VERMILION, "markerfacecolor": fill, "markersize": 6}
        twin.errorbar(x, y, yerr=error, fmt="D", elinewidth=1.3, zorder=5, **look)
    if math.isfinite(dense):
        twin.axhline(dense, color=VERMILION, linestyle="--", linewidth=1.2, alpha=0.8, zorder=1)
    _quality_axis(twin, low, high, dense)


def _quality_axis(twin: Axes, low: float, high: float, dense: float) -> None:
    room = max(high - low, 1e-9)
    ticks = [
        t
        for t in MaxNLocator(4).tick_values(low, high)
        if low - 0.02 * room <= t <= high + 0.02 * room and not abs(t - dense) < 0.15 * room
    ]
    digits = 2 if room > 0.05 else 3
    names = [number(t, digits=digits) for t in ticks]
    if math.isfinite(dense):
        ticks, names = [*ticks, dense], [*names, f"dense {number(dense, digits=digits)}"]
    twin.set_yticks(ticks, names)
    twin.set_ylabel("test CVaR 5 %\n(currency per option)", color=VERMILION, y=0.80, ha="center")
    twin.spines["right"].set_visible(False)
    twin.spines["left"].set_visible(False)
    twin.tick_params(axis="y", length=0, labelcolor=VERMILION)


def speed_of_dense(group: pd.DataFrame) -> float:
    """Mean over the trials of the epochs of their dense network to the criterion; may be NaN."""
    if "dense_epochs_to_95pct" not in group.columns:
        return float("nan")
    return float(group["dense_epochs_to_95pct"].astype("float64").mean())


def _notes(group: pd.DataFrame, bars: list[SpeedBar]) -> list[str]:
    seeds = group.loc[group["status"] == "completed", "config/seed"].nunique()
    over = f"mean over {seeds} seeds, black line their range" if seeds > 1 else "one seed"
    notes = [
        f"Bars: {over}. Diamonds: test CVaR 5 %, 95 % interval from 3 seeds on; dashed: the "
        "dense network."
    ]
    if any(b.text.startswith("NC") for b in bars):
        some = any("(" in b.text for b in bars)
        so_many = " (in brackets, at how many it was)" if some else ""
        notes.append(f"NC: the criterion was not met at every seed{so_many}, so there is no bar.")
    other_names = [n for n in parameters(group) if n not in ("sparsity", "epsilon", "lr")]
    if others := [n for n in other_names if group[f"config/{n}"].nunique() > 1]:
        notes.append(f"Every learning rate with the {' and '.join(others)} it is fastest with.")
    if not any(b.best for b in bars):
        notes.append("No learning rate completed at every seed, so none is the best.")
    if any(not b.whole and math.isfinite(b.cvar.mean) for b in bars):
        notes.append("Hollow: a mean that lacks a seed; not comparable with the others.")
    best = next((b for b in bars if b.best), None)
    if len(bars) > _MOST_LABELS and best is not None:
        speed = f"the fastest, {best.text} epochs" if best.finite else best.text
        notes.append(f"Bold, dark blue: learning rate {rate(best.lr)}, {speed}; hatched: no bar.")
    tally = counts(group)
    censored = [f"{tally[n]:,} {n}" for n in ("stopped", "failed", "unfinished") if tally[n]]
    if censored:
        notes.append(f"Not counted as completed: {', '.join(censored)} of {tally['trials']}.")
    return notes


def rate(lr: float) -> str:
    """Learning rate as the label of a tick."""
    return "the study's own" if math.isnan(lr) else short(lr)
