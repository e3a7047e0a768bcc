"""P&L and positions of the recommended tickets beside the dense network and the Heston deltas."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from analysis.figures.palette import BLUE, INK, MUTED, ORANGE, SKY, VERMILION
from analysis.figures.rendering import Plan
from analysis.figures.style import NothingToDraw, framed, label, number
from analysis.sweep import Problem
from analysis.tickets.profiles import (
    DENSE,
    HESTON,
    MINIMUM_VARIANCE,
    TICKET,
    Floats,
    Profile,
    ProfileError,
    profiles,
)

_MOST = 3
_TAIL = 0.05
_ABSENT = "made by hedgesweep report, which loads the models"


def profile_plans(
    problem: Problem, profiled: Mapping[str, Any] | None
) -> tuple[list[Plan], list[str]]:
    """Plans of the figures of recommended tickets, and reasons for skips.

    Args:
        profiled: ``rows`` of profiles, or the ``reason`` for none; None where the models cannot
            be loaded.
    """
    names = ("pnl_histogram", "hedge_ratio")
    reason = _ABSENT if profiled is None else str(profiled.get("reason") or "")
    selection: list[Profile] = []
    if profiled is not None and not reason:
        try:
            selection = profiles(problem, profiled["rows"])[:_MOST]
        except ProfileError as error:
            reason = str(error)
        reason = reason or ("" if selection else "no network of the problem is recommended")
    if reason:
        return [], [f"{name}: {reason}" for name in names]
    size = 11.5, 1.9 + 3.0 * len(selection)
    return [
        ("pnl_histogram", size, partial(pnl_histogram, selection)),
        ("hedge_ratio", size, partial(hedge_ratio, selection)),
    ], []


def pnl_histogram(selection: Sequence[Profile], figure: Figure) -> None:
    """A row per ticket: histogram of its P&L and the dense network's, and of the worst paths.

    CVaR 5 % of both is marked in either panel.

    Raises:
        NothingToDraw: there are no profiles.
    """
    if not selection:
        raise NothingToDraw("no network is recommended yet")
    axes = figure.subplots(len(selection), 2, squeeze=False, width_ratios=(1.5, 1.0))
    for (whole, tail), one in zip(axes, selection, strict=True):
        for ax in (whole, tail):
            _histogram(ax, one)
            ax.set_ylabel("share of paths in a bin (%)")
        whole.set_title(f"{one.name}, seed {one.seed}", fontsize=10.0)
        tail.set_title("the worst paths", fontsize=10.0)
        _worst(tail, one)
        _cvars(whole, one, labels=False)
        _cvars(tail, one, labels=True)
        whole.legend(fontsize=8.5, loc="upper left")
    for ax in axes[-1]:
        ax.set_xlabel("P&L on a test path, without the price received\n(currency per option)")
    framed(
        figure,
        "P&L of the recommended tickets, and CVaR 5 %",
        [
            f"{selection[0].paths:,} test paths of the seed. The end bins hold what lies beyond. "
            "Filled: ticket; outline: the dense network of the seed.",
            "Lines: CVaR 5 %, the mean of the worst 5 % of paths, of this one seed. The means "
            "over seeds and their intervals are in the tables.",
        ],
    )


def hedge_ratio(selection: Sequence[Profile], figure: Figure) -> None:
    """A row per ticket: position against spot, and against variance, beside the Heston deltas.

    Medians in bins of equally many test paths at the middle trading date; shaded: the ticket on 5
    to 95 % of the paths of a bin.

    Raises:
        NothingToDraw: there are no profiles, or too few paths for bins.
    """
    if not any(one.by_spot for one in selection):
        raise NothingToDraw("too few test paths for bins")
    axes = figure.subplots(len(selection), 2, squeeze=False)
    for (spot, variance), one in zip(axes, selection, strict=True):
        _positions(spot, one.by_spot)
        _positions(variance, one.by_variance)
        spot.axvline(one.strike, color=MUTED, linewidth=0.8, zorder=0)
        label(spot, "strike", (one.strike, 0.0), (3, 3), fontsize=8.0, color=MUTED)
        spot.set_title(f"{one.name}, seed {one.seed}", fontsize=10.0)
        low, high = (f"{end:g}" for end in one.band)
        variance.set_title(f"paths with a spot from {low} to {high}", fontsize=10.0)
        spot.set_ylabel("position (shares per option)")
    axes[-1, 0].set_xlabel("spot (currency)")
    axes[-1, 1].set_xlabel("variance (annual)")
    handles, names = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside upper right", ncols=len(handles), fontsize=8.5)
    one = selection[0]
    framed(
        figure,
        "Hedge ratio against spot and variance, beside the Heston deltas",
        [
            f"Test paths of the seed at {one.date:.3g} of {one.maturity:.3g} years. Medians in "
            "bins of equally many paths; shaded: the ticket on 5 to 95 % of a bin.",
            "A network also reads its own past position and P&L, so one spot has many positions.",
            "Minimum variance: the delta with the move of the variance that comes with a spot's.",
        ],
    )


def _histogram(ax: Axes, one: Profile) -> None:
    shares = {name: 100.0 * one.counts[name] / one.counts[name].sum() for name in one.counts}
    ax.stairs(shares[TICKET], one.edges, fill=True, color=SKY, label="ticket", zorder=2)
    look: Any = {"color": INK, "linewidth": 1.1, "label": "dense network", "zorder": 3}
    ax.stairs(shares[DENSE], one.edges, **look)
    ax.grid(True, axis="y")
    ax.xaxis.set_major_locator(MaxNLocator(7))


def _worst(ax: Axes, one: Profile) -> None:
    """Limits of ``ax`` on the worst paths of both networks, with room for the two labels."""
    shares = np.cumsum(one.counts[DENSE]) / one.counts[DENSE].sum()
    last = int(np.searchsorted(shares, 1.2 * _TAIL)) + 1
    top = max(float((c[:last] / c.sum()).max()) for c in one.counts.values())
    ax.set_xlim(one.edges[0], one.edges[min(last, len(one.edges) - 1)])
    ax.set_ylim(0.0, 160.0 * top)


def _cvars(ax: Axes, one: Profile, *, labels: bool) -> None:
    styles = ((TICKET, BLUE, "-"), (DENSE, INK, "--"))
    for i, (name, color, style) in enumerate(styles):
        ax.axvline(one.cvar[name], color=color, linestyle=style, linewidth=1.4, zorder=4)
        if labels:
            text = f"CVaR 5 % {number(one.cvar[name], digits=3)}, {name}"
            # To the left of both lines, where there are few paths.
            place: Any = {"xycoords": ("data", "axes fraction"), "fontsize": 8.5, "va": "top"}
            place |= {"ha": "right"}
            place["bbox"] = {"boxstyle": "square,pad=0.15", "fc": "white", "lw": 0.0}
            lowest = min(one.cvar[TICKET], one.cvar[DENSE])
            label(ax, text, (lowest, 1.0), (-5, -4 - 14 * i), color=color, **place)


def _positions(ax: Axes, bins: Mapping[str, Floats]) -> None:
    if not bins:
        ax.text(0.5, 0.5, "too few paths", transform=ax.transAxes, ha="center", color=MUTED)
        return
    at = bins["at"]
    ax.fill_between(at, bins["low"], bins["high"], color=SKY, alpha=0.35, linewidth=0.0, zorder=1)
    lines: tuple[tuple[str, str, str, str, float], ...] = (
        (HESTON, "Heston delta", VERMILION, "-", 1.4),
        (MINIMUM_VARIANCE, "minimum-variance delta", ORANGE, "-.", 1.4),
        (DENSE, "dense network", INK, "--", 1.2),
        (TICKET, "ticket", BLUE, "-", 2.0),
    )
    for name, words, color, style, width in lines:
        look: Any = {"color": color, "linestyle": style, "linewidth": width, "zorder": 3}
        ax.plot(at, bins[name], label=words, **look)
    ax.grid(True)
    ax.xaxis.set_major_locator(MaxNLocator(6))
