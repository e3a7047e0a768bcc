"""Nominal levels of new rows that an encoding has no column for, and their encoding."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np
from jaxtyping import Bool

from hedgecore.insurance.data.encoding import (
    PUBLISHED_NAMES,
    SENTINEL,
    Inputs,
    Published,
    Sound,
)
from hedgecore.insurance.data.rows import Rows, listed
from hedgecore.insurance.data.schema import COLUMNS, Column

_PRODUCT = "Product_Info_2"
_CODED = [PUBLISHED_NAMES.index(f"{_PRODUCT}{part}") for part in ("", "_char", "_num")]

Mask = Bool[np.ndarray, " rows"]


def encode(encoding: Published | Sound, rows: Rows) -> Inputs:
    """Inputs of a network for ``rows``, with every level mapped as in training.

    ``sound`` maps a level without a column to the column's "other", or to zeros if training rows
    had none; ``published`` maps a new Product_Info_2 to the sentinel of missing values.

    Raises:
        ValueError: a number is missing where no training row lacked it, so there is no median.
    """
    if isinstance(encoding, Sound):
        _require(encoding, rows)
        return encoding.encode(rows)
    text, codes = rows.columns[_PRODUCT], encoding.codes[_PRODUCT]
    new = ~np.isin(text, codes)
    stand_in = {**rows.columns, _PRODUCT: np.where(new, codes[0], text)}
    values = encoding.features(replace(rows, columns=stand_in))
    for column in _CODED:
        values[new, column] = SENTINEL
    return encoding.scaling.apply(values)


def level_notes(encoding: Published | Sound, rows: Rows) -> Iterator[str]:
    """One line on the levels that train.csv does not have, and one on its rare ones.

    An encoding does not store the rare levels of its training rows, which could single out
    applicants; so a level without a column is rare, or absent from these rows.
    """
    nominal = {n: c for n, c in rows.columns.items() if COLUMNS[n].kind == "nominal"}
    if isinstance(encoding, Sound):
        levels, target = encoding.levels, "other, or zeros where training rows had no other"
    else:
        levels, target = {_PRODUCT: encoding.codes[_PRODUCT]}, "missing, or codes as numbers"
    pooled = {name: ~np.isin(nominal[name], values) for name, values in levels.items()}
    new = {n: pooled.get(n, True) & _new(COLUMNS[n], values) for n, values in nominal.items()}
    rare = {name: mask & ~new[name] for name, mask in pooled.items()}
    if counts := list(_counts(new, rows)):
        yield f"levels never seen: {_total(new):,} rows ({listed(counts)}), encoded as {target}"
    if counts := list(_counts(rare, rows)):
        yield (
            f"levels rare or absent in training: {_total(rare):,} rows ({listed(counts)}), "
            f"encoded as {target}"
        )


def _require(encoding: Sound, rows: Rows) -> None:
    for name, values in rows.columns.items():
        if COLUMNS[name].kind == "nominal" or name in encoding.medians:
            continue
        if (empty := np.isnan(values)).any():
            raise ValueError(
                f"{rows.source}: {name} is empty in {empty.sum():,} rows (first in row "
                f"{int(np.argmax(empty)) + 1}), and no training row lacked it, so there is "
                "no median for it; fill it in"
            )


def _new(column: Column, values: np.ndarray) -> Mask:
    """Levels that the table of the schema does not have."""
    if not column.levels:
        return ~column.allows(values)
    names = list(column.levels)
    return ~np.isin(values, names if column.text else [float(name) for name in names])


def _counts(masks: Mapping[str, Mask], rows: Rows) -> Iterator[str]:
    """Columns by descending number of rows, with the first of their levels."""
    for name in sorted(masks, key=lambda name: -int(masks[name].sum())):
        if masks[name].any():
            levels = [_spelled(level) for level in np.unique(rows.columns[name][masks[name]])]
            few = ", ".join(levels[:3]) + (", .." if len(levels) > 3 else "")
            yield f"{name} {int(masks[name].sum()):,}: {few}"


def _spelled(level: np.generic) -> str:
    text = str(level) if isinstance(level, np.str_) else f"{level:g}"
    return "nothing" if text in ("", "nan") else text


def _total(masks: Mapping[str, Mask]) -> int:
    return int(np.logical_or.reduce(list(masks.values())).sum())
