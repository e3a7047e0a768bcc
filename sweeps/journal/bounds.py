"""Bounds on stored files: what none of ours comes near, and a forged one may not exceed."""

JSON = 16 * 2**20
"""Bytes of manifest.json, of facts.json, and of the file with accepted versions."""
LOCK = 4096
"""Bytes of log/lock."""
TENSORS = 2**28
"""Bytes of a model, of a checkpoint, or of a file of a preparation."""
KEY = 2**16
"""Bytes of a PEM file."""

LINE = 16 * 2**20
"""Bytes of a record of the log."""
TAIL = 2**28
"""Bytes of a log file behind the line at which it stops making sense, ``PER_LINE`` added to each
line."""
PER_LINE = 256

RUNGS = 1000
"""Epochs at which a sweep judges."""
SIMULATED = 2 * 10**7
"""Epochs of all the trials that are simulated."""

TABLE = 2**32
"""Bytes of a Parquet file, as it lies there and without its compression."""
COLUMNS = 10_000
TRIAL_ROWS = 10**6
EPOCH_ROWS = 2 * 10**7
TEXT = 2**16
"""Bytes of a text in a table."""
