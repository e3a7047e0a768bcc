"""Findings on early stopping: its cost and errors, from audited trials."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from analysis.audit import scheduler
from analysis.wording import percent, plural


def stopping(sound: pd.DataFrame, trials: pd.DataFrame, manifest: Mapping[str, Any]) -> list[str]:
    """Sentences on the frame of :func:`analysis.soundness`, or on why an audit is empty.

    Empty if no audit was declared and no trial audited.
    """
    stopped = int(trials["status"].eq("stopped").sum())
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
    if remainder:
        lines.append(f"{remainder} of them cannot be judged: no finisher in their stratum.")
    if n:
        lines += [*_rates(total), _regret(total), *_correlations(sound.iloc[1:])]
    return lines


def _rates(total: pd.Series) -> list[str]:
    lines = []
    for count, rate, meaning in (
        ("false_stops", "false_stop_rate", "False stops, better than the best finisher"),
        ("within_survivors", "within_rate", "Better than the worst finisher"),
    ):
        low, high = total[f"{rate}_low"], total[f"{rate}_high"]
        lines.append(
            f"{meaning} of their stratum: {int(total[count])} of {int(total['audited'])} "
            f"({100 * low:.0f} to {100 * high:.0f} % of all that were stopped)."
        )
    return lines


def _regret(total: pd.Series) -> str:
    low, high = total["regret_low"], total["regret_high"]
    between = " (of so few strata no interval is claimed)"
    between = between if pd.isna(low) else f" ({low:.4f} to {high:.4f})"
    return (
        f"Regret: at least {total['regret']:.4f}{between} of validation risk, mean over "
        f"{plural(int(total['strata']), 'stratum', 'strata')}."
    )


def _correlations(rungs: pd.DataFrame) -> list[str]:
    lines = []
    for _, row in rungs[rungs["correlation"].notna()].iterrows():
        low, high = row["correlation_low"], row["correlation_high"]
        between = "" if pd.isna(low) else f" ({low:.2f} to {high:.2f})"
        lines.append(
            f"Rank correlation of epoch {int(row['rung'])} with the end, within strata: "
            f"{row['correlation']:.2f}{between}."
        )
    return lines
