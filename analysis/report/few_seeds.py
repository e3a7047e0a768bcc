"""Opening line of a report with too few seeds for a verdict, and the command that adds them."""

from collections.abc import Mapping
from typing import Any

from analysis.configurations import counts, seed_count
from analysis.intervals import MIN_SEEDS
from analysis.sweep import Sweep
from analysis.wording import plural

_MAIN_CLAIM: Mapping[str, str] = {"tickets": "sparsity", "xnn": "alignment"}


def few_seeds(sweep: Sweep, *, judged: bool = True) -> list[str]:
    """Sentence on a sweep of fewer than three seeds with a result; empty for others.

    Args:
        judged: False if more seeds would decide nothing, so that no command adds them.
    """
    seeds = max(1, seed_count(sweep.trials))
    if seeds >= MIN_SEEDS or not counts(sweep.trials)["completed"]:
        return []
    line = (
        f"{plural(seeds, 'seed')}: no verdict between trained networks is given below "
        f"{MIN_SEEDS}; all differences are descriptions."
    )
    if judged:
        line += f" To add seeds until a claim is decided: {_command(sweep.manifest)}"
    return [line]


def _command(manifest: Mapping[str, Any]) -> str:
    claim = _MAIN_CLAIM[str(manifest.get("experiment") or "tickets")]
    # A stopped seed is no evidence, so the command refuses a space with a scheduler.
    unscheduled = " --set scheduler=null" if manifest.get("scheduler") else ""
    command = "hedgesweep run SPACE --storage NEW"
    return f"{command}{unscheduled} --until-decided {claim} --max-seeds 40"
