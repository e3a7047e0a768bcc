"""Training of the trials: learning curves with rungs, and the number that each rung stopped."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
from markupsafe import Markup

from analysis.html.spread import sample
from analysis.html.svg import Scale, axes, drawing, element, joined, line, text
from analysis.manifest import rungs_of
from analysis.metric_names import metric_name

COLUMNS = ("trial_id", "epoch", "val_loss")
"""Columns of epochs that learning curves are drawn from."""
_SIZE = (720.0, 320.0)
_LOSS = "val_loss"
_BAR = 22.0


def learning_curves(
    trials: pd.DataFrame, epochs: pd.DataFrame, manifest: Mapping[str, Any]
) -> Markup | None:
    """Validation loss by epoch, a line per trial, with rungs; None without two epochs."""
    rows = sample(trials)
    curves = epochs[epochs["trial_id"].isin(rows["trial_id"]) & epochs[_LOSS].notna()]
    if curves.empty or curves["epoch"].max() < 2:
        return None
    losses = curves[_LOSS].astype("float64")
    top = float(losses.quantile(0.9))
    across = Scale(1.0, float(curves["epoch"].max()), 60.0, _SIZE[0] - 20)
    upwards = Scale(float(losses.min()), top, _SIZE[1] - 50, 30.0)
    status = rows.set_index("trial_id")["status"]
    groups = dict(list(curves.groupby("trial_id", observed=True)))
    lines = [
        line(
            [
                (across(float(epoch)), upwards(min(float(loss), top)))
                for epoch, loss in zip(part["epoch"], part[_LOSS], strict=True)
            ],
            class_="trial",
            data_trial=trial_id,
            data_status=status[trial_id],
        )
        for trial_id in reversed(rows["trial_id"].tolist())
        if (part := groups.get(trial_id)) is not None
    ]
    rungs = [
        line([(across(float(r)), upwards.start), (across(float(r)), upwards.stop)], class_="rung")
        for r in rungs_of(manifest)
        if r <= across.high
    ]
    frame = axes(
        across, upwards, x_label="epoch", y_label=f"{metric_name(_LOSS)}, cut at the 90 % quantile"
    )
    return drawing(
        [frame, *rungs, joined(lines)],
        size=_SIZE,
        title="Learning curves of the trials; dashed lines are the rungs of early stopping",
    )


def survival(trials: pd.DataFrame, manifest: Mapping[str, Any]) -> Markup | None:
    """Number of trials that reached and that left at every rung; None without rungs."""
    rows = rung_counts(trials, manifest)
    if not rows:
        return None
    most = max(1, *(reached for _, reached, _ in rows))
    across = Scale(0.0, float(most), 110.0, 520.0)
    parts = []
    for i, (rung, reached, ended) in enumerate(rows):
        y = 10.0 + _BAR * i
        promoted = across(float(reached - ended)) - across.start
        width = across(float(reached)) - across.start
        parts += [
            text(f"rung at epoch {rung}", across.start - 8, y + 12, anchor="end"),
            element("rect", x=across.start, y=y, width=width, height=_BAR - 8, class_="stopped"),
            element("rect", x=across.start, y=y, width=promoted, height=_BAR - 8, class_="bar"),
            text(
                f"{reached:,} reached, {ended:,} stopped",
                across.start + width + 8,
                y + 12,
                anchor="start",
            ),
        ]
    return drawing(
        parts, size=(720.0, 20.0 + _BAR * len(rows)), title="Trials that reached every rung"
    )


def rung_counts(trials: pd.DataFrame, manifest: Mapping[str, Any]) -> list[tuple[int, int, int]]:
    """Every rung, and the numbers of trials that reached it and that were stopped there."""
    if "epochs" not in trials:
        return []
    stopped = trials["stopped_at"] if "stopped_at" in trials else pd.Series(dtype="Int64")
    return [
        (rung, int(trials["epochs"].fillna(0).ge(rung).sum()), int(stopped.eq(rung).sum()))
        for rung in rungs_of(manifest)
    ]
