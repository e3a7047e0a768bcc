"""Distribution of the kept weights of each kind of network."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from analysis.figures.palette import INK
from analysis.figures.style import NothingToDraw, framed, legend_above
from analysis.figures.tickets.panels import colors, stacked
from analysis.tickets.masks import magnitudes
from analysis.tickets.networks import Model, kinds
from analysis.wording import plural

_BINS = 60
_WHISKERS = (5.0, 95.0)


def weight_distribution(models: Sequence[Model], figure: Figure) -> None:
    """Histogram, distribution function and box plot of the absolute values of the kept weights.

    Args:
        models: networks of any kinds; those of one kind are pooled.
    Raises:
        NothingToDraw: there are no networks, or too many kinds.
    """
    shades = colors(kinds(list(models)))
    sizes = {kind: magnitudes([m for m in models if m.kind == kind]) for kind in shades}
    if not all(values.size for values in sizes.values()):
        raise NothingToDraw("a kind of network keeps no weight at all")
    # The few largest weights would compress all others into the first bins.
    top = max(float(np.quantile(values, 0.999)) for values in sizes.values())
    histogram, distribution, box = figure.subplots(1, 3)
    for kind, values in sizes.items():
        color = shades[kind]
        heights, edges = np.histogram(values, bins=_BINS, range=(0.0, top))
        histogram.stairs(
            heights / values.size / np.diff(edges), edges, color=color, linewidth=1.6, label=kind
        )
        ascending = np.sort(values)
        shares = np.arange(1, values.size + 1) / values.size
        distribution.step(ascending, 100 * shares, where="post", color=color, linewidth=1.6)
    boxes = box.boxplot(
        list(sizes.values()),
        orientation="horizontal",
        whis=_WHISKERS,
        showfliers=False,
        patch_artist=True,
        widths=0.55,
        medianprops={"color": INK, "linewidth": 1.4},
    )
    for patch, color in zip(boxes["boxes"], shades.values(), strict=True):
        patch.set(facecolor=color, alpha=0.55, linewidth=0.8)
    names = [stacked(kind) + f"\n{values.size:,}" for kind, values in sizes.items()]
    box.set_yticks(range(1, len(sizes) + 1), names)
    box.invert_yaxis()
    box.tick_params(axis="y", length=0)
    histogram.set_ylabel("density")
    legend_above(figure, histogram)
    distribution.set_ylabel("% of kept weights up to here")
    distribution.set_ylim(0.0, 101.0)
    titles = ("histogram", "distribution function", "box: quartiles; whiskers: 5 and 95 %")
    for ax, title in zip((histogram, distribution, box), titles, strict=True):
        ax.set_title(title, fontsize=9.5)
        ax.set_xlabel("|w| on standardised inputs")
        ax.set_xlim(0.0, top)
        ax.grid(True, axis="x")
    most = max(sum(m.kind == kind for m in models) for kind in shades)
    framed(
        figure,
        "How large the kept weights are",
        [
            f"Kept weights of all layers and of {plural(most, 'seed')} together, their number "
            "beside the box; biases are not counted.",
            "The axis ends at the 99.9 % quantile of the kind with the largest weights.",
        ],
    )
