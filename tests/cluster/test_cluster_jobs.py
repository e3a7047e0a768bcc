"""Sweeps that `hedgesweep submit` sends through the tunnel of `ray dashboard`."""

import re
import signal
import subprocess
import time

import pandas as pd
from cluster.clusters import BIN, BUCKET, ROOT, fetched_from_s3, on_one_machine
from cluster.hosts import eventually
from reliability.sweeping import same, tables
from spaces import TINY_XNN

from hedgecore.insurance.data.synthetic import generate

HEDGESWEEP = str(BIN / "hedgesweep")


def test_a_submitted_sweep_survives_its_terminal_and_a_cancellation(
    hosts, cluster, space, undisturbed, tmp_path
):
    url = f"s3://{BUCKET}/submitted"
    submit = [HEDGESWEEP, "submit", str(cluster.file), str(space), "--storage", url]
    process = subprocess.Popen(
        hosts.command(*submit),
        env=hosts.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )

    def running():
        assert process.poll() is None, process.communicate()[0]
        return re.search(r"[1-9] epochs", hosts.user(HEDGESWEEP, "status", url, check=False))

    eventually(running, seconds=120)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 130, output
    assert f"hedgesweep logs {cluster.file}" in output

    assert "driver on" in hosts.user(HEDGESWEEP, "status", url), "the sweep has ended"
    hosts.user(HEDGESWEEP, "cancel", str(cluster.file))
    eventually(lambda: "driver on" not in hosts.user(HEDGESWEEP, "status", url), seconds=60)
    hosts.user(HEDGESWEEP, "verify", url)

    output = hosts.user(*submit, seconds=400)
    assert f"results in {url}" in output
    same(fetched_from_s3(hosts, url, tmp_path / "copy"), undisturbed)
    assert f"results in {url}" in hosts.user(HEDGESWEEP, "logs", str(cluster.file))


def test_a_data_file_of_the_user_reaches_every_node(hosts, cluster, tmp_path):
    table = generate(400, seed=0)
    frame = pd.DataFrame({"Id": range(1, 401), **table.columns, "Response": table.response})
    data, space, url = tmp_path / "train.csv", tmp_path / "space.yaml", f"s3://{BUCKET}/data"
    frame.to_csv(data, index=False)
    space.write_text(TINY_XNN)
    options = ["--set", f"study.data.path={data}"]
    hosts.user(HEDGESWEEP, "submit", str(cluster.file), str(space), *options, "--storage", url)
    assert on_one_machine(space, tmp_path / "out", *options).wait() == 0
    # The identity of a trial contains the path of the data, which is another on the head.
    for mine, theirs in zip(
        tables(fetched_from_s3(hosts, url, tmp_path / "copy")),
        tables(tmp_path / "out"),
        strict=True,
    ):
        identities = ["trial_id", "model_sha256"]
        pd.testing.assert_frame_equal(
            mine.drop(columns=identities, errors="ignore"),
            theirs.drop(columns=identities, errors="ignore"),
        )
    assert "shared data" in hosts.user(HEDGESWEEP, "status", url)


def test_a_relative_storage_is_refused_before_anything_is_sent(hosts, cluster, space):
    began = time.monotonic()
    output = hosts.user(
        HEDGESWEEP, "submit", str(cluster.file), str(space), "--storage", "out", check=False
    )
    assert output.startswith("error: ")
    assert output.count("\n") == 1
    assert time.monotonic() - began < 10


def test_a_cluster_that_is_not_up_is_reported_in_one_line(hosts, space, tmp_path):
    output = hosts.user(
        *(HEDGESWEEP, "submit", str(ROOT / "deploy" / "on-premises.yaml"), str(space)),
        *("--storage", f"s3://{BUCKET}/none"),
        check=False,
        seconds=60,
    )
    (error,) = [line for line in output.splitlines() if line.startswith("error: ")]
    assert output.endswith(f"{error}\n")
    assert "ray up" in error
