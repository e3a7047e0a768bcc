"""F8: in one sweep, trials whose first attempt dies, each in its own way."""

import ctypes
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from local_sweep import run_locally
from reliability.sweeping import tables
from spaces import TINY

import sweeps
from hedgecore.protocols import Run
from sweeps import SilentProgress, SweepError
from sweeps.execution import ray_sweep
from sweeps.journal.journal import read

pytestmark = [
    pytest.mark.ray,
    pytest.mark.slow,
    # Ray and what it imports warn of their own future; nothing here can mend that.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

# One trial a death, told apart by its learning rate.
RATES = {
    "SIGKILL": 1e-2,
    "SIGSEGV": 8e-3,
    "exit": 6e-3,
    "exception": 5e-3,
    "hang": 4e-3,
    "out of memory": 3e-3,
    "recursion": 2e-3,
    "garbage": 1e-3,
}
RECOVERS = ["SIGKILL", "SIGSEGV", "exit", "hang"]
FAILS = {
    "exception": "RuntimeError: the market is closed",
    "out of memory": "MemoryError",
    "recursion": "RecursionError: maximum recursion depth exceeded",
}
PATIENCE = 10.0  # seconds; a segment takes a few milliseconds


def overrides(deaths: list[str]) -> dict[str, Any]:
    return {
        "space.lr.grid": [RATES[death] for death in deaths],
        "space.sparsity.grid": [0.8],
        "space.epsilon.grid": [0.2],
        "study.dense.epochs": 1,
    }


def deadly(folder: Path, *, attempts: int) -> Callable[..., Any]:
    """``open_trial`` that dies in the first ``attempts`` of each trial; noted in ``folder``.

    All in one function, which goes to a worker by value.
    """
    whole, by_rate = ray_sweep.open_trial, {rate: death for death, rate in RATES.items()}

    def recurse() -> None:
        recurse()

    def close() -> None:
        raise RuntimeError("the market is closed")

    deaths = {
        "SIGKILL": lambda: os.kill(os.getpid(), signal.SIGKILL),
        "SIGSEGV": lambda: ctypes.string_at(0),
        "exit": lambda: os._exit(1),
        "exception": close,
        "hang": lambda: time.sleep(3600),
        "out of memory": lambda: bytearray(2**60),
        "recursion": recurse,
    }

    class Garbage:
        def __init__(self, run: Run) -> None:
            self.facts, self._run = run.facts, run

        def __getattr__(self, name: str) -> Any:
            return getattr(self._run, name)

        def epochs(self) -> Iterator[dict[str, Any]]:
            for row in self._run.epochs():
                yield {**row, "val_pnl_mean": float("nan"), "grad_norm": float("inf")}

    def opened(trial: dict[str, Any], checkpoint: bytes | None, **shared: Any) -> Any:
        death = by_rate[trial["config"]["lr"]]
        attempt = len(list(folder.glob(f"{death}.*")))
        (folder / f"{death}.{attempt}").touch()
        if attempt < attempts and death in deaths:
            deaths[death]()
        run = whole(trial, checkpoint, **shared)
        return Garbage(run) if death == "garbage" else run

    return opened


def sweep(folder: Path, deaths: list[str], *, attempts: int) -> sweeps.Sweep:
    (folder / "tiny.yaml").write_text(TINY)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(ray_sweep, "open_trial", deadly(folder, attempts=attempts))
        return sweeps.run(
            folder / "tiny.yaml",
            storage=folder / "out",
            overrides=overrides(deaths),
            hang_after=PATIENCE,
            progress=SilentProgress(),
        )


@pytest.fixture(scope="module")
def died(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, sweeps.Sweep]:
    """The sweep in which the first attempt of every trial dies."""
    folder = tmp_path_factory.mktemp("died")
    return folder, sweep(folder, list(RATES), attempts=1)


def by_death(storage: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Trials by death, and their epochs with it as a column."""
    names = {rate: death for death, rate in RATES.items()}
    trials, epochs = tables(storage)
    trials = trials.assign(death=trials["config/lr"].map(names)).set_index("death")
    return trials, epochs.assign(death=epochs["config/lr"].map(names))


def test_the_sweep_ends_and_every_trial_has_its_fate(died):
    _, sweep = died
    assert sweep.counts == {"completed": len(RATES) - len(FAILS), "failed": len(FAILS)}
    assert sweep.unfinished == 0


def test_trials_whose_worker_died_once_come_out_as_if_it_had_not(died, tmp_path):
    folder, _ = died
    run_locally(folder / "tiny.yaml", tmp_path / "undisturbed", overrides=overrides(list(RATES)))
    for mine, theirs in zip(
        by_death(folder / "out"), by_death(tmp_path / "undisturbed"), strict=True
    ):
        if "death" in mine:
            mine, theirs = (t[t["death"].isin(RECOVERS)] for t in (mine, theirs))
        else:
            mine, theirs = (t.loc[RECOVERS].drop(columns="error") for t in (mine, theirs))
        pd.testing.assert_frame_equal(mine.reset_index(drop=True), theirs.reset_index(drop=True))


def test_what_a_trial_raises_is_in_its_row(died):
    trials, _ = by_death(died[0] / "out")
    assert trials.loc[list(FAILS), "error"].to_dict() == FAILS


def test_numbers_that_are_none_are_missing_and_end_nothing(died):
    trials, epochs = by_death(died[0] / "out")
    garbage = epochs[epochs["death"] == "garbage"]
    assert garbage[["val_pnl_mean", "grad_norm"]].isna().all().all()
    assert garbage["val_loss"].notna().all()
    assert trials.loc["garbage", "status"] == "completed"


def test_the_log_says_what_became_of_every_worker_that_was_lost(died):
    folder, _ = died
    records = list(read(folder / "out"))
    rates = {r["trial_id"]: r["config"]["lr"] for r in records if r["type"] == "trial"}
    lost = {rates[r["trial_id"]]: r["error"] for r in records if r["type"] == "lost"}
    assert set(lost) == {RATES[death] for death in RECOVERS}
    assert lost.pop(RATES["hang"]) == "it hung: no rung within 10 s"
    assert all("worker process has died" in error for error in lost.values()), lost
    assert all(len(error) < 250 for error in lost.values()), lost


@pytest.mark.slow
def test_a_segment_that_takes_down_four_workers_in_a_row_fails_with_the_reason(tmp_path):
    sweep(tmp_path, ["SIGKILL", "exit", "garbage"], attempts=99)
    trials, _ = by_death(tmp_path / "out")
    assert trials["status"].to_dict() == {
        "SIGKILL": "failed", "exit": "failed", "garbage": "completed"
    }  # fmt: skip
    errors = trials.loc[["SIGKILL", "exit"], "error"]
    assert errors.str.contains(r"worker process has died.*\(4 times in a row\)$").all(), errors
    assert all(len(list(tmp_path.glob(f"{death}.*"))) == 4 for death in errors.index)


@pytest.mark.slow
def test_workers_that_cannot_even_begin_end_the_sweep_with_the_reason(tmp_path):
    (tmp_path / "tiny.yaml").write_text(TINY)

    class Unreadable:
        def __reduce__(self) -> tuple[Any, ...]:
            return os._exit, (1,)

    def opened(*args: Any, bomb: Any = Unreadable(), **kwargs: Any) -> Any:  # noqa: B008
        raise AssertionError("a worker read it")

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(ray_sweep, "open_trial", opened)
        with pytest.raises(SweepError, match="workers die before they run anything: The actor"):
            sweeps.run(tmp_path / "tiny.yaml", storage=tmp_path / "out", progress=SilentProgress())
