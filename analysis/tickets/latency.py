"""Latency of one hedge by sparsity, on the machine that makes the report.

It is measured outside of the analysis, by ``hedgesweep report``, since it needs the kernel.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from analysis import wording
from analysis.sweep import Sweep
from analysis.text_table import TextTable, or_dash

_HIDDEN = "config/network.hidden"


def latency(sweep: Sweep, measured: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Size and nanoseconds by sparsity, and by ``network.hidden`` where it is swept.

    Args:
        measured: ``trial_id``, ``weights``, ``units``, ``nanoseconds`` and ``dense_nanoseconds``
            of tickets; those that are not of the sweep are ignored.
    Returns:
        ``tickets``: number measured; medians over them; ``low`` and ``high``: their range;
        ``dense_nanoseconds``: of the same network with all weights.
    """
    tickets = sweep.tickets
    if not measured:
        return pd.DataFrame()
    axes = ["config/sparsity", *([_HIDDEN] if _HIDDEN in tickets else [])]
    rows = tickets.reindex(columns=["trial_id", *axes]).merge(
        pd.DataFrame(measured), on="trial_id"
    )
    by = rows.groupby(axes, dropna=False, sort=True)
    frame = by[["weights", "units", "nanoseconds", "dense_nanoseconds"]].median()
    spread = by["nanoseconds"].agg(["min", "max"]).set_axis(["low", "high"], axis=1)
    frame = pd.concat([by.size().rename("tickets"), frame, spread], axis=1).reset_index()
    frame["speedup"] = frame["dense_nanoseconds"] / frame["nanoseconds"]
    return frame.rename(columns=lambda name: str(name).removeprefix("config/"))


def latency_table(rows: pd.DataFrame) -> TextTable:
    """``rows`` of :func:`latency` for the terminal."""
    columns = {}
    if "network.hidden" in rows:
        columns["network"] = rows["network.hidden"].astype(str).tolist()
    columns |= {
        "sparsity": [or_dash(v, wording.percent(v)) for v in rows["sparsity"]],
        "tickets": [f"{n:d}" for n in rows["tickets"]],
        "weights": [f"{n:,.0f}" for n in rows["weights"]],
        "hidden units": [f"{n:,.0f}" for n in rows["units"]],
        "ns per hedge": [f"{n:,.0f}" for n in rows["nanoseconds"]],
        "range": [f"{a:,.0f}–{b:,.0f}" for a, b in zip(rows["low"], rows["high"], strict=True)],
        "dense": [f"{n:,.0f}" for n in rows["dense_nanoseconds"]],
        "faster": [f"{n:.1f} x" for n in rows["speedup"]],
    }
    return TextTable(
        cells=columns,
        title="Latency of one hedge on this machine",
        caption="From the features of a date to the position, in C, as hedgesweep export-model "
        "writes it: median and range over tickets. Weights and units are those that have an "
        "effect; dense is the same network with all weights.",
    )
