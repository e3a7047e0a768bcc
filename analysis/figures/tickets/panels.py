"""Colours and names shared by the figures of tickets."""

from collections.abc import Sequence

from analysis.figures.palette import BLUE, GREEN, MUTED, ORANGE, PURPLE, VERMILION
from analysis.figures.style import NothingToDraw
from analysis.tickets.networks import DENSE

_TICKETS = (BLUE, VERMILION, ORANGE, GREEN, PURPLE)


def colors(kinds: Sequence[str]) -> dict[str, str]:
    """Colours by kind: grey for the dense network, then those of the tickets.

    Raises:
        NothingToDraw: there are no kinds, or more than colours.
    """
    tickets = [kind for kind in kinds if kind != DENSE]
    if not kinds:
        raise NothingToDraw("no trained network can be read")
    if len(tickets) > len(_TICKETS):
        raise NothingToDraw(
            f"{len(tickets)} kinds of ticket are more than {len(_TICKETS)} colours tell apart; "
            "draw a part of the trials"
        )
    shades = dict(zip(tickets, _TICKETS, strict=False))
    return {kind: shades.get(kind, MUTED) for kind in kinds}


def stacked(name: str) -> str:
    """``name`` on two lines if it has a comma or a bracket."""
    return name.replace(", ", ",\n").replace(" (", "\n(")
