"""Learning curves of the tickets: validation risk by epoch, with rungs and stops."""

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from analysis.configurations import groups
from analysis.figures.palette import INK, MUTED
from analysis.figures.style import NothingToDraw, framed, grid, short
from analysis.files import StorageError
from analysis.manifest import rungs_of
from analysis.sweep import GROUP, Problem
from analysis.wording import parameter, percent, plural

_MOST = 12  # panels
_ACROSS = 6
_MOST_DRAWN, _FEWEST_DRAWN = 40, 3  # configurations in a panel
# The figure is inline in the page, where a point takes some 26 bytes.
_POINTS = 25_000  # of all panels
_EPOCHS = 200  # points of a line
_MOST_NAMED = 6  # learning rates in the legend
_CUT = 0.8
_LOSS = "val_loss"
_SHADES = colormaps["viridis"]


def size_of_curves(problem: Problem) -> tuple[float, float]:
    """Width and height of :func:`learning_curves`, in inches."""
    number = min(len(_panels(problem.tickets)), _MOST)
    across = _across(problem.tickets)
    return 2.6 + 2.1 * min(max(number, 3), across), 2.3 + 2.5 * -(-max(number, 1) // across)


def learning_curves(problem: Problem, figure: Figure) -> None:
    """A panel per sparsity and epsilon: validation risk by epoch, a line per configuration.

    A thick line is the mean over seeds as far as all of them trained, thin lines are the seeds;
    the colour is the learning rate. Dotted lines are the rungs of early stopping, a cross is the
    end of a configuration that was stopped, a dot of one that completed.

    Args:
        problem: its ``files`` have the epochs.
        figure: an empty figure of :func:`size_of_curves`.
    Raises:
        NothingToDraw: there are no epochs, or no trial has two.
    """
    if problem.files is None:
        raise NothingToDraw("the epochs of the trials are not at hand")
    try:
        epochs = problem.epochs
    except StorageError as error:
        raise NothingToDraw(str(error)) from error
    if absent := [n for n in ("trial_id", "epoch", _LOSS) if n not in epochs.columns]:
        raise NothingToDraw(f"epochs have no column {absent[0]}")
    audit = epochs["audit"].fillna(False).astype(bool) if "audit" in epochs else False
    rows = epochs.loc[epochs[_LOSS].notna() & ~pd.Series(audit, index=epochs.index)]
    rows = rows[rows["trial_id"].isin(problem.tickets["trial_id"])]
    if rows.empty or rows["epoch"].max() < 2:
        raise NothingToDraw("no trial has trained two epochs")
    panels = _panels(problem.tickets)
    visible = panels[:_MOST]
    names = [n for n in problem.names if n not in GROUP]
    shades = _shades(problem.tickets)
    curves = rows.pivot_table(index="epoch", columns="trial_id", values=_LOSS, observed=True)
    rungs = [r for r in rungs_of(problem.manifest) if r < curves.index.max()]
    axes = grid(figure, len(visible), _across(problem.tickets), sharex=True)
    curves = _thinned(curves)
    lines = len(visible) * (1 + problem.tickets["config/seed"].nunique())
    most = max(_FEWEST_DRAWN, min(_MOST_DRAWN, _POINTS // (lines * len(curves))))
    cut = 0
    for ax, (title, part) in zip(chain(*axes), visible, strict=True):
        cut += _panel(ax, part, curves, shades, names, most=most)
        for rung in rungs:
            ax.axvline(rung, color=MUTED, linestyle=":", linewidth=1.0, zorder=0)
        dense = part.get("dense_val_loss", pd.Series(dtype="float64")).astype("float64").mean()
        if np.isfinite(dense):
            ax.axhline(dense, color=INK, linestyle="--", linewidth=1.0, zorder=1)
        ax.set_title(title, fontsize=8.5, pad=4.0)
        _limits(ax, rows.loc[rows["trial_id"].isin(part["trial_id"]), _LOSS], float(dense))
    for row in axes:
        row[0].set_ylabel("validation risk\n(currency per option)", fontsize=9.0)
    for ax in axes[-1]:
        ax.set_xlabel("epoch", fontsize=9.0)
    figure.legend(
        handles=_keys(shades, problem.tickets["status"], rungs=bool(rungs)),
        loc="outside right center",
        fontsize=8.5,
    )
    several = problem.tickets["config/seed"].nunique() > 1
    notes = [
        "Thick: mean over seeds, as far as all of them trained; thin: the seeds."
        if several
        else "One seed.",
        "Dashed: the dense network's best. Every panel has an axis of its own, which leaves out "
        f"the {percent(1.0 - _CUT)} of its epochs with the highest risk.",
    ]
    others = [n for n in names if n != "lr" and problem.tickets[f"config/{n}"].nunique() > 1]
    if varied := [parameter(n) for n in others]:
        notes.append(f"Lines of one colour differ in {' and '.join(varied)}.")
    if cut:
        notes.append(f"{plural(cut, 'more configuration')} with a higher risk not drawn.")
    if len(panels) > _MOST:
        notes.append(f"{len(panels)} pairs of sparsity and epsilon, panels for {_MOST}.")
    framed(figure, "Learning curves", notes)


def _panels(tickets: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """Title and trials of every pair of sparsity and epsilon, by epsilon."""
    keys = ["config/epsilon", "config/sparsity"]
    panels = []
    for values, part in tickets.groupby(keys, dropna=False, sort=True):
        epsilon, sparsity = (float(str(value)) for value in values)
        names = [] if pd.isna(sparsity) else [f"sparsity {percent(sparsity)}"]
        names += [] if pd.isna(epsilon) else [f"ε = {short(epsilon)}"]
        panels.append((", ".join(names) or "all trials", part))
    return panels


def _across(tickets: pd.DataFrame) -> int:
    number = tickets["config/sparsity"].nunique(dropna=False)
    return number if 1 < number <= _ACROSS else _ACROSS


def _panel(
    ax: Axes,
    part: pd.DataFrame,
    curves: pd.DataFrame,
    shades: Mapping[float, Any],
    names: Sequence[str],
    *,
    most: int,
) -> int:
    """Draw the best configurations of ``part``; returns the number of those left out."""
    lowest = part["trial_id"].map(curves.min()).astype("float64").set_axis(part.index)
    configurations = [
        (float(lowest[trials.index].min()), trials)
        for _, trials in groups(part[lowest.notna()], names)
    ]
    configurations.sort(key=lambda one: one[0])
    for _, trials in configurations[:most]:
        lines = curves[list(trials["trial_id"])]
        lr = trials["config/lr"].iloc[0]
        color = shades[_key(lr)]
        for name in lines if lines.shape[1] > 1 else ():
            seed = lines[name].dropna()
            ax.plot(seed.index, seed, color=color, linewidth=0.5, alpha=0.4, zorder=2)
        mean = lines.dropna().mean(axis=1)
        if mean.empty:
            continue
        ax.plot(mean.index, mean, color=color, linewidth=1.6, zorder=3)
        stopped = trials["status"].eq("stopped").any()
        completed = trials["status"].eq("completed").all()
        if stopped or completed:
            mark: Any = {"marker": "x", "mew": 1.6} if stopped else {"marker": "o"}
            ax.plot(mean.index[-1], mean.iloc[-1], color=color, markersize=5.5, zorder=4, **mark)
    ax.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    ax.yaxis.set_major_locator(MaxNLocator(5))
    ax.tick_params(labelsize=8.0)
    ax.grid(True, axis="y")
    return max(0, len(configurations) - most)


def _thinned(curves: pd.DataFrame) -> pd.DataFrame:
    """``curves`` at an even part of their epochs, the last of every one among them."""
    step = -(-len(curves) // _EPOCHS)
    if step == 1:
        return curves
    ends = {curves[name].last_valid_index() for name in curves}
    return curves[[i % step == 0 or epoch in ends for i, epoch in enumerate(curves.index)]]


def _limits(ax: Axes, losses: pd.Series, dense: float) -> None:
    values = losses.astype("float64")
    if values.empty:
        return
    low, high = float(values.min()), float(values.quantile(_CUT))
    if np.isfinite(dense):
        low, high = min(low, dense), max(high, dense)
    room = 0.08 * (high - low) or 1e-3
    ax.set_ylim(low - room, high + room)


def _key(lr: Any) -> float:
    return -1.0 if pd.isna(lr) else float(lr)


def _shades(tickets: pd.DataFrame) -> dict[float, Any]:
    """Colour of every learning rate, from dark (small) to light."""
    rates = sorted({_key(lr) for lr in tickets["config/lr"]})
    return dict(zip(rates, _SHADES(np.linspace(0.0, 0.85, len(rates))), strict=True))


def _keys(shades: Mapping[float, Any], outcomes: pd.Series, *, rungs: bool) -> list[Line2D]:
    rates = list(shades)
    step = -(-len(rates) // _MOST_NAMED)
    handles = [
        Line2D([], [], color=shades[lr], linewidth=2.0, label=f"learning rate {short(lr)}")
        if lr >= 0.0
        else Line2D([], [], color=shades[lr], linewidth=2.0, label="the study's own rate")
        for lr in rates[::step]
    ]
    look: Any = {"color": MUTED, "linestyle": "none", "markersize": 5.5}
    if outcomes.eq("stopped").any():
        handles.append(Line2D([], [], marker="x", mew=1.6, label="stopped early", **look))
    if outcomes.eq("completed").any():
        handles.append(Line2D([], [], marker="o", label="completed", **look))
    handles.append(Line2D([], [], color=INK, linestyle="--", linewidth=1.0, label="dense network"))
    if rungs:
        handles.append(Line2D([], [], color=MUTED, linestyle=":", label="rung"))
    return handles
