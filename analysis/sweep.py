"""Trials of a sweep by problem, kind and choice, for tables, findings and figures.

A report derives these once and passes the sweep on; public functions accept the frame of trials
as well (:meth:`Sweep.of`).
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Union

import numpy as np
import pandas as pd

from analysis import bounds, schema
from analysis.configurations import LOTTERY, groups, kinds, of_kind, parameters, problem_axes
from analysis.duplicates import without_duplicates
from analysis.frames import frame_of
from analysis.load import load_epochs, load_manifest
from analysis.selection import Choice, by_validation
from analysis.tensors import SweepFiles
from analysis.wording import setting

GROUP = ("sparsity", "epsilon")
SPEED = ("val_loss", "converged", "epochs_to_95pct")
"""Columns used to choose trials."""
_PARTS = {"sparsity": "pruning", "epsilon": "attack"}
"""Part of a study that has the value of an axis where a condition of the axis does not hold."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Candidate:
    """Trials of one kind, sparsity and epsilon, with the choice by validation risk.

    ``seeds`` are those of the whole problem: one without a trial here has no result either.
    """

    values: Mapping[str, Any]
    trials: pd.DataFrame
    choice: Choice | None
    seeds: pd.Index

    @property
    def sparsity(self) -> float:
        """Sparsity; NaN if not swept."""
        return float(self.values["sparsity"])

    @property
    def epsilon(self) -> float:
        """Attack budget of training; NaN if not swept."""
        return float(self.values["epsilon"])

    @property
    def competitors(self) -> int:
        """Configurations that the chosen one was selected from; see :class:`Choice`."""
        return self.choice.competitors if self.choice else 1

    @property
    def is_per_seed(self) -> bool:
        """True if no configuration completed at every seed, so that none has a verdict."""
        return self.choice is not None and self.choice.selection == "per seed"

    @cached_property
    def chosen(self) -> pd.DataFrame:
        """The chosen trials, one per seed; empty if none has completed."""
        return self.trials.loc[self.choice.rows] if self.choice else self.trials.iloc[:0]

    def by_seed(self, metric: str) -> pd.Series:
        """Values of ``metric`` of the chosen trials at every seed of the problem.

        NaN at a seed without a completed trial, whose result is censored or awaited, and where
        the value is not finite. Trials without seeds are one pair, and trials that no column
        distinguishes count once.
        """
        values = self.chosen[metric].to_numpy(dtype=float, na_value=math.nan)
        values = np.where(np.isfinite(values), values, math.nan)
        seeds = pd.Index(_seeds(self.chosen), name="seed")
        by_seed = pd.Series(values, seeds, name=metric)
        return by_seed[~seeds.duplicated()].reindex(self.seeds)

    @property
    def description(self) -> dict[str, Any]:
        """Sparsity, epsilon, the parameters common to the seeds, and the kind of selection."""
        if self.choice is None:
            return dict(self.values)
        return {**self.values, **self.choice.parameters, "selection": self.choice.selection}


@dataclass(frozen=True, eq=False, kw_only=True)
class Sweep:
    """All trials of one experiment.

    Args:
        trials: the frame from :func:`analysis.load_trials`.
        manifest: from :func:`analysis.load_manifest`; empty if unknown.
        files: the files of its models; None without files.
    """

    trials: pd.DataFrame
    manifest: Mapping[str, Any] = field(default_factory=dict)
    files: SweepFiles | None = None

    @classmethod
    def of(
        cls,
        trials: "Trials",
        manifest: Mapping[str, Any] | None = None,
        *,
        needed: Iterable[str] = (),
        purpose: str = "",
    ) -> "Sweep":
        """Sweep of ``trials`` (a frame, storage or sweep) that has the ``needed`` columns.

        While no trial has completed, a needed column may be absent and is added as null.

        Raises:
            TypeError: ``trials`` is neither a frame, a storage nor a sweep.
            StorageError: the storage cannot be read.
            schema.ColumnError: no ``status``, or trials have completed and a needed column is
                absent; the message names the ``purpose``.
        """
        if isinstance(trials, str | Path):
            manifest = load_manifest(trials) if manifest is None else manifest
        frame = trials if isinstance(trials, Sweep) else frame_of(trials)
        sweep = frame if isinstance(frame, Sweep) else cls._of_frame(frame, manifest or {})
        frame = sweep.trials
        if needed and "status" not in frame.columns:
            raise schema.ColumnError(_absent("status", purpose))
        missing = [name for name in needed if name not in frame.columns]
        if not missing:
            return sweep
        if frame["status"].eq("completed").any():
            raise schema.ColumnError(_absent(missing[0], purpose))
        nulls = {n: pd.Series(None, index=frame.index, dtype=_dtype(n)) for n in missing}
        return replace(sweep, trials=frame.assign(**nulls))

    @classmethod
    def _of_frame(cls, trials: pd.DataFrame, manifest: Mapping[str, Any]) -> "Sweep":
        schema.check_frame(trials)
        trials = _bounded(without_duplicates(trials))
        if not len(trials.columns):
            trials = trials.assign(status=pd.Series(dtype="category"))
        return cls(trials=trials, manifest=manifest)

    @cached_property
    def epochs(self) -> pd.DataFrame:
        """The frame from :func:`analysis.load_epochs`."""
        assert self.files is not None
        return load_epochs(self.files.storage)

    @cached_property
    def parameters(self) -> list[str]:
        """Swept parameters except the seed and the kind of network."""
        return parameters(self.trials)

    @cached_property
    def problem_axes(self) -> list[str]:
        """Parameters that change what is hedged or how it is measured."""
        return problem_axes(self.parameters)

    @cached_property
    def problems(self) -> "tuple[Problem, ...]":
        """Problems in the order of their values; a single one if the space does not vary it."""
        return tuple(
            Problem(trials=part, manifest=self.manifest, files=self.files, values=values)
            for values, part in groups(self.trials, self.problem_axes)
        )

    @cached_property
    def by_kind(self) -> Mapping[str, pd.DataFrame]:
        """Trials of the ticket and of each control, with every axis, null if not swept.

        Where a conditional axis does not apply, it has the study's own value from the manifest.
        """
        study = self.manifest.get("study") or {}
        return {kind: _with_axes(of_kind(self.trials, kind), study) for kind in self.kinds}

    @cached_property
    def kinds(self) -> list[str]:
        """The ticket, and the controls in the order of their trials."""
        return list(dict.fromkeys([LOTTERY, *kinds(self.trials)]))

    @property
    def tickets(self) -> pd.DataFrame:
        """Trials of the ticket itself, without controls."""
        return self.by_kind[LOTTERY]

    @cached_property
    def names(self) -> list[str]:
        """Parameters of a ticket, those of :data:`analysis.schema.AXES` first."""
        return parameters(self.tickets)

    @cached_property
    def other_names(self) -> list[str]:
        """The :attr:`names` except sparsity, epsilon and those of the problem."""
        return [name for name in self.names if name not in (*GROUP, *self.problem_axes)]


@dataclass(frozen=True, eq=False, kw_only=True)
class Problem(Sweep):
    """Trials of a sweep with the same hedging problem and measure, so that they compete.

    Args:
        values: of the parameters that define the problem; empty if the space varies none.
    """

    values: Mapping[str, Any]

    @property
    def title(self) -> str:
        """The problem in words, "market.xi 0.1"; empty if there is only one."""
        return setting(self.values)

    @cached_property
    def problems(self) -> "tuple[Problem, ...]":
        """Itself: a problem has no others."""
        return (self,)

    @cached_property
    def candidates(self) -> Mapping[str, tuple[Candidate, ...]]:
        """Candidates of every sparsity and epsilon, by kind."""
        seeds = pd.Index(_seeds(self.trials).unique(), name="seed").sort_values()
        return {
            kind: tuple(
                Candidate(
                    values=v,
                    trials=part,
                    choice=by_validation(part, self.other_names),
                    seeds=seeds,
                )
                for v, part in groups(frame, GROUP)
            )
            for kind, frame in self.by_kind.items()
        }

    def chosen(self, kind: str = LOTTERY) -> list[Candidate]:
        """Candidates of a ``kind`` with a completed trial."""
        return [one for one in self.candidates[kind] if one.choice]


Trials = Union[pd.DataFrame, Sweep, str, Path]  # noqa: UP007 - used in annotations above


def selections(one: Candidate, rival: Candidate) -> float:
    """Comparisons among which validation selected that of two candidates on the same seeds.

    Each of m and n configurations may be the chosen one: m n pairs. Of two that were selected
    from equally many, neither has the advantage, so it is one. Infinite for a choice per seed,
    which is the luckiest of censored configurations at every seed.
    """
    if one.is_per_seed or rival.is_per_seed:
        return math.inf
    m, n = one.competitors, rival.competitors
    return 1 if m == n else m * n


def by_epsilon(candidate: Candidate) -> tuple[bool, float]:
    """Sort key of the ``candidate`` by epsilon, NaN last."""
    return math.isnan(candidate.epsilon), candidate.epsilon


def _seeds(trials: pd.DataFrame) -> pd.Series:
    if "config/seed" not in trials.columns:
        return pd.Series(0, index=trials.index)
    return trials["config/seed"].fillna(0).astype(int)


def _bounded(trials: pd.DataFrame) -> pd.DataFrame:
    """``trials`` with null for real numbers that are infinite or beyond 1e100, as in files."""
    reals = trials.select_dtypes("float")
    beyond = reals.abs().gt(bounds.REAL)
    if not beyond.any(axis=None):
        return trials
    return trials.assign(**{str(n): reals[n].mask(beyond[n]) for n in reals if beyond[n].any()})


def _with_axes(trials: pd.DataFrame, study: Mapping[str, Any]) -> pd.DataFrame:
    absent = [f"config/{axis}" for axis in schema.AXES if f"config/{axis}" not in trials.columns]
    values = {f"config/{axis}": (study.get(part) or {}).get(axis) for axis, part in _PARTS.items()}
    swept = {n: v for n, v in values.items() if v is not None and n in trials.columns}
    filled = {n: trials[n].fillna(v) for n, v in swept.items() if trials[n].isna().any()}
    return trials.assign(**dict.fromkeys(absent, float("nan")), **filled)


def _dtype(name: str) -> str:
    dtype = schema.column(name).dtype
    return "float64" if dtype == "any" else dtype


def _absent(name: str, purpose: str) -> str:
    return (
        f"trials have no column {name!r}, which {purpose} needs; "
        "pass the whole frame from analysis.load_trials()"
    )
