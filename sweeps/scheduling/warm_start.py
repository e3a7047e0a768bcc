"""Warm start: results of earlier sweeps as initial trials of a search."""

import json
import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import pyarrow as pa

from hedgecore.config import digest, to_mapping
from sweeps.errors import UsageError
from sweeps.journal import bounds, checksums
from sweeps.journal.files import read_json
from sweeps.journal.opening import local_folder
from sweeps.journal.parquet import table
from sweeps.journal.records import WarmStart
from sweeps.journal.state import cell
from sweeps.planning.plan import Plan
from sweeps.planning.validation import leaves
from sweeps.scheduling.ledger import Ledger

Row = Mapping[str, Any]
Outcome = tuple[dict[str, Any], tuple[float, ...]]
"""A configuration without its seed, and its objectives."""


def warm_start_results(plan: Plan, ledger: Ledger) -> list[Outcome]:
    """Results with which the search begins, read once and then kept in the log of ``ledger``.

    Later changes of the earlier sweeps, or their removal, have no effect.

    Raises:
        SpaceError: see :func:`earlier`.
    """
    if not plan.space.search.warm_start:
        return []
    question = digest(
        [plan.space.search.warm_start, list(plan.objectives), list(plan.space.space)]
    )
    record = ledger.state.warm
    if record is None or record.asked != question:
        record = WarmStart(asked=question, rows=tuple(earlier(plan)))
        ledger.append(record)
    return [(dict(config), tuple(values)) for config, values in record.rows]


def earlier(plan: Plan) -> list[Outcome]:
    """Configurations of the storages in ``search.warm_start``, with their objectives.

    A configuration counts once all of its trials are complete and have every objective; each is
    the mean over its seeds. An axis that varied only then must have had the value that the study
    has now; one that varies only now has the value that the study had then.

    Raises:
        SpaceError: a storage holds no tables of a sweep, or those of another study, or lacks the
            column of an objective.
    """
    outcomes = []
    for name in plan.space.search.warm_start:
        sweep = _read(plan, name)
        _check(plan, name, sweep)
        for rows in sweep.configurations():
            if not _counts(plan, sweep, rows):
                continue
            values = tuple(fmean(sweep.value(row, c) for row in rows) for c in plan.objectives)
            if all(map(math.isfinite, values)):
                outcomes.append((_config(plan, sweep, rows[0]), values))
    return outcomes


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sweep:
    """Tables of a storage, with the study of its manifest."""

    experiment: str
    study: Mapping[str, Any]  # varied by its axes
    axes: tuple[str, ...]
    short: Mapping[str, str]  # dotted path by short name of an axis
    kind: str | None  # of its scheduler
    max_t: int | None  # of its scheduler
    columns: frozenset[str]  # of both tables
    trials: Sequence[Row]
    best: Mapping[tuple[str, int], Row]  # row of the best validation, by trial and epoch

    @property
    def varied(self) -> dict[str, str]:
        """The column of every path of the study that varied."""
        return {self.short.get(a, a): f"config/{a}" for a in self.axes if a != "seed"}

    def setting(self, row: Row, path: str) -> Any:
        """Value of ``path`` in a trial, as in a table."""
        written = row.get(self.varied.get(path, ""))
        # Where a conditional axis does not exist, the value of the study applies.
        return cell(_at(self.study, path)) if written is None else written

    def configurations(self) -> Iterator[list[Row]]:
        """Groups of trials that differ in their seeds only."""
        groups: dict[tuple[Any, ...], list[Row]] = {}
        for row in self.trials:
            groups.setdefault(tuple(row.get(c) for c in self.varied.values()), []).append(row)
        yield from groups.values()

    def value(self, row: Row, column: str) -> float:
        """``column`` at the epoch that validated best, or that of the whole trial."""
        best = self.best.get((row["trial_id"], row["best_epoch"]), {})
        value = {**row, **best}.get(column)
        return math.nan if value is None else float(value)


def _read(plan: Plan, name: str) -> _Sweep:
    try:
        storage = local_folder(name)
    except UsageError as error:
        raise plan.space.places.error("search.warm_start", str(error)) from error
    try:
        checksums.check(storage, "manifest.json", "trials.parquet", "epochs.parquet")
        manifest = read_json(storage / "manifest.json", most=bounds.JSON)
        columns, trials, best = _tables(storage, plan.objectives)
        scheduler: dict[str, Any] = manifest["scheduler"] or {}
        kind = next(iter(scheduler), None)
        return _Sweep(
            experiment=manifest["experiment"],
            study=manifest["study"],
            axes=tuple(manifest["space"]),
            short=plan.experiment.search.axes,
            kind=kind,
            max_t=scheduler[kind]["max_t"] if kind else None,
            columns=columns,
            trials=trials,
            best=best,
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, pa.ArrowException) as error:
        reason = getattr(error, "strerror", None) or str(error).partition("\n")[0]
        problem = f"{name} holds no readable sweep ({reason}); name its --storage"
        raise plan.space.places.error("search.warm_start", problem) from error


def _tables(
    storage: Path, objectives: Collection[str]
) -> tuple[frozenset[str], list[dict[str, Any]], dict[tuple[str, int], Row]]:
    """Names of all columns, every trial, and of each the epoch that validated best."""
    with table(storage / "trials.parquet", rows=bounds.TRIAL_ROWS) as stored:
        axes = [name for name in stored.columns if name.startswith("config/")]
        fields = ["trial_id", "best_epoch", "status", *objectives]
        columns, trials = {*stored.columns}, [*stored.records([*fields, *axes])]
    reached = {(row["trial_id"], row["best_epoch"]) for row in trials}
    with table(storage / "epochs.parquet", rows=bounds.EPOCH_ROWS) as stored:
        rows = stored.records(["trial_id", "epoch", *objectives], only="best")
        columns |= {*stored.columns}
        best: dict[tuple[str, int], Row] = {
            at: row for row in rows if (at := (row["trial_id"], row["epoch"])) in reached
        }
    return frozenset(columns), trials, best


def _check(plan: Plan, name: str, sweep: _Sweep) -> None:
    """Refuse a sweep that is not comparable with this one."""
    if sweep.experiment != plan.space.experiment:
        problem = f"{name} holds a sweep of {sweep.experiment}; remove it"
        raise plan.space.places.error("search.warm_start", problem)
    for column in plan.objectives:
        if column not in sweep.columns:
            problem = f"{name} has no column {column!r}; remove it, or search on another objective"
            raise plan.space.places.error("search.warm_start", problem)
    then, now = sweep.study, json.loads(json.dumps(to_mapping(plan.study)))
    free = {*sweep.varied, *_free(plan)}
    changed = [
        path
        for path in leaves(now)
        if path not in free
        and plan.experiment.search.affects(path, plan.objectives)
        and _at(now, path) != _at(then, path)
    ]
    most = plan.space.scheduler.max_t if plan.space.scheduler else None
    if _limit(then, sweep.max_t) != _limit(now, most):
        changed.append("scheduler max_t")
    if sweep.kind == "pbt":
        changed.append("its trials changed while they trained")
    if changed:
        changes = ", ".join(changed[:3]) + (", .." if len(changed) > 3 else "")
        problem = (
            f"{name} holds a sweep of another study ({changes}); remove it, or undo the change"
        )
        raise plan.space.places.error("search.warm_start", problem)


def _limit(study: Mapping[str, Any], max_t: int | None) -> int:
    epochs = int(study["training"]["epochs"])
    return min(epochs, max_t or epochs)


def _counts(plan: Plan, sweep: _Sweep, rows: list[Row]) -> bool:
    now, free = to_mapping(plan.study), _free(plan)
    return all(row["status"] == "completed" for row in rows) and all(
        sweep.setting(rows[0], path) == cell(_at(now, path))
        for path in sweep.varied
        if path not in free
    )


def _config(plan: Plan, sweep: _Sweep, row: Row) -> dict[str, Any]:
    axes = (axis for axis in plan.space.space if axis != "seed")
    return {axis: sweep.setting(row, plan.experiment.search.axes.get(axis, axis)) for axis in axes}


def _free(plan: Plan) -> set[str]:
    """Paths of the study that the search varies."""
    return {plan.experiment.search.axes.get(axis, axis) for axis in plan.space.space}


def _at(mapping: Mapping[str, Any], path: str) -> Any:
    """Value in the nested ``mapping`` at a dotted ``path``; None without such a key."""
    value: Any = mapping
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value
