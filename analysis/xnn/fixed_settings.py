"""Settings that the study of an X-NN sweep fixes, as columns of its trials."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from analysis import schema
from analysis.arguments import checked
from analysis.frames import frame_of
from analysis.load import load_manifest
from analysis.sweep import Sweep, Trials
from analysis.sweep_cache import once_per_sweep

_SEED = "config/seed"
_STUDY = {
    "method": ("explanation", "method"),
    "adj_weight": ("explanation", "adj_weight"),
    "clusters": ("clustering", "clusters"),
}


@checked
@once_per_sweep
def spelled_out(trials: Trials, manifest: Mapping[str, Any] | None = None) -> pd.DataFrame:
    """``trials`` with columns for method, weight and clusters, even if the study fixes them.

    The study's value fills all trials, or those that lack a conditional axis. Of trials that it
    makes equal to others, one remains per seed, a completed one if there is any.

    Args:
        trials: from :func:`analysis.load_trials`, or a storage or sweep.
        manifest: from :func:`analysis.load_manifest`; that of the storage or sweep if None.
    """
    if isinstance(trials, Sweep):
        manifest = trials.manifest if manifest is None else manifest
        trials = trials.trials
    if manifest is None and isinstance(trials, str | Path):
        manifest = load_manifest(trials)
    trials = frame_of(trials)
    study = (manifest or {}).get("study") or {}
    for name, (part, key) in _STUDY.items():
        if key in (study.get(part) or {}):
            column = f"config/{name}"
            dtype = schema.column(column, "xnn").dtype
            fixed = pd.Series(study[part][key], index=trials.index, dtype=dtype)
            values = (
                trials[column].astype(fixed.dtype).fillna(fixed) if column in trials else fixed
            )
            trials = trials.assign(**{column: values})
    return trials[~copies(trials)]


def copies(trials: pd.DataFrame) -> pd.Series:
    """True for trials whose parameters are those of another, which represents them.

    It has completed, if one of them has; the others are the same network or have no result.
    """
    keys = [name for name in map(str, trials.columns) if name.startswith("config/")]
    if not keys or "status" not in trials:
        return pd.Series(False, index=trials.index)
    by_outcome = trials["status"].ne("completed").astype(int).sort_values(kind="stable").index
    return trials.loc[by_outcome].duplicated(keys).reindex(trials.index)
