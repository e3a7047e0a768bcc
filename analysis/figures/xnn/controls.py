"""Raw R^2 compared with its controls, by the number of centroids."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from analysis.contrast import bars
from analysis.figures.palette import BLUE, GREEN, MUTED, ORANGE, PURPLE, SKY, VERMILION
from analysis.figures.style import framed, number
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
_PLAIN = ("r2_plain", "r2_plain_random_points", "r2_untrained")
# The X-NN on random points was trained with a pull, so it is not a control.
_NO_CONTROLS = ("r2_mean", "r2_random_points")


def controls(figure: Figure, *, subject: Subject) -> None:
    """Held-out R^2 by K. Left: the plain network and its controls; right: the X-NN with them.

    Shaded: explanation gain, R^2 less that of the best control; dotted: at the featured K.

    Args:
        subject: the sweep, and the method and weight drawn at every K.
    Raises:
        NothingToDraw: the trials lack one of the R^2.
    """
    table = subject.table
    needed(table, *_LINES)
    pull = {name: subject.cell[name] for name in (METHOD, WEIGHT)}
    means = of_problem(table, pull).sort_values(CLUSTERS)
    left_ax, right_ax = figure.subplots(1, 2, sharey=True)
    for name in _PLAIN:
        _line(left_ax, means, name)
    for name in reversed(list(_LINES)):
        _line(right_ax, means, name)
    best = means[[name for name in _LINES if name not in _NO_CONTROLS]].max(axis=1)
    x = means[CLUSTERS].to_numpy(dtype=float)
    low, high = best.to_numpy(dtype=float), means["r2_mean"].to_numpy(dtype=float)
    if len(x) > 1:
        right_ax.fill_between(
            x, low, high, where=high > low, color=BLUE, alpha=0.12, linewidth=0.0, interpolate=True
        )
    _gain(right_ax, subject)
    for ax in (left_ax, right_ax):
        _axis(ax, x)
    left_ax.set_ylabel("held-out R² of nodes on distances, mean")
    left_ax.set_title("Plain network (weight 0)", fontsize=10.0)
    handles, labels = right_ax.get_legend_handles_labels()
    order = [labels.index(label) for label, _, _ in _LINES.values()]
    figure.legend(
        [handles[i] for i in order],
        [labels[i] for i in order],
        loc="outside right center",
        fontsize=9.0,
        borderaxespad=1.2,
    )
    notes = [
        "Random points: distances to K training rows drawn at random. Permuted: distances of "
        "other rows, expected at about K / n.",
        "Raw R² can be high without learning, so that only the gain over the best control says "
        "something. The X-NN on random points is no control, as it",
        "was pulled towards centroids: what its nodes tell of the centroids beyond it is specific "
        "to them.",
    ]
    error_bars = bars(subject.seeds, subject.table["r2_mean_low"])
    notes.append(f"Mean over {plural(subject.seeds, 'seed')}; {error_bars}.")
    framed(figure, "R² of nodes on distances, beside its controls", [*notes, *held_at(subject)])


def _line(ax: Axes, means: pd.DataFrame, name: str) -> None:
    label, color, marker = _LINES[name]
    emphasis = name == "r2_mean"
    x, y = means[CLUSTERS].to_numpy(dtype=float), means[name].to_numpy(dtype=float)
    if emphasis:
        low, high = (means[f"{name}_{end}"].to_numpy(dtype=float) for end in ("low", "high"))
        ax.vlines(x, low, high, color=color, linewidth=1.4, zorder=3)
    ax.plot(
        x,
        y,
        marker=marker,
        color=color,
        linewidth=2.4 if emphasis else 1.4,
        markersize=7.5 if emphasis else 6.0,
        mec="white",
        mew=0.5,
        zorder=5 if emphasis else 4,
        label=label,
    )


def _gain(ax: Axes, subject: Subject) -> None:
    """A dotted line up to the featured cell, as long as its gain, which is in the title."""
    k, r2 = subject.cell[CLUSTERS], float(subject.cell["r2_mean"])
    # The mean over seeds of the gain over each seed's best control, which may differ.
    mean = float(subject.cell[GAIN])
    ax.vlines(k, r2 - mean, r2, color=BLUE, linestyle=":", linewidth=1.6, zorder=4)
    gain = f"{'+' if mean >= 0 else ''}{number(mean)}"
    pull = spelled(subject.cell, (METHOD, WEIGHT))
    ax.set_title(f"X-NN ({pull})\ngain {gain} at K = {k}", fontsize=10.0)


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
    ax.tick_params(labelleft=True)
    ax.grid(True, axis="y")
