"""Figures of a tickets sweep: functions that draw into an Axes, and :func:`save`."""

from analysis.figures.rendering import Saved, panels, render
from analysis.figures.style import NothingToDraw
from analysis.figures.tickets.audit import early_stopping_audit
from analysis.figures.tickets.controls import controls_beside_ticket
from analysis.figures.tickets.convergence import convergence_speed
from analysis.figures.tickets.cvar_against_sparsity import (
    cvar_against_remaining,
    sharpe_against_remaining,
)
from analysis.figures.tickets.robustness import cvar_against_budget, price_of_robustness
from analysis.figures.tickets.save import save, save_ticket_figures
from analysis.figures.tickets.seeds import seeds_compared

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
