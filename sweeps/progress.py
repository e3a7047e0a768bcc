"""What a person sees while a sweep runs: a live panel on a terminal, plain lines anywhere else."""

import sys
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from sweeps.planning import Plan
from sweeps.sink import TrialLog


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """A sweep at one moment; times are of ``time.monotonic``, in seconds."""

    plan: Plan
    trials: Mapping[str, TrialLog]
    began: float
    first_trial: float


class Progress(Protocol):
    """Told what happens; must never raise."""

    def message(self, text: str) -> None:
        """Say ``text`` once."""

    def update(self, state: State) -> None:
        """The state of all trials changed."""

    def close(self) -> None:
        """Give the terminal back."""


def default() -> Progress:
    """A live panel where there is a terminal to draw on, plain lines elsewhere."""
    return LivePanel() if sys.stdout.isatty() else PlainLines()


class Silent:
    """Says nothing."""

    def message(self, text: str) -> None:
        """See :class:`Progress`."""

    def update(self, state: State) -> None:
        """See :class:`Progress`."""

    def close(self) -> None:
        """See :class:`Progress`."""


class PlainLines:
    """A line for every trial that ends."""

    def __init__(self) -> None:
        self._told: set[str] = set()

    def message(self, text: str) -> None:
        """See :class:`Progress`."""
        print(text, flush=True)

    def update(self, state: State) -> None:
        """See :class:`Progress`."""
        for trial_id, log in state.trials.items():
            if not log.fresh or log.end is None or trial_id in self._told:
                continue
            self._told.add(trial_id)
            axes = " ".join(
                f"{name}={_short(value)}" for name, value in log.about["config"].items()
            )
            progress = f"{_counts(state)} · {_times(state)}"
            print(f"{progress} | {axes}: {_ending(log)}", flush=True)

    def close(self) -> None:
        """See :class:`Progress`."""


class LivePanel:
    """Counts, times and the best ticket of every sparsity, redrawn in place."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._shown: tuple[str, State, Table] | None = None
        # Drawn from a thread of its own, so that the clock runs on while no trial reports.
        self._live = Live(
            console=Console(), refresh_per_second=4, transient=True, get_renderable=self._draw
        )
        self._live.start()

    def message(self, text: str) -> None:
        """See :class:`Progress`."""
        self._live.console.print(text, highlight=False, markup=False)

    def update(self, state: State) -> None:
        """See :class:`Progress`."""
        self._shown = _counts(state), state, _best_table(state.trials)

    def close(self) -> None:
        """See :class:`Progress`."""
        self._live.stop()

    def _draw(self) -> Group:
        if self._shown is None:
            return Group(Text(f"{_clock(time.monotonic() - self._began)} elapsed", style="bold"))
        counts, state, table = self._shown
        return Group(Text(f"{counts} · {_times(state)}", style="bold"), table)


def _counts(state: State) -> str:
    counts = Counter(log.end["status"] if log.end else "running" for log in state.trials.values())
    ended = sum(n for status, n in counts.items() if status != "running")
    shown = [f"{ended}/{len(state.plan.trials)} done"]
    shown += [f"{counts[s]} {s}" for s in ("running", "stopped", "failed") if counts[s]]
    return " · ".join(shown)


def _times(state: State) -> str:
    """Elapsed time; and what is left, if trials to come take as long as those of this run did."""
    now = time.monotonic()
    fresh = sum(log.fresh for log in state.trials.values())
    left = len(state.plan.trials) - sum(log.end is not None for log in state.trials.values())
    elapsed = f"{_clock(now - state.began)} elapsed"
    if not (fresh and left):
        return elapsed
    return f"{elapsed} · about {_clock((now - state.first_trial) / fresh * left)} left"


def _best_table(trials: Mapping[str, TrialLog]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for header in ("sparsity", "epsilon", "lr", "best validation risk", "epoch", "status"):
        table.add_column(header, justify="right" if header != "status" else "left")
    groups: dict[tuple[Any, Any], TrialLog] = {}
    for log in trials.values():
        if log.best is None:
            continue
        config = log.about["config"]
        key = (config.get("sparsity", 0.0), config.get("epsilon", 0.0))
        held = groups.get(key)
        if held is None or held.best is None or log.best["val_loss"] < held.best["val_loss"]:
            groups[key] = log
    for (sparsity, epsilon), log in sorted(groups.items(), key=lambda item: item[0]):
        assert log.best is not None
        table.add_row(
            f"{sparsity:g}",
            f"{epsilon:g}",
            _short(log.about["config"].get("lr", "")),
            f"{log.best['val_loss']:.4f}",
            str(len(log.epochs)),
            log.end["status"] if log.end else "running",
        )
    return table


def _ending(log: TrialLog) -> str:
    assert log.end is not None
    status = log.end["status"]
    if status == "completed":
        return f"CVaR 5 % {log.end['cvar_05']:.3f} after {len(log.epochs)} epochs"
    if status == "stopped":
        return f"stopped by ASHA after epoch {len(log.epochs)}"
    return f"{status}: {log.end.get('error')}" if log.end.get("error") else str(status)


def _short(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
