"""Probe: epoch times of each kind of trial on this machine, measured in a new process.

A new process measures its own peak of memory and starts like a worker. Seconds are CPU time, so
that other load on the machine does not count. Large studies are timed on fewer paths, and their
seconds scaled by the omitted arithmetic.
"""

import ctypes
import json
import math
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from hedgecore.config import from_mapping, to_mapping
from hedgecore.experiment import Experiment, Study
from hedgecore.fingerprints import tensor_sha256
from hedgecore.threads import one_thread
from hedgecore.training.run import TrialRun
from sweeps import origin
from sweeps.errors import UsageError
from sweeps.experiments import experiment

MOST_KINDS = 6
EPOCHS = 2
"""Epochs that are timed, after one to warm up."""
_LONG = 5.0
"""Seconds after which one epoch is enough."""
_WORK = 4e10
"""Multiply-adds up to which an epoch is timed in full: a few seconds on one core."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """Seconds and bytes of the kinds of trial that were timed, on one core and one thread."""

    experiment: str
    epochs: Mapping[Study, float]  # seconds of one epoch, by kind
    tests: Mapping[Study, float]  # seconds of all tests of a network, by kind of the shared study
    setups: Mapping[
        Study, float
    ]  # seconds of a preparation without epochs and tests, by kind of the shared study
    startup: float  # seconds until a new process has imported the modules of a worker
    idle: int  # bytes of such a process before it works
    worker: int  # peak bytes of a process that trains, without shared libraries and arrays

    def epoch_seconds(self, study: Study) -> float:
        """Seconds of one training epoch of ``study``."""
        cost = experiment(self.experiment).cost
        return _nearest(self.epochs, cost.timing_key(study), cost.epoch_work)

    def test_seconds(self, study: Study) -> float:
        """Seconds of all tests of a network of ``study``, of a trial or of a baseline."""
        cost = experiment(self.experiment).cost
        return _nearest(self.tests, cost.timing_key(study.shared_study()), cost.test_work)

    def setup_seconds(self, study: Study) -> float:
        """Seconds of the preparation of ``study`` without its epochs and tests."""
        cost = experiment(self.experiment).cost
        return _nearest(self.setups, cost.timing_key(study.shared_study()), cost.setup_work)


def probe(name: str, studies: Iterable[Study]) -> Probe:
    """Time the kinds of ``studies``, at most ``MOST_KINDS`` and those of what they share.

    Takes seconds to a few minutes. If there are more kinds, those timed are spread over the range
    of work, and :class:`Probe` scales the nearest for each of the others.

    Raises:
        UsageError: memory is insufficient, or the data are unavailable.
    """
    cost = experiment(name).cost
    kinds = sorted(dict.fromkeys(map(cost.timing_key, studies)), key=cost.epoch_work)
    groups: dict[Study, dict[Study, None]] = {}
    for study in _spread(kinds, MOST_KINDS):
        shared = cost.timing_key(study.shared_study())
        groups.setdefault(shared, {shared: None})[study] = None
    plain = [[to_mapping(study) for study in group] for group in groups.values()]
    process = subprocess.run(
        [*origin.PYTHON, "-c", "from sweeps.planning.probe import answer; answer()"],
        input=json.dumps({"experiment": name, "groups": plain}),
        stdout=subprocess.PIPE,
        text=True,
    )
    if process.returncode < 0:
        raise UsageError(
            f"the probe was killed by signal {-process.returncode}, probably for want of memory; "
            "give the machine more, or plan with --no-probe"
        )
    process.check_returncode()
    reply = json.loads(process.stdout)
    if "problem" in reply:
        raise UsageError(reply["problem"])
    return Probe(
        experiment=name,
        epochs={
            study: seconds
            for group, times in zip(groups.values(), reply["groups"], strict=True)
            for study, seconds in zip(group, times["epochs"], strict=True)
        },
        tests={d: times["test"] for d, times in zip(groups, reply["groups"], strict=True)},
        setups={d: times["setup"] for d, times in zip(groups, reply["groups"], strict=True)},
        **{name: reply[name] for name in ("startup", "idle", "worker")},
    )


def answer() -> None:
    """Time the groups of kinds on standard input, each led by the shared one; the child's part."""
    if sys.platform == "linux":  # so that it does not outlive a killed plan
        set_parent_death_signal = 1
        ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGKILL)
    question = json.load(sys.stdin)
    swept_experiment = experiment(question["experiment"])
    startup, idle = time.process_time(), _resident("VmRSS")
    one_thread()  # as in a trial
    groups, shared = [], 0
    try:
        for group in question["groups"]:
            kinds = [from_mapping(swept_experiment.study, mapping) for mapping in group]
            parts = swept_experiment.cost.reduced(kinds, most=_WORK)
            groups.append(_measure(swept_experiment, kinds, parts))
            shared = max(shared, swept_experiment.cost.data_bytes(parts[0]))
    except (ValueError, ArithmeticError) as error:  # including a diverged network
        print(json.dumps({"problem": str(error)}))
        return
    worker = _resident("VmHWM") - _resident("RssFile") - shared
    print(json.dumps({"groups": groups, "startup": startup, "idle": idle, "worker": worker}))


def _measure(
    swept_experiment: Experiment[Any, Any], kinds: Sequence[Study], parts: Sequence[Study]
) -> dict[str, Any]:
    """Seconds of ``kinds``, which share a preparation, scaled from smaller ``parts``."""
    began = time.process_time()
    trainer = swept_experiment.trainer
    preparation = trainer.prepare(parts[0], seed=0)
    if trainer.baselines:
        trainer.baselines(parts[0], preparation)
    prepared = time.process_time() - began
    theta_0 = tensor_sha256(preparation.files["theta_0"].values())
    epochs = []
    for part in parts:
        trial = {"theta_0_sha256": theta_0}
        # A baseline of one epoch may be worse than none.
        run = TrialRun(
            trainer,
            part,
            trial,
            None,
            preparation=preparation,
            device="cpu",
            judged=False,
        )
        marks = [time.process_time()]
        for row in run.epochs():
            marks.append(time.process_time())
            if row["epoch"] > EPOCHS or marks[-1] - marks[0] > _LONG:
                break
        intervals = [after - before for before, after in pairwise(marks)]
        intervals = intervals[1:] or intervals
        epochs.append(sum(intervals) / len(intervals))
    began = time.process_time()
    run.finish()
    tested = time.process_time() - began
    setup = max(prepared - epochs[0] - tested, 0.0)
    whole, part, cost = kinds[0], parts[0], swept_experiment.cost
    return {
        "setup": setup * cost.setup_work(whole) / cost.setup_work(part),
        "test": tested * cost.test_work(whole) / cost.test_work(part),
        "epochs": [
            seconds * cost.epoch_work(whole) / cost.epoch_work(part)
            for whole, part, seconds in zip(kinds, parts, epochs, strict=True)
        ],
    }


def _nearest(
    seconds: Mapping[Study, float], target: Study, work: Callable[[Study], float]
) -> float:
    """Seconds of ``target``, or those of the timed study nearest in work, scaled to its own."""
    if target in seconds:
        return seconds[target]
    closest = min(seconds, key=lambda study: abs(math.log(work(study) / work(target))))
    return seconds[closest] * work(target) / work(closest)


def _spread(kinds: Sequence[Study], most: int) -> list[Study]:
    """At most ``most`` of ``kinds``, evenly spread, both ends among them."""
    if len(kinds) <= most:
        return list(kinds)
    return [kinds[round(i * (len(kinds) - 1) / (most - 1))] for i in range(most)]


def _resident(entry: str) -> int:
    """Bytes of this process: ``VmRSS`` now, ``RssFile`` of those for libraries, ``VmHWM`` at most.

    Not ru_maxrss where avoidable: a child inherits the peak of its parent in it.
    """
    status = Path("/proc/self/status")
    if not status.exists():  # other systems give only the peak, in bytes
        return 0 if entry == "RssFile" else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    lines = status.read_text().splitlines()
    return int(next(line for line in lines if line.startswith(entry)).split()[1]) * 1024
