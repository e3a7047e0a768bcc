"""Progress of a sweep: a live panel on a terminal, plain lines anywhere else."""

import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from hedgecore.experiment import Experiment
from sweeps.journal.state import TrialState
from sweeps.monitoring.best import ID_LENGTH, axes, best, short
from sweeps.text import duration, echo, plural, printable

_BAR = 30
"""Width of the bar, in characters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """A sweep at one moment; times are of ``time.monotonic``, in seconds."""

    experiment: Experiment[Any, Any]
    trials: Mapping[str, TrialState]
    total: int
    running_ids: frozenset[str]  # trials on a worker
    began: float
    first_trial: float

    @property
    def running(self) -> int:
        """Number of trials on a worker."""
        return len(self.running_ids)


class Progress(Protocol):
    """Display of a sweep; must never raise."""

    def message(self, text: str) -> None:
        """Show ``text`` once."""

    def update(self, state: State) -> None:
        """Show the changed state of all trials."""

    def close(self) -> None:
        """Restore the terminal."""


def default() -> Progress:
    """A live panel on a terminal, plain lines elsewhere."""
    return LivePanel() if sys.stdout.isatty() else PlainLines()


class ThrottledProgress:
    """Shows what ``state`` returns, at most every ``pause`` seconds and a twentieth of the time.

    Computing a state visits every trial, and a large sweep has many events per second.
    """

    def __init__(
        self, progress: Progress, state: Callable[[], State], *, pause: float = 0.5
    ) -> None:
        self._progress, self._state, self._pause = progress, state, pause
        self._due = -float("inf")

    def __call__(self) -> None:
        """Show the present state unless it is too early."""
        if time.monotonic() >= self._due:
            self.flush()

    def flush(self) -> None:
        """Show the present state."""
        began = time.monotonic()
        self._progress.update(self._state())
        now = time.monotonic()
        self._due = now + max(self._pause, 20 * (now - began))


class FailSafeProgress:
    """Forwards to ``progress`` until that raises, so that a failed display ends no sweep."""

    def __init__(self, progress: Progress) -> None:
        self._progress: Progress = progress

    def message(self, text: str) -> None:
        """See :class:`Progress`."""
        self._tell(lambda: self._progress.message(text))

    def update(self, state: State) -> None:
        """See :class:`Progress`."""
        self._tell(lambda: self._progress.update(state))

    def close(self) -> None:
        """See :class:`Progress`."""
        self._tell(self._progress.close)

    def _tell(self, step: Callable[[], None]) -> None:
        try:
            step()
        except Exception:  # noqa: BLE001 - a closed pipe, a full disk, a terminal that is gone
            self._progress = SilentProgress()


class SilentProgress:
    """Progress that shows nothing."""

    def message(self, text: str) -> None:
        """See :class:`Progress`."""

    def update(self, state: State) -> None:
        """See :class:`Progress`."""

    def close(self) -> None:
        """See :class:`Progress`."""


class PlainLines(SilentProgress):
    """One line per trial that ends."""

    def __init__(self) -> None:
        self._told: set[str] = set()

    def message(self, text: str) -> None:
        """See :class:`Progress`."""
        echo(text)

    def update(self, state: State) -> None:
        """See :class:`Progress`."""
        standing = f"{_counts(state)} · {_times(state, _remaining(state))}"
        for trial_id, trial in state.trials.items():
            if not trial.fresh or trial.ended is None or trial_id in self._told:
                continue
            self._told.add(trial_id)
            what = f"{trial_id[:ID_LENGTH]} {axes(trial.config)}"
            echo(f"{standing} | {what}: {_ending(trial, state.experiment)}")


class LivePanel:
    """A bar with counts and times, and the best trial of all and of every group."""

    def __init__(self) -> None:
        self._began, self._closed = time.monotonic(), False
        self._shown: tuple[State, float, Group] | None = None
        # Drawn from a separate thread, so that the clock runs while no trial reports.
        self._live = Live(
            console=Console(), refresh_per_second=4, transient=True, get_renderable=self._draw
        )

    def message(self, text: str) -> None:
        """See :class:`Progress`."""
        if not self._closed:  # final messages come after the panel
            self._live.start()  # only now: nothing is drawn for a refused sweep
        self._live.console.print(printable(text), highlight=False, markup=False)

    def update(self, state: State) -> None:
        """See :class:`Progress`."""
        # Each visits every trial, which is too slow for every redraw.
        found = best(state.trials)
        lines = [Text(found.line(), style="green")] if found else []
        table = _best_table(state)
        self._shown = state, _remaining(state), Group(_bar(state), *lines, table)

    def close(self) -> None:
        """See :class:`Progress`."""
        self._live.stop()
        self._closed = True

    def _draw(self) -> Group:
        elapsed = duration(time.monotonic() - self._began)
        if self._shown is None:
            return Group(Text(f"preparing · {elapsed} elapsed", style="bold"))
        state, ratio, below = self._shown
        return Group(Text(_times(state, ratio), style="bold"), below)


def _bar(state: State) -> Table:
    """A bar of the ended trials and the epochs of the others, with counts."""
    done = sum(
        1.0 if trial.ended else max(trial.epochs, default=0) / max(trial.entry.limit, 1)
        for trial in state.trials.values()
    )
    row = Table.grid(padding=(0, 1))
    bar = ProgressBar(total=max(state.total, 1), completed=done, width=_BAR)
    row.add_row(bar, Text(_counts(state), style="bold"))
    return row


def _counts(state: State) -> str:
    counts = Counter(trial.ended for trial in state.trials.values())
    ended = sum(n for status, n in counts.items() if status)
    parts = [f"{ended}/{state.total} done", f"{state.running} running"]
    parts += [f"{counts[s]} {s}" for s in ("stopped", "failed") if counts[s]]
    return " · ".join(parts)


def _remaining(state: State) -> float:
    """Unfinished trials for each that ended in this run; 0 if either number is 0."""
    fresh = sum(trial.fresh for trial in state.trials.values())
    unfinished = state.total - sum(trial.ended is not None for trial in state.trials.values())
    return unfinished / fresh if fresh else 0.0


def _times(state: State, ratio: float) -> str:
    """Elapsed time, and the remaining time at the pace of this run."""
    now = time.monotonic()
    elapsed = f"{duration(now - state.began)} elapsed"
    if not ratio:
        return elapsed
    return f"{elapsed} · about {duration((now - state.first_trial) * ratio)} left"


def _best_table(state: State) -> Table:
    wording = state.experiment.wording
    swept = {axis for trial in state.trials.values() for axis in trial.config}
    names = [axis for axis in wording.groups if axis in swept]
    table = Table(box=None, pad_edge=False, header_style="dim")
    for header in (*names, wording.companion_axis, f"best {wording.loss}", "epoch"):
        table.add_column(header, justify="right")
    for header in ("status", "trial"):
        table.add_column(header)
    groups: dict[tuple[Any, ...], tuple[float, str]] = {}
    for trial_id, trial in state.trials.items():
        row = trial.best()
        if row is None or not state.experiment.search.is_candidate(trial.config):
            continue
        key = tuple(trial.config.get(axis, 0) for axis in names)
        if key not in groups or row["val_loss"] < groups[key][0]:
            groups[key] = row["val_loss"], trial_id
    for key, (loss, trial_id) in sorted(groups.items(), key=lambda item: item[0]):
        trial = state.trials[trial_id]
        table.add_row(
            *(Text(short(value)) for value in key),  # no markup of rich
            Text(short(trial.config.get(wording.companion_axis, ""))),
            f"{loss:.4f}",
            f"{len(trial.epochs)}/{trial.entry.limit}",
            trial.ended or ("running" if trial_id in state.running_ids else "waiting"),
            Text(printable(trial_id[:ID_LENGTH])),
        )
    return table


def _ending(trial: TrialState, experiment: Experiment[Any, Any]) -> str:
    row = trial.row(live=True)
    if row["status"] == "completed":
        return f"{experiment.wording.describe_result(row)} after {plural(row['epochs'], 'epoch')}"
    if row["status"] == "stopped":
        return f"stopped, {row['reason']}"
    return f"{row['status']}: {row['error']}"
