"""Clusters that `ray up` starts on isolated hosts, and sweeps on them."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import yaml
from cluster.hosts import Hosts, eventually

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
HEAD, LATE = 1, 4  # LATE is in the file of the cluster, and off at first
BUCKET = "sweeps"
# Three rungs of 16 trials, of a few seconds of one CPU each.
SPACE = """\
experiment: tickets
space:
  sparsity: {grid: [0.0, 0.5, 0.8, 0.9]}
  lr: {grid: [1.0e-2, 3.0e-3]}
  epsilon: {grid: [0.0, 0.2]}
  seed: {grid: [0]}
study:
  market: {train_paths: 65536, val_paths: 2048, test_paths: 2048}
  network: {hidden: [64, 64]}
  training: {epochs: 64, batch_size: 256}
  dense: {lr: 1.0e-2, epochs: 4}
  attack: {name: path_fgsm}
  evaluation: {path_fgsm: [0.2]}
scheduler: {asha: {grace_period: 8, reduction_factor: 2, stratify_by: [epsilon], replicates: seed}}
resources: {cpu: 1, gpu: 0}
"""
PORT = 5000  # of the server of AWS on the user's machine


class Cluster:
    """Cluster of a file like deploy/on-premises.yaml, whose head is host 1.

    Args:
        workers: numbers of the other hosts.
        changes: values of the file that differ.
    """

    def __init__(self, hosts: Hosts, workers: tuple[int, ...], **changes: Any) -> None:
        self.hosts, self.workers = hosts, workers
        self.variables = ""  # of every command of Ray on a host
        self._name = f"hs{os.getpid()}-{time.monotonic_ns()}"
        self.file = hosts.home / f"{self._name}.yaml"
        self.write(**changes)

    def write(self, **changes: Any) -> None:
        """Write the file, as a user would edit it."""
        config = yaml.safe_load((ROOT / "deploy" / "on-premises.yaml").read_text())
        config["cluster_name"] = self._name
        config["provider"] |= {
            "head_ip": self.hosts.address(HEAD),
            "worker_ips": [self.hosts.address(number) for number in self.workers],
        }
        config["auth"]["ssh_private_key"] = str(self.hosts.key)
        self.file.write_text(yaml.safe_dump(config | changes, sort_keys=False))

    def up(self, *options: str) -> None:
        """Run `ray up`, and wait for every worker."""
        self.ray("up", "--yes", *options, str(self.file))

    def ray(self, *words: str, check: bool = True) -> str:
        """Output of a command of Ray on the user's machine."""
        return self.hosts.user(str(BIN / "ray"), *words, check=check)

    def alive(self) -> list[str]:
        """Addresses of the nodes that the head counts as alive."""
        code = (
            "import ray; ray.init(address='auto', logging_level='ERROR', log_to_driver=False);"
            "print(*[n['NodeManagerAddress'] for n in ray.nodes() if n['Alive']])"
        )
        done = self.hosts.ssh(
            HEAD, f'{self.variables} RAY_AUTH_MODE=token ~/venv/bin/python -c "{code}"'
        )
        return sorted(str(done.stdout).split()) if done.returncode == 0 else []

    def complete(self, workers: tuple[int, ...] | None = None, *, seconds: float = 240) -> None:
        """Wait until the head and ``workers`` are alive, and no other node."""
        numbers = (HEAD, *(self.workers if workers is None else workers))
        expected = sorted(map(self.hosts.address, numbers))
        eventually(lambda: self.alive() == expected, seconds=seconds, pause=2)


class RemoteSweep:
    """`hedgesweep run` as a process on the head, which outlives the connection."""

    def __init__(
        self,
        hosts: Hosts,
        space: str,
        storage: str,
        *options: str,
        head: int = HEAD,
        variables: str = "",
    ) -> None:
        self.hosts, self.storage, self._head = hosts, storage, head
        self._log = f"/tmp/run-{time.monotonic_ns()}.log"
        run = f"{variables} ~/venv/bin/hedgesweep run {space} --storage {storage} --address auto"
        command = " ".join((run, *options))
        hosts.output(
            head,
            f"nohup bash -c '{command}; echo status $?' > {self._log} 2>&1 < /dev/null &",
        )

    @property
    def output(self) -> str:
        return str(self.hosts.output(self._head, f"cat {self._log}"))

    def status(self) -> int | None:
        """Exit status; None while it runs."""
        found = re.search(r"^status (\d+)$", self.output, re.MULTILINE)
        return int(found.group(1)) if found else None

    def wait(self, *, seconds: float = 400) -> None:
        """Wait for its end.

        Raises:
            AssertionError: it failed.
        """
        eventually(lambda: self.status() is not None, seconds=seconds, pause=2)
        assert self.status() == 0, self.output

    def records(self, kind: str) -> int:
        """Number of records of ``kind`` in the log."""
        pattern = f'\'"type": *"{kind}"\''
        done = self.hosts.ssh(self._head, f"cat {self.storage}/log/* | grep -a -c {pattern}")
        return int(done.stdout or 0)


def on_one_machine(space: Path, storage: Path, *options: str) -> subprocess.Popen[bytes]:
    """Process that runs ``space`` here, with a Ray of its own."""
    return subprocess.Popen(
        [str(BIN / "hedgesweep"), "run", str(space), "--storage", str(storage), *options],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def fetched(hosts: Hosts, storage: str, folder: Path, *, head: int = HEAD) -> Path:
    """Copy of a storage of the head, fetched by rsync as `ray rsync-down` does."""
    hosts.rsync(f"{hosts.login}@{hosts.address(head)}:{storage}/", f"{folder}/")
    return folder


def fetched_from_s3(hosts: Hosts, url: str, folder: Path) -> Path:
    """Copy of a storage on S3."""
    code = (
        "import shutil, sys; from sweeps.journal.opening import readable_storage;"
        "shutil.copytree(readable_storage(sys.argv[1]), sys.argv[2])"
    )
    hosts.user(sys.executable, "-P", "-c", code, url, str(folder))
    return folder
