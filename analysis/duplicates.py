"""Trials that a frame records more than once, such as that of two loads of one storage.

Tables count seeds by rows, so a trial that is in a frame twice would count as two seeds.
"""

import pandas as pd

from analysis import schema
from analysis.escapes import printable

_AXIS, _SEED = "config/", "config/seed"
_UNFINISHED = ("running", "interrupted")
_NO_RESULT = ("trial_id", "index", "seconds", "arithmetic")
"""Columns that differ between two runs of the same trial."""


def without_duplicates(frame: pd.DataFrame, table: str = "trials") -> pd.DataFrame:
    """``frame`` with one row per configuration, problem and seed (and epoch), and unique labels.

    Rows of equal parameters and results count once, whatever their trial ids, wall times and
    arithmetic. An unfinished trial yields to a record of its end. Rows without a seed or with a
    null parameter stay as they are if they differ: no column tells their trials apart, and tables
    use the first completed one.

    Args:
        frame: trials or epochs; the same object if it has no duplicates.
        table: its name, for the error.
    Raises:
        schema.ColumnError: two completed trials of one configuration, problem and seed differ.
    """
    if not frame.index.is_unique:
        frame = frame.reset_index(drop=True)
    columns = [name for name in frame.columns if isinstance(name, str)]
    keys = [name for name in columns if name.startswith(_AXIS)]
    keys += [name for name in ("trial_id", "epoch") if name in columns and table == "epochs"]
    if not keys or not frame.duplicated(keys).any():
        return frame
    if "status" in columns:
        unfinished = frame["status"].isin(_UNFINISHED)
        finished = frame.loc[unfinished.sort_values(kind="stable").index].duplicated(keys)
        frame = frame[~(finished.reindex(frame.index) & unfinished)]
    results = [name for name in columns if name not in _NO_RESULT or name in keys]
    frame = frame[~frame.duplicated(results)]
    complete = frame[frame["status"].eq("completed")] if "status" in columns else frame
    differing = complete[complete.duplicated(keys) & complete[keys].notna().all(axis=1)]
    if _SEED in columns and len(differing):
        raise schema.ColumnError(_two_results(differing.iloc[0], keys, table))
    return frame


def _two_results(row: pd.Series, keys: list[str], table: str) -> str:
    place = ", ".join(
        f"{name.removeprefix(_AXIS)} {printable(str(row[name]), most=60)}"
        for name in keys
        if pd.notna(row[name])
    )
    return (
        f"{table} have two different results of {place}; pass the frame of one storage, or name "
        "what differs between the sweeps in a column, such as frame.assign(**{'config/market.xi': "
        "0.5})"
    )
