"""Models of completed trials that are gone from a storage, trained again and compared by bit."""

import hashlib
from collections.abc import Callable

from sweeps.errors import UsageError
from sweeps.record.ledger import Ledger
from sweeps.record.recorded import Recorded
from sweeps.record.replay import train_again


def rebuild(ledger: Ledger, say: Callable[[str], None]) -> dict[str, str]:
    """File every missing model again; the reason why not, by trial id, of those that are lost.

    Each is trained from theta_0 in this process, and filed only if its sha256 is the recorded one.

    Args:
        ledger: of the storage, open for writing.
        say: what tells the user.
    """
    digests = ledger.named_models()
    missing = [trial_id for trial_id in digests if not ledger.has_model(trial_id)]
    if not missing:
        return {}
    say(f"models missing: {len(missing)}; training them again, one after another ..")
    recorded, lost = Recorded.read(ledger.storage), {}
    for trial_id in missing:
        try:
            model = train_again(recorded, trial_id)[1]
        except UsageError as error:
            lost[trial_id] = f"is missing, and cannot be trained again: {error}"
            continue
        if model is None or hashlib.sha256(model).hexdigest() != digests[trial_id]:
            lost[trial_id] = "is missing, and training gives another one; restore it from a copy"
            continue
        ledger.keep_model(trial_id, model)
        say(f"model of trial {trial_id}: trained again, equal to the last bit")
    return lost
