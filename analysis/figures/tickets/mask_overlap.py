"""Overlap of masks between kinds and between seeds, compared with chance."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.figures.palette import BLUE, MUTED, VERMILION
from analysis.figures.style import NothingToDraw, framed, label, number, rows_downwards
from analysis.tickets.masks import layer_name, pairs

_MOST_LAYERS = 3


def mask_overlap(overlaps: pd.DataFrame, figure: Figure) -> None:
    """A panel for all layers and one per layer, at most 3: a dot per pair, the mean, and chance.

    Top: standard and robust tickets of one seed; bottom: two seeds of one kind.

    Args:
        overlaps: the frame from :func:`analysis.tickets.masks.overlaps`.
    Raises:
        NothingToDraw: no two tickets have masks to compare.
    """
    kinds = list(pairs(overlaps))
    if not kinds:
        raise NothingToDraw("no standard ticket beside another of its seed, nor two of one kind")
    layers = list(dict.fromkeys(overlaps["layer"]))[: 1 + _MOST_LAYERS]
    axes = figure.subplots(1, len(layers), sharey=True, sharex=True, squeeze=False)[0]
    for ax, layer in zip(axes, layers, strict=True):
        for place, (_, rows) in enumerate(kinds):
            _row(ax, place, rows[rows["layer"].eq(layer)])
        ax.set_title(layer_name(layer), fontsize=9.5)
        ax.set_xlim(-0.03, 1.03)
        ax.set_xlabel("IoU of the masks")
        rows_downwards(ax, [_pair(*keys) for keys, _ in kinds])
        ax.spines["left"].set_visible(False)
    framed(
        figure,
        "How far the masks agree",
        [
            "IoU: weights that both masks keep over those that either keeps. Dots: a pair of "
            "tickets each; diamond: their mean.",
            "Upright bar: by chance, the expected intersection (k1 k2 / n in every layer) over "
            "the expected union, a ratio of expectations.",
            "Two seeds differ in theta_0, so a hidden unit of one is not that of the other; only "
            "the inputs are the same.",
        ],
    )


def _row(ax: Axes, place: int, rows: pd.DataFrame) -> None:
    if rows.empty:
        return
    mean, by_chance = rows["overlap"].mean(), rows["chance"].mean()
    # Jitter, so that ten pairs do not look like one.
    heights = place + 0.12 * np.resize([-1.0, 0.0, 1.0], len(rows))
    ax.vlines(by_chance, place - 0.22, place + 0.22, color=VERMILION, linewidth=2.0, zorder=2)
    ax.plot(rows["overlap"], heights, "o", color=MUTED, alpha=0.5, markersize=4.5, mew=0.0)
    ax.plot(mean, place, "D", color=BLUE, mec="white", markersize=7.0, zorder=4)
    label(ax, number(mean), (mean, place), (0, 11), ha="center", fontsize=8.5, color=BLUE)


def _pair(first: str, second: str, same: bool) -> str:
    return f"{first} and {second},\none seed" if same else f"{first},\ntwo seeds"
