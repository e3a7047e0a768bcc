"""Sweeps in separate processes: start, observation, kill, and comparison of results."""

import io
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import pandas as pd

import analysis
from sweeps.experiments import experiment
from sweeps.journal.code_identity import code_identity
from sweeps.journal.journal import read
from sweeps.journal.records import record_of
from sweeps.journal.state import SweepState
from sweeps.monitoring.progress import PlainLines, State
from sweeps.outcome import SOME_FAILED

ROOT = Path(__file__).resolve().parents[2]

# Two strata of four configurations at two seeds, one of which cannot learn: a sweep of it ends
# with SOME_FAILED.
SPACE = """\
experiment: tickets
space:
  sparsity: {grid: [0.0, 0.8]}
  lr: {grid: [1.0e-2, 1.0e-4, 1.0e-5, 1.0e+15]}
  epsilon: {grid: [0.0]}
  seed: {grid: [0, 1]}
study:
  market: {train_paths: 512, val_paths: 512, test_paths: 512, steps: 6}
  network: {hidden: [8, 8]}
  training: {epochs: 4, batch_size: 128, schedule: constant}
  dense: {lr: 1.0e-2, epochs: 2}
  attack: {name: path_fgsm}
  evaluation: {path_fgsm: [0.2]}
scheduler:
  asha: {grace_period: 1, reduction_factor: 2, stratify_by: [sparsity], replicates: seed}
"""
AUDIT = 0.5
LONGEST_RUNG = 2  # epochs, from 2 to 4
RUN = ("-m", "sweeps", "run")
# Names that Ray gives the process of a lane, in a step of Tune and between.
LANE = ("ray::ResourceTrainable", "ray::Lane")
# They watch a Ray that has gone for 60 s before they go themselves.
_AGENTS = ("ray::DashboardAgent", "ray::RuntimeEnvAgent")
_PATIENCE = 300.0  # seconds on a machine that has other things to do


class Driver:
    """``hedgesweep run``, in a session of its own by which all it starts can be told.

    Args:
        space: a YAML file.
        storage: where it keeps what it finds.
        options: further ones of the command line.
        program: what Python is to run instead.
        environment: variables to set; those that are None to unset.
    """

    def __init__(
        self,
        space: Path,
        storage: Path,
        *options: str,
        program: Sequence[str] = RUN,
        **environment: str | None,
    ) -> None:
        wanted = {**os.environ, "RAY_USAGE_STATS_ENABLED": "0", **environment}
        # Files, not pipes: who outlives the driver would hold a pipe open.
        self._out, self._err = (tempfile.TemporaryFile() for _ in range(2))  # noqa: SIM115
        self.process = subprocess.Popen(
            [sys.executable, *program, str(space), "--storage", str(storage), *options],
            cwd=ROOT,
            env={name: value for name, value in wanted.items() if value is not None},
            stdout=self._out,
            stderr=self._err,
            start_new_session=True,
        )
        self.storage = storage

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        if self.process.poll() is None:
            self.kill()
        self._out.close()
        self._err.close()

    @property
    def said(self) -> list[str]:
        """Its whole lines; a line it died in was said to nobody."""
        text = os.pread(self._out.fileno(), 2**24, 0).decode()
        return [line for line in text.splitlines(keepends=True) if line.endswith("\n")]

    @property
    def errors(self) -> str:
        """What it wrote to stderr."""
        return os.pread(self._err.fileno(), 2**24, 0).decode()

    def meets(self, condition: Callable[[], bool]) -> bool:
        """Wait for ``condition``; False if the driver ends before it holds."""
        deadline = time.monotonic() + _PATIENCE
        while not condition():
            if self.process.poll() is not None:
                return False
            assert time.monotonic() < deadline, f"it hangs: {self.said[-1:]} {self.errors}"
            time.sleep(0.02)
        return True

    def says(self, text: str) -> bool:
        """Wait for a line with ``text``; False if the driver ends without one."""
        return self.meets(lambda: any(text in line for line in self.said))

    def records(self, number: int) -> bool:
        """Wait for so many further log lines; False if the driver ends before them."""
        before = logged(self.storage)
        return self.meets(lambda: logged(self.storage) >= before + number)

    def segments(self, number: int) -> bool:
        """Wait for so many segments in the log; False if the driver ends before them."""
        return self.meets(lambda: logged(self.storage, b'{"type":"segment"') >= number)

    def trains(self) -> bool:
        """Wait for a trial that runs after a first segment; False if the driver ends before."""
        kinds = (b'{"type":"segment"', b'{"type":"begin"')

        def running() -> bool:
            segments, begun = (logged(self.storage, kind) for kind in kinds)
            return 0 < segments < begun

        return self.meets(running)

    def kill(self) -> None:
        """SIGKILL, which nothing can be done about."""
        self.process.kill()
        self.process.wait()

    def interrupt(self, number: int) -> int:
        """Send the signal; the exit code."""
        self.process.send_signal(number)
        return self.ends()

    def ends(self) -> int:
        """Wait for its end; the exit code."""
        return self.process.wait(_PATIENCE)

    @property
    def processes(self) -> dict[int, str]:
        """What is alive of all it started, itself included: command lines by process number."""
        return dict(_alive(session=self.process.pid))

    @property
    def lanes(self) -> list[int]:
        """The processes that train."""
        return [pid for pid, title in self.processes.items() if title.startswith(LANE)]

    def leaves_no_process(self) -> None:
        """I5: whatever it started ends; two idle agents of Ray may take a minute."""
        deadline = time.monotonic() + _PATIENCE
        while left := [title for title in self.processes.values() if title not in _AGENTS]:
            assert time.monotonic() < deadline, f"I5: still alive: {left}"
            time.sleep(0.05)


def logged(storage: Path, text: bytes = b"\n") -> int:
    """Lines of the log, whole or not; or how often it holds ``text``."""
    return sum(f.read_bytes().count(text) for f in (storage / "log").glob("*.jsonl"))


def tables(storage: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Trials and epochs, but for how long they took."""
    trials, epochs = analysis.load_trials(storage), analysis.load_epochs(storage)
    return trials.drop(columns="seconds"), epochs.drop(columns="seconds")


def models(storage: Path) -> dict[str, bytes]:
    """The trained tickets, by their place."""
    found = (storage / "models").rglob("*.safetensors")
    return {file.relative_to(storage).as_posix(): file.read_bytes() for file in found}


def same(storage: Path, reference: Path) -> None:
    """I4 and I8: the tables and the models of ``reference``, theta_0 included."""
    for mine, theirs in zip(tables(storage), tables(reference), strict=True):
        pd.testing.assert_frame_equal(mine, theirs, obj="I4: table")
    assert models(storage) == models(reference), "I4: models differ"
    hashes = tables(storage)[0].groupby("config/seed")["theta_0_sha256"]
    assert (hashes.nunique() == 1).all(), "I8: theta_0 changed"


def acknowledged(lines: Sequence[str], storage: Path) -> int:
    """I1: number of ends of trials in a driver's ``lines``, each of which its log must hold."""
    state = SweepState(code_identity("tickets"))
    for record in read(storage):
        state.apply(record_of(record))
    again = io.StringIO()
    with redirect_stdout(again):
        PlainLines().update(
            State(
                experiment=experiment("tickets"),
                trials=state.trials,
                total=0,
                running_ids=frozenset(),
                began=0.0,
                first_trial=0.0,
            )
        )
    told = list(_endings(lines))
    lost = set(told) - set(_endings(again.getvalue().splitlines()))
    assert not lost, f"I1: acknowledged, but lost: {sorted(lost)}"
    return len(told)


def begun_again(storage: Path) -> int:
    """I7: segments that were begun and not recorded, each of one rung at most."""
    kinds = Counter(record["type"] for record in read(storage))
    return kinds["begin"] - kinds["segment"]


def repeated(storage: Path) -> int:
    """I7: epochs that the log has from more than one training."""
    epochs = Counter(
        (record["trial_id"], row["epoch"])
        for record in read(storage)
        if record["type"] == "segment"
        for row in record["rows"]
    )
    return epochs.total() - len(epochs)


Moment = Callable[[Driver, random.Random], bool]
"""Waits for a moment of a driver's life; False if that ended before."""


@dataclass(slots=True)
class Toll:
    """What a sweep that was killed went through.

    Args:
        kills: times that its driver was killed.
        acknowledged: ends of trials that it told of and that were found in the log.
        begun_again: segments, of a rung each, that a kill cut off.
        repeated: epochs that were trained and recorded twice.
        seconds: from its first start to its end.
    """

    kills: int = 0
    acknowledged: int = 0
    begun_again: int = 0
    repeated: int = 0
    seconds: float = 0.0


def killed(space: Path, storage: Path, moments: Iterable[Moment], drawn: random.Random) -> Toll:
    """Run ``space``, kill its driver at every one of ``moments`` that comes, and let it end."""
    toll, began = Toll(), time.monotonic()
    for moment in moments:
        with Driver(space, storage, "--audit", str(AUDIT)) as driver:
            if moment(driver, drawn):
                toll.kills += driver.process.poll() is None
                driver.kill()
            assert driver.process.returncode in (SOME_FAILED, -9), driver.errors
            driver.leaves_no_process()
            toll.acknowledged += acknowledged(driver.said, storage)
    with Driver(space, storage, "--audit", str(AUDIT)) as driver:
        assert driver.ends() == SOME_FAILED, driver.errors
        toll.acknowledged += acknowledged(driver.said, storage)
    toll.seconds = time.monotonic() - began
    toll.begun_again, toll.repeated = begun_again(storage), repeated(storage)
    return toll


def at_the_start(driver: Driver, drawn: random.Random) -> bool:
    """Within the first second."""
    time.sleep(drawn.uniform(0, 1))
    return True


def while_it_prepares(driver: Driver, drawn: random.Random) -> bool:
    """Paths are drawn and dense baselines trained; only once in a storage."""
    return driver.says("preparing") and _later(drawn, 3.0)


def while_it_trains(driver: Driver, drawn: random.Random) -> bool:
    """Trials are on their way, and others have ended."""
    return driver.records(drawn.randint(20, 40)) and _later(drawn, 0.2)


def soon_after_it_goes_on(driver: Driver, drawn: random.Random) -> bool:
    """A few records further than the last driver came."""
    return driver.records(drawn.randint(2, 8)) and _later(drawn, 0.2)


def _later(drawn: random.Random, most: float) -> bool:
    time.sleep(drawn.uniform(0, most))
    return True


def _endings(lines: Sequence[str]) -> Iterator[str]:
    """Of lines such as "1/8 done ... | sparsity=0 lr=0.01: stopped" what is behind the bar."""
    found = (re.fullmatch(r"\d+/\d+ done .* \| (.*)", line.rstrip("\n")) for line in lines)
    return (match[1] for match in found if match)


def _alive(session: int) -> Iterator[tuple[int, str]]:
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            state, _, _, of, *_ = (folder / "stat").read_text().rpartition(")")[2].split()
            if int(of) == session and state not in "ZX":
                title = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
                yield int(folder.name), title
        except (FileNotFoundError, ProcessLookupError):  # it has just ended
            continue
