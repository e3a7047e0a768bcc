"""Estimate of a sweep before it runs: survivors, epochs, hours, memory and money."""

import math
from collections import defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from hedgecore.rng import numpy_stream
from search_spaces import Asha, IEpoch, SpaceError, StockAsha
from sweeps.errors import UsageError
from sweeps.planning.expected_halving import Rung, epochs, passing, rung_counts
from sweeps.planning.plan import Plan, TrialPlan
from sweeps.planning.probe import EPOCHS, Probe
from sweeps.planning.probe import probe as probe_studies
from sweeps.text import duration, plural

# Driver and Ray, preparing workers and training workers start one after another.
_STARTS = 3
_RAY_BYTES = 400_000_000  # its head, agents and spare workers on one machine


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Time and memory of a sweep, estimated from a probe."""

    preparation_hours: float  # CPU-hours of data and baselines
    trial_hours: float  # CPU-hours of all trials, each with the cores it occupies
    wall_hours: float  # from the command to its end
    slots: int  # concurrent trials
    memory: float  # bytes of all processes and of the object store
    kinds: int  # number of timed kinds of trial
    guessed: int  # number of kinds scaled from the nearest by their arithmetic


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """Estimated size and cost of a sweep."""

    rungs: tuple[Rung, ...]  # summed over strata and replicates
    longest: int  # epochs of the longest trial
    finishers: float  # expected number of trials that are not stopped
    epochs: float  # expected sum over trials
    most_epochs: int  # sum over trials without stopping
    store: int  # bytes of all preparations in the object store
    cpus: float  # of the whole sweep
    gpu: float  # of a trial; not part of the times
    cost: Cost | None  # None without a probe
    rate: float | None  # price of a CPU-hour

    @property
    def price(self) -> float | None:
        """The price of all CPUs from beginning to end, in the currency of ``rate``."""
        if self.cost is None or self.rate is None:
            return None
        return self.rate * self.cpus * self.cost.wall_hours

    def lines(self) -> list[str]:
        """The estimate in a few lines of text."""
        rows = [*self._rung_lines(), ("epochs", self._epochs_line())]
        if cost := self.cost:
            hours = cost.preparation_hours + cost.trial_hours
            kinds = f"{plural(cost.kinds, 'kind')} of trial"
            guessed = f", {cost.guessed} more by their arithmetic" if cost.guessed else ""
            time = f"about {duration(3600 * cost.wall_hours)} on {self.cpus:g} CPUs"
            origin = f"{_few(hours)} CPU-hours; {EPOCHS}-epoch probe of {kinds}{guessed}"
            memory = f"about {cost.memory / 1e9:.1f} GB for {cost.slots} workers"
            rows.append(("time", f"{time} ({origin})"))
            rows.append(("memory", f"{memory}, {_bytes(self.store)} of it in the object store"))
            if self.gpu:
                rows.append(("", "the probe timed a CPU; the speed of a GPU was not measured"))
        else:
            rows.append(("memory", f"{_bytes(self.store)} in the object store"))
        if self.price is not None:
            rows.append(("price", f"about {_few(self.price)} at {self.rate:g} per CPU-hour"))
        return [f"{name:<11}{text}".rstrip() for name, text in rows]

    def _rung_lines(self) -> list[tuple[str, str]]:
        if not self.rungs:
            return []
        ends = [(r.epoch, r.reach, f"{math.ceil(r.go_on)}") for r in self.rungs]
        columns = [*ends, (self.longest, self.finishers, "-")]
        return [
            ("rung", "".join(f"{epoch:>7}" for epoch, _, _ in columns)),
            ("reach it", "".join(f"{math.ceil(reach):>7}" for _, reach, _ in columns)),
            ("go on", "".join(f"{go_on:>7}" for _, _, go_on in columns)),
        ]

    def _epochs_line(self) -> str:
        if self.epochs < self.most_epochs:
            return f"about {self.epochs:.0f} (at most {self.most_epochs})"
        return f"at most {self.most_epochs}"


def probe(plan: Plan) -> Probe:
    """Time the kinds of trial in ``plan``, and the preparation of each, on this machine."""
    return probe_studies(plan.space.experiment, (trial.study for trial in expected_trials(plan)))


def estimate(
    plan: Plan, probe: Probe | None = None, *, cpus: float, rate: float | None = None
) -> Estimate:
    """Cost of ``plan`` on ``cpus`` CPUs of the probe's speed; counts alone without a probe.

    Raises:
        UsageError: a trial needs more than ``cpus`` CPUs.
    """
    resources = plan.space.resources
    if cpus < resources.cpu:
        raise UsageError(
            f"a trial asks for {resources.cpu:g} CPUs, and the plan is for {cpus:g}; lower "
            f"resources.cpu, or plan for more with --cpus {resources.cpu:g}"
        )
    trials = expected_trials(plan)
    limits = np.array([trial.limit for trial in trials])
    chances = _chances(plan, trials)
    expected = epochs(limits, chances, plan.rungs)
    finishing = chances[np.arange(len(trials)), np.searchsorted(plan.rungs, limits)]
    return Estimate(
        rungs=rung_counts(limits, chances, plan.rungs),
        longest=int(limits.max()),
        finishers=round(float(finishing.sum()), 9),
        epochs=float(expected.sum()),
        most_epochs=int(limits.sum()),
        store=stored_bytes(plan),
        cpus=cpus,
        gpu=resources.gpu,
        cost=_cost(plan, trials, expected, finishing, probe, cpus) if probe else None,
        rate=rate,
    )


def expected_trials(plan: Plan) -> tuple[TrialPlan, ...]:
    """The trials of ``plan``; under a search that learns, proposals spread over the space."""
    if not plan.adaptive:
        return plan.trials
    space = plan.space
    trials: list[TrialPlan] = []
    for number in range(space.search.num_samples or 0):
        draws = numpy_stream(space.search.seed, "estimate", str(number))
        config = {name: domain.at(draws.random()) for name, domain in space.space.items()}
        config = {name: v for name, v in space.present(config).items() if name != "seed"}
        try:
            trials += plan.proposal(number, config)
        except SpaceError:  # an invalid combination, which the search fails too
            continue
    return tuple(trials) or tuple(plan.preparations.values())


def _chances(plan: Plan, trials: Sequence[TrialPlan]) -> np.ndarray:
    """:func:`passing` for every trial, replicates as one contender."""
    rule, finish = plan.space.scheduler, None
    if isinstance(rule, IEpoch):
        factor, block, lag, finish = 1, 1, 0, rule.finish
    elif isinstance(rule, Asha):
        factor, block, lag = rule.reduction_factor, rule.block, rule.lag
    elif isinstance(rule, StockAsha):
        # Judged against those before it, in any order.
        factor, block, lag = rule.reduction_factor, 1, 0
    else:  # the other rules stop an unknown number
        return np.ones((len(trials), 1))
    strata: dict[Hashable, dict[Hashable, list[int]]] = defaultdict(lambda: defaultdict(list))
    for i, trial in enumerate(trials):
        strata[plan.stratum(trial.config)][plan.group(trial)].append(i)
    chances = np.empty((len(trials), len(plan.rungs) + 1))
    for groups in strata.values():
        limits = [max(trials[i].limit for i in members) for members in groups.values()]
        rows = passing(
            limits, plan.rungs, reduction_factor=factor, block=block, lag=lag, finish=finish
        )
        for members, row in zip(groups.values(), rows, strict=True):
            chances[members] = row
    return chances


def _cost(
    plan: Plan,
    trials: Sequence[TrialPlan],
    expected: np.ndarray,
    finishing: np.ndarray,
    probe: Probe,
    cpus: float,
) -> Cost:
    occupied, search = plan.space.resources.cpu, plan.space.search
    timing_key = plan.experiment.cost.timing_key
    slots = min(int(cpus // occupied), len(trials))
    if plan.adaptive:
        slots = min(slots, search.delay * len(plan.seeds))
    preparing = [_preparation_seconds(plan, key, probe) for key in plan.preparations]
    an_epoch = np.array([probe.epoch_seconds(trial.study) for trial in trials])
    tests = np.array([probe.test_seconds(trial.study) for trial in trials])
    drawing = np.array([_drawing_seconds(plan, trial, probe) for trial in trials])
    training = float((drawing + expected * an_epoch + finishing * tests).sum())
    limits = np.array([trial.limit for trial in trials])
    whole = float((drawing + limits * an_epoch + tests).max())
    wall = (
        _STARTS * probe.startup
        # A preparation occupies one core; trials wait for all of them.
        + max(sum(preparing) / max(int(cpus), 1), *preparing)
        + max(training / slots, whole)
    )
    return Cost(
        preparation_hours=sum(preparing) / 3600,
        trial_hours=training * occupied / 3600,
        wall_hours=wall / 3600,
        slots=slots,
        memory=slots * probe.worker + probe.idle + _RAY_BYTES + stored_bytes(plan),
        kinds=len(probe.epochs),
        guessed=len({timing_key(trial.study) for trial in trials} - probe.epochs.keys()),
    )


def _preparation_seconds(plan: Plan, key: str, probe: Probe) -> float:
    study = plan.preparations[key].study
    networks = plan.experiment.cost.trained(study)
    seconds = sum(n.training.epochs * probe.epoch_seconds(n) for n in networks)
    if plan.base(key) is None:
        seconds += probe.setup_seconds(study) + probe.test_seconds(study)
    return float(seconds)


def _drawing_seconds(plan: Plan, trial: TrialPlan, probe: Probe) -> float:
    """Seconds of the networks that a trial trains before its own."""
    epochs = plan.experiment.cost.drawn_epochs(trial.study)
    return epochs * probe.epoch_seconds(trial.study.shared_study()) if epochs else 0.0


def stored_bytes(plan: Plan) -> int:
    """Bytes of all preparations in the object store."""
    studies = (trial.study for trial in plan.preparations.values())
    return sum(plan.experiment.cost.stored_bytes(study) for study in studies)


def _bytes(number: float) -> str:
    scale, unit = (1e9, "GB") if number >= 1e9 else (1e6, "MB")
    return f"{_few(number / scale)} {unit}"


def _few(number: float) -> str:
    """``number`` to two digits, or to its whole part where that has more."""
    return f"{number:.2g}" if number < 100 else f"{number:.0f}"
