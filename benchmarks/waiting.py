"""Cost of waiting for rivals: the deterministic ASHA and Ray's, on the laptop space.

``python -m benchmarks.waiting [ROUNDS]``: whole sweeps of ``tickets.yaml``, the two alternating,
each in a fresh process and storage; wall time from the command to its end, medians.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pyarrow.parquet as pq

import search_spaces

RULE = {"grace_period": 8, "reduction_factor": 3, "stratify_by": ["sparsity", "epsilon"]}
SIDES = {
    "asha": {"asha": {**RULE, "replicates": "seed"}},
    "stock_asha": {"stock_asha": RULE},
}


def sweep(rule: dict[str, object]) -> tuple[float, int]:
    """Seconds and epochs of one sweep."""
    with tempfile.TemporaryDirectory() as folder:
        storage = Path(folder) / "out"
        space = Path(search_spaces.__file__).parent / "tickets.yaml"
        command = [sys.executable, "-m", "sweeps", "run", str(space), "--storage", str(storage)]
        began = time.perf_counter()
        subprocess.run(
            [*command, "--set", f"scheduler={json.dumps(rule)}"], check=True, capture_output=True
        )
        took = time.perf_counter() - began
        return took, pq.read_metadata(storage / "epochs.parquet").num_rows


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    results: dict[str, list[tuple[float, int]]] = {side: [] for side in SIDES}
    for turn in range(rounds):
        for side in list(SIDES)[:: 1 if turn % 2 == 0 else -1]:
            results[side].append(sweep(SIDES[side]))
            print(f"{side:12s} {results[side][-1][0]:6.1f} s  {results[side][-1][1]} epochs")
    wall = {side: statistics.median(t for t, _ in runs) for side, runs in results.items()}
    print(f"wall time of asha over stock_asha: {wall['asha'] / wall['stock_asha']:.2f}")


if __name__ == "__main__":
    main()
