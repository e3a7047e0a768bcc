"""A finished or running sweep as TensorBoard event files."""

from pathlib import Path

from sweeps.journal.stored_sweep import StoredSweep
from sweeps.monitoring.exporters import ExportDispatcher
from sweeps.monitoring.tensorboard import TensorBoard
from sweeps.text import echo


def export_tensorboard(storage: str | Path, folder: Path) -> int:
    """Write the trials of ``storage`` to ``folder`` as event files, one run each; their number.

    Exported again, it adds the rows that are new.

    Raises:
        UsageError: no such storage, or tensorboardX is missing.
        LogError: the log is damaged.
    """
    board = TensorBoard(folder)
    state = StoredSweep.read(storage).state
    dispatcher = ExportDispatcher([board], lambda message: echo(message, err=True))
    dispatcher.begin(state)
    dispatcher.close()
    return sum(1 for _ in state.rows())
