"""Pareto fronts of trials: test results that no other trial beats in all of them."""

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from markupsafe import Markup

from analysis import schema
from analysis.attacks import CLEAN, attacks
from analysis.html.spread import clipped, sample
from analysis.html.svg import LINE_HEIGHT, Scale, axes, drawing, element, joined
from analysis.metric_names import metric_name

_SIZE = (440.0, 300.0)
_MOST_CHARACTERS = 52  # in a line of a label
_MOST = 2000
"""Trials that compete; every pair of them is compared."""
_XNN = ("cross_entropy", "explanation_gain")


@dataclass(frozen=True, slots=True, kw_only=True)
class Front:
    """Drawing of two of the ``objectives``, and the number of trials ``optimal`` in all."""

    drawing: Markup
    objectives: Sequence[str]
    optimal: int
    trials: int


def fronts(trials: pd.DataFrame, experiment: str) -> Iterator[Front]:
    """A drawing for each pair of objectives that has two different values each.

    Tickets: weights kept against CVaR, clean and under the hardest attack; X-NN: test
    cross-entropy against the explanation gain. A trial is optimal if no other one is at least as
    good in all objectives and better in one.
    """
    names = [name for name in _objectives(trials, experiment) if _varies(trials, name)]
    if len(names) < 2:
        return
    finite = np.flatnonzero(np.isfinite(_numbers(trials, names)).all(axis=1))
    rows = trials.iloc[finite[:_MOST]]
    if len(rows) < 2:
        return
    values = _numbers(rows, names)
    optimal = _optimal(values * [_sign(name, trials) for name in names])
    visible = rows.index.isin(sample(rows).index) | optimal
    for name in names[1:]:
        across, upwards = names[0], name
        yield Front(
            drawing=_points(rows.loc[visible], optimal[visible], across, upwards),
            objectives=names,
            optimal=int(optimal.sum()),
            trials=len(rows),
        )


def note(front: Front) -> str:
    """Caption of ``front``."""
    names = ", ".join(map(metric_name, front.objectives))
    return (
        f"Ringed: the {front.optimal:,} of {front.trials:,} trials that no other beats in {names} "
        "together; values upwards within their middle 90 %. Single trials of single seeds; the "
        "front is not tested, and the luck of a seed may place a trial on it. "
        "Select a point to mark its trial everywhere."
    )


def _objectives(trials: pd.DataFrame, experiment: str) -> list[str]:
    if experiment == "xnn":
        return list(_XNN)
    hardest = max(
        (one for one in attacks(trials) if one.seeks),
        key=lambda one: (one.measure == CLEAN, one.hardness, one.budget),
        default=None,
    )
    return ["weights_kept", CLEAN, *([hardest.column] if hardest else [])]


def _varies(trials: pd.DataFrame, name: str) -> bool:
    return name in trials and trials[name].nunique() > 1


def _numbers(trials: pd.DataFrame, names: Sequence[str]) -> npt.NDArray[np.float64]:
    return trials[list(names)].astype("float64").to_numpy()


def _sign(name: str, trials: pd.DataFrame) -> float:
    """-1 if larger is better; the fewer weights kept, the better."""
    return -1.0 if schema.column(name, frame=trials).direction == "higher" else 1.0


def _optimal(costs: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """True for each row of ``costs`` that no other row dominates."""
    return np.array(
        [not ((costs <= row).all(axis=1) & (costs < row).any(axis=1)).any() for row in costs],
        dtype=bool,
    )


def _points(
    rows: pd.DataFrame, optimal: npt.NDArray[np.bool_], across: str, upwards: str
) -> Markup:
    x, y = rows[across].astype("float64"), clipped(rows[upwards])
    places = Scale(float(x.min()), float(x.max()), 70.0, _SIZE[0] - 30)
    # A budget such as "ε = 0.1" stays on one line.
    words = _label(upwards, rows).replace(" = ", "\u00a0=\u00a0")
    y_label = "\n".join(textwrap.wrap(words, _MOST_CHARACTERS))
    top = 34.0 + LINE_HEIGHT * y_label.count("\n")
    heights = Scale(float(y.min()), float(y.max()), _SIZE[1] - 46, top)
    points = [
        element(
            "circle",
            cx=places(float(a)),
            cy=heights(float(b)),
            r=5 if best else 3,
            class_="trial optimal" if best else "trial",
            data_trial=trial_id,
            data_status=status,
        )
        for best, a, b, trial_id, status in sorted(
            zip(optimal, x, y, rows["trial_id"], rows["status"], strict=True),
            key=lambda point: bool(point[0]),
        )
    ]
    frame = axes(places, heights, x_label=_label(across, rows), y_label=y_label)
    pair = f"{metric_name(upwards)} against {metric_name(across)}"
    title = f"Pareto front: {pair}; optimal trials are ringed"
    return drawing([frame, joined(points)], size=_SIZE, title=title)


def _label(name: str, trials: pd.DataFrame) -> str:
    direction = schema.column(name, frame=trials).direction
    words = metric_name(name)
    return f"{words} ({direction} is better)" if direction else words
