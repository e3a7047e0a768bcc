"""Fairness: rates of a model's decisions by group, their differences, and intervals.

Selected rows are those predicted as class 7, ``Response`` 8: accepted as applied for. The user
chooses the column of the groups; the data identify no protected attribute, and age or sex can be
lawful rating factors. A difference is therefore not in itself evidence of unfairness.

Values are those of fairlearn's ``MetricFrame``. Its bootstrap would resample a data frame for each
interval, a third of a second each on 12,000 rows. Every rate is a function of a confusion table,
so resampling rows is one multinomial draw of all groups' tables: the same distribution in a
thousandth of the time.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from fairlearn.metrics import MetricFrame
from jaxtyping import Float, Int, Integer, Real, Shaped

from hedgecore.insurance.data.schema import CLASSES
from hedgecore.insurance.evaluation.scores import accuracy, confusion, quadratic_kappa, quotient

SELECTED = 7

_Rate = Callable[[np.ndarray], np.ndarray]


def selection_rate(table: Real[np.ndarray, "*tables 8 8"]) -> Float[np.ndarray, "*tables"]:
    """Share of rows predicted as the best class."""
    return quotient(table[..., :, SELECTED].sum(axis=-1), table.sum(axis=(-2, -1)))


def true_positive_rate(table: Real[np.ndarray, "*tables 8 8"]) -> Float[np.ndarray, "*tables"]:
    """Share of the best class predicted as such; NaN without rows of that class."""
    return quotient(table[..., SELECTED, SELECTED], table[..., SELECTED, :].sum(axis=-1))


def false_positive_rate(table: Real[np.ndarray, "*tables 8 8"]) -> Float[np.ndarray, "*tables"]:
    """Share of the other classes predicted as the best class."""
    negatives = table[..., :SELECTED, :]
    return quotient(negatives[..., SELECTED].sum(axis=-1), negatives.sum(axis=(-2, -1)))


RATES: Mapping[str, _Rate] = {
    "selection_rate": selection_rate,
    "true_positive_rate": true_positive_rate,
    "false_positive_rate": false_positive_rate,
    "accuracy": accuracy,
    "kappa": quadratic_kappa,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Groups:
    """Groups of rows to compare.

    Args:
        names: names of the groups, in the order of their values, "missing" last.
        index: index in ``names`` of every row's group; -1 if its group is too small.
        too_small: number of rows of every excluded group, by name.
    """

    names: tuple[str, ...]
    index: Int[np.ndarray, " rows"]
    too_small: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """Value and ends of its bootstrap interval, each NaN where undefined."""

    value: Float[np.ndarray, "*groups"]
    low: Float[np.ndarray, "*groups"]
    high: Float[np.ndarray, "*groups"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fairness:
    """Every entry of ``RATES`` by group, and between groups.

    Args:
        groups: the compared groups.
        by_group: one value per group, for each rate.
        difference: largest less smallest of the groups' rates. It is never negative, so its
            interval excludes 0 even if all groups are equal: compare with its width.
        ratio: smallest over largest; below 0.8 a selection rate fails the four-fifths rule.
    """

    groups: Groups
    by_group: Mapping[str, Interval]
    difference: Mapping[str, Interval]
    ratio: Mapping[str, Interval]

    def summary(self) -> dict[str, float]:
        """Difference and ratio of every rate, with "_low" and "_high" for their intervals."""
        between = {"difference": self.difference, "ratio": self.ratio}
        return {
            f"{rate}_{name}{suffix}": float(getattr(intervals[rate], end))
            for name, intervals in between.items()
            for rate in RATES
            for suffix, end in (("", "value"), ("_low", "low"), ("_high", "high"))
        }


def grouped(
    column: Shaped[np.ndarray, " rows"], *, bins: int | None = None, least: int = 30
) -> Groups:
    """Groups of rows by the levels of ``column``, or by its quantiles.

    Args:
        column: numbers, NaN where missing, or text; missing values form their own group.
        bins: number of quantile bins for numbers; None uses the levels.
        least: minimum number of rows of a group; a group of a single row could make any difference
            1.
    Raises:
        ValueError: ``bins`` below 2 or for text, or fewer than two groups large enough.
    """
    names, index = _levels(column) if bins is None else _quantiles(column, bins)
    rows = np.bincount(index, minlength=len(names))
    large = rows >= least
    if large.sum() < 2:
        raise ValueError(
            f"column must have 2 groups of at least {least} rows to compare, got {large.sum()};"
            " choose another, or bins for a continuous one"
        )
    renumbered = np.where(large, large.cumsum() - 1, -1)
    return Groups(
        names=tuple(name for name, flag in zip(names, large, strict=True) if flag),
        index=renumbered[index],
        too_small={n: int(r) for n, r in zip(names, rows, strict=True) if 0 < r < least},
    )


def fairness(
    label: Integer[np.ndarray, " rows"],
    predicted: Integer[np.ndarray, " rows"],
    groups: Groups,
    *,
    generator: np.random.Generator,
    resamples: int = 1000,
    confidence: float = 0.95,
) -> Fairness:
    """Every rate by group with percentile bootstrap intervals; groups too small are excluded.

    Args:
        label: true class in 0..7.
        predicted: class in 0..7.
        groups: groups of the same rows.
        generator: source of the bootstrap, which draws rows of all groups together.
        resamples: number of bootstrap resamples.
        confidence: level of the intervals, in (0, 1).
    Raises:
        ValueError: ``confidence`` outside (0, 1), or fewer than 1 resamples.
    """
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie in (0, 1), got {confidence}")
    if resamples < 1:
        raise ValueError(f"resamples must be at least 1, got {resamples}")
    mask = groups.index >= 0
    label, predicted, index = label[mask], predicted[mask], groups.index[mask]
    members = [index == g for g in range(len(groups.names))]
    tables = np.stack([confusion(label[m], predicted[m]) for m in members])
    # One row per cell of the tables, with its count: fairlearn is slow on many rows.
    group, true, likely = np.indices(tables.shape).reshape(3, -1)
    frame = MetricFrame(
        metrics={name: _of_cells(rate) for name, rate in RATES.items()},
        y_true=true,
        y_pred=likely,
        sensitive_features=group,
        sample_params={name: {"count": tables.ravel()} for name in RATES},
    )
    draws = generator.multinomial(len(label), tables.ravel() / len(label), size=resamples)
    samples = draws.reshape(resamples, *tables.shape)
    ends = (1 - confidence) / 2, (1 + confidence) / 2

    def interval(value: object, of: Callable[[np.ndarray], np.ndarray], rate: str) -> Interval:
        low, high = np.quantile(of(RATES[rate](samples)), ends, axis=0)
        return Interval(value=np.asarray(value), low=np.asarray(low), high=np.asarray(high))

    by_group, difference, ratio = frame.by_group, frame.difference(), frame.ratio()
    return Fairness(
        groups=groups,
        by_group={r: interval(by_group[r].to_numpy(), np.asarray, r) for r in RATES},
        difference={r: interval(difference[r], _spread, r) for r in RATES},
        ratio={r: interval(ratio[r], _least_over_largest, r) for r in RATES},
    )


def _of_cells(rate: _Rate) -> Callable[..., float]:
    def of(true: np.ndarray, likely: np.ndarray, *, count: np.ndarray) -> float:
        cells = np.bincount(CLASSES * true + likely, weights=count, minlength=CLASSES**2)
        return float(rate(cells.reshape(CLASSES, CLASSES)))

    return of


def _spread(rates: Float[np.ndarray, "resamples groups"]) -> Float[np.ndarray, " resamples"]:
    # As in fairlearn, groups with undefined rates are ignored in the comparison.
    return np.fmax.reduce(rates, axis=1) - np.fmin.reduce(rates, axis=1)


def _least_over_largest(
    rates: Float[np.ndarray, "resamples groups"],
) -> Float[np.ndarray, " resamples"]:
    return quotient(np.fmin.reduce(rates, axis=1), np.fmax.reduce(rates, axis=1))


def _levels(column: np.ndarray) -> tuple[list[str], np.ndarray]:
    """Names of the levels in order, and the index of every row's level."""
    values, index = np.unique(column, return_inverse=True)
    numeric = values.dtype.kind in "iuf"
    labels = [f"{v:g}" if numeric else str(v) for v in values]
    # numpy.unique puts NaN last, and once.
    return ["missing" if name == "nan" and numeric else name for name in labels], index


def _quantiles(column: np.ndarray, bins: int) -> tuple[list[str], np.ndarray]:
    if column.dtype.kind not in "iuf":
        raise ValueError(f"bins must be None for text, got {bins}; its levels are the groups")
    if bins < 2:
        raise ValueError(f"bins must be at least 2, got {bins}")
    missing = np.isnan(column)
    if len(np.unique(column[~missing])) < 2:
        return _levels(column)
    # A value of many rows makes cuts coincide; such bins are merged.
    cuts = np.unique(np.quantile(column[~missing], np.arange(bins + 1) / bins))
    inner = cuts[1:-1]
    index = np.where(missing, len(inner) + 1, np.searchsorted(inner, column, side="right"))
    starts = [f"[{a:g}, {b:g})" for a, b in pairwise(cuts)]
    starts[-1] = starts[-1][:-1] + "]"
    return [*starts, "missing"], index
