"""The figures of a tickets sweep: functions that fill an Axes, and :func:`save`."""

from analysis.figures.audit import early_stopping_audit
from analysis.figures.controls import controls_beside_ticket
from analysis.figures.convergence import convergence_speed
from analysis.figures.remaining import cvar_against_remaining, sharpe_against_remaining
from analysis.figures.robustness import cvar_against_budget, price_of_robustness
from analysis.figures.save import Saved, panels, render, save, save_ticket_figures
from analysis.figures.seeds import seeds_compared
from analysis.figures.style import NothingToDraw

__all__ = [
    "NothingToDraw",
    "Saved",
    "controls_beside_ticket",
    "convergence_speed",
    "cvar_against_budget",
    "cvar_against_remaining",
    "early_stopping_audit",
    "panels",
    "price_of_robustness",
    "render",
    "save",
    "save_ticket_figures",
    "seeds_compared",
    "sharpe_against_remaining",
]
