"""Models of completed trials that are missing or changed, trained again and compared by bit."""

import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from sweeps.errors import UsageError
from sweeps.inspection.replay import train_again
from sweeps.journal.stored_sweep import StoredSweep
from sweeps.scheduling.ledger import Ledger

_READERS = 16  # concurrent requests to an object store


def rebuild(ledger: Ledger, say: Callable[[str], None]) -> dict[str, str]:
    """Train missing or changed models again; the reason, by trial id, for each that fails.

    Each is trained from theta_0 in this process, and stored only if its sha256 is as recorded.
    """
    digests = ledger.named_models()
    with ThreadPoolExecutor(_READERS) as pool:
        stored = pool.map(ledger.has_model, digests, digests.values())
        missing = [i for i, intact in zip(digests, stored, strict=True) if not intact]
    if not missing:
        return {}
    say(f"models missing or changed: {len(missing)}; training them again, one after another ..")
    sweep, lost_models = StoredSweep.read(ledger.storage), {}
    for trial_id in missing:
        try:
            model = train_again(sweep, trial_id)[1]
        except UsageError as error:
            lost_models[trial_id] = f"is missing or changed, and cannot be trained again: {error}"
            continue
        if model is None or hashlib.sha256(model).hexdigest() != digests[trial_id]:
            lost_models[trial_id] = (
                "is missing or changed, and training gives another one; restore it from a copy"
            )
            continue
        ledger.keep_model(trial_id, model)
        say(f"model of trial {trial_id}: trained again, equal to the last bit")
    return lost_models
