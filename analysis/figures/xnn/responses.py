"""Frequencies of predicted responses, compared with the observed ones."""

from collections.abc import Mapping
from itertools import chain
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from analysis.figures.palette import BLUE, GREY, INK, MUTED, VERMILION
from analysis.figures.style import NothingToDraw, framed, grid
from analysis.figures.xnn.model_files import Array, Tensors
from analysis.wording import percent

CLASSES = 8

PREDICTIONS = {"label": "rows"}
"""Shapes of the tensors of :func:`counts`, required and optional."""

OPTIONAL_PREDICTIONS = {
    "boosted": "rows",
    "shifted": "rows",
    "classes": f"rows {CLASSES}",
    "plain": f"rows {CLASSES}",
}
_NAMES = {
    "boosted": "XGBoost regression, rounded",
    "shifted": "XGBoost regression with offsets",
    "classes": "XGBoost classifier",
    "plain": "plain network",
}
XNN = "X-NN"
_COLORS = {XNN: BLUE, _NAMES["plain"]: VERMILION}
_ACROSS = 3


def counts(predictions: Tensors, confusion: Array) -> dict[str, Array]:
    """Number of test rows predicted in each class, by the name of the model.

    Regressions are rounded to the nearest response from 1 to 8; classifiers give the most likely
    class. The observed counts are under "actual".

    Args:
        predictions: of the preparation.
        confusion: confusion matrix of the X-NN, actual class down and predicted across.
    Raises:
        NothingToDraw: a label is not a class.
    """
    tally = {"actual": np.bincount(classes(predictions["label"]), minlength=CLASSES)}
    for name, title in _NAMES.items():
        if name in predictions:
            scores = predictions[name]
            regression = scores.ndim == 1
            guess = (
                np.clip(np.rint(scores), 1, CLASSES).astype(int) - 1
                if regression
                else scores.argmax(axis=1)
            )
            tally[title] = np.bincount(guess, minlength=CLASSES)
    return {**tally, XNN: confusion.sum(axis=0)}


def classes(label: Array) -> Array:
    """``label``, checked to contain only classes.

    Raises:
        NothingToDraw: a value is outside 0 to 7.
    """
    if label.min() < 0 or label.max() >= CLASSES:
        raise NothingToDraw(f"label must lie in 0 to 7, got {label.min()} to {label.max()}")
    return label.astype(int)


def response_densities(tally: Mapping[str, Array], figure: Figure, *, subject: str) -> None:
    """A panel per model: the share of the test rows it predicts for each response, as bars.

    The outline is the observed share. The response is ordinal, from 1 to 8, so bars are drawn: a
    kernel density would show applicants between the ranks and beyond the last.

    Args:
        tally: from :func:`counts`.
    Raises:
        NothingToDraw: no test rows.
    """
    actual = np.asarray(tally["actual"], dtype=float)
    if not actual.sum():
        raise NothingToDraw("no test rows")
    models = {name: np.asarray(n, dtype=float) for name, n in tally.items() if name != "actual"}
    axes = grid(figure, len(models), _ACROSS, sharex=True, sharey=True)
    panels = list(chain(*axes))
    for ax, (name, predicted) in zip(panels, models.items(), strict=True):
        shares = predicted / max(predicted.sum(), 1.0)
        _panel(ax, actual / actual.sum(), shares, color=_COLORS.get(name, GREY))
        ax.set_title(name, fontsize=10.0)
    panels[0].margins(y=0.2)  # room for the text in the corner
    for row in axes:
        row[0].set_ylabel("share of test rows")
    for ax in panels[-len(axes[0]) :]:
        ax.set_xlabel("Response")
        ax.tick_params(labelbottom=True)
    framed(
        figure,
        "Predicted and actual responses",
        [
            "Bars: share of the test rows predicted to be of each class; black outline: what "
            "occurred.",
            "Total difference: rows that would have to move to another class for the two to "
            "agree; it does not say whether the right rows are in a class.",
            f"X-NN: {subject}.",
        ],
    )


def _panel(ax: Axes, actual: Array, predicted: Array, *, color: str) -> None:
    places = np.arange(1, CLASSES + 1)
    ax.bar(places, predicted, width=0.82, color=color, zorder=2)
    ax.stairs(actual, np.arange(CLASSES + 1) + 0.5, color=INK, linewidth=1.3, zorder=3)
    text = f"total difference {100 * np.abs(actual - predicted).sum() / 2:.0f} %"
    look: Any = {"va": "top", "fontsize": 8.5, "color": MUTED}
    ax.annotate(text, (0.03, 0.95), xycoords="axes fraction", **look)
    ax.set_xticks(places)
    ax.tick_params(axis="x", length=0)
    ax.yaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 2.5, 5, 10]))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda share, _: percent(share)))
    ax.grid(True, axis="y")
