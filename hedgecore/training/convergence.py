"""Convergence and divergence of a training."""

import math
from collections.abc import Sequence

from torch import Tensor

from hedgecore.errors import HedgesweepError


class DivergedError(HedgesweepError, ArithmeticError):
    """Training reached a non-finite value."""

    def __init__(self, epoch: int, what: str, value: float) -> None:
        self.epoch = epoch
        super().__init__(f"{what} is {value} in epoch {epoch}; lower the learning rate")


def finite(value: Tensor, what: str, epoch: int) -> float:
    """``value`` as a float.

    Raises:
        DivergedError: it is not finite.
    """
    number = float(value)
    if not math.isfinite(number):
        raise DivergedError(epoch, what, number)
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
