"""Errors of a driver that cannot join: one line with the cure, within ten seconds."""

import time

import pytest
from cluster.clusters import HEAD

RUN = "run hedgesweep/search_spaces/tickets_smoke.yaml --storage results/errors --address"
FAKED = (
    "import ray; ray.__version__ = '2.59.0'; import sys; from sweeps.__main__ import main;"
    "sys.argv[1:] = '{run} auto'.split(); main()"
)
# Command, and a word of the cause.
CASES = {
    "another token": (f"RAY_AUTH_TOKEN={'0' * 64} ~/venv/bin/hedgesweep {RUN} auto", "token"),
    "no token": (f"HOME=/tmp ~/venv/bin/hedgesweep {RUN} auto", "no token"),
    "another version": (f'~/venv/bin/python -P -c "{FAKED.format(run=RUN)}"', "versions"),
    "nobody": (f"~/venv/bin/hedgesweep {RUN} NETWORK.77:6379", "no Ray cluster"),
    "another port": (f"~/venv/bin/hedgesweep {RUN} localhost:22", "not Ray"),
}


@pytest.mark.parametrize("case", CASES)
def test_the_error_is_one_line_within_ten_seconds(hosts, cluster, seconds, case):
    command, cause = CASES[case]
    hosts.output(HEAD, "~/venv/bin/hedgesweep --version")  # in the cache of the disk
    began = time.monotonic()
    done = hosts.ssh(HEAD, command.replace("NETWORK.77", hosts.address(77)))
    seconds[case] = time.monotonic() - began
    errors = done.stderr.splitlines()
    assert done.returncode == 2, done.stderr
    assert len(errors) == 1, done.stderr
    assert errors[0].startswith("error: ")
    assert cause in errors[0]
    assert seconds[case] < 10
