"""Predictions for applicants without Response: classes predicted, and how decided they are."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from analysis.escapes import shortened
from analysis.figures.palette import BLUE, INK
from analysis.figures.rendering import Batch, Saved, draw_batches
from analysis.figures.style import NothingToDraw, framed
from analysis.wording import percent, plural
from analysis.xnn.predictions import Floats, probabilities

_BINS = 25
_HEIGHT = 3.1
_MOST = 6
_LONGEST = 30  # characters of a name above a panel
# White, so that no line of the grid crosses the texts.
_LEGEND: Any = {"frameon": True, "facecolor": "white", "edgecolor": "none", "framealpha": 1.0}


def save_predictions(folder: str | Path, frames: Mapping[str, pd.DataFrame]) -> Saved:
    """Write :func:`predictions` to ``<folder>/figures``; returns the files.

    Raises:
        StorageError: ``folder`` cannot be written.
        ColumnError: a frame has no probabilities.
    """
    size = 10.5, 1.6 + _HEIGHT * len(frames)
    plan = "predictions", size, lambda figure: predictions(frames, figure)
    return draw_batches(folder, [Batch(plans=[plan])])


def predictions(frames: Mapping[str, pd.DataFrame], figure: Figure) -> None:
    """Two panels per model: shares of predicted classes, and probability of the likeliest class.

    Args:
        frames: by the name of the model, each with a column of probabilities per class; see
            :func:`analysis.xnn.predictions.probabilities`.
    Raises:
        ColumnError: a frame has no probabilities.
        NothingToDraw: no models, or more than 6.
    """
    if not 1 <= len(frames) <= _MOST:
        raise NothingToDraw(f"predictions of 1 to {_MOST} models can be drawn, got {len(frames)}")
    tables = {name: probabilities(frame) for name, frame in frames.items()}
    axes = figure.subplots(len(tables), 2, squeeze=False, sharey="col", sharex="col")
    for (left, right), (name, table) in zip(axes, tables.items(), strict=True):
        _classes(left, table)
        _decided(right, table)
        number = plural(len(table), "applicant")
        left.set_title(f"{shortened(name, most=_LONGEST)}: {number}", fontsize=10.0)
    axes[0, 0].legend(fontsize=8.5, loc="upper left", **_LEGEND)
    axes[-1, 0].set_xlabel("Response")
    axes[-1, 1].set_xlabel("probability of the likeliest class")
    framed(
        figure,
        "Predictions for applicants without Response",
        [
            "Left: share of the applicants whose likeliest class it is; outline: mean probability "
            "of the class, the share to expect if the probabilities are calibrated.",
            "Right: the likeliest class decides little where its probability is low. Without "
            "Response, neither panel shows that a prediction is right.",
        ],
    )


def _classes(ax: Axes, table: Floats) -> None:
    number = table.shape[1]
    places = np.arange(1, number + 1)
    shares = np.bincount(table.argmax(axis=1), minlength=number) / len(table)
    ax.bar(places, shares, width=0.82, color=BLUE, zorder=2, label="likeliest class")
    edges = np.arange(number + 1) + 0.5
    look: Any = {"color": INK, "linewidth": 1.3, "zorder": 3}
    ax.stairs(table.mean(axis=0), edges, label="mean probability", **look)
    ax.set_xticks(places)
    ax.tick_params(axis="x", length=0)
    ax.set_ylabel("share of applicants")
    ax.margins(y=0.25)
    _shares(ax)


def _decided(ax: Axes, table: Floats) -> None:
    largest = table.max(axis=1)
    edges = np.linspace(1.0 / table.shape[1], 1.0, _BINS + 1)
    heights = np.histogram(largest, edges)[0] / len(table)
    ax.stairs(heights, edges, fill=True, color=BLUE, zorder=2)
    median = float(np.median(largest))
    ax.axvline(median, color=INK, linestyle="--", linewidth=1.2, zorder=3)
    ax.plot([], [], color=INK, linestyle="--", label=f"median {median:.2f}")
    ax.legend(fontsize=8.5, loc="upper right", **_LEGEND)
    ax.set_ylabel("share of applicants")
    _shares(ax)


def _shares(ax: Axes) -> None:
    ax.yaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 2.5, 5, 10]))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda share, _: percent(share)))
    ax.grid(True, axis="y")
