"""A driver of hand-made records, which holds the lock of its storage."""

from contextlib import contextmanager

from logs import manifest

from sweeps.journal.storage import Lock
from sweeps.journal.writer import Writer

NOW = 1_800_000_000.0


def trial(name, index=0, limit=9):
    config = {"lr": 0.1, "hidden": [8, 8]}
    entry = {"trial_id": name, "index": index, "config": config, "limit": limit}
    return {"type": "trial", **entry, "group": name, "stratum": "[]", "replicate": 0}


def begin(name, at=NOW - 60, epoch=0):
    return {"type": "begin", "trial_id": name, "epoch": epoch, "at": at}


def segment(name, first, last, at=NOW, **more):
    rows = [{"epoch": epoch, "val_loss": 1.0} for epoch in range(first, last + 1)]
    more = more or {"checkpoint": "0" * 64}
    return {"type": "segment", "trial_id": name, "rows": rows, "at": at, **more}


def decision(name, epoch, goes_on, ended=False):
    verdict = {"trials": [name], "epoch": epoch, "goes_on": goes_on, "ended": ended}
    return {"type": "decision", "group": name, **verdict, "value": 1.0, "rank": 1, "of": 3}


COMPLETED = {"end": {"status": "completed", "cvar_05": -3.0}}
FAILED = {"end": {"status": "failed", "error": "loss is not finite (lr 0.1)"}}


@contextmanager
def driving(storage, *records, core="c", **changes):
    """A driver that has written ``records`` and holds the lock."""
    with Lock(storage):
        writer = Writer(storage, {"core": core})
        if changes.get("rungs") != ():
            writer.append(manifest(**changes))
        for record in records:
            writer.append(record)
        writer.commit()
        yield writer
        writer.close()
