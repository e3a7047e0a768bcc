"""A figure shows one problem: trials of two markets have no common dense network or tolerance."""

import pandas as pd

from analysis.configurations import groups, parameters, problem_axes
from analysis.figures.style import NothingToDraw
from analysis.wording import setting


def one_problem(trials: pd.DataFrame) -> str:
    """The problem of ``trials`` in words, as a line of a title: "\\nmarket.xi 0.1"; or nothing.

    Raises:
        NothingToDraw: the trials are of more than one problem.
    """
    axes = problem_axes(parameters(trials))
    settings = [setting(values) for values, _ in groups(trials, axes)]
    if len(settings) > 1:
        raise NothingToDraw(
            f"trials of {len(settings)} problems, which have no common dense network "
            f"({'; '.join(settings[:3])}{'; ..' if len(settings) > 3 else ''}); draw one at a time"
        )
    return f"\n{settings[0]}" if axes and settings else ""
