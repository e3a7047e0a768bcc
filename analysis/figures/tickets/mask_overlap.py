"""Overlap of masks between kinds and between seeds, compared with chance."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.figures.palette import BLUE, MUTED, VERMILION
from analysis.figures.style import NothingToDraw, framed, label, number, rows_downwards
from analysis.tickets.masks import layer_name, pairs, shared

_MOST_LAYERS = 3


def mask_overlap(overlaps: pd.DataFrame, figure: Figure) -> None:
    """A panel for all layers and one per layer, at most 3: a dot per pair, the mean, and chance.

    Top: standard and robust tickets of one seed; bottom: two seeds of one kind. Where the tickets
    of one seed have one mask, only the pairs of two seeds are drawn, once.

    Args:
        overlaps: the frame from :func:`analysis.tickets.masks.overlaps`.
    Raises:
        NothingToDraw: no two tickets have masks to compare, or all have that of their seed.
    """
    kinds = list(pairs(overlaps))
    if not kinds:
        raise NothingToDraw("no standard ticket beside another of its seed, nor two of one kind")
    same = shared(overlaps)
    if same:  # one row then says all: the others are equal to it, or 1
        kinds = [(keys, rows) for keys, rows in kinds if not keys[2]][:1]
    if not kinds:
        raise NothingToDraw("all tickets of a seed have the same mask")
    layers = list(dict.fromkeys(overlaps["layer"]))[: 1 + _MOST_LAYERS]
    axes = figure.subplots(1, len(layers), sharey=True, sharex=True, squeeze=False)[0]
    for ax, layer in zip(axes, layers, strict=True):
        for place, (_, rows) in enumerate(kinds):
            _row(ax, place, rows[rows["layer"].eq(layer)])
        ax.set_title(layer_name(layer), fontsize=9.5)
        top = 1.5 * float(kinds[0][1]["overlap"].max()) if same else 1.0
        ax.set_xlim(-0.03 * top, min(1.03 * top, 1.03))
        ax.set_xlabel("IoU of the masks")
        rows_downwards(ax, ["tickets of\ntwo seeds"] if same else [_pair(*k) for k, _ in kinds])
        ax.spines["left"].set_visible(False)
    of_one_seed = (
        "Standard and robust tickets of one seed have the same mask: one network yields both."
    )
    framed(
        figure,
        "How far the masks agree",
        [
            *([of_one_seed] if same else []),
            "IoU: weights that both masks keep over those that either keeps. Dots: a pair of "
            "tickets each; diamond: their mean.",
            "Upright bar: by chance, the expected intersection (k1 k2 / n in every layer) over "
            "the expected union, a ratio of expectations.",
            "Seeds differ in their initial weights, so a hidden unit of one is not that of "
            "another; only the inputs are the same.",
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
    label(ax, number(mean), (mean, place), (0, 15), ha="center", fontsize=8.5, color=BLUE)


def _pair(first: str, second: str, same: bool) -> str:
    return f"{first} and {second},\none seed" if same else f"{first},\ntwo seeds"


def size_of_overlap(overlaps: pd.DataFrame) -> tuple[float, float]:
    """Width and height of :func:`mask_overlap`, in inches."""
    return 11.5, 3.4 if shared(overlaps) else 5.0
