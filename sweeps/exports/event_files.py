"""A finished or running sweep as TensorBoard event files."""

from pathlib import Path

from sweeps.errors import UsageError
from sweeps.journal.stored_sweep import StoredSweep
from sweeps.monitoring.exporters import ExportDispatcher
from sweeps.monitoring.tensorboard import TensorBoard


def export_tensorboard(storage: str | Path, folder: Path) -> int:
    """Write the trials of ``storage`` to ``folder`` as event files, one run each; their number.

    Exported again, it adds the rows that are new.

    Raises:
        UsageError: no such storage, the files cannot be written, or tensorboardX is missing.
        LogError: the log is damaged.
    """
    board = TensorBoard(folder)
    state = StoredSweep.read(storage).state
    faults: list[str] = []
    advice = f"{folder} is not complete: mend it and export again, or give another folder"
    # A sweep must not wait for a slow exporter; an export does nothing else.
    dispatcher = ExportDispatcher([board], faults.append, advice=advice, patience=None)
    dispatcher.begin(state)
    dispatcher.close()
    if faults:
        raise UsageError(faults[0])
    return sum(1 for _ in state.rows())
