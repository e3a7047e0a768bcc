"""Convergence speed of a sweep: by sparsity, and for every learning rate in small panels."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from analysis.configurations import LOTTERY
from analysis.figures.palette import INK, LINES, MARKERS, MUTED
from analysis.figures.problem import one_problem
from analysis.figures.style import NothingToDraw, framed, label, label_beside, short
from analysis.figures.tickets.convergence import (
    SpeedBar,
    group_of,
    rate,
    rates_left_out,
    speed_bars,
)
from analysis.sweep import SPEED, Problem, Sweep, Trials, by_epsilon
from analysis.wording import percent, plural

Pair = tuple[float, float | None]
"""Sparsity and epsilon; None without such an axis."""

_MOST = 18
_ACROSS = 6
_MOST_RATES = 6
_DODGE = 0.12
_ROOM = 1.4  # of the small panels, over their highest bar of a result
_PALE = 0.4  # alpha of learning rates other than the best
_CRITERION = "epochs to 95 % of dense"


def size_of_speeds(trials: Trials) -> tuple[float, float]:
    """Width and height of :func:`convergence_speeds`, in inches."""
    number = min(len(pairs(trials)), _MOST)
    return 12.5, 4.9 + 2.0 * -(-max(number, 1) // _across(pairs(trials)))


def pairs(trials: Trials) -> list[Pair]:
    """Pairs of sparsity and epsilon with a completed ticket, by epsilon and then sparsity."""
    (problem,) = Sweep.of(trials, needed=SPEED, purpose="convergence_speed").problems
    tickets = sorted(problem.candidates[LOTTERY], key=by_epsilon)
    return [
        (one.sparsity, None if math.isnan(one.epsilon) else one.epsilon)
        for one in tickets
        if one.choice and not math.isnan(one.sparsity)
    ]


def convergence_speeds(trials: Trials, figure: Figure) -> None:
    """Epochs to the 95 % criterion: at the best learning rate by sparsity, and at every one.

    Above: mean over seeds and range of :func:`analysis.best_lr`, a colour per epsilon, the dense
    network dotted. Below: a panel per pair of sparsity and epsilon, a bar per learning rate. A
    hatched bar is the epochs that trials were trained without a result.

    Args:
        trials: of one problem.
        figure: an empty figure of :func:`size_of_speeds`.
    Raises:
        NothingToDraw: no trial has completed, more epsilons than line styles, or trials of more
            than one problem.
    """
    title = one_problem(trials)
    places = pairs(trials)
    if not places:
        raise NothingToDraw("no trial has completed")
    (problem,) = Sweep.of(trials).problems
    trials_of = {pair: group_of(problem.tickets, *pair) for pair in places}
    bars = {pair: speed_bars(group) for pair, group in trials_of.items()}
    left_out = (rates_left_out(bars[pair], group) for pair, group in trials_of.items())
    visible = places[:_MOST]
    across = _across(places)
    grid = figure.add_gridspec(
        1 + -(-len(visible) // across),
        across,
        height_ratios=[1.7, *[1.0] * -(-len(visible) // across)],
    )
    colors = _colors(bars)
    _headline(figure.add_subplot(grid[0, :]), problem, bars, colors)
    results = [bar.epochs.high for pair in visible for bar in bars[pair] if bar.finite]
    hatched = [b.trained for part in bars.values() for b in part if math.isfinite(b.trained)]
    top = _ROOM * max(results or hatched) if results or hatched else None
    shared: Axes | None = None
    for i, pair in enumerate(visible):
        ax = figure.add_subplot(grid[1 + i // across, i % across], sharey=shared)
        shared = shared or ax
        _panel(ax, bars[pair], top=top, color=colors[pair[1]])
        ax.set_title(_where(pair), fontsize=8.5, pad=4.0)
        ax.tick_params(labelleft=i % across == 0)
        if i % across == 0:
            ax.set_ylabel("epochs", fontsize=9.0)
        if i + across >= len(visible):
            ax.set_xlabel("learning rate", fontsize=9.0)
    visible_bars = [bar for pair in visible for bar in bars[pair]]
    figure.legend(handles=_keys(visible_bars), loc="outside upper right", ncols=4, fontsize=8.5)
    framed(
        figure,
        f"Convergence speed and learning rate{title}",
        [*_notes(problem, bars, len(places)), *next(filter(None, left_out), [])],
    )


def _across(places: Sequence[Pair]) -> int:
    """Panels side by side: one per sparsity, so that an epsilon is a row, where they fit."""
    sparsities = len({sparsity for sparsity, _ in places})
    return sparsities if 1 < sparsities <= _ACROSS else max(1, min(len(places), _ACROSS))


def _colors(pairs_of: Iterable[Pair]) -> dict[float | None, str]:
    """Colour of every epsilon, in both parts of the figure."""
    budgets = list(dict.fromkeys(epsilon for _, epsilon in pairs_of))
    if len(budgets) > len(LINES):
        raise NothingToDraw(
            f"{len(budgets)} values of epsilon are more than {len(LINES)} colours can tell apart"
        )
    return dict(zip(budgets, LINES, strict=False))


def _headline(
    ax: Axes,
    problem: Problem,
    bars: Mapping[Pair, Sequence[SpeedBar]],
    colors: Mapping[float | None, str],
) -> None:
    sparsities = sorted({sparsity for sparsity, _ in bars})
    budgets = list(colors)
    heights = []
    for i, (epsilon, color) in enumerate(colors.items()):
        shift = _DODGE * (i - (len(budgets) - 1) / 2)
        best = {s: _best(bars[s, epsilon]) for s in sparsities if (s, epsilon) in bars}
        points = [(sparsities.index(s) + shift, b) for s, b in best.items() if b and b.finite]
        heights += [bar.epochs.mean for _, bar in points]
        look: Any = {"color": color, "marker": MARKERS[i], "linestyle": "none", "markersize": 7}
        name = "best learning rate" if epsilon is None else f"trained at ε = {epsilon:g}"
        ax.plot([x for x, _ in points], [b.epochs.mean for _, b in points], label=name, **look)
        # Budgets one below the other, so that their labels do not meet.
        for s, bar in best.items():
            x = sparsities.index(s) + shift
            place: Any = {"xycoords": ("data", "axes fraction"), "va": "bottom", "ha": "center"}
            if bar and bar.finite:
                ax.vlines(x, bar.epochs.low, bar.epochs.high, color=color, linewidth=1.4, zorder=1)
                text = f"{bar.text} at rate {rate(bar.lr)}"
            else:
                text = "not decided" if bar is None else bar.text
            point = (sparsities.index(s), 1.0)
            label(ax, text, point, (0, -12 * i - 12), fontsize=8.0, color=color, **place)
    dense = problem.tickets.get("dense_epochs_to_95pct", pd.Series(dtype="float64"))
    if math.isfinite(mean := float(dense.astype("float64").mean())):
        heights.append(mean)
        ax.axhline(mean, color=MUTED, linestyle=":", linewidth=1.3, zorder=0)
        label_beside(ax, mean, f"dense network\n{mean:.3g} epochs", MUTED, by=(6, 0))
    ax.set_xticks(range(len(sparsities)), [percent(s) for s in sparsities])
    ax.set_xlim(-0.5, len(sparsities) - 0.2)
    # Room for the labels above the points.
    ax.set_ylim(0.0, ax.get_ylim()[1] * (1.0 + 0.12 * len(budgets)))
    ax.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    if not heights:  # the labels say why
        ax.set_yticks([])
    ax.grid(True, axis="y")
    ax.set_xlabel("sparsity (share of weights removed)")
    ax.set_ylabel(f"{_CRITERION}\n(best learning rate)")
    if len(budgets) > 1:
        ax.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), fontsize=8.5)


def _panel(ax: Axes, bars: Sequence[SpeedBar], *, top: float | None, color: str) -> None:
    for x, bar in enumerate(bars):
        if bar.finite:
            shade: Any = {"color": color, "alpha": 1.0 if bar.best else _PALE}
            ax.bar(x, bar.epochs.mean, 0.7, zorder=2, **shade)
            ax.vlines(x, bar.epochs.low, bar.epochs.high, color=INK, linewidth=1.1, zorder=3)
            text, high = bar.text, bar.epochs.high
        else:
            high = bar.trained if math.isfinite(bar.trained) else 0.0
            high = high if top is None else min(high, 0.8 * top)
            look: Any = {"fill": False, "edgecolor": MUTED, "hatch": "////", "linewidth": 0.0}
            ax.bar(x, high, 0.7, zorder=2, **look)
            text = bar.text.replace("stopped", "×").replace("every seed", "every\nseed")
        if len(bars) <= _MOST_RATES:
            text = text.replace(" (", "\n(")
            label(ax, text, (x, high), (0, 2), ha="center", va="bottom", fontsize=7.5)
    step = -(-len(bars) // _MOST_RATES)
    ax.set_xticks(range(0, len(bars), step), [rate(bar.lr) for bar in bars[::step]], fontsize=7.0)
    ax.set_xlim(-0.6, len(bars) - 0.4)
    ax.set_ylim(0.0, top)
    ax.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    ax.tick_params(axis="x", length=0)
    ax.tick_params(axis="y", labelsize=8.0)
    ax.grid(True, axis="y")


def _best(bars: Sequence[SpeedBar]) -> SpeedBar | None:
    return next((bar for bar in bars if bar.best), None)


def _where(pair: Pair) -> str:
    sparsity, epsilon = pair
    return f"sparsity {percent(sparsity)}" + ("" if epsilon is None else f", ε = {short(epsilon)}")


def _keys(bars: Sequence[SpeedBar]) -> list[Artist]:
    """Handles of what the small panels have."""
    ranges = any(bar.finite and bar.epochs.high > bar.epochs.low for bar in bars)
    handles: list[tuple[bool, Artist]] = [
        (
            any(bar.finite and bar.best for bar in bars),
            Patch(facecolor=MUTED, label="best learning rate"),
        ),
        (
            any(bar.finite and not bar.best for bar in bars),
            Patch(facecolor=MUTED, alpha=_PALE, label="other learning rates"),
        ),
        (
            not all(bar.finite for bar in bars),
            Patch(fill=False, edgecolor=MUTED, hatch="////", label="trained without a result"),
        ),
        (ranges, Line2D([], [], color=INK, linewidth=1.1, label="range over seeds")),
    ]
    return [handle for present, handle in handles if present]


def _notes(problem: Problem, bars: Mapping[Pair, Sequence[SpeedBar]], number_of: int) -> list[str]:
    tickets = problem.tickets
    seeds = tickets.loc[tickets["status"].eq("completed"), "config/seed"].nunique()
    over = f"means over {plural(seeds, 'seed')}, lines: their range" if seeds > 1 else "one seed"
    every = [bar for part in bars.values() for bar in part]
    points = f"Points and bars: {over}. " if any(bar.finite for bar in every) else ""
    notes = [
        f"{points}Criterion: five epochs running within 5 % of the dense network's validation "
        "risk.",
    ]
    words = {
        "stopped": "×: stopped early; hatched: the epochs trained",
        "NC": "NC: criterion not met at every seed (in brackets: at how many), bars may be cut",
    }
    met = [text for start, text in words.items() if any(b.text.startswith(start) for b in every)]
    if met:
        notes.append(f"{'. '.join(met)}.")
    if number_of > _MOST:
        notes.append(f"{number_of} pairs of sparsity and epsilon, panels for {_MOST}.")
    if all(_best(part) is None for part in bars.values()):
        notes.append("No learning rate completed at every seed, so none is the best.")
    return notes
