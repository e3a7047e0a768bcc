"""Training and validation loss by epoch, of the plain network, the X-NN and all methods."""

from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from analysis.figures.palette import BLUE, INK, LINES, VERMILION
from analysis.figures.style import NothingToDraw, framed
from analysis.figures.xnn.featured import CLUSTERS, METHOD, WEIGHT, Subject
from analysis.figures.xnn.model_files import Array
from analysis.wording import plural
from analysis.xnn.wording import spelled

_SHADE = 0.16


def losses(
    epochs: pd.DataFrame,
    figure: Figure,
    *,
    subject: Subject,
    methods: Mapping[str, Subject] | None = None,
) -> None:
    """Left: the X-NN and the plain network by epoch; right, if methods vary: the best of each.

    Thick lines are means over seeds, up to the last epoch that all of them have, because dropping
    out of seeds would bias later means; shades are their range.

    Args:
        subject: the configuration to draw.
        methods: the best configuration of each method; no right panel if there is only one.
    Raises:
        NothingToDraw: ``subject`` has no epochs.
    """
    for name in ("trial_id", "epoch", "train_loss", "val_loss"):
        if name not in epochs.columns:
            raise NothingToDraw(f"epochs have no column {name}")
    xnn_curves, plain = _curves(subject.trials, epochs), _curves(subject.plain, epochs)
    if xnn_curves.empty:
        raise NothingToDraw("no epochs of the featured network")
    several = {} if methods is None or len(methods) < 2 else methods
    panels = figure.subplots(1, 2 if several else 1, sharey=True, squeeze=False)[0]
    _pair(panels[0], xnn_curves, plain, subject)
    if several:
        _all(panels[1], several, epochs)
    panels[0].set_ylabel("cross-entropy (nat)")
    notes = [
        f"Thick: mean over {plural(subject.seeds, 'seed')}, as far as all of them trained; "
        "shaded: their range; thin: those that trained for longer."
        if subject.seeds > 1
        else "One seed.",
        "Solid: validation; dashed: training, without what the method adds to the loss. Dots: "
        "epochs of the best weights, which are kept.",
        f"X-NN: {subject.words}.",
    ]
    if plain.empty:
        notes.insert(2, "Dotted: best validation loss of the plain network, mean over seeds.")
    if several:
        notes.append("Right: validation loss of every method at its own best configuration.")
    framed(figure, "Loss by epoch", notes)


def _pair(ax: Axes, xnn_curves: pd.DataFrame, plain: pd.DataFrame, subject: Subject) -> None:
    handles = []
    for name, curves, color in (("plain network", plain, VERMILION), ("X-NN", xnn_curves, BLUE)):
        if curves.empty:
            continue
        _line(ax, curves, "train_loss", color, dashed=True)
        _line(ax, curves, "val_loss", color)
        _bests(ax, curves, color)
        handles.append(Line2D([], [], color=color, linewidth=2.0, label=name))
    if plain.empty and "plain_val_loss" in subject.trials:
        level = float(subject.trials["plain_val_loss"].mean())
        ax.axhline(level, color=INK, linestyle=":", linewidth=1.4)
        handles.append(Line2D([], [], color=INK, linestyle=":", label="plain network, best"))
    handles += [
        Line2D([], [], color=INK, linewidth=1.4, label="validation"),
        Line2D([], [], color=INK, linewidth=1.4, linestyle="--", label="training"),
    ]
    ax.legend(handles=handles, ncols=2, fontsize=9.0)
    _axis(ax)


def _all(ax: Axes, methods: Mapping[str, Subject], epochs: pd.DataFrame) -> None:
    for i, of in enumerate(methods.values()):
        curves = _curves(of.trials, epochs)
        if len(curves):
            text = spelled(of.cell, (METHOD, WEIGHT, CLUSTERS))
            _line(ax, curves, "val_loss", LINES[i % len(LINES)], label=text)
    ax.legend(fontsize=8.5)
    _axis(ax)


def _line(
    ax: Axes,
    curves: pd.DataFrame,
    metric: str,
    color: str,
    *,
    dashed: bool = False,
    label: str | None = None,
) -> None:
    table = curves.pivot_table(index="epoch", columns="config/seed", values=metric).sort_index()
    complete = table.dropna()
    style = "--" if dashed else "-"
    if table.shape[1] > 1:
        x = _numbers(complete.index)
        low, high = complete.min(axis=1).to_numpy(), complete.max(axis=1).to_numpy()
        ax.fill_between(x, low, high, color=color, alpha=_SHADE, linewidth=0.0)
        tail_rows = table.index >= (complete.index.max() if len(complete) else 0)
        tails = table[tail_rows]
        ax.plot(
            _numbers(tails.index),
            tails.to_numpy(dtype=float),
            color=color,
            linestyle=style,
            linewidth=0.7,
            alpha=0.55,
        )
    ax.plot(
        _numbers(complete.index),
        complete.mean(axis=1).to_numpy(dtype=float),
        color=color,
        linestyle=style,
        linewidth=2.0,
        label=label,
    )


def _bests(ax: Axes, curves: pd.DataFrame, color: str) -> None:
    """A dot at the lowest validation loss of every seed."""
    lowest = curves.loc[curves.groupby("config/seed")["val_loss"].idxmin()]
    x, y = lowest["epoch"].to_numpy(dtype=float), lowest["val_loss"].to_numpy(dtype=float)
    ax.plot(x, y, "o", color=color, mec="white", markersize=5.5, zorder=4)


def _axis(ax: Axes) -> None:
    ax.set_xlabel("epoch")
    ax.xaxis.set_major_locator(MaxNLocator(8, integer=True))
    ax.yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
    ax.tick_params(labelleft=True)
    ax.grid(True, axis="y")


def _curves(trials: pd.DataFrame, epochs: pd.DataFrame) -> pd.DataFrame:
    """Epochs of ``trials``, with their seeds in ``config/seed``."""
    seeds = dict(zip(trials["trial_id"].astype(str), trials["config/seed"], strict=True))
    names = epochs["trial_id"].astype(str)
    rows = epochs[names.isin(list(seeds))]
    rows = rows.assign(**{"config/seed": names[rows.index].map(seeds)})
    numbers = rows[["epoch", "train_loss", "val_loss"]].astype("float64")
    return rows[["config/seed"]].join(numbers).dropna()


def _numbers(index: Sequence[float] | pd.Index) -> Array:
    return pd.Index(index).to_numpy(dtype=float)
