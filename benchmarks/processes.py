"""Measurements in fresh processes, so that no import or cache of one affects the next."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

# Peers get the priority that our own workers have. A Ray that runs here is not joined.
_VARIABLES = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_worker_niceness": "0"}
_CLUSTER = "RAY_ADDRESS"


def in_process(module: str, *arguments: object) -> dict[str, Any]:
    """Last line that ``python -m module`` prints, which is JSON; ``arguments`` as text.

    Added to it is ``wall``: seconds from the command to its end, start and imports included.

    Raises:
        RuntimeError: the process failed; with the end of its messages.
    """
    command = [sys.executable, "-m", module, *map(str, arguments)]
    variables = {**os.environ, **_VARIABLES}
    variables.pop(_CLUSTER, None)
    began = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=variables)
    wall = time.perf_counter() - began
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed: {done.stderr[-2000:]}")
    return {**json.loads(done.stdout.strip().splitlines()[-1]), "wall": wall}


def peak_memory() -> int:
    """Largest resident bytes of this process so far.

    Not ``ru_maxrss``, in which a child inherits the peak of its parent.
    """
    lines = Path("/proc/self/status").read_text().splitlines()
    (peak,) = (line.split()[1] for line in lines if line.startswith("VmHWM:"))
    return 1024 * int(peak)
