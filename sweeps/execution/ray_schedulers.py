"""Ray Tune's own schedulers, for comparison: one Tune trial per configuration.

Their survivors depend on the order in which results arrive, and their state is lost with the
driver: a sweep that is run again keeps trials that have ended and restarts the others.
"""

import tempfile
from collections.abc import Callable, Hashable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

from ray import tune
from ray.tune import schedulers
from ray.tune.experiment import Trial

from hedgecore.config import replaced
from search_spaces import Hyperband, LogUniform, Median, Pbt, StockAsha
from sweeps.errors import UsageError
from sweeps.execution.execution import Execution
from sweeps.execution.nodes import node_count
from sweeps.execution.tune import fit
from sweeps.execution.tune_events import Recorder
from sweeps.execution.worker import OpenRun, SegmentWorker
from sweeps.planning.plan import Plan

# Later than any epoch: trials end by their own limit.
_NEVER = 10**9
_WORST = 1e300
_CHECKPOINT = "checkpoint.safetensors"


def run_stock(execution: Execution, open_run: OpenRun, changed: Callable[[], None]) -> bool:
    """Run unfinished trials under the scheduler of the plan; False if the deadline came first.

    Args: see :func:`sweeps.execution.lanes.run_lanes`.
    Raises:
        WriteError: the log can no longer be written.
    """
    plan, queue, axes = execution.plan, execution.queue, execution.plan.experiment.search.axes
    rule = plan.space.scheduler
    assert rule is not None
    saves = isinstance(rule, Hyperband | Pbt)
    if saves and node_count() > 1:
        raise UsageError(
            f"scheduler.{rule.kind} moves checkpoints within one machine, and this cluster has "
            "several; leave out --address, or write scheduler.asha"
        )
    trainable = tune.with_resources(
        tune.with_parameters(
            _trial,
            open_run=open_run,
            saves=saves,
            rule=rule,
            paths={axis: axes.get(axis, axis) for axis in getattr(rule, "axes", ())},
        ),
        asdict(execution.resources),
    )
    return fit(
        trainable,
        Recorder(execution, changed),
        param_space={"job": tune.grid_search([queue.spec(i) for i in queue.unfinished])},
        tune_config=tune.TuneConfig(
            scheduler=scheduler_for(plan),
            max_concurrent_trials=execution.lanes,
            reuse_actors=True,
        ),
        # For lost workers and nodes; failures of the trial itself are reported, not raised.
        failures=2,
    )


def scheduler_for(plan: Plan) -> schedulers.TrialScheduler:
    """Ray's scheduler for the rule of ``plan``."""
    rule = plan.space.scheduler
    shared: dict[str, Any] = {"time_attr": "epoch"}
    if rule is not None:
        shared |= {"metric": rule.metric, "mode": rule.mode}
    if isinstance(rule, StockAsha):
        return StratifiedAsha(rule, plan.stratum)
    if isinstance(rule, Median):
        return schedulers.MedianStoppingRule(
            **shared, grace_period=rule.grace_period, min_samples_required=rule.min_samples
        )
    longest = max(trial.limit for trial in plan.trials)
    if isinstance(rule, Hyperband):
        return SteadyHyperBand(**shared, max_t=longest, reduction_factor=rule.reduction_factor)
    assert isinstance(rule, Pbt)
    return schedulers.PopulationBasedTraining(
        **shared,
        perturbation_interval=rule.perturbation_interval,
        quantile_fraction=rule.quantile,
        hyperparam_mutations={
            "job": {"trial": {"config": {axis: _draw(plan, axis) for axis in rule.axes}}}
        },
        synch=True,
    )


class StratifiedAsha(schedulers.FIFOScheduler):
    """One ``ASHAScheduler`` of Ray per stratum, created when its first trial arrives."""

    def __init__(self, rule: StockAsha, stratum: Callable[[Mapping[str, Any]], Hashable]) -> None:
        super().__init__()
        self._rule = rule
        self._stratum = stratum
        self._brackets: dict[Hashable, schedulers.ASHAScheduler] = {}

    def on_trial_add(self, tune_controller: Any, trial: Trial) -> None:
        """Enter ``trial`` into its stratum."""
        self._of(trial).on_trial_add(tune_controller, trial)

    def on_trial_result(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> str:
        """CONTINUE or STOP, judged among the trials of one stratum."""
        if result["epoch"] >= trial.config["job"]["limit"]:
            return self.CONTINUE
        return self._of(trial).on_trial_result(tune_controller, trial, result)

    def on_trial_complete(
        self, tune_controller: Any, trial: Trial, result: dict[str, Any]
    ) -> None:
        """Do nothing: a complete trial has no further rung."""

    def on_trial_remove(self, tune_controller: Any, trial: Trial) -> None:
        """Do nothing: rungs keep the values of trials that ended."""

    def _of(self, trial: Trial) -> schedulers.ASHAScheduler:
        key = self._stratum(trial.config["job"]["trial"]["config"])
        if key not in self._brackets:
            self._brackets[key] = schedulers.ASHAScheduler(
                time_attr="epoch",
                metric=self._rule.metric,
                mode=self._rule.mode,
                max_t=_NEVER,
                grace_period=self._rule.grace_period,
                reduction_factor=self._rule.reduction_factor,
            )
        return self._brackets[key]


class SteadyHyperBand(schedulers.HyperBandScheduler):
    """Ray's HyperBand without its deadlock after a trial ends by itself.

    Ray marks a bracket as being processed at its first halving and never clears the mark, and
    ignores a bracket whose last rung is reached: trials that are paused there for the one that
    failed are neither continued nor stopped.
    """

    def on_trial_remove(self, tune_controller: Any, trial: Trial) -> None:
        """Halve or close the bracket of ``trial`` if it was the last one awaited."""
        super().on_trial_remove(tune_controller, trial)
        bracket, _ = self._trial_info[trial]
        if bracket.finished() and not bracket.is_being_processed:
            self._process_bracket(tune_controller, bracket)

    def _process_bracket(self, tune_controller: Any, bracket: Any) -> str:
        # Set while other trials are stopped, which calls on_trial_remove again.
        bracket.is_being_processed = True
        try:
            return str(super()._process_bracket(tune_controller, bracket))
        finally:
            bracket.is_being_processed = False


def _trial(
    config: dict[str, Any], *, open_run: Any, saves: bool, rule: Any, paths: Mapping[str, str]
) -> None:
    """Train one trial from Tune's last checkpoint, with one report per epoch."""
    job, worker = _perturbed(config["job"], paths), SegmentWorker(open_run)
    epoch, content = 0, None
    if saved := tune.get_checkpoint():
        with saved.as_directory() as folder:
            epoch = int((Path(folder) / "epoch").read_text())
            content = (Path(folder) / _CHECKPOINT).read_bytes()
    while True:
        segment = worker.segment({**job, "start": epoch, "stop": epoch + 1}, content)
        content = segment.pop("checkpoint", None)
        rows = segment.get("rows")
        epoch = rows[-1]["epoch"] if rows else epoch + 1
        # A diverged trial ranks last, by a finite value, since Ray's schedulers compute with it.
        worst = _WORST if rule.mode == "min" else -_WORST
        value = rows[-1][rule.metric] if rows else None
        report = {"epoch": epoch, rule.metric: worst if value is None else value}
        if saves and content:
            with tempfile.TemporaryDirectory() as folder:
                (Path(folder) / "epoch").write_text(str(epoch))
                (Path(folder) / _CHECKPOINT).write_bytes(content)
                saved = tune.Checkpoint.from_directory(folder)
                tune.report({**report, "segment": segment}, checkpoint=saved)
        else:
            tune.report({**report, "segment": segment})
        if "end" in segment or segment["type"] == "refused":
            return


def _perturbed(job: Mapping[str, Any], paths: Mapping[str, str]) -> dict[str, Any]:
    """``job`` with the values that PBT gave to axes set in its study, at their ``paths``."""
    trial = job["trial"]
    study = trial["study"]
    for axis, path in paths.items():
        study = replaced(study, path, trial["config"][axis])
    return {**job, "trial": {**trial, "study": study}}


def _draw(plan: Plan, axis: str) -> Any:
    domain = plan.space.space[axis]
    if domain.enumerable:
        return list(domain.ends())
    low, high = (cast(float, end) for end in domain.ends())
    return (
        tune.loguniform(low, high) if isinstance(domain, LogUniform) else tune.uniform(low, high)
    )
