"""Comparison of a worker's arithmetic with that of its preparations, before it trains."""

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
"""Identities of preparations whose baseline this process has reproduced."""


def check_arithmetic(
    experiment: Experiment[Any, Any],
    trial: Mapping[str, Any],
    facts: Facts,
    preparation: Preparation,
    *,
    mixed: bool,
) -> None:
    """Evaluate a sample of ``preparation`` again and compare it to the last bit, once.

    Args:
        trial: any trial that starts from the preparation.
        mixed: whether to accept a different arithmetic.
    Raises:
        OtherArithmeticError: the baseline is not reproduced, or the arithmetic differs.
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
    elif not experiment.trainer.reproduced(
        from_mapping(experiment.study, trial["study"]), preparation
    ):
        raise OtherArithmeticError(
            f"the worker on {host} does not reproduce the recorded baseline although "
            "the arithmetic is equal: its memory or its libraries are at fault; "
            "repair or exclude that machine"
        )
    _checked.add(facts.identity)
