"""What a trial of each kind takes on this machine, timed on a few epochs in a process of its own.

A fresh process knows its own peak of memory and starts as a worker does. Seconds are those of its
processor, so that whatever else the machine does now is left out. Large studies are timed on fewer
paths, and their seconds scaled by the arithmetic that was left out.
"""

import json
import math
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch

from hedgecore.config import from_mapping, to_mapping
from hedgecore.hedging.config import DenseConfig, MarketConfig
from hedgecore.hedging.markets import path_bytes
from hedgecore.hedging.preparation import prepare
from hedgecore.hedging.robustness import EvaluationConfig
from hedgecore.hedging.study import TicketStudy
from hedgecore.hedging.ticket import assess_ticket, draw_ticket, train_ticket
from hedgecore.hedging.work import assessment_work, epoch_work, kind, manageable
from sweeps.errors import UsageError

MOST_KINDS = 6
EPOCHS = 2
"""Epochs that are timed, after one to warm up."""
_LONG = 5.0
"""Seconds after which one epoch is enough."""
_WORK = 4e10
"""Multiply-adds (see :func:`epoch_work`) that are timed in full: a few seconds on one core."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """Seconds and bytes of the kinds of trial that were timed, on one core and one thread.

    Args:
        epochs: seconds of one epoch, by kind.
        tests: seconds of all tests of a finished network, by kind of the dense study.
        setups: seconds of a preparation without its epochs and tests, by kind of the dense study.
        startup: seconds until a fresh process has imported what a worker needs.
        idle: bytes of such a process before it works.
        worker: most bytes of a process that trains, without the libraries and arrays that all of
            them share.
    """

    epochs: Mapping[TicketStudy, float]
    tests: Mapping[TicketStudy, float]
    setups: Mapping[TicketStudy, float]
    startup: float
    idle: int
    worker: int

    def epoch_seconds(self, study: TicketStudy) -> float:
        """Seconds of one training epoch of ``study``."""
        return _nearest(self.epochs, kind(study), epoch_work)

    def test_seconds(self, study: TicketStudy) -> float:
        """Seconds of all tests of a network of ``study``, dense or ticket."""
        return _nearest(self.tests, kind(study.dense_study()), assessment_work)

    def setup_seconds(self, study: TicketStudy) -> float:
        """Seconds of the preparation of ``study`` beside its epochs and tests."""
        return _nearest(self.setups, kind(study.dense_study()), path_bytes)


def probe(studies: Iterable[TicketStudy]) -> Probe:
    """Time the kinds of ``studies``, at most ``MOST_KINDS`` and those of their dense baselines.

    Takes seconds to a few minutes. If there are more kinds, those timed are spread over the range
    of work, and :class:`Probe` scales the nearest for each of the others.

    Raises:
        UsageError: there is not enough memory for it.
    """
    kinds = sorted(dict.fromkeys(map(kind, studies)), key=epoch_work)
    timed = _spread(kinds, MOST_KINDS)
    groups: dict[TicketStudy, dict[TicketStudy, None]] = {}
    for study in timed:
        dense = kind(study.dense_study())
        groups.setdefault(dense, {dense: None})[study] = None
    asked = [[to_mapping(study) for study in group] for group in groups.values()]
    done = subprocess.run(
        [sys.executable, "-c", "from sweeps.planning.probe import answer; answer()"],
        input=json.dumps(asked),
        stdout=subprocess.PIPE,
        text=True,
    )
    if done.returncode < 0:
        raise UsageError(
            f"the probe was killed by signal {-done.returncode}, probably for want of memory; "
            "give the machine more, or plan with --no-probe"
        )
    done.check_returncode()
    told = json.loads(done.stdout)
    return Probe(
        epochs={
            study: seconds
            for group, times in zip(groups.values(), told["groups"], strict=True)
            for study, seconds in zip(group, times["epochs"], strict=True)
        },
        tests={d: times["test"] for d, times in zip(groups, told["groups"], strict=True)},
        setups={d: times["setup"] for d, times in zip(groups, told["groups"], strict=True)},
        startup=told["startup"],
        idle=told["idle"],
        worker=told["worker"],
    )


def answer() -> None:
    """Time the groups of kinds on standard input, each led by its dense one; the child's part."""
    startup, idle = time.process_time(), _resident("VmRSS")
    torch.set_num_threads(1)  # as in a trial
    groups, shared = [], 0
    for group in json.load(sys.stdin):
        kinds = [from_mapping(TicketStudy, mapping) for mapping in group]
        market, evaluation = manageable(kinds, most=_WORK)
        groups.append(_timed(kinds, market, evaluation))
        shared = max(shared, path_bytes(replace(kinds[0], market=market)))
    worker = _resident("VmHWM") - _resident("RssFile") - shared
    print(json.dumps({"groups": groups, "startup": startup, "idle": idle, "worker": worker}))


def _timed(
    kinds: Sequence[TicketStudy], market: MarketConfig, evaluation: EvaluationConfig
) -> dict[str, Any]:
    """Seconds of ``kinds``, which share a dense study, as if none of their paths were left out."""
    dense = replace(kinds[0], market=market, evaluation=EvaluationConfig())
    began = time.process_time()
    # Times need no trained theta_star: one epoch is a dense baseline.
    preparation = prepare(replace(dense, dense=DenseConfig(epochs=1)), seed=0)
    prepared = time.process_time() - began
    epochs = []
    for full in kinds:
        study = replace(full, market=market, evaluation=evaluation)
        marks = [time.process_time()]
        for epoch in train_ticket(study, preparation, draw_ticket(study, preparation)):
            marks.append(time.process_time())
            if epoch.epoch > EPOCHS or marks[-1] - marks[0] > _LONG:
                break
        lasted = [after - before for before, after in pairwise(marks)]
        timed = lasted[1:] or lasted
        epochs.append(sum(timed) / len(timed))
    began = time.process_time()
    assess_ticket(study, preparation, epoch.theta)
    tested = time.process_time() - began
    whole, part = kinds[0], replace(kinds[0], market=market, evaluation=evaluation)
    return {
        "setup": max(prepared - epochs[0], 0.0) * path_bytes(whole) / path_bytes(part),
        "test": tested * assessment_work(whole) / assessment_work(part),
        "epochs": [
            seconds * epoch_work(full) / epoch_work(replace(full, market=market))
            for full, seconds in zip(kinds, epochs, strict=True)
        ],
    }


def _nearest(
    seconds: Mapping[TicketStudy, float], wanted: TicketStudy, work: Callable[[TicketStudy], float]
) -> float:
    """Seconds of ``wanted``, or those of the timed study nearest in work, scaled to its own."""
    if wanted in seconds:
        return seconds[wanted]
    near = min(seconds, key=lambda study: abs(math.log(work(study) / work(wanted))))
    return seconds[near] * work(wanted) / work(near)


def _spread(kinds: Sequence[TicketStudy], most: int) -> list[TicketStudy]:
    """At most ``most`` of ``kinds``, evenly spread, both ends among them."""
    if len(kinds) <= most:
        return list(kinds)
    return [kinds[round(i * (len(kinds) - 1) / (most - 1))] for i in range(most)]


def _resident(entry: str) -> int:
    """Bytes of this process: ``VmRSS`` now, ``RssFile`` of those for libraries, ``VmHWM`` at most.

    Not ru_maxrss where it can be helped: a child inherits in it the peak of whoever started it.
    """
    status = Path("/proc/self/status")
    if not status.exists():  # elsewhere than on Linux the peak, in bytes, must do
        return 0 if entry == "RssFile" else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    lines = status.read_text().splitlines()
    return int(next(line for line in lines if line.startswith(entry)).split()[1]) * 1024
