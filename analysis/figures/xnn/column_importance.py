"""Importance of the input columns: a panel per model, the most important columns first."""

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from analysis.figures.palette import BLUE, GREY, INK, VERMILION
from analysis.figures.style import NothingToDraw, framed, rows_downwards
from analysis.wording import plural
from analysis.xnn.importance import BOOSTED, PLAIN, XNN
from analysis.xnn.wording import spoken

_MOST = 15
_COLORS = {XNN: BLUE, PLAIN: VERMILION, BOOSTED: GREY}
_LABELS = {
    XNN: "rise of test cross-entropy (nat)",
    PLAIN: "rise of test cross-entropy (nat)",
    BOOSTED: "share of gain on training rows",
}


def column_importance(rows: pd.DataFrame, figure: Figure, *, subject: str) -> None:
    """The 15 most important columns of every model, as bars with standard errors.

    Args:
        rows: from :func:`analysis.xnn.importance.column_importance`.
        subject: the configuration in words.
    Raises:
        NothingToDraw: no model has an importance on file.
    """
    models = list(dict.fromkeys(rows["model"]))
    if not models:
        raise NothingToDraw("no importance of columns in the models; run the sweep again")
    for ax, model in zip(figure.subplots(1, len(models), squeeze=False)[0], models, strict=True):
        _panel(ax, rows[rows["model"].eq(model)].head(_MOST))
        ax.set_title(model, fontsize=10.5)
        ax.set_xlabel(_LABELS[model])
    seeds = int(rows["seeds"].max())
    framed(
        figure,
        "Columns that the models rely on",
        [
            "Networks: all inputs of a column (levels, missing flag) permuted together; bars: "
            f"± 2 standard errors over test rows. Means over {plural(seeds, 'seed')}.",
            "XGBoost: gain of the classifier's splits, which has no standard error. The units "
            "differ; compare orders. Columns that move together share their importance.",
            f"X-NN: {subject}.",
        ],
    )


def _panel(ax: Axes, rows: pd.DataFrame) -> None:
    model, names = str(rows["model"].iloc[0]), [spoken(str(name)) for name in rows["column"]]
    values, errors = rows["importance"].to_numpy(), rows["se"].to_numpy()
    look: Any = {"ecolor": INK, "error_kw": {"linewidth": 1.0, "capsize": 2.0}}
    bars = None if rows["se"].isna().all() else 2.0 * errors
    ax.barh(range(len(names)), values, xerr=bars, height=0.72, color=_COLORS[model], **look)
    rows_downwards(ax, names, fontsize=8.0)
    ax.xaxis.set_major_locator(MaxNLocator(4))
    if (values >= 0).all():
        ax.set_xlim(left=min(0.0, float((values - (0.0 if bars is None else bars)).min())))
