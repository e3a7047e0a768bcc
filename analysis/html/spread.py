"""Parameters and losses of trials: parallel coordinates, and a slice for every parameter."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from markupsafe import Markup

from analysis.html.svg import Scale, axes, drawing, element, joined, line, number, text
from analysis.html.trial_table import ordered
from analysis.metric_names import metric_name
from analysis.trial_list import AXIS, HEADLINE

MOST = 300
"""Trials in one drawing; of more, the best half and an even sample of the others."""
_LOSS = "val_loss"
_HEIGHT, _GAP = 260.0, 130.0
_SLICE = (300.0, 210.0)
_MOST_NAMES, _MOST_ACROSS = 12, 6  # labels of words, upwards and across
_MOST_CHARACTERS = 20  # between two axes


@dataclass(frozen=True, slots=True)
class Dimension:
    """Column of trials as numbers; one of words has the places of its values in ``names``."""

    name: str
    values: pd.Series
    names: Sequence[str] = ()

    def labels(self, most: int) -> list[tuple[float, str]]:
        """Places and texts of at most ``most`` of the ``names``, evenly spaced."""
        step = max(1, -(-len(self.names) // most))
        return [(float(i), name) for i, name in enumerate(self.names)][::step]

    @property
    def ends(self) -> tuple[float, float]:
        """Smallest and largest value."""
        return float(self.values.min()), float(self.values.max())


def sample(trials: pd.DataFrame) -> pd.DataFrame:
    """At most :data:`MOST` of ``trials`` with a loss, best first."""
    finite = ordered(trials[trials[_LOSS].notna()]) if _LOSS in trials else trials.iloc[:0]
    if len(finite) <= MOST:
        return finite
    best = finite.iloc[: MOST // 2]
    others = finite.iloc[MOST // 2 :]
    places = np.linspace(0, len(others) - 1, MOST - len(best)).round().astype(int)
    return pd.concat([best, others.iloc[places]])


def dimensions(trials: pd.DataFrame) -> list[Dimension]:
    """Axes of the space with several values, as numbers."""
    columns = []
    for name in map(str, trials.columns):
        if name.startswith(AXIS) and trials[name].nunique() > 1:
            columns.append(_dimension(name.removeprefix(AXIS), trials[name]))
    return columns


def clipped(values: pd.Series) -> pd.Series:
    """``values`` within their middle 90 %: a few diverged trials would squeeze all others."""
    numbers = values.astype("float64")
    return numbers.clip(float(numbers.quantile(0.05)), float(numbers.quantile(0.95)))


def parallel_coordinates(trials: pd.DataFrame, experiment: str) -> Markup | None:
    """A line per trial through its parameters, loss and test metrics; None without two axes.

    A trial that lacks a value has a gap there.
    """
    rows = sample(trials)
    metrics = [n for n in (_LOSS, *HEADLINE.get(experiment, ())[:2]) if n in rows]
    columns = dimensions(rows) + [
        Dimension(metric_name(name), clipped(rows[name]))
        for name in metrics
        if rows[name].nunique() > 1
    ]
    if len(columns) < 2:
        return None
    places = [40.0 + _GAP * i for i in range(len(columns))]
    scales = [Scale(*column.ends, _HEIGHT + 30, 30.0) for column in columns]
    paths = [
        line(points, class_="trial", data_trial=trial_id, data_status=status)
        for trial_id, status, *values in zip(
            rows["trial_id"], rows["status"], *(c.values for c in columns), strict=True
        )
        for points in _unbroken(values, places, scales)
    ]
    uprights = [
        _upright(column, scale, x)
        for column, scale, x in zip(columns, scales, places, strict=True)
    ]
    # The best are drawn last, above the others.
    return drawing(
        [joined(reversed(paths)), *uprights],
        size=(places[-1] + 80, _HEIGHT + 50),
        title="Parallel coordinates: a line per trial through its parameters and results",
    )


def unlabelled(trials: pd.DataFrame) -> list[str]:
    """Sentence on every parameter of more words than its upright of the drawing has labels."""
    return [
        f"Labels of {column.name}: {len(labels)} of {len(column.names):,} values; lines have all."
        for column in dimensions(sample(trials))
        if len(labels := column.labels(_MOST_NAMES)) < len(column.names)
    ]


def slices(trials: pd.DataFrame) -> Iterator[Markup]:
    """Validation loss against every parameter, a point per trial."""
    rows = sample(trials)
    losses = rows[_LOSS].astype("float64") if _LOSS in rows else pd.Series(dtype="float64")
    if losses.nunique() < 2:
        return
    losses = clipped(losses)
    upwards = Scale(float(losses.min()), float(losses.max()), _SLICE[1] - 40, 24.0)
    for column in dimensions(rows):
        across = Scale(*column.ends, 60.0, _SLICE[0] - 20)
        points = [
            element(
                "circle",
                cx=across(float(x)),
                cy=upwards(float(y)),
                r=3,
                class_="trial",
                data_trial=trial_id,
                data_status=status,
            )
            for x, y, trial_id, status in zip(
                column.values, losses, rows["trial_id"], rows["status"], strict=True
            )
            if pd.notna(x)
        ]
        frame = axes(
            across,
            upwards,
            x_label=column.name,
            y_label=metric_name(_LOSS),
            names=column.labels(_MOST_ACROSS),
        )
        yield drawing(
            [frame, joined(reversed(points))],
            size=_SLICE,
            title=f"{metric_name(_LOSS)} by {column.name}",
        )


def _dimension(name: str, values: pd.Series) -> Dimension:
    if pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values):
        return Dimension(name, values.astype("float64"))
    texts = values.astype("string")
    order = sorted(texts.dropna().unique())
    return Dimension(name, texts.map({t: i for i, t in enumerate(order)}).astype("float64"), order)


def _unbroken(
    values: Sequence[float], places: Sequence[float], scales: Sequence[Scale]
) -> Iterator[list[tuple[float, float]]]:
    """Lines through the ``values`` that are not missing."""
    points: list[tuple[float, float]] = []
    for value, x, scale in zip(values, places, scales, strict=True):
        if pd.isna(value):
            if len(points) > 1:
                yield points
            points = []
        else:
            points.append((x, scale(float(value))))
    if len(points) > 1:
        yield points


def _upright(column: Dimension, scale: Scale, x: float) -> Markup:
    ticks = column.labels(_MOST_NAMES) or [(v, number(v)) for v in scale.ticks()]
    parts = [
        line([(x, scale.start), (x, scale.stop)], class_="axis"),
        text(column.name, x, 14.0, class_="label", most=_MOST_CHARACTERS),
    ]
    for value, name in ticks:
        y = scale(value) + 3
        parts.append(text(name, x + 5, y, anchor="start", most=_MOST_CHARACTERS))
    return joined(parts)
