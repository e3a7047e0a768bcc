"""Export of the model of a trial as C source, for use without Python."""

import errno
import os
from pathlib import Path

from sweeps.analysis_process import model_card
from sweeps.errors import UsageError
from sweeps.inspection.models import loaded_model, stored_trial
from sweeps.journal.stored_sweep import StoredSweep


def export_model(storage: str | Path, trial_id: str, *, out: str | Path) -> Path:
    """Write the model of a completed trial as one C99 file without dependencies; its path.

    Its model card is written beside it, see :func:`card_path`.

    The file has one public function, ``hedge_position``, which returns the position in shares for
    the features of a date; its comment describes them. Units without effect are left out, so that
    a sparser ticket is faster.

    Args:
        storage: folder of a sweep, which is only read; it may still run.
        trial_id: a unique prefix of the trial's id.
        out: the file, a new one, like the card.
    Raises:
        UsageError: no such storage or trial, with the nearest ids; a trial without a model; an
            experiment whose models cannot be exported; tables that cannot be read, for the card;
            or a file that exists or cannot be written.
    """
    sweep = StoredSweep.read(storage)
    trial, c_source = stored_trial(sweep, trial_id), sweep.experiment.c_source
    if c_source is None:
        raise UsageError(
            f"models of experiment {sweep.experiment.name!r} cannot be exported as C; "
            "sweeps.load_model loads one in Python"
        )
    row = trial.row(live=False)
    origin = {
        "trial": trial.entry.trial_id,
        "sweep": f"{sweep.manifest['name']}, experiment {sweep.manifest['experiment']}",
        "model sha256": trial.end.model if trial.end else None,
        "sparsity": row.get("sparsity_achieved"),
    }
    model = loaded_model(sweep, trial)
    try:
        text = c_source(model, origin)
    except ValueError as error:
        raise UsageError(f"trial {origin['trial']} cannot be exported: {error}") from error
    source = Path(out)
    for path in (source, card_path(source)):  # before the card is made, which takes seconds
        if os.path.lexists(path):
            raise UsageError(f"{path} cannot be written ({os.strerror(errno.EEXIST)}); {_CURE}")
    card = model_card(storage, trial.entry.trial_id, source=source)
    contents = {card_path(source): card, source: text.encode("ascii")}
    for path, content in contents.items():
        try:
            with path.open("xb") as file:
                file.write(content)
        except OSError as error:
            raise UsageError(f"{path} cannot be written ({error.strerror}); {_CURE}") from error
    return source


def card_path(source: Path) -> Path:
    """Path of the model card of the C file ``source``: ``hedge.md`` of ``hedge.c``."""
    return source.with_name(f"{source.name}.md" if source.suffix == ".md" else f"{source.stem}.md")


_CURE = "give another --out"
