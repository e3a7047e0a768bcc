"""Isolated hosts on one Linux machine, reached by SSH: a network of their own for `ray up`.

Every host has its own network, PID, mount, UTS and IPC namespaces and an overlay of the root file
system, so what it writes is gone with it. The hosts and the commands of the user, who works at a
host of their network too, are in one further network namespace, from which nothing else can be
reached. Needs root, iproute2, openssh-server, rsync, curl and util-linux.
"""

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

TOOLS = ("ip", "unshare", "sshd", "ssh-keygen", "ssh", "rsync", "useradd", "mount", "curl")
PYTHON = "/usr/bin/python3.11"  # of the distribution; others are outside the hosts
USER = 254  # number of the user's machine
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

# Run as process 1 of a host. Its /tmp and home are empty; all else is that of this machine.
_BOOT = """
mount --make-rprivate /
mount -t tmpfs -o size=3g tmpfs "$ROOT"
mkdir -p "$ROOT/up" "$ROOT/work" "$ROOT/fs"
mount -t overlay overlay -o "lowerdir=/,upperdir=$ROOT/up,workdir=$ROOT/work" "$ROOT/fs"
cd "$ROOT/fs"
mount -t proc proc proc
mount --rbind /dev dev
for folder in tmp root home run; do mount -t tmpfs tmpfs $folder; done
mount -t tmpfs -o size=1g tmpfs dev/shm
chmod 1777 tmp dev/shm
mkdir -p run/sshd
hostname "$NAME"
chroot . useradd --create-home --shell /bin/bash --password '*' "$LOGIN"
install -d -m 700 "home/$LOGIN/.ssh"
install -m 600 "$KEYS/key.pub" "home/$LOGIN/.ssh/authorized_keys"
chroot . chown -R "$LOGIN:" "/home/$LOGIN/.ssh"
install -m 600 "$KEYS/host_key" run/host_key
chmod 755 ".$CACHE"
exec chroot . /usr/sbin/sshd -D -e -f /dev/null -h /run/host_key -o "ListenAddress=$ADDRESS" \\
    -o UsePAM=no -o PasswordAuthentication=no -o MaxStartups=100 -o "SetEnv=$VARIABLES"
"""


def missing_tools() -> list[str]:
    """Conditions that this machine does not meet: root, or programs by name."""
    missing = [] if os.geteuid() == 0 else ["root"]
    path = f"{os.environ.get('PATH', '')}:{_PATH}"
    missing += [tool for tool in TOOLS if shutil.which(tool, path=path) is None]
    return missing + [file for file in (PYTHON,) if not Path(file).exists()]


class Hosts:
    """Network of numbered hosts, and of the user's machine, which has number 254.

    Args:
        folder: keys, logs and the user's home, on this machine.
        cache: folder of packages, closed to other users here and open to those of the hosts.
        variables: environment of every SSH session on a host.
        network: the first three numbers of every address.
        user: name of the user on a host, who has no password and no rights of root.
    """

    def __init__(
        self,
        folder: Path,
        cache: Path,
        variables: Mapping[str, str],
        *,
        network: str = "10.77.0",
        user: str = "sweeper",
    ) -> None:
        self.home, self._folder, self._cache = folder / "home", folder, cache
        self._variables, self._network, self.login = dict(variables), network, user
        self._namespace = f"hs{os.getpid()}-{network}"
        self._running: dict[int, subprocess.Popen[bytes]] = {}
        _remove_abandoned()
        (self.home / ".ssh").mkdir(parents=True)
        for name in ("key", "host_key"):
            path = str(folder / name)
            _call("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path)
        _call("ip", "netns", "add", self._namespace)
        inside = ("ip", "-n", self._namespace)
        _call(*inside, "link", "add", "bridge", "type", "bridge")
        _call(*inside, "addr", "add", f"{self.address(USER)}/24", "dev", "bridge")
        for device in ("lo", "bridge"):
            _call(*inside, "link", "set", device, "up")

    def address(self, number: int) -> str:
        """Address of a host."""
        return f"{self._network}.{number}"

    @property
    def running(self) -> frozenset[int]:
        """Numbers of the hosts that are on."""
        return frozenset(self._running)

    @property
    def key(self) -> Path:
        """The user's private key, accepted by every host."""
        return self._folder / "key"

    def start(self, *numbers: int) -> None:
        """Switch hosts on, and wait until they accept SSH."""
        for number in numbers:
            self._start(number)
        for number in numbers:
            eventually(lambda n=number: self.ssh(n, "true").returncode == 0, seconds=30)

    def _start(self, number: int) -> None:
        namespace, inside = self._host(number), self._namespace
        root = self._folder / namespace
        root.mkdir(exist_ok=True)
        _call("ip", "netns", "add", namespace)
        _call(
            *("ip", "-n", inside, "link", "add", f"host{number}", "type", "veth"),
            *("peer", "name", "eth0", "netns", namespace),
        )
        _call("ip", "-n", inside, "link", "set", f"host{number}", "master", "bridge", "up")
        host = ("ip", "-n", namespace)
        _call(*host, "addr", "add", f"{self.address(number)}/24", "dev", "eth0")
        for device in ("lo", "eth0"):
            _call(*host, "link", "set", device, "up")
        # A dead end, but Ray takes the address of a node from the device of its default route.
        _call(*host, "route", "add", "default", "via", self.address(USER))
        variables = {
            "ROOT": str(root),
            "KEYS": str(self._folder),
            "NAME": f"host{number}",
            "LOGIN": self.login,
            "ADDRESS": self.address(number),
            "CACHE": str(self._cache),
            "VARIABLES": " ".join(f"{k}={v}" for k, v in self._variables.items()),
            "PATH": _PATH,
        }
        separate = ("unshare", "--pid", "--mount", "--uts", "--ipc", "--fork", "--kill-child")
        with open(self._folder / f"{namespace}.log", "ab") as log:
            self._running[number] = subprocess.Popen(
                ["ip", "netns", "exec", namespace, *separate, "bash", "-ec", _BOOT],
                env=variables,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def kill(self, number: int) -> None:
        """End every process of a host at once; the kernel closes their connections."""
        self._running[number].kill()
        time.sleep(1)  # until the other ends have heard of it
        self._remove(number)

    def _remove(self, number: int) -> None:
        process = self._running.pop(number)
        process.kill()
        process.wait()
        # Deleted before its namespace, which the kernel removes later, with its devices.
        _call("ip", "-n", self._namespace, "link", "del", f"host{number}")
        _call("ip", "netns", "del", self._host(number))

    def vanish(self, number: int) -> None:
        """End a host without a trace: its connections stay open at the other ends."""
        self.cut(number)
        self.kill(number)

    def cut(self, number: int) -> None:
        """Unplug a host's network; its processes live on and get no answer."""
        _call("ip", "-n", self._namespace, "link", "set", f"host{number}", "down")

    def plug(self, number: int) -> None:
        """Undo :meth:`cut`."""
        _call("ip", "-n", self._namespace, "link", "set", f"host{number}", "up")

    def command(self, *words: str) -> list[str]:
        """``words`` as a command that runs on the user's machine."""
        return ["ip", "netns", "exec", self._namespace, *words]

    def user(self, *words: str, check: bool = True, seconds: float = 300) -> str:
        """Standard output and error of a command on the user's machine.

        Raises:
            AssertionError: it failed and ``check``.
        """
        done = subprocess.run(
            self.command(*words),
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=seconds,
        )
        assert done.returncode == 0 or not check, f"{words}: {done.returncode}\n{done.stdout}"
        return done.stdout

    @property
    def environment(self) -> dict[str, str]:
        """Environment of the user's commands."""
        keep = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("RAY_", "AWS_")) and "proxy" not in name.lower()
        }
        aws = {k: v for k, v in self._variables.items() if k.startswith("AWS_")}
        # Ray notes the state of a cluster in its temporary folder.
        return keep | aws | {"HOME": str(self.home), "RAY_TMPDIR": str(self._folder)}

    def rsync(self, source: str, target: str) -> None:
        """Copy between the user's machine and a host."""
        shell = f"ssh -i {self.key} -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null"
        self.user("rsync", "-a", "-e", shell, source, target)

    def ssh(self, number: int, command: str, *, seconds: float = 120) -> Any:
        """Finished ``command`` of the shell of a host."""
        options = ("StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR")
        words = ["ssh", "-i", str(self.key), "-o", "ConnectTimeout=5"]
        words += [word for option in options for word in ("-o", option)]
        return subprocess.run(
            self.command(*words, f"{self.login}@{self.address(number)}", command),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds,
        )

    def output(self, number: int, command: str, *, seconds: float = 120) -> str:
        """Standard output of ``command`` on a host.

        Raises:
            AssertionError: it failed.
        """
        done = self.ssh(number, command, seconds=seconds)
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return str(done.stdout)

    def close(self) -> None:
        """Remove every host and the network."""
        for number in list(self._running):
            self._remove(number)
        _delete(self._namespace)

    def _host(self, number: int) -> str:
        return f"{self._namespace}-{number}"


def eventually(condition: Any, *, seconds: float, pause: float = 0.5) -> Any:
    """First true value of ``condition()``.

    Raises:
        AssertionError: none within ``seconds``.
    """
    end = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < end, f"not within {seconds:g} s"
        time.sleep(pause)
    return value


def _remove_abandoned() -> None:
    """Remove the hosts of test runs that were killed."""
    for line in _output("ip", "netns", "list").splitlines():
        run = re.match(r"(hs(\d+)-\S+)", line)
        if run and not Path(f"/proc/{run.group(2)}").exists():
            _delete(run.group(1))


def _delete(namespace: str) -> None:
    for pid in _output("ip", "netns", "pids", namespace).split():
        with suppress(ProcessLookupError):
            os.kill(int(pid), signal.SIGKILL)
    _call("ip", "netns", "del", namespace)


def _output(*words: str) -> str:
    return subprocess.run(words, capture_output=True, text=True).stdout


def _call(*words: str) -> None:
    path = f"{os.environ['PATH']}:{_PATH}"
    done = subprocess.run(words, env={"PATH": path}, capture_output=True, text=True)
    assert done.returncode == 0, f"{' '.join(words)}: {done.stderr}"
