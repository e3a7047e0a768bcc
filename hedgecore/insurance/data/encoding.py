"""Encodings of a table as the input matrix of a network: the notebook's, and a sound one.

Both are fitted on the training rows and applied to any rows; a fitted encoding is arrays and
names, so it can be stored without pickle.

``published`` reproduces the notebook including its faults: missing values become -1000 and are
scaled as numbers, as are nominal codes, and the codes come from the whole table including held-out
rows. ``sound`` has no such leak: it depends on its training rows only.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
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
# A nominal level rarer than this share of the training rows goes to the column's "other".
_RARE = 0.005


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
        medians: medians of the continuous and discrete columns over the training rows.
        levels: frequent levels in the training rows, by nominal column.
        columns: columns that vary in the training rows: "Ht", "Family_Hist_2 missing",
            "InsuredInfo_6 = 2", "Medical_History_2 = other".
        scaling: fitted on the training rows.
    """

    medians: Mapping[str, float]
    levels: Mapping[str, np.ndarray]
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
        columns = dict(_sound(table.columns, self.medians, self.levels))
        return self.scaling.apply(np.stack([columns[name] for name in self.columns], axis=1))


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


def fit_sound(table: Table, rows: Int[np.ndarray, " train"]) -> Sound:
    """Sound encoding, fitted on the training ``rows`` of ``table`` only.

    Raises:
        ValueError: a column without any value in the training rows.
    """
    train = {name: c[rows] for name, c in table.columns.items()}
    medians, levels = {}, {}
    for name in FEATURES:
        if COLUMNS[name].kind == "nominal":
            values, counts = np.unique(train[name], return_counts=True)
            levels[name] = values[counts >= _RARE * len(rows)]
        elif COLUMNS[name].missing:
            if np.isnan(train[name]).all():
                raise ValueError(f"{name} has no value in {len(rows)} training rows; give more")
            medians[name] = float(np.nanmedian(train[name]))
    varying = {n: v for n, v in _sound(train, medians, levels) if (v != v[0]).any()}
    scaling = _scaling(np.stack(list(varying.values()), axis=1), axes=0)
    return Sound(medians=medians, levels=levels, columns=tuple(varying), scaling=scaling)


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


def _sound(
    columns: Columns, medians: Mapping[str, float], levels: Mapping[str, np.ndarray]
) -> Iterator[tuple[str, Float[np.ndarray, " rows"]]]:
    for name in FEATURES:
        values = columns[name]
        if name in levels:
            for level in levels[name]:
                code = level if COLUMNS[name].text else f"{level:g}"
                yield f"{name} = {code}", (values == level).astype(np.float64)
            yield f"{name} = other", (~np.isin(values, levels[name])).astype(np.float64)
        elif name in medians:
            yield name, np.nan_to_num(values, nan=medians[name])
            yield f"{name} missing", np.isnan(values).astype(np.float64)
        else:
            yield name, values


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
