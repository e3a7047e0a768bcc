"""Upper bounds on the sizes of stored files, far above genuine ones, against forged ones."""

JSON = 16 * 2**20  # bytes of manifest.json, of facts.json, and of the file with accepted versions
LOCK = 4096  # bytes of log/lock
TENSORS = 2**28  # bytes of a model, of a checkpoint, or of a file of a preparation
KEY = 2**16  # bytes of a PEM file

LINE = 16 * 2**20  # bytes of a record of the log
TAIL = 2**28
"""Bytes of a log file after its first invalid line, plus ``PER_LINE`` for each line."""
PER_LINE = 256

RUNGS = 1000
SIMULATED = 2 * 10**7  # epochs of all the trials that are simulated

TABLE = 2**32  # bytes of a Parquet file, compressed and uncompressed
COLUMNS = 10_000
TRIAL_ROWS = 10**6
EPOCH_ROWS = 2 * 10**7
TEXT = 2**16  # bytes of a text in a table
