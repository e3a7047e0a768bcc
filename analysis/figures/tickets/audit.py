"""Final validation risk of audited trials against their value at the rung."""

from typing import Any

import pandas as pd
from matplotlib.axes import Axes

from analysis import schema
from analysis.audit import soundness
from analysis.figures.palette import FAINT, INK, LINES, MARKERS, MUTED, VERMILION
from analysis.figures.style import NothingToDraw, caption, label, number
from analysis.metric_names import metric_name
from analysis.wording import plural

_MOST_NAMES = 4
_UNIT = "currency per option, S0 = 100"


def early_stopping_audit(audited: pd.DataFrame, ax: Axes) -> None:
    """Final validation risk against the scheduler's value at the rung, less the winner's.

    Both are differences to the best finisher of the stratum, which is at the origin, so that
    strata of different risk share one plot. Filled markers: stopped at that rung and continued, a
    colour per rung. Hollow: completed, at every rung where another was stopped. Filled markers
    below zero are false stops; the caption names their strata.

    Args:
        audited: the frame from :func:`analysis.audit`.
    Raises:
        NothingToDraw: no audited unit has a finisher in its stratum.
    """
    points = _points(audited)
    stopped = points[points["stopped_at"].eq(points["rung"])]
    if stopped.empty:
        raise NothingToDraw("no audited trial has a finisher in its stratum")
    rungs = sorted(int(r) for r in set(stopped["rung"]))
    finishers = points[points["outcome"].eq("completed") & points["rung"].isin(rungs)]
    look: Any = {"mfc": "none", "mec": MUTED, "alpha": 0.8, "markersize": 5.5, "zorder": 3}
    ax.plot(finishers["x"], finishers["y"], "o", label="completed", **look)
    for i, rung in enumerate(rungs):
        x, y = (stopped.loc[stopped["rung"].eq(rung), side] for side in "xy")
        look = {"color": LINES[i % len(LINES)], "mec": "white", "markersize": 7.5, "zorder": 4}
        text = f"stopped at epoch {rung}, continued"
        ax.plot(x, y, MARKERS[i % len(MARKERS)], label=text, **look)
    ax.margins(0.08)
    _zone(ax)
    ax.axvline(0.0, color=FAINT, linewidth=1.0, zorder=0)
    ax.axhline(0.0, color=INK, linestyle="--", linewidth=1.2, zorder=2)
    ax.legend(loc="best", fontsize=9.0, handletextpad=0.2)
    ax.set_xlabel(f"{_measure(points)} at the rung, less the winner's there\n({_UNIT})")
    ax.set_ylabel(f"final validation risk, less the winner's\n({_UNIT})")
    ax.set_title("Early stopping audit: what stopped trials would have reached")
    caption(ax, _notes(audited, stopped), below=60.0)


def _measure(points: pd.DataFrame) -> str:
    """The scheduler's metric in words, whose unit is that of the risk."""
    metric = str(points["metric"].iloc[0])
    higher = metric in schema.EPOCHS and schema.EPOCHS[metric].direction == "higher"
    return f"negated {metric_name(metric)}" if higher else metric_name(metric)


def _points(audited: pd.DataFrame) -> pd.DataFrame:
    """Units with a value at their rung, as differences to the best finisher of their stratum."""
    rows = audited[audited["best"].notna() & audited["at_rung"].notna()]
    winners = rows[rows["outcome"].eq("completed") & rows["final"].eq(rows["best"])]
    winners = winners.drop_duplicates(["stratum", "rung"])[["stratum", "rung", "at_rung"]]
    points = rows.merge(winners, on=["stratum", "rung"], suffixes=("", "_of_winner"))
    return points.assign(
        x=points["at_rung"] - points["at_rung_of_winner"], y=points["final"] - points["best"]
    )


def _zone(ax: Axes) -> None:
    """The zone of false stops, visible even if there are none."""
    bottom, top = ax.get_ylim()
    ax.set_ylim(min(bottom, -0.12 * (top - bottom)), top)
    ax.axhspan(ax.get_ylim()[0], 0.0, color=VERMILION, alpha=0.07, linewidth=0.0, zorder=0)
    look: Any = {
        "xycoords": ("axes fraction", "data"),
        "ha": "right",
        "va": "top",
        "fontsize": 9.0,
    }
    text = "false stops: better than the winner"
    label(ax, text, (0.995, 0.0), (0, -4), color=VERMILION, **look)


def _notes(audited: pd.DataFrame, stopped: pd.DataFrame) -> list[str]:
    sound = soundness(audited)
    total, rungs = sound.iloc[0], sound[sound["tau"].notna()]
    low, high = 100 * total["false_stop_rate_low"], 100 * total["false_stop_rate_high"]
    notes = [
        "The winner is the best finisher of the stratum, at (0, 0). Filled: a random share of the "
        "stopped ones, continued to the end.",
        f"False stops: {int(total['false_stops']):,} of {int(total['audited']):,} audited "
        f"({low:.0f} to {high:.0f} % of all that were stopped).",
        f"Regret of the audited: {total['regret']:.4f} currency per option, mean over "
        f"{plural(int(total['strata']), 'stratum', 'strata')}.",
    ]
    correlations = [f"{number(r['tau'])} at epoch {int(r['rung'])}" for _, r in rungs.iterrows()]
    if correlations:
        notes.append(f"Kendall's tau with the end, within strata: {', '.join(correlations)}.")
    strata = stopped[stopped["y"] < 0.0].sort_values("y")["stratum"].drop_duplicates().tolist()
    if strata:
        more = f"; and {len(strata) - _MOST_NAMES} more" if len(strata) > _MOST_NAMES else ""
        notes.append(f"Falsely stopped in: {'; '.join(strata[:_MOST_NAMES])}{more}.")
    return notes
