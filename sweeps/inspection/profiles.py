"""Profiles of recommended models of a storage, which its report draws."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from hedgecore.errors import HedgesweepError
from hedgecore.threads import one_thread
from sweeps.errors import UsageError
from sweeps.inspection.models import loaded_model
from sweeps.journal.stored_sweep import StoredSweep

_MOST = 6


def profiles(storage: str | Path, recommended: Callable[[], Sequence[str]]) -> dict[str, Any]:
    """``rows`` with the trial_id, the seed and the profile of models, or the ``reason`` for none.

    Args:
        recommended: trial ids; called only if models of the experiment have profiles. At most the
            first 6 are loaded.
    """
    one_thread()  # of two, the last bits of a profile varied from run to run
    try:
        sweep = StoredSweep.read(storage)
        if sweep.experiment.profile is None:
            return {"reason": "models of this experiment have no profile"}
        rows = [_profile(sweep, trial_id) for trial_id in recommended()[:_MOST]]
    except (HedgesweepError, OSError, ValueError) as error:
        return {"reason": str(error)}
    return {"rows": rows} if rows else {"reason": "no network is recommended yet"}


def _profile(sweep: StoredSweep, trial_id: str) -> dict[str, Any]:
    full_id, core = sweep.find(trial_id)
    trial = sweep.states[core].trials[full_id]
    plan = sweep.plan(trial)
    filed = sweep.filed(plan.preparation, core)
    if filed is None:
        raise UsageError(f"study/{plan.preparation} has no complete preparation")
    assert sweep.experiment.profile is not None
    dense = filed.files["theta_star"]
    seed = filed.facts.seed
    facts = sweep.experiment.profile(loaded_model(sweep, trial), dense, seed=seed)
    return {"trial_id": full_id, "seed": seed, **facts}
