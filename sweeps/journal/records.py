"""Records of the log: a class for every kind, with its fields, their checks and its line.

A line holds the fields in the order of the class and omits those equal to their default; a field
``at`` receives the time of writing. To add a kind, add its class here and to :data:`Record`. mypy
then reports each ``match`` that ends in ``assert_never`` and lacks it: in journal.state,
journal.history, scheduling.engine and monitoring.throughput. Matches that end in ``case _`` select
some kinds on purpose: in scheduling.ledger, monitoring.exporters and simulation.ray_asha.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, TypeAlias, get_args

from sweeps.journal import schema
from sweeps.journal.codec import Open, Shape

Row: TypeAlias = Mapping[str, Any]
"""Values by column."""
TrialId: TypeAlias = Annotated[str, schema.TRIAL_ID]
TrialIds: TypeAlias = Annotated[tuple[str, ...], schema.list_of(schema.TRIAL_ID)]
Sha256: TypeAlias = Annotated[str, schema.SHA256]
Text: TypeAlias = Annotated[str, schema.TEXT]
Flag: TypeAlias = Annotated[bool, schema.FLAG]
Number: TypeAlias = Annotated[float, schema.NUMBER]
Index: TypeAlias = Annotated[int, schema.whole(0)]
Count: TypeAlias = Annotated[int, schema.whole(1)]
Epoch: TypeAlias = Annotated[int, schema.whole(0, schema.MOST_EPOCHS)]
"""Epochs trained so far; 0 before the first."""
Json: TypeAlias = Annotated[Row, schema.OBJECT]


@dataclass(frozen=True, slots=True, kw_only=True)
class DriverStart:
    """First record of a file: a driver began, whose code of version ``core`` computes from now on.

    ``process`` says which one: host, pid, boot and time, and the file that it builds on.
    """

    kind: ClassVar[str] = "start"
    format: Count
    process: Annotated[Row, Open(schema.ANY)]
    core: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestRecord:
    """All that the sweep is run with, and its space file; by a driver that runs it with others."""

    kind: ClassVar[str] = "manifest"
    content: Annotated[Row, schema.MANIFEST]
    space: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparationRecord:
    """What the trials of ``key`` share is filed: sha256 of its ``files``, once they are there."""

    kind: ClassVar[str] = "prepared"
    key: Annotated[str, schema.PREPARATION_KEY]
    identity: Sha256
    files: Annotated[Mapping[str, str], schema.mapping_of(schema.SHA256, schema.FILE)]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialEntry:
    """A trial of the space, by the trial queue: new, or at its place in a space that has changed.

    Trials of a ``group`` are judged together, as replicates, against the groups of its
    ``stratum``; ``limit`` is its most epochs. ``columns`` are of its line in the table of trials.
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
    """A worker gets a trial at ``epoch``, 0 from theta_0; by whoever hands out work."""

    kind: ClassVar[str] = "begin"
    trial_id: TrialId
    epoch: Epoch
    at: Number | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """How a trial ended by itself, with the ``metrics`` of its test.

    ``truncated`` if only its limit ended it, so that a larger one lets it train on.
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
    """Epochs of a trial, as its worker sent them; or its failure, after too many lost workers.

    The files of which it names the sha256, its ``checkpoint`` and the model of its ``end``, are
    there before it. With neither its worker goes straight on.
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
    """The worker of a trial died, ``node`` if with its machine; by whoever hands out work."""

    kind: ClassVar[str] = "lost"
    trial_id: TrialId
    error: Text
    node: Flag
    at: Number | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Decision of the engine about a group at a rung, which follows from the records before it.

    ``value`` is the mean over its trials, null if that is not finite, by which it had ``rank``
    among ``of``; ``ended`` if all of its trials had, so that nothing was left to stop.
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
    """Decision of one of Ray's schedulers, which has no groups, by what listens to Ray Tune."""

    kind: ClassVar[str] = "decision"
    trials: TrialIds
    epoch: Epoch
    goes_on: Flag
    ended: Flag
    value: Number | None
    reason: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """Trials of a stopped group train on, to judge the stopping; follows from their verdict."""

    kind: ClassVar[str] = "audit"
    group: Text
    trials: TrialIds


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawal:
    """Trials are no part of the space any more, unfinished as they are; by the trial queue."""

    kind: ClassVar[str] = "withdrawn"
    trials: TrialIds


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A configuration of a search, by the trial queue before the trials of it.

    ``basis`` is the digest of all that it was made from, ``attributes`` what the sampler noted.
    """

    kind: ClassVar[str] = "proposal"
    number: Index
    basis: Text
    config: Json
    attributes: Json


@dataclass(frozen=True, slots=True, kw_only=True)
class SpaceExhausted:
    """Every trial of the space is entered, so that small strata are judged; by the trial queue."""

    kind: ClassVar[str] = "closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class WarmStart:
    """Results of earlier sweeps with which a search begins, as (configuration, objectives).

    ``asked`` is the digest of what was looked for; written by the search before any proposal.
    """

    kind: ClassVar[str] = "warm"
    asked: Text
    rows: Annotated[
        tuple[Any, ...], schema.list_of(schema.holds("a pair", lambda v: _is_outcome(v)))
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class DriverEnd:
    """Last record of a file: its driver ended by itself and vouches for all of its lines."""

    kind: ClassVar[str] = "close"


Record: TypeAlias = (
    DriverStart
    | ManifestRecord
    | PreparationRecord
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
    | DriverEnd
)


def problem(line: Row) -> str | None:
    """What is wrong with the fields of ``line``; None if it is a record."""
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
    """The line of ``record``, to be written as JSON; the part of it that is an ``End``."""
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
    """A group that was stopped for its value has its rank."""
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
