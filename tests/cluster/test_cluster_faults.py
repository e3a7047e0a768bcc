"""One sweep through the loss of a host, a partition, a new host, and the loss of the head."""

import re
import time

import pytest
from cluster.clusters import HEAD, LATE, SPACE, RemoteSweep, fetched
from cluster.hosts import eventually
from reliability.sweeping import LANE, same

from sweeps.journal.journal import read

STORAGE = "results/faults"
TRIALS = 16


@pytest.fixture(scope="module")
def times(hosts, cluster, seconds):
    """Seconds of the recovery from each fault, and output of the driver; the sweep has ended."""
    times = {}
    hosts.output(HEAD, f"cat > space.yaml <<'end'\n{SPACE}\nend")
    sweep = RemoteSweep(hosts, "space.yaml", STORAGE)
    eventually(lambda: sweep.records("segment") >= 2, seconds=180)

    began = time.monotonic()
    hosts.kill(3)
    eventually(lambda: sweep.records("lost") >= 1, seconds=90)
    times["worker"] = time.monotonic() - began

    began = time.monotonic()
    hosts.cut(2)
    time.sleep(60)
    hosts.plug(2)
    before = sweep.records("segment")
    eventually(lambda: sweep.records("segment") > before, seconds=120)
    times["partition"] = time.monotonic() - began

    began = time.monotonic()
    hosts.start(LATE)
    cluster.complete((2, LATE))
    times["joined"] = time.monotonic() - began
    began = time.monotonic()
    eventually(lambda: any(name in hosts.output(LATE, "ps -eo args") for name in LANE), seconds=60)
    times["work"] = time.monotonic() - began

    began, before = time.monotonic(), sweep.records("lost")
    hosts.vanish(2)
    eventually(lambda: sweep.records("lost") > before, seconds=120)
    times["silence"] = time.monotonic() - began

    assert sweep.status() is None, "the sweep ended before the head was lost"
    began = time.monotonic()
    hosts.output(HEAD, "RAY_AUTH_MODE=token ~/venv/bin/ray stop --force")
    eventually(lambda: sweep.status() is not None, seconds=30, pause=0.2)
    times["head"] = time.monotonic() - began
    assert sweep.status() == 1
    output = sweep.output

    cluster.up()
    cluster.complete((LATE,))
    again = RemoteSweep(hosts, "space.yaml", STORAGE)
    again.wait()
    seconds |= times
    return times | {"output": output}


@pytest.fixture(scope="module")
def storage(hosts, times, tmp_path_factory):
    return fetched(hosts, STORAGE, tmp_path_factory.mktemp("faults") / "copy")


def test_rows_models_and_decisions_are_those_of_a_sweep_without_faults(storage, undisturbed):
    same(storage, undisturbed)


def test_every_row_is_recorded_once(storage):
    rows = [
        (record["trial_id"], row["epoch"])
        for record in read(storage)
        if record["type"] == "segment"
        for row in record["rows"]
    ]
    assert len(rows) == len(set(rows))
    assert len({trial_id for trial_id, _ in rows}) == TRIALS


def test_losses_are_counted_as_those_of_nodes(storage):
    losses = [record for record in read(storage) if record["type"] == "lost"]
    assert losses
    assert all(record["node"] for record in losses), losses


def test_a_worker_that_joins_takes_work_within_thirty_seconds(times):
    assert times["work"] < 30


def test_the_loss_of_the_head_ends_the_driver_with_one_line_within_ten_seconds(times):
    assert times["head"] < 10
    errors = re.findall(r"(?m)^error: .*$", times["output"])
    assert len(errors) == 1, times["output"]
    assert "Traceback" not in times["output"]


def test_a_worker_whose_arithmetic_differs_is_refused(hosts, cluster, times):
    smoke = "~/hedgesweep/search_spaces/tickets_smoke.yaml"
    first = RemoteSweep(hosts, smoke, "results/arithmetic")
    first.wait()
    # The only worker, with other kernels of BLAS than prepared the seed.
    ray = "RAY_AUTH_MODE=token ~/venv/bin/ray"
    hosts.output(LATE, f"{ray} stop --force")
    start = f"start --address={hosts.address(HEAD)}:6379 --num-cpus=1"
    hosts.output(LATE, f"OPENBLAS_CORETYPE=Sandybridge {ray} {start}")
    more = RemoteSweep(hosts, smoke, "results/arithmetic", "--set", "space.lr.grid=[0.005,0.01]")
    eventually(lambda: more.status() is not None, seconds=120)
    assert more.status() == 1
    (error,) = re.findall(r"(?m)^error: .*$", more.output)
    assert "host4 computes with another arithmetic" in error
