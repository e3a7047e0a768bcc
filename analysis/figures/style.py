"""House style of the figures: type, captions, legends and labels."""

import textwrap
from collections.abc import Sequence
from typing import Any

from matplotlib import rcParamsDefault
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.errors import AnalysisError
from analysis.figures.palette import FAINT, INK, MUTED

# Based on Matplotlib's defaults: otherwise an untrusted matplotlibrc in the current directory
# could have every label processed by LaTeX.
RC: Any = {
    **{key: value for key, value in rcParamsDefault.items() if key != "backend"},
    "font.family": "DejaVu Sans",
    "font.size": 10.0,
    "axes.titlesize": 12.0,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 10.0,
    "axes.labelsize": 10.5,
    "axes.labelcolor": INK,
    "axes.edgecolor": MUTED,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.unicode_minus": True,
    "text.color": INK,
    # A dollar sign in the name of an axis does not start a formula.
    "text.parse_math": False,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "grid.color": FAINT,
    "grid.linewidth": 0.6,
    "hatch.linewidth": 0.6,
    "legend.frameon": False,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "pdf.fonttype": 42,
    "svg.hashsalt": "hedgesweep",
}

_CAPTION = "caption"
_PER_INCH = 16.5  # characters of a note


class NothingToDraw(AnalysisError, ValueError):  # noqa: N818 - the caller skips the figure and says why
    """There is no data for a figure; the message gives the reason."""


def number(value: float, *, digits: int = 2) -> str:
    """``value`` with a typographic minus sign."""
    return f"{value:.{digits}f}".replace("-", "−")


def short(value: float) -> str:
    """``value`` in short form: 0.001 as 1e-3, 0.1 as 0.1, 5 as 5."""
    if value != 0 and abs(value) < 0.01:
        mantissa, exponent = f"{value:.1e}".split("e")
        return f"{mantissa.removesuffix('.0')}e−{abs(int(exponent))}".replace("-", "−")
    return f"{value:.3g}".replace("-", "−")


def caption(ax: Axes, lines: Sequence[str], *, below: float = 46.0) -> None:
    """Small grey lines under the axes, ``below`` points from its lower edge."""
    look: Any = {"va": "top", "fontsize": 8.0, "color": MUTED, "linespacing": 1.35}
    place: Any = {"xycoords": "axes fraction", "annotation_clip": False}
    label(ax, "\n".join(lines), (0.0, 0.0), (0.0, -below), label=_CAPTION, **look, **place)


def legend_beside(ax: Axes, handles: Sequence[Artist]) -> None:
    """A legend to the right of the axes, aligned with its top."""
    place: Any = {"loc": "upper left", "bbox_to_anchor": (1.0, 1.0), "borderaxespad": 0.5}
    ax.legend(handles=handles, fontsize=9.0, **place)


def legend_above(figure: Figure, ax: Axes) -> None:
    """A legend for ``ax``, in one row above all panels."""
    handles, labels = ax.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper right", ncols=len(handles))


def grid(
    figure: Figure, number: int, across: int, sharex: bool = False, sharey: bool = False
) -> list[list[Axes]]:
    """Rows of ``number`` panels, at most ``across`` side by side; the last may be shorter."""
    columns = min(number, across)
    rows = figure.subplots(
        -(-number // columns), columns, sharex=sharex, sharey=sharey, squeeze=False
    )
    for ax in rows.flat[number:]:
        ax.set_axis_off()
    return [[*row[: number - i * columns]] for i, row in enumerate(rows)]


def rows_downwards(ax: Axes, names: Sequence[str], **look: Any) -> None:
    """A row of ``ax`` for each of ``names``, the first on top, and a grid across."""
    ax.set_yticks(range(len(names)), names, **look)
    ax.set_ylim(len(names) - 0.5, -0.5)
    ax.tick_params(axis="y", length=0)
    ax.grid(True, axis="x")


def label(
    ax: Axes, text: str, at: tuple[float, float], by: tuple[float, float], **look: Any
) -> None:
    """``text`` at a data point, offset ``by`` points to the right and up."""
    ax.annotate(text, at, xytext=by, textcoords="offset points", **look)


def centred(ax: Axes, text: str, x: float, y: float, **look: Any) -> None:
    """``text`` centred at a data point."""
    ax.text(x, y, text, ha="center", va="center", **look)


def label_beside(ax: Axes, y: float, text: str, color: str, **look: Any) -> None:
    """``text`` to the right of the axes at data height ``y``."""
    place: Any = {"xycoords": ("axes fraction", "data"), "by": (8, 0), "fontsize": 8.5}
    label(ax, text, (1.0, y), va="center", color=color, annotation_clip=False, **place | look)


def framed(figure: Figure, title: str, notes: Sequence[str]) -> None:
    """``title`` above all panels and small grey ``notes`` below them, both left-aligned."""
    headed(figure, title)
    noted(figure, notes)


def noted(figure: Figure, notes: Sequence[str]) -> None:
    """Small grey ``notes`` below all panels, after any others and after a :func:`caption`."""
    captions = [text for ax in figure.axes for text in ax.texts if text.get_label() == _CAPTION]
    if captions:
        captions[-1].set_text("\n".join([captions[-1].get_text(), *notes]))
        return
    # A figure of few panels is narrower than a note, which it would cut.
    most = int(_PER_INCH * (figure.get_figwidth() - 0.3))
    folded = [line for note in notes for line in textwrap.wrap(note, most)]
    lines = [line for line in (figure.get_supxlabel(), *folded) if line]
    figure.supxlabel(
        "\n".join(lines), x=0.015, ha="left", fontsize=8.0, color=MUTED, linespacing=1.35
    )


def headed(figure: Figure, title: str) -> None:
    """``title`` above all panels, replacing any other."""
    figure.suptitle(
        title, x=0.015, ha="left", fontsize=RC["axes.titlesize"], weight=RC["axes.titleweight"]
    )


def spread(heights: Sequence[float], *, gap: float) -> list[float]:
    """``heights`` moved as little as needed for a distance of ``gap`` between neighbours."""
    order = sorted(range(len(heights)), key=lambda i: heights[i])
    # Clusters of labels that touch share one centre; merge until no two clusters overlap.
    clusters: list[tuple[list[int], float]] = []
    for i in order:
        clusters.append(([i], heights[i]))
        while len(clusters) > 1:
            (lower, a), (upper, b) = clusters[-2], clusters[-1]
            if b - a >= gap * (len(lower) + len(upper)) / 2:
                break
            indices = lower + upper
            centre = sum(heights[j] for j in indices) / len(indices)
            clusters[-2:] = [(indices, centre)]
    positions = [0.0] * len(heights)
    for members, centre in clusters:
        for rank, i in enumerate(members):
            positions[i] = centre + gap * (rank - (len(members) - 1) / 2)
    return positions
