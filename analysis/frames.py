"""Frames of trials and epochs, as given or loaded from a storage."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from analysis import schema
from analysis.duplicates import without_duplicates
from analysis.load import load_epochs, load_manifest, load_trials

Frame = pd.DataFrame | str | Path
"""A frame, or the storage that has it."""


def frame_of(trials: Frame) -> pd.DataFrame:
    """The frame ``trials``, or that of the storage, without the rows that it holds twice.

    Raises:
        StorageError: the storage cannot be read.
        schema.ColumnError: a frame lacks the columns that identify it, or holds two results of one
            configuration and seed.
    """
    frame = load_trials(trials) if isinstance(trials, str | Path) else trials
    schema.check_frame(frame)
    return without_duplicates(frame)


def of_storage(
    trials: Frame, epochs: Frame | None, manifest: Mapping[str, Any] | None
) -> tuple[pd.DataFrame, pd.DataFrame, Mapping[str, Any]]:
    """Trials, epochs and manifest; of the storage ``trials`` where they are None.

    Raises:
        TypeError: one is None, and ``trials`` is a frame.
        StorageError: the storage cannot be read.
    """
    if not isinstance(trials, str | Path) and (epochs is None or manifest is None):
        schema.check_frame(trials)
        name = "epochs" if epochs is None else "manifest"
        raise TypeError(
            f"a frame of trials needs {name} too, such as analysis.load_{name}(storage) gives"
        )
    source = trials if isinstance(trials, str | Path) else ""
    rows = load_epochs(source) if epochs is None else epochs
    rows = load_epochs(rows) if isinstance(rows, str | Path) else rows
    schema.check_frame(rows, "epochs")
    return frame_of(trials), rows, load_manifest(source) if manifest is None else manifest
