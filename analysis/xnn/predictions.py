"""Predictions for applicants without Response: columns of class probabilities of a table."""

import re
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from analysis import bounds
from analysis.escapes import printable
from analysis.files import StorageError, read, reason
from analysis.parquet import decoded, expanded, opened
from analysis.schema import ColumnError

_NUMBERED = re.compile(r"(.*?)_?(\d+)")
_ROUNDING = 1e-3

Floats = npt.NDArray[np.float64]


def load_predictions(path: str | Path) -> pd.DataFrame:
    """The table of predictions in a Parquet file, read within the size limits.

    Raises:
        StorageError: it cannot be read.
    """
    path = Path(path)
    try:
        content = read(path, most=bounds.TABLE_BYTES)
        file = opened(content, rows=bounds.ROWS["epochs"])
        tables = decoded(content, file, None)
        series = {t.column_names[0]: expanded(t.column(0)).to_pandas() for t in tables}
        frame = pd.DataFrame(series, index=range(file.metadata.num_rows))
    except (OSError, pa.ArrowException, ValueError) as error:
        raise StorageError(
            f"'{path}' cannot be read as a table of predictions ({reason(error)}); it is a "
            "Parquet file with a column of probabilities per class"
        ) from error
    return frame.rename(columns=lambda name: printable(str(name)))


def probabilities(frame: pd.DataFrame) -> Floats:
    """Probability of every class, [rows, classes], from the columns that hold them.

    They are the columns of one name that are numbered from 1 ("probability_1", ..) and sum to 1
    in every row; other columns, such as an id or the likeliest class, are ignored.

    Raises:
        ColumnError: there are no such columns, or no rows.
    """
    families: dict[str, dict[int, str]] = {}
    for name in map(str, frame.columns):
        if (match := _NUMBERED.fullmatch(name)) and pd.api.types.is_numeric_dtype(frame[name]):
            families.setdefault(match[1], {})[int(match[2])] = name
    for columns in families.values():
        if len(columns) < 2 or sorted(columns) != list(range(1, len(columns) + 1)):
            continue
        values = frame[[columns[k] for k in sorted(columns)]].to_numpy(dtype=float)
        sums = values.sum(axis=1)
        if len(values) and (values >= 0.0).all() and (np.abs(sums - 1.0) <= _ROUNDING).all():
            return values
    raise ColumnError(
        "no probabilities of classes: columns such as probability_1, probability_2, .. that sum "
        "to 1 in every row; hedgesweep predict writes them"
    )
