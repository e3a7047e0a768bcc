"""Profiles of recommended tickets: P&L on test paths, and positions beside the Heston deltas.

They are computed outside of the analysis, by ``hedgesweep report``, since they need the models.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from analysis.errors import AnalysisError
from analysis.sweep import Problem, Sweep
from analysis.wording import percent

Floats = npt.NDArray[np.float64]

TICKET, DENSE = "ticket", "dense"
HESTON, MINIMUM_VARIANCE = "heston", "minimum_variance"
_BINNED = ("at", TICKET, "low", "high", DENSE, HESTON, MINIMUM_VARIANCE)
_ALIKE = 1e-3  # of CVaR: arithmetic of another machine


class ProfileError(AnalysisError, ValueError):
    """A profile is not that of a trial of the sweep; the message names the trial."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A recommended ticket and the dense network of its seed on the test paths of the seed.

    Args:
        name: of the ticket in words.
        paths: number of test paths.
        date: of the positions, in years of ``maturity``.
        edges: of the bins of P&L, in currency; ``counts`` are the paths in each, by network.
        cvar: mean P&L of the worst 5 % of paths, by network.
        by_spot: positions in shares in bins of paths, by ``at`` in currency; empty with few paths.
        by_variance: the same, ``at`` is the annual variance, of paths with a spot in ``band``.
    """

    trial_id: str
    name: str
    seed: int
    paths: int
    date: float
    maturity: float
    strike: float
    edges: Floats
    counts: Mapping[str, Floats]
    cvar: Mapping[str, float]
    by_spot: Mapping[str, Floats]
    by_variance: Mapping[str, Floats]
    band: tuple[float, float]


def profiles(problem: Problem, rows: Sequence[Mapping[str, Any]]) -> list[Profile]:
    """Profiles in ``rows`` of the trials of ``problem``, in their order.

    Raises:
        ProfileError: one is incomplete, or has another CVaR than its trial.
    """
    return list(_of_trials(problem, rows))


def _of_trials(problem: Sweep, rows: Sequence[Mapping[str, Any]]) -> Iterator[Profile]:
    trials = problem.tickets.set_index(problem.tickets["trial_id"].astype(str))
    for row in rows:
        trial_id = str(row.get("trial_id"))
        if trial_id not in trials.index:
            continue
        trial = trials.loc[[trial_id]].iloc[0]
        try:
            profile = _profile(row, trial_id, name=_name(trial))
        except (KeyError, TypeError, ValueError) as error:
            raise ProfileError(f"the profile of trial {trial_id} is incomplete") from error
        recorded, here = float(trial["cvar_05"]), profile.cvar[TICKET]
        if not math.isfinite(recorded):
            raise ProfileError(f"trial {trial_id} has no CVaR 5 % in the table to compare with")
        if not math.isclose(recorded, here, rel_tol=_ALIKE):
            raise ProfileError(
                f"trial {trial_id} has CVaR 5 % {here:.4f} here, {recorded:.4f} in the table: "
                "another arithmetic"
            )
        yield profile


def _profile(row: Mapping[str, Any], trial_id: str, *, name: str) -> Profile:
    low, high = map(float, row["band"])
    return Profile(
        trial_id=trial_id,
        name=name,
        seed=int(row["seed"]),
        paths=int(row["paths"]),
        date=float(row["date"]),
        maturity=float(row["maturity"]),
        strike=float(row["strike"]),
        edges=_numbers(row["pnl"]["edges"]),
        counts={n: _numbers(row["pnl"][n]) for n in (TICKET, DENSE)},
        cvar={n: float(row["cvar_05"][n]) for n in (TICKET, DENSE)},
        by_spot={n: _numbers(row["by_spot"][n]) for n in _BINNED} if row["by_spot"] else {},
        by_variance=(
            {n: _numbers(row["by_variance"][n]) for n in _BINNED} if row["by_variance"] else {}
        ),
        band=(low, high),
    )


def _numbers(values: Sequence[float]) -> Floats:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or not np.isfinite(array).all():
        raise ValueError("not a list of finite numbers")
    return array


def _name(trial: pd.Series) -> str:
    parts = []
    if not math.isnan(sparsity := float(trial["config/sparsity"])):
        parts.append(f"sparsity {percent(sparsity)}")
    if not math.isnan(epsilon := float(trial["config/epsilon"])):
        parts.append(f"ε = {epsilon:g}")
    return ", ".join(["recommended ticket", *parts])
