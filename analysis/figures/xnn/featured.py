"""Featured configuration of a sweep: the one shown in its figures, and its name."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from analysis.figures.style import NothingToDraw
from analysis.sweep import Sweep, Trials
from analysis.wording import parameter
from analysis.xnn.cells import GAIN, cells, members, of_problem, plain_of
from analysis.xnn.fixed_settings import spelled_out
from analysis.xnn.selection import choose, held_out, pulled, whole
from analysis.xnn.wording import NOT_FINITE, spelled

METHOD, WEIGHT, CLUSTERS = "method", "adj_weight", "clusters"
NONE = "none"
"""Method of the plain network in the table of cells."""

_PULL = (METHOD, WEIGHT, CLUSTERS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A sweep and its featured configuration, which figures of single networks show.

    Args:
        table: from :func:`analysis.xnn.cells.cells`, with columns for method, weight and K, swept
            or not, at one value of every other axis.
        cell: the featured row.
        trials: its completed trials, one per seed, by seed.
        plain: trials of the plain network at the same seeds, if any.
        chosen: criterion of the choice of ``cell``, in words.
    """

    table: pd.DataFrame
    cell: pd.Series
    trials: pd.DataFrame
    plain: pd.DataFrame
    chosen: str

    @property
    def words(self) -> str:
        """The configuration: "alignment, weight 0.3, K = 6", and other swept axes."""
        return spelled(self.cell, _names(self.table), words=parameter)

    @property
    def seed(self) -> int:
        """First seed of the configuration."""
        return int(self.trials["config/seed"].fillna(0).iloc[0])

    @property
    def network(self) -> str:
        """First network of the configuration, for figures of a single one."""
        return f"{self.words}, seed {self.seed}"

    @property
    def centroids(self) -> str:
        """Centroids of that network: "K = 6, seed 0"."""
        return f"{self.clusters}, seed {self.seed}"

    @property
    def clusters(self) -> str:
        """The clustering, of every seed: "K = 6"."""
        names = [n for n in _names(self.table) if n == CLUSTERS or n.startswith("clustering.")]
        return spelled(self.cell, names, words=parameter)

    @property
    def setting(self) -> dict[str, Any]:
        """Values of the axes other than method, weight and K at which the sweep is drawn."""
        return {n: self.cell[n] for n in _names(self.table) if n not in _PULL}

    @property
    def seeds(self) -> int:
        """Number of seeds at which it completed."""
        return len(self.trials)


def featured(trials: Trials, manifest: Mapping[str, Any] | None = None) -> Subject:
    """Featured configuration: the one that the report describes, of :func:`choose`.

    Args:
        trials: from :func:`analysis.load_trials`, of one problem, or a sweep of it.
        manifest: its ``study`` has the method, weight and K if they were not swept; None for that
            of the sweep.
    Raises:
        NothingToDraw: no trial has completed, or trials lack the columns that cells need.
    """
    problem = Sweep.of(trials, manifest)
    trials, manifest = problem.trials, problem.manifest
    if "status" not in trials or not trials["status"].eq("completed").any():
        raise NothingToDraw("no trial has completed")
    needed(trials, "trial_id", "cross_entropy", "plain_cross_entropy", GAIN)
    frame = spelled_out(problem)
    needed(frame, *(f"config/{name}" for name in _PULL))
    table = cells(problem)
    table = table[table["seeds"].gt(0)]
    cell, chosen = _choice(table, holdout=held_out(frame, manifest))
    table = of_problem(table, {n: cell[n] for n in _names(table) if n not in _PULL})
    plain_cell = plain_of(table, cell)
    cell_trials = members(frame, cell)
    plain = members(frame, plain_cell) if plain_cell is not None else frame.iloc[:0]
    if len(plain):
        plain = plain[plain["config/seed"].isin(cell_trials["config/seed"])]
    return Subject(table=table, cell=cell, trials=cell_trials, plain=plain, chosen=chosen)


def by_method(
    trials: Trials, subject: Subject, manifest: Mapping[str, Any] | None = None
) -> dict[str, Subject]:
    """Featured configuration of every method with a pull, at the axes of ``subject``."""
    problem = Sweep.of(trials, manifest)
    frame = spelled_out(problem)
    subjects = {}
    for name in methods(subject.table):
        rows = subject.table[subject.table[METHOD].eq(name)]
        cell, chosen = _choice(rows, holdout=held_out(frame, problem.manifest))
        subjects[name] = Subject(
            table=subject.table,
            cell=cell,
            trials=members(frame, cell),
            plain=subject.plain,
            chosen=chosen,
        )
    return subjects


def methods(table: pd.DataFrame) -> list[str]:
    """Methods of ``table`` with a pull."""
    return [str(m) for m in table[METHOD].unique() if m != NONE]


def needed(frame: pd.DataFrame, *names: str) -> None:
    """Check that ``frame`` has the columns ``names``.

    Raises:
        NothingToDraw: a column is missing.
    """
    if absent := [name for name in names if name not in frame.columns]:
        raise NothingToDraw(f"trials have no column {absent[0]}")


def held_at(subject: Subject) -> list[str]:
    """Caption line on the values of other axes at which the sweep is drawn; empty without any."""
    names = list(subject.setting)
    return [f"Drawn at {spelled(subject.cell, names, words=parameter)}."] if names else []


def _choice(table: pd.DataFrame, *, holdout: bool) -> tuple[pd.Series, str]:
    """Featured cell and the criterion of its choice."""
    choice = choose(table, holdout=holdout)
    if choice is not None:
        return choice.cell, choice.criterion
    order = whole(table).sort_values(GAIN, ascending=False, kind="stable")
    alone = pulled(table).empty
    reason = "the plain network, as no other has completed" if alone else f"as {NOT_FINITE}"
    return order.iloc[0], reason


def _names(table: pd.DataFrame) -> list[str]:
    """Axes of a table of cells, which are its columns up to the counts."""
    return [str(n) for n in table.columns[: list(table.columns).index("trials")]]
