"""X-NN sweeps whose answers are known in closed form."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import faked_xnn
import pandas as pd
import pytest

from analysis import load_trials, schema


def typed(frame: pd.DataFrame) -> pd.DataFrame:
    """``frame`` with the dictionary's dtypes, as load_trials would return it."""
    known = {str(name): schema.column(str(name), "xnn").dtype for name in frame}
    statuses = pd.CategoricalDtype(list(schema.STATUSES))
    dtypes = {n: statuses if d == "category" else d for n, d in known.items() if d != "any"}
    return frame.astype(dtypes).copy()


@pytest.fixture(name="sweep")
def _sweep():
    def made(
        weights: Sequence[float] = (0.0, 0.1, 0.3),
        clusters: Sequence[int] = (2, 6),
        seeds: Sequence[int] = (0, 1, 2),
        method: str | Sequence[str] = "alignment",
    ) -> pd.DataFrame:
        frame = faked_xnn.trials(weights=weights, clusters=clusters, seeds=seeds, method=method)
        return typed(frame)

    return made


@pytest.fixture(name="store")
def _store(tmp_path):
    """A storage, and its trials written anew where a test changes them."""

    def made(change: dict[str, Any] | None = None, **given: Any) -> tuple[Path, pd.DataFrame]:
        storage = faked_xnn.storage(tmp_path / "sweep", **given)
        trials = load_trials(storage)
        for name, value in (change or {}).items():
            trials[name] = value
        trials.to_parquet(storage / "trials.parquet", index=False)
        return storage, load_trials(storage)

    return made
