"""Encodings of a table as the input matrix of a network: the notebook's, and a sound one.

Both are fitted on the training rows and applied to any rows; a fitted encoding is arrays and
names, so it can be stored without pickle.

``published`` reproduces the notebook including its faults: missing values become -1000 and are
scaled as numbers, as are nominal codes, and the codes come from the whole table including held-out
rows. ``sound`` has no such leak: it depends on its training rows only.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from math import ceil
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Float32, Int

from hedgecore.insurance.data.schema import COLUMNS, FEATURES, KEYWORDS
from hedgecore.insurance.data.table import Table

Columns = Mapping[str, np.ndarray]
Matrix = Float[np.ndarray, "rows columns"]
Inputs = Float32[np.ndarray, "rows inputs"]

SENTINEL = -1000.0
PUBLISHED_NAMES = (
    *FEATURES,
    "Product_Info_2_char",
    "Product_Info_2_num",
    "BMI_Age",
    "Med_Keywords_Count",
)


@runtime_checkable
class Features(Protocol):
    """Rows with or without an assessment."""

    @property
    def columns(self) -> Columns:
        """The features by name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scaling:
    """Standardisation of columns and, with axes, projection onto them.

    Args:
        mean: mean of every column over the training rows.
        sd: standard deviation over the training rows, divided by n; 1 where a column is constant.
        axes: orthonormal, by descending variance, each with its largest entry positive; empty for
            no projection.
        explained: share of the variance along each axis.
    """

    mean: Float[np.ndarray, " columns"]
    sd: Float[np.ndarray, " columns"]
    axes: Float[np.ndarray, "axes columns"]
    explained: Float[np.ndarray, " axes"]

    def apply(self, values: Matrix) -> Inputs:
        """``values`` standardised and projected, in float64 until the end."""
        standard = (values - self.mean) / self.sd
        return (standard @ self.axes.T if len(self.axes) else standard).astype(np.float32)

    def names(self, columns: tuple[str, ...]) -> tuple[str, ...]:
        """Names of the outputs of :meth:`apply`."""
        return tuple(f"PC{k + 1}" for k in range(len(self.axes))) or columns


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """Notebook's encoding: 130 columns, standardised, and their first principal axes.

    Args:
        codes: levels of Product_Info_2, its letter and its digit, by column, in order of first
            appearance; the position is the code.
        scaling: scaling fitted on the training rows with their sentinels.
    """

    codes: Mapping[str, np.ndarray]
    scaling: Scaling

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the inputs."""
        return self.scaling.names(PUBLISHED_NAMES)

    def features(self, table: Features) -> Matrix:
        """The 130 columns for boosting: float64, unscaled, -1000 where missing.

        Raises:
            ValueError: ``table`` has a level of Product_Info_2 that is not in the fitted table.
        """
        return _published(table.columns, self.codes)

    def encode(self, table: Features) -> Inputs:
        """Inputs of a network, one row per row of ``table``.

        Raises:
            ValueError: ``table`` has a level of Product_Info_2 that is not in the fitted table.
        """
        return self.scaling.apply(self.features(table))


@dataclass(frozen=True, slots=True, kw_only=True)
class Sound:
    """Sound encoding: medians and missing flags for numbers, one column per nominal level.

    Args:
        medians: medians of the columns with missing values over the training rows.
        levels: frequent levels in the training rows, by nominal column.
        bounds: values at which continuous and discrete columns are winsorised.
        columns: columns that vary in the training rows: "Ht", "Family_Hist_2 missing",
            "InsuredInfo_6 = 2", "Medical_History_2 = other".
        scaling: fitted on the training rows.
    """

    medians: Mapping[str, float]
    levels: Mapping[str, np.ndarray]
    bounds: Mapping[str, tuple[float, float]]
    columns: tuple[str, ...]
    scaling: Scaling

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the inputs."""
        return self.scaling.names(self.columns)

    def encode(self, table: Features) -> Inputs:
        """Inputs of a network, one row per row of ``table``.

        A level that is rare or absent in the training rows is "other"; all 0 if "other" is absent.
        """
        columns = dict(self.candidates(table.columns))
        return self.scaling.apply(np.stack([columns[name] for name in self.columns], axis=1))

    def candidates(self, columns: Columns) -> Iterator[tuple[str, Float[np.ndarray, " rows"]]]:
        """Encoded columns before scaling, including those too rare for ``self.columns``."""
        for name in FEATURES:
            values = columns[name]
            if name in self.levels:
                for level in self.levels[name]:
                    code = level if COLUMNS[name].text else f"{level:g}"
                    yield f"{name} = {code}", (values == level).astype(np.float64)
                pooled = ~np.isin(values, self.levels[name])
                yield f"{name} = other", pooled.astype(np.float64)
                continue
            missing = np.isnan(values)
            if name in self.medians:
                values = np.where(missing, self.medians[name], values)
            yield name, np.clip(values, *self.bounds[name]) if name in self.bounds else values
            if name in self.medians:
                yield f"{name} missing", missing.astype(np.float64)


def fit_published(table: Table, rows: Int[np.ndarray, " train"], *, axes: int = 10) -> Published:
    """Notebook's encoding, with codes from the whole ``table`` and everything else from ``rows``.

    Args:
        table: table that defines the codes.
        rows: the training rows.
        axes: number of principal axes; 0 keeps the 130 columns.
    Raises:
        ValueError: ``axes`` negative or beyond the number of columns.
    """
    codes = {name: _by_appearance(text) for name, text in _product(table.columns).items()}
    values = _published({name: c[rows] for name, c in table.columns.items()}, codes)
    return Published(codes=codes, scaling=_scaling(values, axes=axes))


def fit_sound(table: Table, rows: Int[np.ndarray, " train"], *, rare: float) -> Sound:
    """Sound encoding, fitted on the training ``rows`` of ``table`` only.

    No input depends on a peculiarity of few rows: with m = ceil(rare * rows), levels of fewer than
    m rows are pooled into "other", numbers are winsorised at the m-th smallest and the m-th
    largest, and a column that separates fewer than m rows from the rest is dropped. So no
    standardised training value exceeds sqrt(rows / m - 1) in size.

    Args:
        table: the whole table.
        rows: the training rows.
        rare: share of the training rows, in [0, 0.5); at 0 every level that occurs is an input.
    Raises:
        ValueError: a column without any value in the training rows, or no column left.
    """
    train = {name: c[rows] for name, c in table.columns.items()}
    least = max(1, ceil(rare * len(rows)))
    medians: dict[str, float] = {}
    levels: dict[str, np.ndarray] = {}
    bounds: dict[str, tuple[float, float]] = {}
    for name in FEATURES:
        kind, values = COLUMNS[name].kind, train[name]
        if kind == "nominal":
            occurring, counts = np.unique(values, return_counts=True)
            levels[name] = occurring[counts >= least]
            continue
        if COLUMNS[name].missing:
            if np.isnan(values).all():
                raise ValueError(f"{name} has no value in {len(rows)} training rows; give more")
            medians[name] = float(np.nanmedian(values))
            values = np.nan_to_num(values, nan=medians[name])
        if kind in ("continuous", "discrete"):
            ordered = np.sort(values)
            bounds[name] = float(ordered[least - 1]), float(ordered[-least])
    empty = Scaling(mean=np.empty(0), sd=np.empty(0), axes=np.empty((0, 0)), explained=np.empty(0))
    fitted = Sound(medians=medians, levels=levels, bounds=bounds, columns=(), scaling=empty)
    kept = {n: v for n, v in fitted.candidates(train) if separated(v) >= least}
    if not kept:
        raise ValueError(
            f"rare is {rare:g}, and no column separates that share of the {len(rows)} training "
            "rows from the others; lower it"
        )
    scaling = _scaling(np.stack(list(kept.values()), axis=1), axes=0)
    return replace(fitted, columns=tuple(kept), scaling=scaling)


def separated(values: Float[np.ndarray, " rows"]) -> int:
    """Number of rows at the rarer of the two ends of a column; 0 if it is constant."""
    low, high = values.min(), values.max()
    return int(min((values == low).sum(), (values == high).sum())) if low < high else 0


def _product(columns: Columns) -> dict[str, np.ndarray]:
    """Product_Info_2, its letter and its digit."""
    codes = columns["Product_Info_2"].astype("<U2")
    letters = codes.view("<U1").reshape(-1, 2)
    return {
        "Product_Info_2": codes,
        "Product_Info_2_char": letters[:, 0],
        "Product_Info_2_num": letters[:, 1],
    }


def _by_appearance(text: np.ndarray) -> np.ndarray:
    levels, first = np.unique(text, return_index=True)
    return levels[np.argsort(first)]


def _published(columns: Columns, codes: Mapping[str, np.ndarray]) -> Matrix:
    inputs = {name: c for name, c in columns.items() if name != "Product_Info_2"}
    for name, text in _product(columns).items():
        inputs[name] = _coded(name, text, codes[name])
    inputs["BMI_Age"] = columns["BMI"] * columns["Ins_Age"]
    inputs["Med_Keywords_Count"] = np.sum([columns[name] for name in KEYWORDS], axis=0)
    values = np.stack([inputs[name] for name in PUBLISHED_NAMES], axis=1)
    return np.nan_to_num(values, nan=SENTINEL)


def _coded(name: str, text: np.ndarray, levels: np.ndarray) -> np.ndarray:
    order = np.argsort(levels)
    ranks = np.searchsorted(levels[order], text).clip(max=len(levels) - 1)
    codes = order[ranks]
    if (wrong := levels[codes] != text).any():
        raise ValueError(
            f"{name} is {str(text[wrong][0])!r}, a level the encoding was not fitted with; "
            "fit it on the table that has it"
        )
    return codes.astype(np.float64)


def _scaling(values: Matrix, *, axes: int) -> Scaling:
    if not 0 <= axes <= values.shape[1]:
        raise ValueError(f"axes must lie in [0, {values.shape[1]}], got {axes}")
    mean, sd = values.mean(axis=0), values.std(axis=0)
    # Rounding gives a constant column a small spread, which must not be scaled up before PCA.
    sd = np.where(sd > 1e-12 * (1 + np.abs(mean)), sd, 1.0)
    if not axes:
        return Scaling(
            mean=mean, sd=sd, axes=np.empty((0, values.shape[1])), explained=np.empty(0)
        )
    standard = (values - mean) / sd
    variances, vectors = np.linalg.eigh(standard.T @ standard / len(values))
    components = vectors.T[::-1][:axes]
    largest = np.take_along_axis(
        components, np.abs(components).argmax(axis=1, keepdims=True), axis=1
    )
    return Scaling(
        mean=mean,
        sd=sd,
        axes=np.ascontiguousarray(components * np.sign(largest)),
        explained=variances[::-1][:axes] / variances.sum(),
    )
