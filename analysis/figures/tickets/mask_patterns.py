"""Weights kept by the masks of a standard and a robust ticket of one seed."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from analysis.figures.palette import FAINT, INK, MUTED
from analysis.figures.style import NothingToDraw, framed, label, number
from analysis.figures.tickets.panels import colors
from analysis.tickets.importance import spoken
from analysis.tickets.masks import chance, layer_name, overlap
from analysis.tickets.networks import Bools, Model

# Bounds of the height: even few inputs need space for their names.
_LEAST, _MOST = 20, 40


def mask_patterns(models: Sequence[Model], figure: Figure) -> None:
    """An image per layer, inputs down and units across: dark where a weight is kept.

    Two models with different masks are side by side, followed by an image of weights that only
    one keeps, in its colour, and in black those that both keep. Every image states the share that
    is kept.

    Args:
        models: one or two of the same seed, the standard one first.
    Raises:
        NothingToDraw: no model has a mask.
    """
    every, models = [m for m in models if m.masks][:2], _distinct(models)
    shades = colors([m.kind for m in models]) if models else {}
    if not models:
        raise NothingToDraw("no ticket has a mask")
    layers = list(models[0].masks)
    columns = len(models) + (len(models) == 2)
    axes = figure.subplots(len(layers), columns, squeeze=False, height_ratios=_heights(models[0]))
    for row, name in zip(axes, layers, strict=True):
        for ax, model in zip(row, models, strict=False):
            mask = model.masks[name]
            _picture(ax, [(mask, shades[model.kind])])
            _above(ax, f"{100 * mask.mean():.3g} % kept ({int(mask.sum()):,} of {mask.size:,})")
        if len(models) == 2:
            ours, theirs = (m.masks[name] for m in models)
            first, second = (shades[m.kind] for m in models)
            _picture(row[-1], [(ours, first), (theirs, second), (ours & theirs, INK)])
            a, b = {name: ours}, {name: theirs}
            _above(row[-1], f"IoU {number(overlap(a, b))} (by chance {number(chance(a, b))})")
        inputs, units = _turned(models[0].masks[name]).shape
        row[0].set_ylabel(f"{layer_name(name)}\n{inputs} × {units}", color=INK)
    if axes[0][0].get_ylabel().startswith("layer 1\n"):
        names = [spoken(feature) for feature in models[0].features]
        axes[0][0].set_yticks(range(len(names)), names, fontsize=7.5)
    shares = [np.concatenate([k.ravel() for k in m.masks.values()]).mean() for m in models]
    headings = [
        f"{m.kind}: {100 * share:.3g} % kept" for m, share in zip(models, shares, strict=True)
    ]
    headings += ["both (black), or only one"] * (columns - len(models))
    inks = [*shades.values(), INK][:columns]
    for ax, heading, ink in zip(axes[0], headings, inks, strict=True):
        look: Any = {"xycoords": "axes fraction", "fontsize": 10.5, "weight": "bold"}
        label(ax, heading, (0.0, 1.0), (0, 19), color=ink, **look)
    figure.align_ylabels(axes[:, 0])
    framed(
        figure,
        f"What the masks keep at seed {models[0].seed}",
        [
            "Rows: inputs of the layer; columns: its units.",
            "Both networks started from the same weights, so a unit of one is that of the other. "
            "IoU: weights that both keep over those that either keeps.",
            "By chance: expected intersection over expected union of random masks with as many "
            "weights.",
        ][: 3 if len(models) == 2 else 1]
        + _same(every, models),
    )


def _distinct(models: Sequence[Model]) -> list[Model]:
    """The first two with masks; only one if their masks are the same."""
    first_two = [m for m in models if m.masks][:2]
    if len(first_two) < 2 or set(first_two[0].masks) != set(first_two[1].masks):
        return first_two
    pairs = ((mask, first_two[1].masks[name]) for name, mask in first_two[0].masks.items())
    return first_two[:1] if all(np.array_equal(a, b) for a, b in pairs) else first_two


def _same(every: Sequence[Model], panels: Sequence[Model]) -> list[str]:
    if len(every) == len(panels):
        return []
    return [f"The {every[1].kind} ticket has the same mask: one network yields both."]


def size_of_patterns(models: Sequence[Model]) -> tuple[float, float]:
    """Width and height of :func:`mask_patterns` in inches."""
    masked = _distinct(models)
    return (11.5 if len(masked) == 2 else 6.0), 2.6 + 0.07 * sum(
        height for m in masked[:1] for height in _heights(m)
    )


def _heights(model: Model) -> list[int]:
    """Relative heights of the layers."""
    return [min(max(_turned(m).shape[0], _LEAST), _MOST) for m in model.masks.values()]


def _picture(ax: Axes, layers: Sequence[tuple[Bools, str]]) -> None:
    """Draw masks as images, later ones over earlier ones."""
    image: npt.NDArray[np.float64] = np.ones((*_turned(layers[0][0]).shape, 3))
    for mask, color in layers:
        image[_turned(mask)] = to_rgb(color)
    ax.imshow(image, aspect="auto")
    ax.set(xticks=[], yticks=[])
    ax.tick_params(length=0)
    for spine in ax.spines.values():
        spine.set(visible=True, color=FAINT)


def _turned(mask: Bools) -> Bools:
    """Mask as [inputs, outputs], but [outputs, inputs] for one output, to avoid a thin line."""
    return mask if mask.shape[0] == 1 else mask.T


def _above(ax: Axes, text: str) -> None:
    ax.set_title(text, fontsize=8.5, weight="normal", color=MUTED, pad=4.0)
