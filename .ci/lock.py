"""Lock files: every package of every installation, with the hashes of all its files.

`make lock` writes them from pyproject.toml and constraints.txt. All are one resolution, for Linux
and macOS and every Python from 3.11, so that any of them can be installed beside any other.
`torch-cpu.lock` is kept by hand: its builds are on no index that is read here.
"""

import re
import subprocess
import sys
import tempfile
import tomllib
from itertools import chain
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
HEAD = """\
# {what}. Written by `make lock`.
#     pip install --require-hashes --no-deps -r locks/{name}
--only-binary :all:
"""
WHAT = {
    "sweep.lock": "What a sweep needs, torch left out",
    "dev.lock": "What tests and checks need beside sweep.lock",
    "exporters.lock": "What TensorBoard and MLflow need beside sweep.lock",
    "installer.lock": "What installs a node of a cluster, and writes these files",
    "aws.lock": "What the head of a cluster speaks to AWS with, beside sweep.lock",
    "head.lock": "What the head of a cluster runs its jobs and dashboard with, beside sweep.lock",
    "torch-cuda.lock": "torch as the package index has it for Linux, with its CUDA libraries; "
    "sweep.lock is the rest",
}
INSTALLER, AWS, HEAD_NODE = "uv", "boto3", "ray[default]"

Entries = dict[str, str]


def main() -> None:
    """Write every file but ``torch-cpu.lock``."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    sweep = [*project["project"]["dependencies"], *project["build-system"]["requires"]]
    extras = project["project"]["optional-dependencies"]
    pins = (ROOT / "constraints.txt").read_text()
    resolution = resolved([*sweep, *chain(*extras.values()), INSTALLER, AWS, HEAD_NODE], pins)
    versions = "\n".join(re.findall(r"(?m)^\w[^\\]+", "".join(resolution.values())))

    def closure(requirements: list[str]) -> Entries:
        return {name: resolution[name] for name in resolved(requirements, versions)}

    base = closure(sweep)
    # Only the CUDA libraries are for Linux and for nothing else.
    cuda = {k: v for k, v in base.items() if k == "torch" or "sys_platform == 'linux'" in v}
    base = {k: v for k, v in base.items() if k not in cuda}
    additions = {
        "dev.lock": closure(extras["dev"]),
        "exporters.lock": closure([*extras["mlflow"], *extras["tensorboard"]]),
        "installer.lock": closure([INSTALLER]),
        "aws.lock": closure([AWS]),
        "head.lock": closure([HEAD_NODE]),
    }
    files = {"sweep.lock": base, "torch-cuda.lock": cuda}
    files |= {n: {k: v for k, v in e.items() if k not in base} for n, e in additions.items()}
    for name, entries in files.items():
        head = HEAD.format(what=WHAT[name], name=name)
        (ROOT / "locks" / name).write_text(head + "".join(entries.values()))


def resolved(requirements: list[str], constraints: str) -> Entries:
    """Name and entry, hashes included, of everything that ``requirements`` come to."""
    with tempfile.TemporaryDirectory() as folder:
        inputs, limits = Path(folder, "inputs.txt"), Path(folder, "limits.txt")
        inputs.write_text("\n".join(requirements))
        limits.write_text(constraints)
        command = [Path(sys.executable).parent / "uv", "pip", "compile", "--quiet", "--universal"]
        command += ["--python-version", "3.11", "--generate-hashes", "--no-header"]
        command += ["--no-annotate", "--no-config", "-c", limits, inputs]
        text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    entries: Entries = {}
    for entry in re.split(r"(?m)^(?=\w)", text):
        if entry and "sys_platform == 'win32'" not in entry:
            name = re.match(r"[\w.-]+", entry).group()  # type: ignore[union-attr]
            entries[name] = entries.get(name, "") + entry
    return entries


if __name__ == "__main__":
    main()
