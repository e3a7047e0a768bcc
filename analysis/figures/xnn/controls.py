"""Raw R^2 compared with its controls, by the number of centroids."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from analysis.contrast import bars
from analysis.figures.palette import BLUE, GREEN, MUTED, ORANGE, PURPLE, SKY, VERMILION
from analysis.figures.style import caption, legend_beside, number
from analysis.figures.xnn.featured import CLUSTERS, GAIN, METHOD, WEIGHT, Subject, held_at, needed
from analysis.wording import plural
from analysis.xnn.cells import of_problem
from analysis.xnn.wording import spelled

_LINES: Mapping[str, tuple[str, str, str]] = {
    "r2_mean": ("X-NN", BLUE, "o"),
    "r2_random_points": ("X-NN, random points", SKY, "s"),
    "r2_plain": ("plain network", VERMILION, "^"),
    "r2_plain_random_points": ("plain network, random points", ORANGE, "v"),
    "r2_untrained": ("untrained network", GREEN, "D"),
    "r2_permuted": ("X-NN, rows permuted", PURPLE, "P"),
}
_MOST_NAMED = 8
_DODGE = 0.008  # of the width, so that intervals do not overlap


def controls(ax: Axes, *, subject: Subject) -> None:
    """Held-out R^2 by K: the X-NN at one weight, the plain network, and the controls of both.

    A pale bar is the explanation gain: the mean over seeds of R^2 less that of the seed's best
    control. Means have their 95 % intervals over seeds.

    Args:
        subject: the sweep, and the method and weight drawn at every K.
    Raises:
        NothingToDraw: the trials lack one of the R^2.
    """
    table = subject.table
    needed(table, *_LINES)
    pull = {name: subject.cell[name] for name in (METHOD, WEIGHT)}
    means = of_problem(table, pull).sort_values(CLUSTERS)
    x = means[CLUSTERS].to_numpy(dtype=float)
    width = float(np.ptp(x)) or 2.0
    for i, name in enumerate(_LINES):
        _line(ax, means, name, shift=_DODGE * width * (i - (len(_LINES) - 1) / 2))
    shift = -_DODGE * width * (len(_LINES) - 1) / 2
    top, gain = (means[name].to_numpy(dtype=float) for name in ("r2_mean", GAIN))
    label = "explanation gain"
    look: Any = {"color": BLUE, "alpha": 0.22, "linewidth": 9.0, "zorder": 1, "label": label}
    ax.vlines(x + shift, top - gain, top, **look)
    _axis(ax, x)
    ax.set_ylabel("held-out R² of nodes on distances\n(mean over nodes)")
    size = f"{'+' if subject.cell[GAIN] >= 0 else ''}{number(float(subject.cell[GAIN]))}"
    words = spelled(subject.cell, (METHOD, WEIGHT))
    ax.set_title(
        f"R² of nodes on distances, beside its controls\n{words}: gain {size} at "
        f"K = {subject.cell[CLUSTERS]}"
    )
    legend_beside(ax, ax.get_legend_handles_labels()[0])
    notes = [
        "Random points: distances to K training rows drawn at random. Permuted: distances of "
        "other rows, expected at about K / n.",
        "Raw R² can be high without learning, so only the gain (pale bar: over the best control "
        "of each seed) says something.",
        "The X-NN on random points is no control, as it was pulled towards centroids: what its "
        "nodes tell of the centroids beyond it is specific to them.",
    ]
    error_bars = bars(subject.seeds, subject.table["r2_mean_low"])
    notes.append(
        f"Mean over {plural(subject.seeds, 'seed')}; {error_bars}. Lines only join the points."
    )
    caption(ax, [*notes, *held_at(subject)])


def _line(ax: Axes, means: pd.DataFrame, name: str, *, shift: float) -> None:
    label, color, marker = _LINES[name]
    emphasis = name == "r2_mean"
    x, y = means[CLUSTERS].to_numpy(dtype=float) + shift, means[name].to_numpy(dtype=float)
    if f"{name}_low" in means:
        low, high = (means[f"{name}_{end}"].to_numpy(dtype=float) for end in ("low", "high"))
        ax.vlines(x, low, high, color=color, linewidth=1.4, zorder=3)
    ax.plot(
        x,
        y,
        marker=marker,
        color=color,
        linewidth=1.8 if emphasis else 1.0,
        markersize=7.5 if emphasis else 6.0,
        mec="white",
        mew=0.5,
        zorder=5 if emphasis else 4,
        label=label,
    )


def _axis(ax: Axes, x: np.ndarray) -> None:
    ax.set_xlabel("centroids K")
    if len(x) <= _MOST_NAMED:
        ax.set_xticks(x, [f"{k:g}" for k in x])
    else:
        ax.xaxis.set_major_locator(MaxNLocator(_MOST_NAMED, integer=True))
    if len(x) == 1:
        ax.set_xlim(x[0] - 1.0, x[0] + 1.0)
    ax.axhline(0.0, color=MUTED, linewidth=0.8, zorder=0)
    ax.margins(y=0.08)
    ax.grid(True, axis="y")
