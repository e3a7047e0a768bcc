"""Check that a figure shows a single problem; markets differ in dense network and tolerance."""

import pandas as pd

from analysis.configurations import problem_axes
from analysis.figures.style import NothingToDraw
from analysis.sweep import Sweep, Trials


def one_problem(trials: Trials) -> str:
    """Problem of ``trials`` as a line of a title, "\\nmarket.xi 0.1"; empty if not swept.

    Raises:
        NothingToDraw: the trials are of more than one problem.
    """
    titles = [problem.title for problem in Sweep.of(trials).problems]
    if len(titles) > 1:
        raise NothingToDraw(
            f"trials of {len(titles)} problems, which have no common dense network "
            f"({'; '.join(titles[:3])}{'; ..' if len(titles) > 3 else ''}); draw one at a time"
        )
    return f"\n{titles[0]}" if titles and titles[0] else ""


def problem_of(table: pd.DataFrame) -> str:
    """:func:`one_problem` of a table, whose parameter columns lack the prefix ``config/``."""
    axes = problem_axes(map(str, table.columns))
    return one_problem(table[axes].add_prefix("config/"))
