"""Records of the log: a class for every kind, with its fields, their checks and its line.

A line holds the fields in the order of the class and omits those equal to their default; a field
``at`` receives the time of writing. To add a kind, add its class, here or in a module of its own,
and enter it in :data:`Record`. mypy then reports each ``match`` that ends in ``assert_never`` and
lacks it: in journal.state, journal.history, scheduling.engine and monitoring.throughput. Matches
that end in ``case _`` select some kinds on purpose: in scheduling.ledger, monitoring.exporters and
simulation.ray_asha.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, TypeAlias, get_args

from sweeps.journal import schema
from sweeps.journal.codec import Open, Shape
from sweeps.journal.field_types import (
    Count,
    Epoch,
    Flag,
    Index,
    Json,
    Number,
    Row,
    Sha256,
    Text,
    TrialId,
    TrialIds,
)
from sweeps.journal.preparation_records import PreparationRecord, SharedBytes
from sweeps.journal.steering_records import Retry, TrialRequest, UserStop


@dataclass(frozen=True, slots=True, kw_only=True)
class DriverStart:
    """First record of a file: start of a driver, with the code identity ``core``.

    ``process`` identifies it: host, pid, boot and time, and the file that it builds on.
    """

    kind: ClassVar[str] = "start"
    format: Count
    process: Annotated[Row, Open(schema.ANY)]
    core: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestRecord:
    """Manifest and space file of the sweep, written by the driver when they change."""

    kind: ClassVar[str] = "manifest"
    content: Annotated[Row, schema.MANIFEST]
    space: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialEntry:
    """Trial of the space, new or moved in a changed space; written by the trial queue.

    Trials of a ``group`` are judged together, as replicates, against the groups of its
    ``stratum``; ``limit`` is its maximum of epochs, ``columns`` are for the table of trials.
    """

    kind: ClassVar[str] = "trial"
    trial_id: TrialId
    index: Index
    config: Json
    group: Text
    stratum: Text
    replicate: Annotated[Any, schema.SCALAR]
    limit: Annotated[int, schema.EPOCH]
    columns: Annotated[Row, Open(schema.SCALAR)]


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentStart:
    """A worker receives a trial at ``epoch`` (0: theta_0); written by the lane dispatcher."""

    kind: ClassVar[str] = "begin"
    trial_id: TrialId
    epoch: Epoch
    at: Number | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """End of a trial by itself, with the ``metrics`` of its test.

    ``truncated`` if only its limit ended it, so that it continues under a larger one.
    """

    status: Annotated[
        Literal["completed", "failed"],
        schema.holds("'completed' or 'failed'", lambda v: v in ("completed", "failed")),
    ]
    metrics: Annotated[Row, Open(schema.SCALAR)]
    error: Text | None = None
    diverged: Flag = False
    truncated: Flag = False
    model: Sha256 | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """Epochs of a trial from its worker, or its failure after too many lost workers.

    The files whose sha256 it names, its ``checkpoint`` and the model of its ``end``, are written
    before it. Without either, its worker continues with the next segment.
    """

    kind: ClassVar[str] = "segment"
    trial_id: TrialId
    arithmetic: Annotated[str, schema.ARITHMETIC] | None = None
    facts: Annotated[Row, schema.mapping_of(schema.SCALAR)] | None = None
    rows: Annotated[tuple[Row, ...], schema.rows]
    end: End | None = None
    checkpoint: Sha256 | None = None
    at: Number | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerLoss:
    """Death of a trial's worker, ``node`` if with its node; written by the lane dispatcher."""

    kind: ClassVar[str] = "lost"
    trial_id: TrialId
    error: Text
    node: Flag
    at: Number | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Decision of the engine about a group at a rung, derived from the records before it.

    ``value`` is the mean over its trials (null if not finite), ``rank`` its place among ``of``
    groups; ``ended`` if all of its trials had ended, so that none was left to stop.
    """

    kind: ClassVar[str] = "decision"
    group: Text
    trials: TrialIds
    ended: Flag
    epoch: Epoch
    goes_on: Flag
    value: Number | None
    rank: Count | None = None
    of: Count | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SchedulerStop:
    """Decision of one of Ray's schedulers, without groups; written by the listener to Tune."""

    kind: ClassVar[str] = "decision"
    trials: TrialIds
    epoch: Epoch
    goes_on: Flag
    ended: Flag
    value: Number | None
    reason: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """Trials of a stopped group train to the end to audit it; derived from their verdict."""

    kind: ClassVar[str] = "audit"
    group: Text
    trials: TrialIds


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawal:
    """Unfinished trials that have left the space; written by the trial queue."""

    kind: ClassVar[str] = "withdrawn"
    trials: TrialIds


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """Configuration proposed by a search; written by the trial queue before its trials.

    ``basis`` is the digest of its inputs, ``attributes`` are those set by the sampler.
    """

    kind: ClassVar[str] = "proposal"
    number: Index
    basis: Text
    config: Json
    attributes: Json


@dataclass(frozen=True, slots=True, kw_only=True)
class SpaceExhausted:
    """Every trial is entered, so small strata can be judged; written by the trial queue."""

    kind: ClassVar[str] = "closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class WarmStart:
    """Results of earlier sweeps for a search, as (configuration, objectives).

    ``asked`` is the digest of the request; written by the driver before any proposal.
    """

    kind: ClassVar[str] = "warm"
    asked: Text
    rows: Annotated[
        tuple[Any, ...], schema.list_of(schema.holds("a pair", lambda v: _is_outcome(v)))
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class DriverEnd:
    """Last record of a file: its driver ended in order, and all lines are on disk."""

    kind: ClassVar[str] = "close"


Record: TypeAlias = (
    DriverStart
    | ManifestRecord
    | PreparationRecord
    | SharedBytes
    | TrialEntry
    | SegmentStart
    | Segment
    | WorkerLoss
    | Verdict
    | SchedulerStop
    | Audit
    | Withdrawal
    | Proposal
    | SpaceExhausted
    | WarmStart
    | UserStop
    | TrialRequest
    | Retry
    | DriverEnd
)


def problem(line: Row) -> str | None:
    """Fault in the fields of ``line``; None if it is a record."""
    if (cls := _class(line)) is None:
        kind = str(line.get("type"))[:40]
        return f"a record of type {kind!r}, which this version does not write"
    return _CHECKS[cls](line, cls.kind)


def record_of(line: Row) -> Record:
    """The record that ``line`` holds, which has no :func:`problem`."""
    cls = _class(line)
    assert cls is not None, line
    values = {**line}
    del values["type"]
    record: Record = _SHAPES[cls].parsed(values)
    return record


def fields(record: Record | End) -> dict[str, Any]:
    """JSON object of ``record``; of an ``End``, which is part of a record, its part."""
    return _SHAPES[type(record)].plain(record)


def _class(line: Row) -> type[Record] | None:
    kind = line.get("type")
    if kind == SchedulerStop.kind and line.get("reason"):
        return SchedulerStop
    return _CLASSES.get(kind) if isinstance(kind, str) else None


def _is_outcome(value: Any) -> bool:
    pair = isinstance(value, list) and len(value) == 2
    return pair and isinstance(value[0], dict) and _NUMBERS(value[1], "") is None


def _ranked(value: Row, at: str) -> str | None:
    """Fault if a group stopped for its value lacks its rank."""
    judged = not (value["goes_on"] or value["ended"]) and value["value"] is not None
    return f"{at} lacks 'rank' or 'of'" if judged and not {"rank", "of"} <= value.keys() else None


_NUMBERS = schema.list_of(schema.NUMBER)
_SHAPES: Mapping[type, Shape] = {cls: Shape.of(cls) for cls in (End, *get_args(Record))}
_CLASSES: Mapping[str, type[Record]] = {
    cls.kind: cls for cls in get_args(Record) if cls is not SchedulerStop
}
_CHECKS: Mapping[type, schema.Check] = {
    **{cls: shape.check for cls, shape in _SHAPES.items()},
    Verdict: lambda value, at: _SHAPES[Verdict].check(value, at) or _ranked(value, at),
}
