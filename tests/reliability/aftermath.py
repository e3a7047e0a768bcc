"""What the small driver of `scenario` must have left, judged by what it had said."""

import json
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

from invariants import acknowledged_is_durable, is_prefix, leaves_nothing, old_or_new, readable
from reliability import scenario

Ended = CompletedProcess[str]
SCENARIO = [sys.executable, "-I", str(Path(scenario.__file__))]


def run(storage: Path, *options: str, under: Sequence[str] = ()) -> Ended:
    """The driver in a process of its own."""
    command = [*under, *SCENARIO, str(storage), *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def traced(
    storage: Path, call: str, fault: str, *options: str, names: Sequence[str] = scenario.NAMES
) -> tuple[Ended, bool]:
    """The driver, with a fault injected into its system calls on the storage; and if it met it."""
    trace = storage.with_suffix(".trace")
    paths = [part for name in names for part in ("-P", str(storage / name))]
    # Not --seccomp-bpf, under which a signal is never delivered.
    strace = ["strace", "-f", "-qqq", "-o", str(trace), *paths]
    strace += ["-e", f"trace={call}", "-e", f"inject={call}:{fault}"]
    ended = run(storage, *options, under=strace)
    return ended, "INJECTED" in trace.read_text() or ended.returncode in (-9, 137)


def said(output: str) -> list[dict[str, Any]]:
    """Its whole lines; a line it died in was said to nobody."""
    return [json.loads(line) for line in output.splitlines(keepends=True) if line[-1:] == "\n"]


def sound(storage: Path, acknowledged: Iterable[dict[str, Any]]) -> None:
    """I1 to I3."""
    acknowledged = list(acknowledged)
    found = [record for record in readable(storage) if record["type"] == "row"]
    rows = [row for line in acknowledged for row in line.get("rows", ())]
    acknowledged_is_durable(rows, storage)
    starts = sorted({row["id"][0] for row in found})
    for start in starts:
        written = [row for group in range(scenario.GROUPS) for row in scenario.rows(start, group)]
        is_prefix([row for row in found if row["id"][0] == start], written)
    assert found == sorted(found, key=lambda row: row["id"]), "I2: not in the order written"
    tables = [line["table"] for line in acknowledged if "table" in line]
    last = max(tables, default=None)
    begun = range(1, max([1, *starts, *(start for start, _ in tables)]) + 1)
    later = [
        [s, g] for s in begun for g in range(scenario.GROUPS) if last is None or [s, g] >= last
    ]
    held = {scenario.table(*place) for place in later} | ({None} if last is None else set())
    old_or_new(storage / "table", held)


def resumes(storage: Path, acknowledged: Iterable[dict[str, Any]] = ()) -> None:
    """Check that the next driver start resumes cleanly and leaves nothing behind."""
    more: list[dict[str, Any]] = []
    scenario.drive(storage, more.append)
    sound(storage, [*acknowledged, *more])
    leaves_nothing(storage)
