"""Convergence and divergence of a training."""

import math
from collections.abc import Sequence

from torch import Tensor

from hedgecore.errors import HedgesweepError


class DivergedError(HedgesweepError, ArithmeticError):
    """A model whose training ran away: a value is not finite, or worse than without the model.

    Args:
        problem: condition, values and cure, in one line.
        of_baseline: True if it is a baseline of the preparation, so that no setting of the trial
            caused it.
    """

    def __init__(self, problem: str, *, of_baseline: bool = False) -> None:
        self.of_baseline = of_baseline
        super().__init__(problem)


def finite(value: Tensor, what: str, epoch: int) -> float:
    """``value`` as a float.

    Raises:
        DivergedError: it is not finite.
    """
    number = float(value)
    if not math.isfinite(number):
        raise DivergedError(f"{what} is {number} in epoch {epoch}; lower the learning rate")
    return number


def epochs_to_criterion(
    val_losses: Sequence[float], *, reference: float, tolerance: float = 0.05, consecutive: int = 5
) -> int | None:
    """First (from 1) of ``consecutive`` epochs with a risk within ``tolerance`` of ``reference``.

    None if that never happens.
    """
    threshold = reference + tolerance * abs(reference)
    run = 0
    for epoch, loss in enumerate(val_losses, start=1):
        run = run + 1 if loss <= threshold else 0
        if run == consecutive:
            return epoch - consecutive + 1
    return None
