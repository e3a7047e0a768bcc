"""Arithmetic of a worker, held against that of the preparations before it trains on them."""

import platform
from collections.abc import Mapping
from typing import Any

from hedgecore.arithmetic import arithmetic, difference
from hedgecore.config import from_mapping
from hedgecore.experiment import Experiment, Preparation
from hedgecore.threads import one_thread
from sweeps.errors import OtherArithmeticError
from sweeps.journal.preparations import Facts

_checked: set[str] = set()
"""Preparations, by identity, whose numbers this process has come to again."""


def check_arithmetic(
    experiment: Experiment[Any, Any],
    trial: Mapping[str, Any],
    facts: Facts,
    preparation: Preparation,
    *,
    mixed: bool,
) -> None:
    """Evaluate the baseline of ``preparation`` again and compare it to the last bit, once.

    Args:
        trial: any that starts from the preparation.
        mixed: whether another arithmetic is let through.
    Raises:
        OtherArithmeticError: it does not come out again, or the arithmetic is another one.
    """
    if facts.identity in _checked:
        return
    one_thread()
    here, host = arithmetic().about(), platform.node()
    if here["id"] != facts.arithmetic["id"]:
        if not mixed:
            raise OtherArithmeticError(
                f"the worker on {host} computes with another arithmetic than the preparation "
                f"({difference(here, facts.arithmetic)}): use the same machines and settings, "
                "start anew in another --storage, or give --allow-mixed, which records it in the "
                "rows"
            )
    elif experiment.trainer.mismatch(from_mapping(experiment.study, trial["study"]), preparation):
        raise OtherArithmeticError(
            f"the worker on {host} does not come to the recorded numbers of the baseline although "
            "its arithmetic is the recorded one: its memory or its libraries are at fault; repair "
            "or leave out that machine"
        )
    _checked.add(facts.identity)
