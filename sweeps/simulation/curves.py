"""Learning curves to replay: those of a sweep's log, or synthetic ones."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import fmean
from typing import Any, Literal

import numpy as np
from jaxtyping import Float

from hedgecore.rng import numpy_stream
from sweeps.errors import UsageError
from sweeps.journal import bounds
from sweeps.journal.manifest import scheduler_of
from sweeps.journal.opening import storage_url
from sweeps.journal.state import TrialState
from sweeps.journal.stored_sweep import StoredSweep
from sweeps.planning.plan import Plan, plan
from sweeps.scheduling.rule import Rule
from sweeps.text import plural

METRIC = "metric"
"""Column by which simulated trials are judged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """Learning curve of one trial."""

    trial_id: str
    group: str  # of its configuration, whose trials are judged together
    stratum: str  # of its rivals
    replicate: int = 0  # distinguishes the trials of a group
    limit: int  # maximum of epochs, at least 1
    values: Sequence[float]  # metric after each epoch; NaN if not finite
    seconds: Sequence[float]  # of each epoch, as many as ``values``
    end: Literal["completed", "failed"] | None = "completed"
    """Status at its end after ``values``; None if it was cut off there."""

    def last(self, stop: int) -> int:
        """Epoch reached when it is trained to epoch ``stop``."""
        return stop if self.end is None else min(stop, len(self.values))

    def value(self, epoch: int) -> float:
        """Value after ``epoch``; beyond its record the last value holds."""
        return self.values[min(epoch, len(self.values)) - 1]

    def time(self, start: int, stop: int) -> float:
        """Seconds from epoch ``start`` to epoch ``stop``; beyond its record the mean holds."""
        beyond = max(0, stop - max(start, len(self.seconds)))
        recorded_time = math.fsum(self.seconds[start:stop])
        return recorded_time + (beyond * fmean(self.seconds) if beyond else 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Curves in order of entry, their rule, and their description."""

    curves: tuple[Curve, ...]
    rule: Rule
    about: str


def source(place: Path | str, *, trials: int | None = None) -> Source:
    """Curves of the storage ``place``, or drawn ones of a space, given as a file or by name.

    Args:
        trials: how many; None for all. A storage gives no more than it holds, a space repeats
            its strata as often as necessary.
    Raises:
        SpaceError: something is wrong with the space.
        UsageError: ``place`` holds no trials, fewer than ``trials``, or trials of a rule
            without rungs.
    """
    if trials is not None and trials < 1:
        raise UsageError(f"trials must be at least 1, got {trials}")
    if storage_url(place) or Path(place).is_dir():
        return _storage_source(place, trials)
    return _synthetic_source(plan(place), trials)


def synthetic(
    trials: int, *, limit: int, seed: int, noise: float = 0.03, spread: float = 0.5
) -> tuple[Curve, ...]:
    """Power laws: after epoch e a trial shows a + b e^-c + ``noise`` z(e), less being better.

    log a ~ N(0, 0.3^2), log b ~ N(0, 0.5^2), c ~ U(0.3, 1.2) and z(e) ~ N(0, 1), independently:
    early ranks predict the last ones imperfectly. An epoch takes exp(``spread`` z) seconds,
    with one z ~ N(0, 1) throughout a trial: a second in the median.

    Every trial is a separate configuration, all in one stratum, of ``limit`` epochs. ``noise``
    and ``spread`` are standard deviations, of values and of the log of an epoch's seconds.
    """
    values, pace = _power_laws(range(trials), limit=limit, seed=seed, noise=noise, spread=spread)
    return tuple(
        Curve(
            trial_id=f"{i:05d}",
            group=f"{i:05d}",
            stratum="",
            limit=limit,
            values=values[i].tolist(),
            seconds=[float(pace[i])] * limit,
        )
        for i in range(trials)
    )


def _power_laws(
    configurations: Sequence[int], *, limit: int, seed: int, noise: float, spread: float
) -> tuple[Float[np.ndarray, "trials epochs"], Float[np.ndarray, " trials"]]:
    """Values, and seconds of an epoch, of trials by the number of their configuration.

    Trials of one configuration share a, b and c.
    """
    stream = numpy_stream(seed, "simulation")
    count, trials = max(configurations) + 1, len(configurations)
    a, b = np.exp(stream.normal(scale=[[0.3], [0.5]], size=(2, count)))
    c = stream.uniform(0.3, 1.2, size=count)
    pace = np.exp(spread * stream.normal(size=trials))
    means = a[:, None] + b[:, None] * np.arange(1, limit + 1) ** -c[:, None]
    return means[list(configurations)] + noise * stream.normal(size=(trials, limit)), pace


def _synthetic_source(plan: Plan, trials: int | None) -> Source:
    space = plan.space
    if plan.adaptive:
        raise UsageError(
            f"{space.name}: what {space.search.algorithm} proposes depends on outcomes; "
            "simulate a storage that holds its trials"
        )
    count = trials or len(plan.trials)
    _check_size(count * plan.limit)
    laps, remainder = divmod(count, len(plan.trials))
    places = [(lap, trial) for lap in range(laps) for trial in plan.trials]
    places += [(laps, trial) for trial in plan.trials[:remainder]]
    groups = [json.dumps([lap, plan.group(trial)]) for lap, trial in places]
    numbers = {group: i for i, group in enumerate(dict.fromkeys(groups))}
    configs, seed = [numbers[group] for group in groups], space.search.seed
    values, pace = _power_laws(configs, limit=plan.limit, seed=seed, noise=0.03, spread=0.5)
    judgement = _rule(scheduler_of(plan), plan.rungs, space.name)
    curves = tuple(
        Curve(
            trial_id=f"{i:05d}",
            group=groups[i],
            stratum=json.dumps(plan.stratum(trial.config)),
            replicate=trial.seed,
            limit=trial.limit,
            values=(values[i] if judgement.mode == "min" else -values[i]).tolist()[: trial.limit],
            seconds=[float(pace[i])] * trial.limit,
        )
        for i, (_, trial) in enumerate(places)
    )
    about = "synthetic curves, an epoch takes about a second"
    about = f"{space.name}: {len(curves)} trials, {about}"
    return Source(curves=curves, rule=judgement, about=about)


def _check_size(epochs: int) -> None:
    if epochs > bounds.SIMULATED:
        raise UsageError(
            f"{epochs:,} epochs are more than the {bounds.SIMULATED:,} that can be simulated; "
            "lower --trials, or the epochs of the study"
        )


def _storage_source(storage: str | Path, trials: int | None) -> Source:
    sweep = StoredSweep.read(storage)
    scheduler, rungs = sweep.manifest["scheduler"], sweep.manifest["rungs"]
    metric = next(iter(scheduler.values()))["metric"] if scheduler else "val_loss"
    curves = [_curve(t, metric) for t in sweep.state.trials.values() if t.epochs or t.end]
    if len(curves) < (trials or 1):
        raise UsageError(
            f"{storage} holds the curves of {len(curves)} trials, not of {trials or 1}; "
            "lower --trials, or give a space"
        )
    curves = curves[:trials]
    _check_size(sum(curve.limit for curve in curves))
    cut = sum(curve.end is None for curve in curves)
    recorded = plural(len(curves), "recorded trial")
    return Source(
        curves=tuple(curves),
        rule=_rule(scheduler, rungs, str(storage)),
        about=f"{sweep.manifest['name']}: {recorded}, {cut} of them cut off",
    )


def _curve(trial: TrialState, metric: str) -> Curve:
    rows = trial.rows(audit=True)
    entry = trial.entry
    if not all(isinstance(row.get("seconds"), int | float) and metric in row for row in rows):
        raise UsageError(
            f"the log lacks seconds or {metric} of an epoch of trial {entry.trial_id}; restore "
            "it from a copy"
        )
    return Curve(
        trial_id=entry.trial_id,
        group=entry.group,
        stratum=entry.stratum,
        replicate=entry.replicate,
        limit=entry.limit,
        values=[math.nan if row[metric] is None else row[metric] for row in rows],
        # After a crash the clock of a restarted trial restarts too.
        seconds=[
            max(0.0, after - before)
            for before, after in pairwise([0.0, *(row["seconds"] for row in rows)])
        ],
        end=trial.end.status if trial.end else None,
    )


def _rule(scheduler: Mapping[str, Any] | None, rungs: Sequence[int], name: str) -> Rule:
    rule = Rule.of(scheduler, rungs)
    if rule is None:
        (kind,) = scheduler or ("",)
        raise UsageError(f"{name}: {kind} has no rungs to simulate; write scheduler: asha")
    return rule
