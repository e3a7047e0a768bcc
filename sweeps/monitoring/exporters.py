"""Exporters of a sweep: copies of its log in other tools.

Only the log is the record: an exporter that fails is dropped and the sweep continues. The next
driver start sends it the rows that it missed, so an exporter added later receives everything.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from queue import SimpleQueue
from threading import Thread
from typing import Any, NamedTuple, Protocol

from sweeps.errors import UsageError
from sweeps.journal.records import Record, SchedulerStop, Segment, UserStop, Verdict
from sweeps.journal.state import SweepState
from sweeps.journal.steering_records import Retry
from sweeps.monitoring.throughput import ended

Row = Mapping[str, Any]

_PATIENCE = 60.0  # seconds that the end of a sweep waits for a slow exporter
_LATER = "the sweep is complete without it, and its next start sends the missing rows"


class ExportPosition(NamedTuple):
    """Position of an exporter in a trial: its last epoch, and whether the end was sent."""

    epoch: int = 0
    over: bool = False


class Exporter(Protocol):
    """Receiver of trials, one by one; it is dropped after a call that raises."""

    def begin(self, trial_id: str, config: Row) -> ExportPosition:
        """Begin a trial; returns the position that earlier driver starts have reached."""

    def rows(self, trial_id: str, rows: Sequence[Row]) -> None:
        """Epochs in ascending order, each once, with ``audit`` true after a stop."""

    def end(self, trial_id: str, row: Row) -> None:
        """Row of the trial in the table of trials; sent again if it has trained further.

        Also sent again at each driver start for a trial that was retried.
        """

    def close(self) -> None:
        """Called once at the end."""


class ExportDispatcher:
    """Sends the records of the ledger to every exporter, each in a separate thread.

    Args:
        say: receives a message about an exporter that is dropped; must not raise.
        advice: last clause of such a message.
        patience: seconds that the end waits for a slow exporter; without limit if None.
    """

    def __init__(
        self,
        exporters: Sequence[Exporter],
        say: Callable[[str], None],
        *,
        advice: str = _LATER,
        patience: float | None = _PATIENCE,
    ) -> None:
        self._exporters, self._say = exporters, say
        self._advice, self._patience = advice, patience
        self._lines: list[_Line] = []
        self._positions: dict[str, ExportPosition] = {}

    def begin(self, state: SweepState) -> None:
        """Start the threads, and send the present content of ``state``."""
        self._state = state
        self._lines = [_Line(one, self._say, self._advice) for one in self._exporters]
        for trial_id, _ in state.rows() if self._lines else ():
            self._send(trial_id)

    def record(self, record: Record) -> None:
        """Send the trials of ``record``, which the state has applied."""
        if not self._lines:
            return
        match record:
            case Segment():
                self._send(record.trial_id)
            case Verdict() | SchedulerStop() | UserStop():
                for trial_id in record.trials:
                    self._send(trial_id)
            case Retry():
                # Its epochs are the same again, so only its end is to be sent.
                for trial_id in record.trials:
                    epoch, _ = self._positions.get(trial_id, ExportPosition())
                    self._positions[trial_id] = ExportPosition(epoch)
            case _:
                pass

    def close(self) -> None:
        """Wait until everything is sent, for at most the patience per exporter."""
        for line in self._lines:
            line.close(self._patience)

    def _send(self, trial_id: str) -> None:
        trial = self._state.trials[trial_id]
        position = self._positions.get(trial_id, ExportPosition())
        epochs = sorted(epoch for epoch in trial.epochs if epoch > position.epoch)
        is_over = trial.end if trial.audited else ended(trial)
        over = bool(is_over and (trial.epochs or trial.end))
        if not epochs and (position.over or not over):
            return
        stop = math.inf if trial.stopped_at is None else trial.stopped_at
        rows: list[Row] = [
            {**dict(zip(trial.columns, trial.epochs[n], strict=True)), "audit": n > stop}
            for n in epochs
        ]
        end = trial.row(live=False) if over else None
        self._positions[trial_id] = ExportPosition(max(position.epoch, *epochs, 0), over)
        for line in self._lines:
            line.put(_Message(trial_id, trial.config, rows, end, retried=trial.retried))


class _Message(NamedTuple):
    """New epochs of a trial, and its end, if it has ended."""

    trial_id: str
    config: Row
    rows: Sequence[Row]
    end: Row | None
    retried: bool


class _Line:
    """Thread that serves one exporter, which may be slow, in the order of the log."""

    def __init__(self, exporter: Exporter, say: Callable[[str], None], advice: str) -> None:
        self._exporter, self._say, self._advice = exporter, say, advice
        self._positions: dict[str, ExportPosition] = {}
        self._queue: SimpleQueue[_Message | None] = SimpleQueue()
        self._thread = Thread(target=self._work, daemon=True)
        self._thread.start()

    def put(self, message: _Message) -> None:
        if self._thread.is_alive():
            self._queue.put(message)

    def close(self, patience: float | None) -> None:
        self._queue.put(None)
        self._thread.join(patience)
        if self._thread.is_alive():
            self._say(f"{self._name} is {self._queue.qsize()} messages behind; {self._advice}")

    @property
    def _name(self) -> str:
        return type(self._exporter).__name__

    def _work(self) -> None:
        try:
            while (message := self._queue.get()) is not None:
                self._tell(message)
            self._exporter.close()
        except Exception as error:  # noqa: BLE001 - of any kind: an exporter must not harm the sweep
            first = f"{type(error).__name__}: {error}".splitlines()[0]
            self._say(f"{self._name} was dropped ({first}); {self._advice}")

    def _tell(self, message: _Message) -> None:
        trial_id, end = message.trial_id, message.end
        if (position := self._positions.get(trial_id)) is None:
            position = self._exporter.begin(trial_id, message.config)
        if new := [row for row in message.rows if row["epoch"] > position.epoch]:
            self._exporter.rows(trial_id, new)
        # The end that an exporter has of a retried trial may be that of an earlier attempt.
        if end is not None and (new or not position.over or message.retried):
            self._exporter.end(trial_id, end)
        last = new[-1]["epoch"] if new else position.epoch
        self._positions[trial_id] = ExportPosition(last, end is not None)


def metrics(row: Row) -> dict[str, float]:
    """The finite numbers of an epoch by name, those of an audit under ``audit/``."""
    prefix = "audit/" if row["audit"] else ""
    return {f"{prefix}{name}": value for name, value in _numbers(row).items() if name != "epoch"}


def final(row: Row) -> dict[str, float]:
    """The finite numbers of a trial's line in the table, without its configuration."""
    values = _numbers(row).items()
    return {f"end/{n}": v for n, v in values if n != "index" and not n.startswith("config/")}


def missing(package: str, extra: str) -> UsageError:
    """Error on a missing optional package, with the cure."""
    return UsageError(f"{package} is not installed; pip install 'hedgesweep[{extra}]'")


def _numbers(row: Row) -> dict[str, float]:
    return {
        name: float(value)
        for name, value in row.items()
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    }
