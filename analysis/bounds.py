"""Bounds on the files and tables that are read: a storage may come from anyone.

Each is far beyond what a sweep of 20,000 trials and 200 epochs writes, and small enough that what
lies beyond it is refused within a second.
"""

from collections.abc import Mapping

MIB = 1 << 20

MANIFEST_BYTES = 32 * MIB
CHECKSUMS_BYTES = MIB // 16
TABLE_BYTES = 1024 * MIB
MODEL_BYTES = 256 * MIB
HEADER_BYTES = 4 * MIB
"""Of a safetensors file: names, shapes and what the file says of its trial."""

FOOTER_BYTES = 16 * MIB
"""Of a Parquet file: its columns, and where the pages of each lie."""
DECODED_BYTES = 2048 * MIB
"""Of all columns of a table as they lie in memory."""
PAGES = 100_000
COLUMNS = 4_000
ROWS: Mapping[str, int] = {"trials": 200_000, "epochs": 20_000_000}
CELLS = 250_000_000

NAME_LENGTH = 200
"""Characters of the name of a column, and of an axis with it."""
VALUE_LENGTH = 1_000
"""Characters of the value of an axis that is text."""
TEXT_LENGTH = 100_000
"""Characters of any other text in a table."""
DESCRIPTION_LENGTH = 500
"""Bytes of the unit or the meaning of a column, as its file gives them."""
EPOCHS = 1_000_000
"""The last epoch that a trial may have."""
REAL = 1e100
"""Beyond it, squares and their sums are no numbers any more."""
