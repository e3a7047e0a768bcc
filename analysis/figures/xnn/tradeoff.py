"""Trade-off between the cost and the gain of explanation, for every configuration."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MaxNLocator

from analysis.contrast import bars
from analysis.figures.palette import FAINT, INK, LINES, MARKERS, MUTED
from analysis.figures.style import NothingToDraw, caption, label, number, short
from analysis.figures.xnn.featured import CLUSTERS, METHOD, NONE, WEIGHT, Subject, held_at, methods
from analysis.figures.xnn.model_files import Array
from analysis.wording import plural
from analysis.xnn.cells import COST, GAIN
from analysis.xnn.pareto import pareto as front
from analysis.xnn.selection import WITHIN
from analysis.xnn.wording import over_rows

GOOD = 0.3
"""Gain marked by the dotted line: an R^2 of 0.3 over the best control."""

_LABEL = (0.19, 0.12)  # width and height of the label, as shares of the axes
_ROW = 0.05  # height of a competitor's row, as a share of the axes
_NAMED = {NONE: "plain network"}
_MOST_JOINED = 12  # weights; more, as in a random search, are not joined
_COMPETITORS = {"boosted_classes": "XGBoost classifier", "prior": "class shares"}


def competitors(manifest: Mapping[str, Any]) -> dict[str, float]:
    """Excess cross-entropy in nats of models without nodes over the plain network, by name.

    Means over seeds; each seed counts once, because its preparations differ only in centroids.
    """
    seeds: dict[Any, Mapping[str, Any]] = {}
    for key, prepared in (manifest.get("preparations") or {}).items():
        seeds.setdefault(prepared.get("seed", key), prepared.get("baselines") or {})
    costs = {}
    for name, title in _COMPETITORS.items():
        differences = [
            float(b[name]["cross_entropy"]) - float(b["plain"]["cross_entropy"])
            for b in seeds.values()
            if "cross_entropy" in b.get(name, {}) and "cross_entropy" in b.get("plain", {})
        ]
        if differences and math.isfinite(mean := sum(differences) / len(differences)):
            costs[title] = mean
    return costs


def pareto(ax: Axes, *, subject: Subject, rivals: Mapping[str, float] | None = None) -> None:
    """Cost in cross-entropy across, explanation gain up; a line per number of centroids.

    Points of one K are joined by weight; bars are 95 % intervals of means over seeds; rings and
    the stepped line are the Pareto front.

    Args:
        subject: the sweep, and the configuration to label.
        rivals: from :func:`competitors`; each is a tick below the points, as it has no nodes.
    Raises:
        NothingToDraw: a single configuration has completed, or there are more methods than marks.
    """
    points = subject.table.dropna(subset=[COST, GAIN])
    if len(points) < 2:
        raise NothingToDraw("a single configuration has completed")
    colors, marks = _looks(points)
    joined = bool(points[WEIGHT].nunique() <= _MOST_JOINED)
    for clusters, part in points.groupby(CLUSTERS):
        for method in methods(part) or [NONE]:
            line = part[part[METHOD].isin((method, NONE))].sort_values(WEIGHT)
            line = line.assign(mark=line[METHOD].map(marks).fillna(next(iter(marks.values()))))
            _line(ax, line, colors[clusters], joined=joined)
    _limits(ax, points)
    _references(ax)
    _ticks(ax, rivals or {})
    _front(ax, front(points).rows)
    look: Any = {"marker": "s", "markersize": 15.0, "mfc": "none", "linestyle": "none"}
    for color, width in (("white", 4.2), (INK, 1.8)):
        ax.plot(*subject.cell[[COST, GAIN]], mec=color, mew=width, zorder=6, **look)
    _named(ax, subject.cell, points)
    ax.grid(True)
    ax.xaxis.set_major_locator(MaxNLocator(7, steps=[1, 2, 2.5, 5, 10]))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda v, _: _signed(f"{v:+g}") if v else "0"))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda v, _: _signed(f"{v:g}")))
    ax.set_xlabel("cost: test cross-entropy over the plain network of the seed (nat)")
    ax.set_ylabel("explanation gain: R² over the best control")
    ax.set_title("What explanation costs and gains")
    _legend(ax, colors, marks)
    caption(ax, _notes(subject))


def _looks(table: pd.DataFrame) -> tuple[dict[Any, Any], dict[str, str]]:
    """Colours by K, and markers by method; with several, for the plain network too."""
    clusters = sorted(table[CLUSTERS].unique())
    shades: Sequence[Any] = LINES
    if len(clusters) > len(LINES):
        shades = list(colormaps["viridis"](np.linspace(0.0, 0.92, len(clusters))))
    names = methods(table) or [NONE]
    if len(names) > len(MARKERS):
        raise NothingToDraw(f"{len(names)} methods are more than {len(MARKERS)} marks tell apart")
    marks = dict(zip(names, MARKERS, strict=False))
    if len(names) > 1 and table[METHOD].eq(NONE).any():
        marks[NONE] = "X"
    return dict(zip(clusters, shades, strict=False)), marks


def _line(ax: Axes, line: pd.DataFrame, color: Any, *, joined: bool) -> None:
    x, y = (line[name].to_numpy(dtype=float) for name in (COST, GAIN))
    if joined:
        ax.plot(x, y, color=color, linewidth=1.1, alpha=0.7, zorder=2)
    low, high = (line[f"{GAIN}_{end}"].to_numpy(dtype=float) for end in ("low", "high"))
    ax.vlines(x, low, high, color=color, linewidth=1.0, alpha=0.8, zorder=2)
    low, high = (line[f"{COST}_{end}"].to_numpy(dtype=float) for end in ("low", "high"))
    ax.hlines(y, low, high, color=color, linewidth=1.0, alpha=0.8, zorder=2)
    for ready, fill in ((True, color), (False, "white")):
        some = line["provisional"].astype(bool).ne(ready).to_numpy()
        look: dict[str, Any] = {"mfc": fill, "mec": "white" if ready else color}
        look["mew"] = 0.7 if ready else 1.4
        for mark in line["mark"].unique():
            of = some & line["mark"].eq(mark).to_numpy()
            ax.plot(x[of], y[of], str(mark), markersize=6.0, zorder=4, **look)


def _limits(ax: Axes, table: pd.DataFrame) -> None:
    """Axis limits that include every interval and both references."""
    for name, ask, bound in ((COST, 1.5 * WITHIN, ax.set_xlim), (GAIN, 1.1 * GOOD, ax.set_ylim)):
        ends = table[[name, f"{name}_low", f"{name}_high"]].to_numpy(dtype=float)
        low, high = min(float(np.nanmin(ends)), 0.0), max(float(np.nanmax(ends)), ask)
        room = high - low
        bound(low - 0.07 * room, high + 0.09 * room)


def _references(ax: Axes) -> None:
    ax.axhline(0.0, color=MUTED, linewidth=0.8, zorder=1)
    ax.axvline(0.0, color=MUTED, linewidth=0.8, zorder=1)
    ax.axvline(WITHIN, color=INK, linestyle=":", linewidth=1.1, zorder=1)
    ax.axhline(GOOD, color=INK, linestyle=":", linewidth=1.1, zorder=1)
    look: Any = {"xycoords": ("data", "axes fraction"), "fontsize": 8.5, "color": MUTED}
    label(ax, f"+{WITHIN:g} nat", (WITHIN, 1.0), (3, -2), va="top", **look)
    look["xycoords"] = ("axes fraction", "data")
    label(ax, f"+{GOOD:g}", (1.0, GOOD), (-2, 3), ha="right", **look)


def _front(ax: Axes, best: pd.DataFrame) -> None:
    x, y = (best[name].to_numpy(dtype=float) for name in (COST, GAIN))
    ax.step(x, y, where="post", color=INK, linestyle="--", linewidth=1.0, zorder=3, label="front")
    ax.plot(x, y, "o", mfc="none", mec=INK, mew=1.2, markersize=10.5, zorder=5)


def _named(ax: Axes, cell: pd.Series, points: pd.DataFrame) -> None:
    cost, gain = cell[COST], cell[GAIN]
    text = f"weight {short(cell[WEIGHT])}, K = {cell[CLUSTERS]}\n"
    text += f"{number(gain)} at {_signed(f'{cost:+.3f}')} nat"
    look: Any = {"fontsize": 9.0, "weight": "bold", "linespacing": 1.3, "zorder": 7}
    look["bbox"] = {"boxstyle": "round,pad=0.3", "fc": "white", "ec": MUTED, "lw": 0.6}
    look["arrowprops"] = {"arrowstyle": "-", "color": INK, "linewidth": 0.9, "shrinkB": 10.0}
    place: Any = {"textcoords": "axes fraction", "ha": "center", "va": "center"}
    ax.annotate(text, (cost, gain), _free(ax, cell, points), **place, **look)


def _free(ax: Axes, cell: pd.Series, points: pd.DataFrame) -> tuple[float, float]:
    """Position of a label of ``cell`` that hides least of lines and bars, in axes fractions."""
    (first, last), (low, high) = ax.get_xlim(), ax.get_ylim()

    def coordinates(rows: pd.DataFrame) -> Array:
        x, y = (rows[name].to_numpy(dtype=float) for name in (COST, GAIN))
        return np.column_stack([(x - first) / (last - first), (y - low) / (high - low)])

    lines = [
        coordinates(line.sort_values(WEIGHT)) for _, line in points.groupby([CLUSTERS, METHOD])
    ]
    limit = (WITHIN - first) / (last - first)
    lines += [np.array([[limit, 0.0], [limit, 1.0]])]
    for metric in (COST, GAIN):
        ends = [points.assign(**{metric: points[f"{metric}_{end}"]}) for end in ("low", "high")]
        intervals = np.stack([coordinates(rows) for rows in ends], axis=1)
        lines += [line for line in intervals if np.all(np.isfinite(line))]
    dots = np.concatenate([_between(line) for line in lines])
    centre = coordinates(cell.to_frame().T)[0]
    width, height = _LABEL
    best, fewest = (0.5, 0.5), math.inf
    for turn in np.arange(16) * math.pi / 8:
        for far in (1.0, 1.6):
            radii = 0.8 * width * math.cos(turn), 1.3 * height * math.sin(turn)
            at = centre + far * np.array(radii)
            # A vertical or horizontal pointer would cover the interval of the cell.
            covers = 24.0 * (turn % (math.pi / 2) < 0.1)
            inside = 0.6 * width < at[0] < 1 - 0.6 * width and 0.14 < at[1] < 0.92
            hidden = (np.abs(dots - at) < np.array([0.6 * width, 0.75 * height])).all(axis=1).sum()
            if inside and hidden + covers + 0.1 * far < fewest:
                best, fewest = (float(at[0]), float(at[1])), hidden + covers + 0.1 * far
    return best


def _between(line: Array) -> Array:
    """Points along a line, including its corners."""
    steps = np.linspace(0.0, len(line) - 1, 24 * len(line))
    return np.column_stack([np.interp(steps, np.arange(len(line)), side) for side in line.T])


def _signed(text: str) -> str:
    return text.replace("-", "−")


def _ticks(ax: Axes, rivals: Mapping[str, float]) -> None:
    """A row for every competitor in a strip below the data, which no line crosses.

    In it a tick and a label, or an arrow if the cost is beyond the axis.
    """
    if not rivals:
        return
    (low, high), (bottom, top) = ax.get_xlim(), ax.get_ylim()
    share = _ROW * len(rivals)
    ax.set_ylim(bottom - share / (1.0 - share) * (top - bottom), top)
    ax.axhspan(ax.get_ylim()[0], bottom, color="white", linewidth=0.0, zorder=1.5)
    ax.axhline(bottom, color=FAINT, linewidth=0.8, zorder=1.6)
    ax.set_yticks([gain for gain in ax.get_yticks() if bottom <= gain <= top])
    ax.spines.left.set_bounds(bottom, top)
    for i, (name, cost) in enumerate(sorted(rivals.items(), key=lambda pair: pair[1])):
        place: Any = {"xycoords": ("data", "axes fraction"), "fontsize": 8.5, "va": "center"}
        text, height = f"{name} {_signed(f'{cost:+.3f}')}", _ROW * (i + 0.5)
        at, by, side = cost, 5, "left"
        if cost < low:
            text, at = f"◂ {text}", low
        elif cost > high:
            text, at, by, side = f"{text} ▸", high, -4, "right"
        else:
            ends = {"ymin": height - 0.4 * _ROW, "ymax": height + 0.4 * _ROW}
            ax.axvline(cost, **ends, color=INK, linewidth=2.4, zorder=6)
            if cost > (low + high) / 2:
                by, side = -5, "right"
        label(ax, text, (at, height), (by, 0), ha=side, **place)


def _legend(ax: Axes, colors: Mapping[Any, Any], marks: Mapping[str, str]) -> None:
    handles = [
        Line2D([], [], color=color, marker="o", mec="white", label=f"K = {k:g}")
        for k, color in colors.items()
    ]
    if len(marks) > 1:
        handles += [
            Line2D([], [], color=MUTED, marker=mark, linestyle="", label=_NAMED.get(n, n))
            for n, mark in marks.items()
        ]
    handles.append(
        Line2D([], [], color=INK, linestyle="--", marker="o", mfc="none", mec=INK, label="front")
    )
    ax.legend(handles=handles, loc="center left", bbox_to_anchor=(1.01, 0.5), fontsize=9.0)


def _notes(subject: Subject) -> list[str]:
    seeds = subject.seeds
    over = f"mean over {plural(seeds, 'seed')}, each less its own plain network"
    lows = subject.table[f"{GAIN}_low"]
    sources = over_rows(subject.table) if lows.notna().any() else ""
    notes = [
        f"Point: {over}; {bars(seeds, lows)}{sources}.",
        "Lines only join the points of one K, from weight 0 upwards. Ringed: Pareto-optimal by "
        "these means, which no other beats in both.",
        f"Dotted: {WITHIN:g} nat of cost, a gain of {GOOD:g}. Framed: {subject.chosen}.",
    ]
    if subject.table["provisional"].any():
        notes[0] += " Hollow: a seed is missing."
    return [*notes, *held_at(subject)]
