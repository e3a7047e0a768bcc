"""The three figures of a tickets sweep: functions that fill an Axes, and :func:`save`."""

from analysis.figures.convergence import convergence_speed
from analysis.figures.remaining import cvar_against_remaining, sharpe_against_remaining
from analysis.figures.save import Saved, render, save
from analysis.figures.style import NothingToDraw

__all__ = [
    "NothingToDraw",
    "Saved",
    "convergence_speed",
    "cvar_against_remaining",
    "render",
    "save",
    "sharpe_against_remaining",
]
