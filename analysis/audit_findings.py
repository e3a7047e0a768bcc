"""Findings on early stopping: its cost and errors, from audited trials."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from analysis.i_epoch import share
from analysis.kendall import NEEDED
from analysis.stopped_units import scheduler, stopped_by_rule
from analysis.wording import percent, plural


def stopping(sound: pd.DataFrame, trials: pd.DataFrame, manifest: Mapping[str, Any]) -> list[str]:
    """Sentences on the frame of :func:`analysis.soundness`, or on why an audit is empty.

    Empty if no audit was declared and no trial audited.
    """
    stopped = int(stopped_by_rule(trials).sum())
    share = float(manifest.get("audit") or 0.0)
    if sound.empty:
        if not share:
            return []
        reason = f"none of {plural(stopped, 'stopped trial')} has run on to its end as a whole"
        return [
            f"An audit of {percent(share)} was declared, but "
            f"{reason if stopped else 'no trial was stopped'}."
        ]
    total = sound.iloc[0]
    n, remainder = int(total["audited"]), int(total["unjudged"])
    unit = "configuration" if scheduler(manifest).get("replicates") else "trial"
    chance = f" (each drawn with probability {percent(share)})" if share else ""
    lines = [
        f"{plural(stopped, 'trial')} stopped early; of these, "
        f"{plural(n + remainder, unit)} ran on to the end{chance}."
    ]
    if unended := _unended(trials):
        lines.append(f"{plural(unended, 'drawn trial')} without a recorded end left out.")
    if remainder:
        lines.append(f"{remainder} of them cannot be judged: no finisher in their stratum.")
    if n:
        lines += [*_rates(total), _regret(total), *_correlations(sound.iloc[1:])]
    return lines


def _unended(trials: pd.DataFrame) -> int:
    """Trials drawn for the audit that have not reached its end, or failed on the way."""
    audited = trials["audited"].fillna(False).astype(bool)
    return int((audited & ~np.isfinite(trials["audit_val_loss"].astype("float64"))).sum())


def rival(rows: pd.DataFrame) -> list[str]:
    """Sentences on the frame of :func:`analysis.i_epoch`; empty without rows."""
    if rows.empty:
        return []
    winners, strata = int(rows["winner_kept"].sum()), len(rows)
    low, high = share(rows["winner_kept"])
    spent, other = (int(rows[name].sum()) for name in ("epochs", "i_epoch_epochs"))
    lines = [
        "1-Epoch (all for one epoch, then the best, as many as finished here, to the end): "
        f"{other:,} epochs, this sweep {spent:,}.",
        f"1-Epoch keeps the best finisher of {winners} of {strata} strata ({100 * low:.0f} to "
        f"{100 * high:.0f} %), and is at least as good there.",
    ]
    whole = int(rows["difference"].notna().sum())
    name = "Best final risk of 1-Epoch less that of this sweep"
    if whole < strata:
        return [
            *lines,
            f"{name}: not shown. The ends of its choice are recorded in {whole} of {strata} "
            "strata; an audit of 100 % records them all.",
        ]
    worse = rows["difference"].gt(0.0)
    low, high = share(worse)
    return [
        *lines,
        f"{name}: {rows['difference'].mean():+.4f}, mean over these strata; worse in "
        f"{int(worse.sum())} of {strata} ({100 * low:.0f} to {100 * high:.0f} %), equal in "
        f"{int(rows['difference'].eq(0.0).sum())}.",
    ]


def _rates(total: pd.Series) -> list[str]:
    lines = []
    for count, rate, meaning in (
        ("false_stops", "false_stop_rate", "False stops, better than the best finisher"),
        ("within_survivors", "within_rate", "Better than the worst finisher"),
    ):
        low, high = total[f"{rate}_low"], total[f"{rate}_high"]
        lines.append(
            f"{meaning} of their stratum: {int(total[count]):,} of {int(total['audited']):,} "
            f"({100 * low:.0f} to {100 * high:.0f} % of all that were stopped)."
        )
    return lines


def _regret(total: pd.Series) -> str:
    low = total["regret_low"]
    strata = plural(int(total["strata"]), "stratum", "strata")
    mean = f"Regret of the audited: {total['regret']:.4f} of validation risk, mean over {strata}"
    if pd.isna(low):
        return f"{mean}; a bound for other strata is not shown from fewer than 3."
    return f"{mean}; at least {low:.4f} (one-sided 95 % bound)."


def _correlations(rungs: pd.DataFrame) -> list[str]:
    lines = []
    for _, row in rungs[rungs["tau"].notna()].iterrows():
        low, high = row["tau_low"], row["tau_high"]
        ends = f"no interval, which needs {NEEDED}" if pd.isna(low) else f"{low:.2f} to {high:.2f}"
        lines.append(
            f"Kendall's tau of epoch {int(row['rung'])} with the end, within strata: "
            f"{row['tau']:.2f} ({ends})."
        )
    return lines
