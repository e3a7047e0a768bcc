"""Colours and names shared by the figures of tickets."""

from collections.abc import Sequence

from analysis.configurations import LOTTERY
from analysis.figures.palette import BLUE, GREEN, MUTED, ORANGE, PURPLE, SKY, VERMILION
from analysis.figures.style import NothingToDraw
from analysis.tickets.controls import KINDS, RETRAINED
from analysis.tickets.networks import DENSE

_TICKETS = (BLUE, VERMILION, ORANGE, GREEN, PURPLE)
_COLORS = dict(zip(KINDS, (*_TICKETS, MUTED), strict=True))
_MARKERS = dict(zip(KINDS, ("o", "s", "D", "P", "X", "v"), strict=True))
_NAMES = {
    LOTTERY: "lottery ticket",
    "random_reinit": "random reinitialisation",
    "small_dense": "small dense network",
    RETRAINED: "dense network, retrained",
}


def kind_look(kind: str) -> tuple[str, str]:
    """Colour and marker of a ticket's or control's ``kind``, in every figure the same."""
    return _COLORS.get(kind, SKY), _MARKERS.get(kind, "*")


def kind_name(kind: str) -> str:
    """The ``kind`` of a ticket or control in words: "lottery ticket", "random mask"."""
    return _NAMES.get(kind) or kind.replace("_", " ")


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
