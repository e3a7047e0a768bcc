"""Golden runs: three small sweeps, whose tables and reports are kept beside this file.

``python -m tests.golden.recording`` from the root of the repository records them again, after a
change of what the product prints or computes that is meant.
"""

import contextlib
import csv
import io
import json
import re
import shutil
import sys
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich.console import Console

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
_WIDTH = 120
_SMALL = {
    "space.seed.grid": [0, 1],
    "study.market.train_paths": 512,
    "study.market.val_paths": 512,
    "study.market.test_paths": 1024,
    "study.network.hidden": [8, 8],
    "study.training.epochs": 4,
    "study.training.patience": 4,
    "study.training.batch_size": 32,
    "study.dense.epochs": 4,
    "study.evaluation.attacked_paths": 256,
}
SWEEPS: Mapping[str, Mapping[str, Any]] = {
    "tickets_smoke": {},
    "controls": _SMALL,
    "xnn_smoke": {},
}
"""Overrides by shipped space."""
# What is not a function of the space: how long it took, and where it ran.
_TIMES = ("seconds", "prepare_seconds", "arithmetic")
_SECONDS = re.compile(r"\b\d+(\.\d+)? (s\b|times as long)")


def sweep(name: str, storage: Path) -> None:
    """Run ``name`` in this process, and its report without figures."""
    from local_sweep import run_locally

    run_locally(ROOT / "search_spaces" / f"{name}.yaml", storage, overrides=dict(SWEEPS[name]))


def tables(storage: Path) -> dict[str, pd.DataFrame]:
    """The tables of ``storage`` by file, without what no two runs share."""
    frames = {f: pd.read_parquet(storage / f) for f in ("trials.parquet", "epochs.parquet")}
    return {
        file: frame.drop(columns=[c for c in _TIMES if c in frame])
        for file, frame in frames.items()
    }


def arithmetic(storage: Path) -> str:
    """Ids of the arithmetics that ``storage`` was computed by; others give other last digits."""
    return "\n".join(sorted(json.loads((storage / "manifest.json").read_text())["arithmetic"]))


def texts(storage: Path) -> dict[str, str]:
    """What the report of ``storage`` prints, and its CSV files, by name."""
    from analysis.report import report

    to = Console(file=io.StringIO(), width=_WIDTH, markup=False, emoji=False, highlight=False)
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        report(storage, to, tolerance=0.05, confidence=0.95, folder=storage / "report")
    printed = to.file.getvalue().replace(str(storage), "STORAGE")
    files = {f.name: _timeless(f) for f in sorted((storage / "report").glob("*.csv"))}
    return {"report.txt": _SECONDS.sub(r"T \2", printed), **files}


def _timeless(file: Path) -> str:
    with file.open(newline="") as opened:
        rows = list(csv.reader(opened))
    kept = [i for i, name in enumerate(rows[0]) if name not in _TIMES]
    return "".join(",".join(row[i] for i in kept) + "\n" for row in rows)


def record() -> None:
    """Replace everything that is kept."""
    from hedgecore.threads import one_thread

    one_thread()
    for name in SWEEPS:
        folder = HERE / name
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "run").mkdir(parents=True)
        storage = folder / "run"
        with contextlib.redirect_stdout(sys.stderr):
            sweep(name, storage)
        for file, frame in tables(storage).items():
            frame.to_parquet(folder / file, index=False)
        for file, text in texts(storage).items():
            (folder / file).write_text(text)
        (folder / "arithmetic.txt").write_text(arithmetic(storage))
        shutil.rmtree(storage)


if __name__ == "__main__":
    sys.path[:0] = [str(ROOT), str(ROOT / "tests")]
    record()
