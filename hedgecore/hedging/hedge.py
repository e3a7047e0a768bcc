"""Trained hedge for use on any paths: from prices and variances to positions in shares."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import ArrayLike
from torch import Tensor

from hedgecore.hedging.compiled import positions
from hedgecore.hedging.features import Standardisation, exogenous
from hedgecore.hedging.problem import CHUNK, HedgingProblem
from hedgecore.hedging.study import TicketStudy

_MASK = "mask."


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Hedge:
    """Hedge of one sold option by a trained network.

    Args:
        problem: study and network.
        theta: weights, zero outside the mask, and biases.
    """

    problem: HedgingProblem
    theta: Mapping[str, Tensor]

    @classmethod
    def of(cls, study: TicketStudy, tensors: Mapping[str, Tensor]) -> "Hedge":
        """Hedge of the tensors in the file of a ticket, or in its bundle."""
        layers = {name: value for name, value in tensors.items() if name.startswith("layers.")}
        masks = {
            name.removeprefix(_MASK): value
            for name, value in tensors.items()
            if name.startswith(_MASK)
        }
        standardisation = Standardisation(
            mean=tensors["standardisation.mean"], sd=tensors["standardisation.sd"]
        )
        return cls(
            problem=HedgingProblem.of(study, standardisation),
            theta={n: value * masks[n] if n in masks else value for n, value in layers.items()},
        )

    def __repr__(self) -> str:
        weights = [value for name, value in self.theta.items() if name.endswith(".weight")]
        kept = sum(int(value.count_nonzero()) for value in weights)
        number = sum(value.numel() for value in weights)
        return f"Hedge({self.steps} trading dates, {kept:,} of {number:,} weights)"

    @property
    def study(self) -> TicketStudy:
        """Study of the trial: market, option, costs."""
        return self.problem.study

    @property
    def steps(self) -> int:
        """Number of trading dates, ``market.steps``, ``market.dt`` years apart."""
        return self.study.market.steps

    def positions(
        self,
        spot: Tensor | ArrayLike,
        variance: Tensor | ArrayLike,
    ) -> Float[Tensor, "paths dates"]:
        """Shares held from every trading date to the next, float32, without gradient.

        The features (moneyness, return, volatility, time to maturity, the hedge's own past) are
        computed from the arguments, and a position depends on the prices up to its date only. So
        a path may end today: ``dates`` is the number of columns, at most :attr:`steps`.

        Args:
            spot: prices in the currency of ``option.strike``, [paths, dates], from the first
                trading date on. A column after the last trading date, the price at maturity, is
                not read.
            variance: annual variances (squared volatilities), of the same shape.
        Raises:
            ValueError: another shape, a price that is not positive, or a negative variance.
        """
        prices, variances = _matrix(spot, "spot"), _matrix(variance, "variance")
        columns = prices.shape[1]
        if prices.shape != variances.shape:
            raise ValueError(
                "spot and variance must have one shape, got "
                f"{list(prices.shape)} and {list(variances.shape)}"
            )
        if not 1 <= columns <= self.steps + 1:
            raise ValueError(
                f"paths must have 1 to {self.steps} trading dates, and at most the price at "
                f"maturity in addition, got {columns} columns; the hedge was trained on that grid"
            )
        if not bool((prices > 0).all()) or not bool(prices.isfinite().all()):
            raise ValueError("spot must be positive and finite; check the paths, or drop them")
        if not bool((variances >= 0).all()) or not bool(variances.isfinite().all()):
            raise ValueError(
                "variance must be finite and at least 0; it is a squared annual volatility"
            )
        # Later dates, which no earlier position depends on, complete the grid.
        missing = self.steps + 1 - columns
        prices, variances = (
            torch.cat([x, x[:, -1:].expand(-1, missing)], dim=1) for x in (prices, variances)
        )
        with torch.no_grad():
            parts = [
                self._positions(*chunk)
                for chunk in zip(prices.split(CHUNK), variances.split(CHUNK), strict=True)
            ]
        return torch.cat(parts)[:, : min(columns, self.steps)]

    def _positions(
        self, spot: Float[Tensor, "paths dates"], variance: Float[Tensor, "paths dates"]
    ) -> Float[Tensor, "paths steps"]:
        features = exogenous(spot, variance, strike=self.study.option.strike)
        return positions(self.problem.network, self.theta, features, spot)


def _matrix(values: Tensor | ArrayLike, name: str) -> Float[Tensor, "paths dates"]:
    tensor = values.detach() if isinstance(values, Tensor) else torch.from_numpy(np.array(values))
    tensor = tensor.to(device="cpu", dtype=torch.float32)
    if tensor.ndim != 2 or not len(tensor):
        raise ValueError(
            f"{name} must have shape [paths, dates], got {list(tensor.shape)}; "
            f"{name}[None] makes a single path of one"
        )
    return tensor
