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
    found = [setting(values) for values, _ in groups(trials, axes)]
    if len(found) > 1:
        raise NothingToDraw(
            f"trials of {len(found)} problems, which have no common dense network "
            f"({'; '.join(found[:3])}{'; ..' if len(found) > 3 else ''}); draw one at a time"
        )
    return f"\n{found[0]}" if axes and found else ""
