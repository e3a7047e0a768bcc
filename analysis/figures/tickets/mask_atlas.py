"""Atlas of masks: the first layer of the tickets of every sparsity and seed."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure

from analysis.configurations import LOTTERY
from analysis.figures.palette import BLUE, FAINT, MUTED
from analysis.figures.style import NothingToDraw, framed
from analysis.sweep import Candidate, Problem, by_epsilon
from analysis.tickets.importance import spoken
from analysis.tickets.networks import DENSE, Bools, kind_of, load_models
from analysis.wording import percent

_MOST_SPARSITIES, _MOST_SEEDS = 8, 6
_COLORS = ListedColormap(["white", BLUE])


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """First-layer masks, [units, inputs], by sparsity and seed, and the names of the inputs."""

    masks: dict[tuple[float, int], Bools]
    features: tuple[str, ...]


def size_of_atlas(problem: Problem) -> tuple[float, float]:
    """Width and height of :func:`mask_atlas`, in inches."""
    tickets = _tickets(problem)
    seeds = {seed for one in tickets for seed in kind_of(one).trials}
    across, down = min(len(seeds), _MOST_SEEDS), min(len(tickets), _MOST_SPARSITIES)
    return 2.4 + 2.2 * max(across, 2), 2.0 + 0.95 * max(down, 1)


def mask_atlas(problem: Problem, figure: Figure) -> None:
    """Images of first-layer masks, sparsities down and seeds across: dark where a weight is kept.

    In every image the inputs are down and the units across. Tickets are those of the smallest
    epsilon, chosen by validation risk.

    Args:
        problem: its ``files`` have the networks.
        figure: an empty figure of :func:`size_of_atlas`.
    Raises:
        NothingToDraw: no network of a sparse ticket can be read.
    """
    page = _page(problem)
    sparsities = sorted({sparsity for sparsity, _ in page.masks})
    seeds = sorted({seed for _, seed in page.masks})[:_MOST_SEEDS]
    axes = figure.subplots(len(sparsities), len(seeds), squeeze=False)
    for row, sparsity in zip(axes, sparsities, strict=True):
        for ax, seed in zip(row, seeds, strict=True):
            _image(ax, page.masks.get((sparsity, seed)))
        row[0].set_ylabel(
            f"{percent(sparsity)}", rotation=0.0, ha="right", va="center", labelpad=8
        )
    for ax, seed in zip(axes[0], seeds, strict=True):
        share = ax.get_title(loc="left")
        ax.set_title(f"seed {seed}\n{share}", fontsize=8.5, weight="normal")
    names = ", ".join(spoken(name) for name in page.features)
    framed(
        figure,
        "Atlas of masks: first layer by sparsity and seed",
        [
            "In every image, rows are inputs and columns are hidden units; dark: the weight is "
            "kept. Above: share of the layer that is kept.",
            f"Inputs from the top: {names}.",
            "Seeds differ in their initial weights, so a unit of one is not that of another.",
        ],
    )


def _tickets(problem: Problem) -> list[Candidate]:
    """Tickets of every sparsity above 0 at the smallest epsilon with a completed trial."""
    first: dict[float, Candidate] = {}
    for one in sorted(problem.candidates[LOTTERY], key=by_epsilon):
        if one.choice and one.sparsity > 0.0 and not math.isnan(one.sparsity):
            first.setdefault(one.sparsity, one)
    return [first[sparsity] for sparsity in sorted(first)]


def _page(problem: Problem) -> Page:
    if problem.files is None:
        raise NothingToDraw("the files of the networks are not at hand")
    tickets = _tickets(problem)
    if not tickets:
        raise NothingToDraw("no sparse ticket has completed")
    masks: dict[tuple[float, int], Bools] = {}
    features: tuple[str, ...] = ()
    unread: list[str] = []
    for one in _spread(tickets):
        models, missing = load_models(problem.files, [kind_of(one)])
        unread += missing
        for model in models:
            if model.kind != DENSE and (layer := next(iter(model.masks), None)):
                masks[one.sparsity, model.seed] = model.masks[layer]
                features = model.features
    if not masks:
        raise NothingToDraw(unread[0] if unread else "no ticket has a mask")
    return Page(masks=masks, features=features)


def _spread(tickets: Sequence[Candidate]) -> list[Candidate]:
    """At most 8 of ``tickets``, the first and the last among them."""
    places = np.linspace(0, len(tickets) - 1, min(len(tickets), _MOST_SPARSITIES)).round()
    return [tickets[int(i)] for i in places]


def _image(ax: Axes, mask: Bools | None) -> None:
    ax.set(xticks=[], yticks=[])
    for spine in ax.spines.values():
        spine.set(visible=True, color=FAINT)
    if mask is None:
        ax.text(0.5, 0.5, "none", transform=ax.transAxes, ha="center", va="center", color=MUTED)
        return
    ax.imshow(mask.T, cmap=_COLORS, vmin=0, vmax=1, aspect="auto", interpolation="nearest")
    share = f"{100 * mask.mean():.3g} % kept"
    ax.set_title(share, fontsize=8.0, weight="normal", color=MUTED, pad=3.0)
