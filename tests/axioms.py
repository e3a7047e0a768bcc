"""What every member of a family must satisfy, as functions that assert it."""

import torch
from torch import Tensor

from hedgecore.risk import Risk, risk


def samples(generator: torch.Generator) -> list[Tensor]:
    """P&L samples that are normal, skewed, discrete, constant and tiny."""

    def normal(n: int) -> Tensor:
        return torch.randn(n, generator=generator, dtype=torch.float64)

    return [
        normal(1001),
        -normal(500).exp(),
        normal(997).round(),
        torch.full((40,), -1.25, dtype=torch.float64),
        normal(3) * 2,
    ]


def is_cash_invariant(measure: Risk, x: Tensor, cash: float) -> None:
    assert torch.isclose(risk(measure, x + cash), risk(measure, x) - cash, atol=1e-10)


def is_convex(measure: Risk, x: Tensor, z: Tensor, share: float) -> None:
    mixed = risk(measure, share * x + (1 - share) * z)
    assert mixed <= share * risk(measure, x) + (1 - share) * risk(measure, z) + 1e-10


def is_monotone(measure: Risk, x: Tensor, gain: Tensor) -> None:
    assert risk(measure, x + gain) <= risk(measure, x) + 1e-12
