"""Synthetic sweeps whose answers are known in closed form."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from analysis import schema
from analysis.claims import claims
from analysis.html.report_page import write_page
from analysis.recommendations import recommendations
from analysis.record import Answers, Material, record
from analysis.sweep import Sweep
from analysis.tensors import SweepFiles

TOTAL = 1000
DENSE = -3.0


def trial(**given: Any) -> dict[str, Any]:
    """A row with every column of the dictionary: completed, like dense, unless overridden."""
    row: dict[str, Any] = dict.fromkeys(schema.TRIALS)
    axes = {"sparsity": 0.0, "lr": 1e-3, "epsilon": 0.0, "seed": 0}
    for axis, default in axes.items():
        row[f"config/{axis}"] = given.pop(axis, default)
    sparsity = row["config/sparsity"]
    row |= {
        "status": "completed",
        "epochs": 20,
        "best_epoch": 18,
        "val_loss": 3.0,
        "epochs_to_95pct": 10,
        "converged": True,
        "sparsity_achieved": sparsity,
        "weights_kept": round(TOTAL * (1 - sparsity)),
        "weights_total": TOTAL,
        "dead_units": 0,
        "dense_val_loss": 3.0,
        "dense_epochs_to_95pct": 12,
        "dense_cvar_05": DENSE,
        "dense_cvar_05_se": 0.02,
        "dense_sharpe_ratio": -2.3,
        "theta_0_sha256": "ab" * 32,
        "data_sha256": f"{row['config/seed']:064x}",
        "seconds": 1.5,
    }
    test = {
        "pnl_mean": -1.7,
        "pnl_std": 0.7,
        "cvar_05": DENSE,
        "cvar_05_se": 0.02,
        "sharpe_ratio": -2.3,
        "cvar_05_minus_dense_se": 0.01,
        "attacked_cvar_05@path_pgd:0.1": -3.4,
    }
    if given.get("status", "completed") == "completed":
        row |= test
        cvar = given.get("cvar_05", DENSE)
        row["cvar_05_minus_dense"] = cvar - given.get("dense_cvar_05", DENSE)
    else:
        row |= dict.fromkeys([*test, "cvar_05_minus_dense"])
    if "converged" in given and not given["converged"]:
        row["epochs_to_95pct"] = None
    return row | given


def table(*rows: dict[str, Any]) -> pd.DataFrame:
    """A trials frame with the dictionary's dtypes, as load_trials would return it."""
    frame = pd.DataFrame([trial(**row) for row in rows])
    frame["index"] = range(len(frame))
    frame["trial_id"] = [f"t{i:04d}" for i in range(len(frame))]
    for name in frame.columns:
        dtype = schema.column(str(name)).dtype
        frame[name] = frame[name].astype(
            pd.CategoricalDtype(schema.STATUSES) if dtype == "category" else dtype
        )
    return frame


def write(storage: Path, trials: pd.DataFrame | None, epochs: pd.DataFrame | None = None) -> Path:
    """A storage directory as a sweep leaves it."""
    storage.mkdir(parents=True, exist_ok=True)
    (storage / "manifest.json").write_text('{"name": "tickets_test"}', encoding="utf-8")
    if trials is not None:
        trials.to_parquet(storage / "trials.parquet", index=False)
    if epochs is not None:
        epochs.to_parquet(storage / "epochs.parquet", index=False)
    return storage


def tickets_grid() -> list[dict[str, Any]]:
    """5 sparsities x 3 learning rates x 2 epsilons x 2 seeds, smooth in everything."""
    rows = []
    loss = {0.0: 0.0, 0.5: -0.01, 0.8: -0.03, 0.9: -0.08, 0.95: -0.4}
    for sparsity, fall in loss.items():
        for lr, slow in {1e-3: 1, 5e-4: 2, 1e-4: 0}.items():
            for epsilon in (0.0, 0.1):
                for seed in (0, 1):
                    rows.append(
                        {
                            "sparsity": sparsity,
                            "lr": lr,
                            "epsilon": epsilon,
                            "seed": seed,
                            "val_loss": 3.0 - fall + 0.02 * slow + 0.1 * (slow == 0),
                            "converged": slow > 0,
                            "epochs_to_95pct": 8 * slow + 2 * seed if slow else None,
                            "cvar_05": DENSE + fall - 0.5 * epsilon + 0.01 * seed - 0.01 * slow,
                            "sharpe_ratio": -2.3 + 0.1 * fall + 0.02 * seed + epsilon,
                        }
                    )
    return rows


@pytest.fixture(name="table", scope="session")
def _table():
    return table


@pytest.fixture(name="write", scope="session")
def _write():
    return write


@pytest.fixture(name="grid")
def _grid():
    return tickets_grid()


@pytest.fixture(name="epochs")
def _epochs():
    rows = []
    for epoch in (1, 2, 3):
        row = dict.fromkeys(schema.EPOCHS, 0.5)
        row |= {"trial_id": "t0000", "epoch": epoch, "config/seed": 0, "best": epoch < 3}
        row["audit"] = False
        rows.append(row)
    frame = pd.DataFrame(rows)
    return frame.astype({n: c.dtype for n, c in schema.EPOCHS.items() if n in frame})


@pytest.fixture(name="report_page", scope="session")
def _report_page(write, tmp_path_factory):
    """Writer of the page of a frame of trials, by default to a new folder; its path."""

    def made(trials, manifest=None, blocks=(), pictures=(), tables=(), folder=None, state=None):
        epochs = pd.DataFrame(
            [
                {"trial_id": trial_id, "epoch": epoch, "val_loss": 3.0 + 1 / epoch}
                for trial_id in trials["trial_id"]
                for epoch in (1, 2, 3, 4)
            ],
            columns=["trial_id", "epoch", "val_loss"],
        )
        folder = folder or tmp_path_factory.mktemp("page")
        storage = write(folder / "sweep", trials, epochs)
        manifest = {"experiment": "tickets", "name": "t", "rungs": [2], **(manifest or {})}
        files = SweepFiles.of(storage, trials, manifest)
        sweep = Sweep(trials=trials, manifest=manifest, files=files)
        rows = claims(sweep) if len(trials) else pd.DataFrame()
        recommended = recommendations(sweep) if len(trials) else []
        answers = Answers(texts={"owner": "A. <b>Author</b>"})
        material = Material(sweep=sweep, claims=rows, recommended=recommended, answers=answers)
        return write_page(
            folder,
            sweep,
            blocks=blocks,
            claims=rows,
            recommended=recommended,
            pictures=pictures,
            tables=tables,
            record=record(material),
            state=state,
        )

    return made
