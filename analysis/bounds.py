"""Size limits of the files and tables that are read, because a storage may be untrusted.

Each is far above what a sweep of 20,000 trials and 200 epochs writes, and low enough that larger
input is refused within a second.
"""

from collections.abc import Mapping

MIB = 1 << 20

MANIFEST_BYTES = 32 * MIB
CHECKSUMS_BYTES = MIB // 16
ANSWERS_BYTES = MIB // 4
"""Of the texts of humans for a record."""
TABLE_BYTES = 1024 * MIB
MODEL_BYTES = 256 * MIB
HEADER_BYTES = 4 * MIB
"""Of a safetensors file: names, shapes and metadata of the trial."""

FOOTER_BYTES = 16 * MIB
"""Of a Parquet file: its columns and the offsets of their pages."""
DECODED_BYTES = 2048 * MIB
"""Of all columns of a table in memory."""
PAGES = 100_000
COLUMNS = 4_000
ROWS: Mapping[str, int] = {"trials": 200_000, "epochs": 20_000_000}
CELLS = 250_000_000

NAME_LENGTH = 200
"""Characters of the name of a column, and so of an axis."""
VALUE_LENGTH = 1_000
"""Characters of the value of a text axis."""
TEXT_LENGTH = 100_000
"""Characters of any other text in a table."""
DESCRIPTION_LENGTH = 500
"""Bytes of the unit or the meaning of a column in the metadata of a file."""
EPOCHS = 1_000_000
"""Largest epoch of a trial."""
REAL = 1e100
"""Largest absolute value; squares and sums of larger ones overflow."""
