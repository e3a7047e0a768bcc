"""Packages of the lock files, from which isolated hosts install without a network."""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from cluster.hosts import PYTHON

ROOT = Path(__file__).resolve().parents[2]
FOLDER = Path("/var/tmp/hedgesweep-cluster-tests")  # /tmp of a host is its own
LOCKS = ("sweep.lock", "head.lock", "aws.lock", "torch-cpu.lock")


def packages() -> dict[str, str]:
    """Variables by which pip and uv install offline from ``FOLDER``, which is filled first.

    Raises:
        subprocess.CalledProcessError: a package is neither here nor on an index.
    """
    links = _find_links()
    locks = [ROOT / "locks" / name for name in ("installer.lock", *LOCKS)]
    contents = b"".join(path.read_bytes() for path in (*locks, Path(__file__)))
    version = hashlib.sha256(contents).hexdigest()
    variables = {
        "UV_CACHE_DIR": f"{FOLDER}/uv",
        "UV_FIND_LINKS": links,
        # Links in place of copies: a host's files are in memory.
        "UV_LINK_MODE": "symlink",
    }
    complete = FOLDER / "complete"
    if not complete.exists() or complete.read_text() != version:
        shutil.rmtree(FOLDER, ignore_errors=True)
        FOLDER.mkdir(mode=0o700)
        _fill(locks, variables)
        # Users of the hosts write to it in their own copies; here the folder is closed to others.
        subprocess.run(["chmod", "-R", "a+rwX", *FOLDER.iterdir()], check=True)
        complete.write_text(version)
    offline = {"UV_OFFLINE": "1", "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": f"{FOLDER}/wheels"}
    return variables | offline


def _fill(locks: list[Path], variables: dict[str, str]) -> None:
    installer, *others = map(str, locks)
    # The checkout may be in a folder that a host does not see.
    shutil.copy(installer, FOLDER)
    hashed = ("--quiet", "--require-hashes", "--no-deps")
    pip = (sys.executable, "-m", "pip")
    _run(*pip, "download", *hashed, "-d", f"{FOLDER}/wheels", "-r", installer)
    _run(*pip, "install", *hashed, "--target", f"{FOLDER}/installer", "-r", installer)
    uv, python = f"{FOLDER}/installer/bin/uv", f"{FOLDER}/venv/bin/python"
    environment = os.environ | variables
    # A host has the Python of the distribution only.
    _run(uv, "venv", "--quiet", "--python", PYTHON, f"{FOLDER}/venv", env=environment)
    install = (uv, "pip", "install", *hashed, "--python", python)
    *indexed, torch = others
    _run(*install, *(word for lock in indexed for word in ("-r", lock)), env=environment)
    try:
        _run(*install, "-r", torch, env=environment)
    except subprocess.CalledProcessError:  # in no folder of wheels, so from its own index
        _run(*install, "--torch-backend", "cpu", "-r", torch, env=environment)


def _find_links() -> str:
    """Folders of wheels that pip is configured to use, separated by spaces."""
    if links := os.environ.get("PIP_FIND_LINKS"):
        return links
    command = [sys.executable, "-m", "pip", "config", "get", "global.find-links"]
    return subprocess.run(command, capture_output=True, text=True).stdout.strip()


def _run(*words: str, env: dict[str, str] | None = None) -> None:
    subprocess.run(words, check=True, env=env)
