"""Driver of a sweep: prepares each seed once, runs the trials and records every result."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from search_spaces import SearchSpace
from sweeps.arguments import check_rule, check_types
from sweeps.errors import Cut, UsageError
from sweeps.execution.execution import Execution
from sweeps.inspection.rebuilt_models import rebuild
from sweeps.journal import manifest, mirror
from sweeps.journal.code_identity import code_identity
from sweeps.journal.layout import writable_folder
from sweeps.journal.opening import storage_name, writable_storage
from sweeps.journal.preparations import StoredPreparation
from sweeps.manifest_records import keep_baselines, keep_manifest, without_baselines
from sweeps.monitoring.exporters import ExportDispatcher, Exporter
from sweeps.monitoring.progress import FailSafeProgress, Progress, State, ThrottledProgress
from sweeps.monitoring.progress import default as default_progress
from sweeps.outcome import Sweep
from sweeps.planning import machine, summary
from sweeps.planning.budget import Budget
from sweeps.planning.plan import Plan
from sweeps.planning.plan import plan as plan_of
from sweeps.scheduling.engine import Engine
from sweeps.scheduling.ledger import Ledger
from sweeps.scheduling.rule import engine_of
from sweeps.scheduling.steering import Steering
from sweeps.scheduling.trials import TrialQueue
from sweeps.scheduling.warm_start import warm_start_results
from sweeps.signals import interruptible
from sweeps.text import plural

if TYPE_CHECKING:
    from sweeps.execution.object_store import SharedPreparation
    from sweeps.scheduling.optuna_search import OptunaSearch


def run(
    space: str | Path | Mapping[str, Any] | SearchSpace | Plan,
    *,
    storage: str | Path,
    overrides: Mapping[str, Any] | Iterable[str] | None = None,
    max_concurrent: int | None = None,
    address: str | None = None,
    insecure: bool = False,
    audit: float = 0.0,
    budget: Budget | None = None,
    hang_after: float | None = None,
    allow_mixed: bool = False,
    exporters: Sequence[Exporter] = (),
    progress: Progress | None = None,
) -> Sweep:
    """Run every trial of ``space`` that ``storage`` does not hold yet.

    Calling it again resumes an interrupted sweep: decisions are kept, and a trial that was cut off
    continues from its last rung.

    Args:
        space: a YAML file, the name of a shipped one, a mapping as a file would give it, a loaded
            space, or a plan.
        storage: directory for log, tables, models, made if missing; or the URL of an object store,
            such as s3://bucket/name.
        overrides: values by dotted key, such as ``{"study.training.epochs": 20}``.
        max_concurrent: maximum of concurrent trials; as many as fit on the cluster if None.
        address: a running Ray cluster to join ("auto" finds the one of this machine); by default
            Ray starts here and stops afterwards. A Ray that this process has already initialised
            is used unchanged.
        insecure: start or join Ray without token authentication.
        audit: share in [0, 1] of the configurations stopped by ASHA that train to the end anyway,
            to count wrong stops; drawn from the seed of the search.
        budget: hours or money after which the sweep is cut off.
        hang_after: seconds after which a worker that has not reached the next rung is replaced.
        allow_mixed: allow workers whose floating-point results differ from those of the
            preparations; the column ``arithmetic`` records which. Refused if False.
        exporters: receive every row once it is on disk, such as
            :class:`.tensorboard.TensorBoard`; one that fails is dropped with a message.
        progress: display of the sweep; None for a panel on a terminal, lines elsewhere.
    Raises:
        SpaceError: something is wrong with the space or the overrides; raised before Ray starts.
        UsageError: something is wrong with the storage, the address or another argument; raised
            before any trial.
        PreparationError: a baseline diverged, or the data are unavailable.
        SweepError: workers die before they run anything, or compute with another arithmetic.
        WriteError: the storage can no longer be written.
    """
    check_types(
        storage=storage,
        max_concurrent=max_concurrent,
        address=address,
        insecure=insecure,
        allow_mixed=allow_mixed,
        audit=audit,
        budget=budget,
        hang_after=hang_after,
        exporters=exporters,
        progress=progress,
    )
    plan = plan_of(space, overrides=overrides)
    check_rule(plan, audit=audit, hang_after=hang_after)
    name = storage_name(storage)
    if isinstance(name, Path):
        storage = name = writable_folder(name)
        if not (storage / "log").exists():  # checked before anything is written
            machine.check(plan, cluster=address is not None)
    began, engine = time.monotonic(), engine_for(plan, audit=audit)
    with interruptible(), ExitStack() as closing:
        display = FailSafeProgress(progress or default_progress())
        dispatcher = ExportDispatcher(exporters, display.message)
        folder, replica = writable_storage(name, say=display.message)
        closing.enter_context(mirror.named(folder, str(name)))
        ledger = Ledger(
            folder,
            core=code_identity(plan.space.experiment),
            engine=engine,
            experiment=plan.experiment,
            accept=partial(manifest.check, name, plan),
            observers=[dispatcher],
            replica=replica,
        )
        # Last in, first out: records are made safe before exporters are waited for.
        for end in (dispatcher.close, display.close, ledger.close):
            closing.callback(end)
        gpus = 0 if address else machine.gpus()
        for text in (summary.lines, summary.study_lines, summary.unusual):
            for line in text(plan):
                display.message(line)
        for line in machine.slow(plan, gpus=gpus):
            display.message(line)
        search = _search(plan, ledger, display)
        queue = TrialQueue(plan, ledger, engine=engine, search=search)
        execution = Execution(
            plan=plan,
            queue=queue,
            ledger=ledger,
            engine=engine,
            steering=Steering(queue, ledger, display.message),
            message=display.message,
            audit=audit,
            address=address,
            insecure=insecure,
            lanes=None if max_concurrent is None else int(max_concurrent),
            deadline=budget.deadline(began) if budget else None,
            hang_after=hang_after,
            mixed=allow_mixed,
        )
        stored = {key: ledger.preparation(key) for key in plan.preparations}
        within_budget = _finished(execution, stored) or _execute(execution, stored, display, began)
        if search:
            queue.tell()
            if within_budget:
                search.close()
        missing_models = rebuild(ledger, display.message) if within_budget else {}
        ledger.check()  # reports a storage that was removed meanwhile
    return Sweep(
        storage=name,
        plan=plan,
        states=queue.states,
        unfinished=len(queue.unfinished) if queue.entered else len(plan.trials),
        within_budget=within_budget,
        missing_models=missing_models,
        seconds=time.monotonic() - began,
        study=search.study if search else None,
    )


def engine_for(plan: Plan, *, audit: float = 0.0) -> Engine | None:
    """Engine of ``plan``; None if one of Ray Tune's schedulers decides."""
    seed = plan.space.search.seed
    return engine_of(manifest.scheduler_of(plan), plan.rungs, seed=seed, audit=audit)


def _search(plan: Plan, ledger: Ledger, progress: Progress) -> "OptunaSearch | None":
    if not plan.adaptive:
        return None
    from sweeps.scheduling.optuna_search import search_for  # Optuna takes a second to import

    _check_columns(plan, ledger)
    outcomes = warm_start_results(plan, ledger)
    search = search_for(plan, outcomes, ledger.state.proposals)
    if outcomes:
        count = len(outcomes) - search.skipped
        progress.message(
            f"warm start: {plural(count, 'configuration')} of earlier sweeps"
            + (f", {search.skipped} outside this space left out" if search.skipped else "")
        )
    return search


def _check_columns(plan: Plan, ledger: Ledger) -> None:
    """Refuse trials that ended without an objective of the search."""
    computed = plan.experiment.search.validated(plan.study)
    columns = [name for name in plan.objectives if name in computed]
    for trial_id, trial in ledger.state.trials.items():
        missing = [name for name in columns if name not in trial.metrics]
        if missing and trial.ended == "completed":
            raise UsageError(
                f"trial {trial_id} of {ledger.storage} ended without {missing[0]}, which the "
                "search needs; give another --storage, or other search.objectives"
            )


def _finished(execution: Execution, stored: Mapping[str, StoredPreparation | None]) -> bool:
    """Enter the trials if every preparation is stored, without Ray; True if all are done."""
    queue, ledger = execution.queue, execution.ledger
    facts = {key: preparation.facts for key, preparation in stored.items() if preparation}
    if len(facts) < len(stored):
        return False
    if ledger.state.manifest is None:
        keep_manifest(execution, facts)
    queue.enter(facts)
    execution.steering.take_up()
    if not queue.finished or without_baselines(execution):
        return False
    execution.message("every trial is finished; nothing to run")
    ledger.copy_manifest()
    return True


def _execute(
    execution: Execution,
    stored: Mapping[str, StoredPreparation | None],
    display: Progress,
    began: float,
) -> bool:
    """Run missing preparations and unfinished trials; False if the deadline came first."""
    machine.check(execution.plan, cluster=execution.address is not None)
    # Imported late: a finished sweep is reported without the wait for Ray.
    from sweeps.execution.baselines import BaselineTasks
    from sweeps.execution.ray_sweep import prepared, work

    queue = execution.queue
    # The first event after the trials are entered comes as they start.
    state = partial(_state, queue, began, cache(time.monotonic))
    changed = ThrottledProgress(display, state)
    baselines = BaselineTasks(
        execution.plan,
        keep=partial(keep_baselines, execution.ledger),
        message=execution.message,
    )

    def enter(preparations: "Mapping[str, SharedPreparation]") -> None:
        facts = {key: preparation.facts for key, preparation in preparations.items()}
        keep_manifest(execution, facts)
        if not queue.entered:
            queue.enter(facts)
            execution.steering.take_up()
        baselines.add(without_baselines(execution), preparations)

    try:
        with prepared(execution, stored) as preparations:
            within_budget = work(execution, preparations, enter, changed, baselines)
            if queue.entered:
                changed.flush()
            return within_budget
    except Cut:
        return False


def _state(queue: TrialQueue, began: float, first_trial: Callable[[], float]) -> State:
    return State(
        experiment=queue.experiment,
        trials=queue.states,
        total=queue.total,
        running_ids=queue.running_ids,
        began=began,
        first_trial=first_trial(),
    )
