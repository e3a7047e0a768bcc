"""Tables of a sweep as CSV files, for spreadsheets."""

from pathlib import Path

from analysis.load import load_epochs, load_trials
from analysis.terminal import write_tables


def write_csv(storage: Path, folder: Path) -> list[Path]:
    """Write trials.csv and epochs.csv to ``folder``; their paths.

    Numbers have ten digits. Texts that a spreadsheet would evaluate are prefixed by an apostrophe.

    Raises:
        StorageError: the storage cannot be read, or the folder cannot be written.
    """
    tables = {"trials": load_trials(storage), "epochs": load_epochs(storage)}
    return write_tables(folder, tables, cure="give another folder")
