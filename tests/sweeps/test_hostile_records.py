"""Well-formed records with wrong fields: a one-line error or no effect, never a traceback."""

import copy
import functools
import json
import operator
import shutil
from pathlib import Path

import pytest
from local_sweep import reseal, run_locally
from quick import quick_of
from spaces import TINY, TINY_XNN

from sweeps.driver import engine_for
from sweeps.errors import UsageError
from sweeps.experiments import experiment
from sweeps.inspection.replay import replay
from sweeps.inspection.verify import verify
from sweeps.journal import lines, requests
from sweeps.journal.code_identity import code_identity
from sweeps.journal.history import History
from sweeps.journal.records import SharedBytes
from sweeps.journal.requests import Request
from sweeps.journal.stored_sweep import StoredSweep
from sweeps.monitoring.status import lines as status_lines
from sweeps.monitoring.status import status
from sweeps.planning.plan import Plan, plan
from sweeps.scheduling.ledger import Ledger
from sweeps.simulation.curves import source

ASHA = "{asha: {metric: val_loss, mode: min, grace_period: 1, reduction_factor: 2}}"
# Few paths: what records hold is read, hardly ever trained again.
JUDGED = TINY.replace("_paths: 512", "_paths: 128").replace(
    "scheduler: null", f"scheduler: {ASHA}"
)
VALUES = (
    None, True, -1, 0, 7, 10**9, 10**30, 1.5, 1e308, "", "x", "../../x", "\x1b[2J", "0" * 64,
    [], [1], ["x"], [[]], {}, {"x": 1}, {"epoch": 1},
)  # fmt: skip


@pytest.fixture(
    scope="module", params=quick_of([JUDGED, TINY_XNN], every=2), ids=["tickets", "xnn"]
)
def storage(request, tmp_path_factory):
    """A sweep that was interrupted and resumed, so that its log has files, of every record."""
    path = tmp_path_factory.mktemp("storage") / "swept"
    audit = 0.0 if request.param is TINY_XNN else 0.3
    run_locally(request.param, path, audit=audit, stop_after=5)
    trials = StoredSweep.read(path).state.trials
    victim = next(trial_id for trial_id, trial in trials.items() if trial.ended is None)
    rate = "lr" if "lr" in trials[victim].config else "training.lr"
    axes = {**trials[victim].config, rate: 2e-3}
    del axes["seed"]
    requests.leave(path, Request(kind="enqueue", config=axes))
    for kind in ("stop", "retry"):
        requests.leave(path, Request(kind=kind, trials=(victim,)))
    run_locally(request.param, path, audit=audit)
    planned = plan(path.with_suffix(".yaml"))
    name = planned.space.experiment
    ledger = Ledger(
        path, core=code_identity(name), engine=engine_for(planned), experiment=planned.experiment
    )
    # Only a sweep on Ray has one.
    ledger.append(SharedBytes(theta_0=900, data=10**6, files=0, nodes=2, sent=900))
    ledger.close()
    assert {"stop", "enqueue", "retry", "shared"} <= {kind for _, _, kind in kinds(path)}
    return path


def places(value, path=()):
    """The path of every value within a record, containers included; of a list the ends."""
    if path:
        yield path
    if isinstance(value, dict):
        for name in value:
            yield from places(value[name], (*path, name))
    elif isinstance(value, list) and value:
        for i in {0, len(value) - 1}:
            yield from places(value[i], (*path, i))


def mutations(record):
    """Changes of ``record``: a path within it, and any other value there; KeyError removes it."""
    yield ("stranger",), 1
    for path in places(record):
        for value in (*VALUES, KeyError):
            if value is KeyError or functools.reduce(operator.getitem, path, record) != value:
                yield path, value


def mutated(record, path, value):
    """A copy of ``record`` with ``value`` at ``path``, or nothing for KeyError."""
    changed = copy.deepcopy(record)
    *outer, last = path
    inner = functools.reduce(operator.getitem, outer, changed)
    if value is KeyError:
        del inner[last]
    else:
        inner[last] = value
    return changed


def read_all(storage: Path, planned: Plan, *, trains: bool) -> None:
    """Run every fold over a log; a replay only if it ``trains``."""
    status_lines(status(storage))
    recorded = StoredSweep.read(storage)
    verified = verify(storage)
    assert all("\n" not in line for line in verified.lines())
    source(storage)
    if trains:
        replay(storage, next(iter(recorded.state.trials)))
    name = planned.space.experiment
    ledger = Ledger(
        storage, core=code_identity(name), engine=engine_for(planned), experiment=experiment(name)
    )
    ledger.close()


def kinds(storage: Path) -> list[tuple[Path, int, str]]:
    """The first and the last record of every kind: file, line from 0, and type."""
    first, last = {}, {}
    for file in sorted((storage / "log").glob("*.jsonl")):
        for number, text in enumerate(file.read_bytes().splitlines()):
            kind = json.loads(text)["type"]
            first.setdefault(kind, (file, number, kind))
            last[kind] = file, number, kind
    return sorted({*first.values(), *last.values()})


def read_as_refused_or_harmless(storage: Path, planned: Plan, *, trains: bool) -> bool:
    """True if the states were reached; only one-line errors of this project may be raised."""
    reached = False
    try:
        for _ in History(storage):
            pass
        reached = True
        read_all(storage, planned, trains=trains)
    except UsageError as error:
        if "\n" in str(error):
            raise
    return reached


def examine(storage: Path, every: int, tmp_path: Path) -> tuple[int, int]:
    """Mutations that were refused while reading, and that reached the states."""
    found = {False: 0, True: 0}
    count = 0
    target, planned = tmp_path / "copy", plan(storage.with_suffix(".yaml"))
    for file, number, kind in kinds(storage):
        texts = file.read_bytes().splitlines(keepends=True)
        line = lines.decode(texts[number])
        record = json.loads(line.fields)
        for path, value in mutations(record):
            count += 1
            if count % every:
                continue
            changed = mutated(record, path, value)
            # What a start record names is examined with the chain of files.
            if kind == "start" and "before" not in changed:
                continue
            shutil.copytree(storage, target)
            text = lines.encode(changed, line.n, line.synced)
            content = b"".join([*texts[:number], text, *texts[number + 1 :]])
            (target / "log" / file.name).write_bytes(content)
            reseal(target)
            trains = not count % (5 * every)
            found[read_as_refused_or_harmless(target, planned, trains=trains)] += 1
            shutil.rmtree(target)
    return found[False], found[True]


def test_one_mutation_in_many_is_a_line_or_harmless(storage, tmp_path):
    refused, reached = examine(storage, 193, tmp_path)
    assert refused > 20
    assert reached > 5


@pytest.mark.slow
def test_every_mutation_is_a_line_or_harmless(storage, tmp_path):
    refused, reached = examine(storage, 1, tmp_path)
    assert refused + reached > 2000


def test_control_the_undisturbed_log_is_read_by_all(storage, tmp_path):
    shutil.copytree(storage, tmp_path / "copy")
    read_all(tmp_path / "copy", plan(storage.with_suffix(".yaml")), trains=True)
