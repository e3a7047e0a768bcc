"""Events of a sweep or of one trial, one line each, from its log."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, assert_never

from sweeps.journal import records
from sweeps.journal.history import History
from sweeps.journal.opening import readable_storage
from sweeps.journal.records import Record
from sweeps.journal.steering_records import Retry, TrialRequest, UserStop
from sweeps.journal.stored_sweep import StoredSweep
from sweeps.text import plural, value_text

_LOG = ("log",)  # the part of a storage that is read
_ID = 8  # characters of an id; a prefix suffices for every command
_NO_TIME = " " * 19


def event_lines(
    storage: str | Path, prefix: str | None = None, *, follow: bool = False
) -> Iterator[str | None]:
    """Events in the order of the log, with the time (UTC) of those that have one.

    Args:
        storage: folder of a sweep, which is only read; it may still run.
        prefix: unique beginning of the id of the only trial to list; all if None.
        follow: continue with None whenever there is no further event yet.
    Raises:
        UsageError: no such storage or trial.
        LogError: the log is damaged.
    """
    folder = readable_storage(storage, _LOG)
    trial_id = None if prefix is None else StoredSweep.read(storage).find(prefix)[0]
    history = History(folder)
    for record in history.follow() if follow else history:
        if record is None:
            yield None
        elif trial_id is None or trial_id in _trials(record):
            yield from (f"{_time(record)}  {line}" for line in _lines(record, trial_id))


def _trials(record: Record) -> tuple[str, ...]:
    """Trials that ``record`` is about."""
    one = getattr(record, "trial_id", None)
    trials: tuple[str, ...] = getattr(record, "trials", ())
    return (one,) if one else trials


def _time(record: Record) -> str:
    at = getattr(record, "at", None)
    if at is None:
        return _NO_TIME
    return datetime.fromtimestamp(at, tz=UTC).strftime("%Y-%m-%d %H:%M:%S")


def _lines(record: Record, trial_id: str | None) -> Iterator[str]:
    """What ``record`` says, with ids only where several trials are listed."""
    name = "" if trial_id else f"{_names(_trials(record))}: "
    match record:
        case records.DriverStart():
            yield f"driver start, code {record.core[:_ID]}"
        case records.ManifestRecord():
            yield f"manifest of {record.content['name']}"
        case records.PreparationRecord():
            yield f"preparation {record.key[:_ID]}"
        case records.TrialEntry():
            yield f"{name}entered, at most {plural(record.limit, 'epoch')}: {_config(record)}"
        case records.SegmentStart():
            start = "theta_0" if record.epoch == 0 else f"epoch {record.epoch}"
            yield f"{name}training starts from {start}"
        case records.Segment():
            yield from (f"{name}{line}" for line in _segment(record))
        case records.WorkerLoss():
            what = "node" if record.node else "worker"
            yield f"{name}{what} lost: {record.error}"
        case records.Verdict():
            yield f"{name}rung at epoch {record.epoch}: {_verdict(record)}"
        case records.SchedulerStop():
            outcome = "goes on" if record.goes_on else "stopped"
            yield f"{name}{outcome} at epoch {record.epoch}: {record.reason}"
        case records.Audit():
            yield f"{name}audit: trains to the end although its configuration was stopped"
        case records.Withdrawal():
            yield f"{name}has left the space"
        case records.Proposal():
            yield f"proposal {record.number}"
        case records.SpaceExhausted():
            yield "all trials are entered"
        case records.DriverEnd():
            yield "driver end"
        case UserStop():
            yield f"{name}stopped by request {record.request[:_ID]}"
        case TrialRequest():
            values = ", ".join(f"{n} {value_text(v)}" for n, v in dict(record.config).items())
            yield f"configuration requested by {record.request[:_ID]}: {values}"
        case Retry():
            yield f"{name}starts again from theta_0 by request {record.request[:_ID]}"
        case records.SharedBytes() | records.WarmStart():
            pass
        case _:
            assert_never(record)


def _config(entry: records.TrialEntry) -> str:
    values: Mapping[str, Any] = dict(entry.config)
    return ", ".join(f"{name} {value_text(value)}" for name, value in values.items())


def _segment(segment: records.Segment) -> Iterator[str]:
    if segment.rows:
        first, last = (segment.rows[i].get("epoch") for i in (0, -1))
        span = f"epoch {last}" if first == last else f"epochs {first} to {last}"
        losses = [r.get("val_loss") for r in segment.rows if isinstance(r.get("val_loss"), float)]
        yield f"{span} trained{f', validation loss {losses[-1]:.6g}' if losses else ''}"
    if segment.end is not None:
        error = f": {segment.end.error}" if segment.end.error else ""
        yield f"{segment.end.status}{error}"


def _verdict(verdict: records.Verdict) -> str:
    place = f", rank {verdict.rank} of {verdict.of}" if verdict.rank is not None else ""
    value = "not finite" if verdict.value is None else f"{verdict.value:.6g}"
    if verdict.ended:
        return f"its trials have ended; mean {value}{place}"
    return f"{'goes on' if verdict.goes_on else 'stopped'}; mean {value}{place}"


def _names(trials: tuple[str, ...]) -> str:
    return ", ".join(trial_id[:_ID] for trial_id in trials)
