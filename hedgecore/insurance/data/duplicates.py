"""Rows of a table that repeat another row under another Id, and their spread over the split."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from hedgecore.insurance.data.table import Split, Table


@dataclass(frozen=True, slots=True, kw_only=True)
class Duplicates:
    """Numbers of rows whose 126 features equal those of another row.

    Args:
        rows: rows that repeat an earlier one.
        contradicting: those of them whose Response differs from that of the first.
        validation: validation rows that equal a training row.
        test: test rows that equal a training row.
    """

    rows: int
    contradicting: int
    validation: int
    test: int

    @classmethod
    def of(cls, table: Table, parts: Split) -> "Duplicates":
        """Duplicates in ``table``, compared by a hash of 64 bits per row."""
        hashes = pd.util.hash_pandas_object(pd.DataFrame(dict(table.columns)), index=False)
        repeated = hashes.duplicated().to_numpy()
        first = pd.Series(table.response).groupby(hashes).transform("first").to_numpy()
        train = hashes.to_numpy()[parts.train]
        leaks = [
            int(np.isin(hashes.to_numpy()[p], train).sum()) for p in (parts.validation, parts.test)
        ]
        return cls(
            rows=int(repeated.sum()),
            contradicting=int((repeated & (first != table.response)).sum()),
            validation=leaks[0],
            test=leaks[1],
        )

    def facts(self) -> dict[str, int]:
        """Plain data for :func:`warnings`; empty without duplicates."""
        return asdict(self) if self.rows else {}


def warnings(facts: Mapping[str, Any], rows: Mapping[str, int]) -> Iterator[str]:
    """Line on the duplicates in ``facts``, if any; ``rows`` are numbers of rows by split."""
    if not facts:
        return
    yield (
        f"{facts['rows']:,} rows repeat the 126 features of another row under another Id "
        f"({facts['contradicting']:,} with another Response); {facts['test']:,} of "
        f"{rows['test']:,} test rows and {facts['validation']:,} of {rows['val']:,} validation "
        "rows equal a training row, so they are not held out; remove repeated rows from the table"
    )
