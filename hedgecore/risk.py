"""Convex risk of terminal P&L: the optimised certainty equivalents (OCE) and the CVaR estimator.

    rho(X) = inf_y  y + E[ l(-X - y) ],    l convex, l(0) = 0, 1 a subgradient of l at 0

``y`` is the capital set aside; for CVaR it is the Value-at-Risk.
Risks are costs (smaller is better); ``cvar`` itself is P&L (larger is better).
Source: Ben-Tal and Teboulle (2007); Buehler et al. (2019), section 3.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from hedgecore.registry import lookup


@runtime_checkable
class Risk(Protocol):
    """OCE: per-path loss at a given ``y``, and the optimal ``y`` of a sample."""

    monotone: ClassVar[bool]

    def loss(self, pnl: Float[Tensor, " paths"], y: Float[Tensor, ""]) -> Float[Tensor, " paths"]:
        """y + l(-pnl - y) path by path, in the currency of ``pnl``."""
        ...

    def optimal_y(self, pnl: Float[Tensor, " paths"]) -> Float[Tensor, ""]:
        """The minimiser of the mean loss over the sample ``pnl``, exact for every sample size."""
        ...


@dataclass(frozen=True, slots=True)
class CVaR:
    """l(x) = max(x, 0) / tail: minus the mean P&L of the worst ``tail`` share of paths."""

    tail: float = 0.05
    monotone: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not 0 < self.tail <= 1:
            raise ValueError(f"tail must lie in (0, 1], got {self.tail}")

    def loss(self, pnl: Float[Tensor, " paths"], y: Float[Tensor, ""]) -> Float[Tensor, " paths"]:
        """See :class:`Risk`."""
        return y + torch.relu(-pnl - y) / self.tail

    def optimal_y(self, pnl: Float[Tensor, " paths"]) -> Float[Tensor, ""]:
        """Minus the P&L on the boundary of the tail.

        Differentiable, so that the boundary path gets its fractional share of the gradient, which
        would be lost at the kink of max(x, 0).
        """
        return -pnl.kthvalue(_tail_rank(pnl.numel(), self.tail)).values


@dataclass(frozen=True, slots=True)
class _WithAversion:
    aversion: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.aversion < float("inf"):
            raise ValueError(f"aversion must be positive and finite, got {self.aversion}")


@dataclass(frozen=True, slots=True)
class Entropic(_WithAversion):
    """l(x) = (exp(a x) - 1) / a: (1/a) log E exp(-a X), with a per unit of currency."""

    monotone: ClassVar[bool] = True

    def loss(self, pnl: Float[Tensor, " paths"], y: Float[Tensor, ""]) -> Float[Tensor, " paths"]:
        """See :class:`Risk`."""
        return y + torch.expm1(self.aversion * (-pnl - y)) / self.aversion

    def optimal_y(self, pnl: Float[Tensor, " paths"]) -> Float[Tensor, ""]:
        """(1/a) log mean exp(-a pnl), by log-sum-exp; here it equals the risk itself."""
        x = -self.aversion * pnl
        size = torch.tensor(float(pnl.numel()), dtype=x.dtype, device=x.device)
        return (torch.logsumexp(x, dim=0) - size.log()) / self.aversion


@dataclass(frozen=True, slots=True)
class MeanVariance(_WithAversion):
    """l(x) = x + a x^2 / 2: minus the mean plus a/2 times the variance.

    Not monotone: a large enough gain on some paths raises it. ``MonotoneMeanVariance`` is.
    """

    monotone: ClassVar[bool] = False

    def loss(self, pnl: Float[Tensor, " paths"], y: Float[Tensor, ""]) -> Float[Tensor, " paths"]:
        """See :class:`Risk`."""
        return -pnl + self.aversion / 2 * (pnl + y) ** 2

    def optimal_y(self, pnl: Float[Tensor, " paths"]) -> Float[Tensor, ""]:
        """Minus the mean P&L."""
        return -pnl.mean()


@dataclass(frozen=True, slots=True)
class MonotoneMeanVariance(_WithAversion):
    """l(x) = (max(1 + a x, 0)^2 - 1) / (2 a): mean-variance, flat for gains beyond its peak.

    Equals ``MeanVariance`` if no P&L is more than 1/a above the mean.
    Source: Maccheroni, Marinacci, Rustichini and Taboga (2009).
    """

    monotone: ClassVar[bool] = True

    def loss(self, pnl: Float[Tensor, " paths"], y: Float[Tensor, ""]) -> Float[Tensor, " paths"]:
        """See :class:`Risk`."""
        a = self.aversion
        return y + (torch.relu(1 + a * (-pnl - y)) ** 2 - 1) / (2 * a)

    def optimal_y(self, pnl: Float[Tensor, " paths"]) -> Float[Tensor, ""]:
        """The root of mean max(1 + a (-pnl - y), 0) = 1, which is piecewise linear in y."""
        losses = (-pnl).sort(descending=True).values
        sums = losses.cumsum(0)
        n = losses.numel()
        counts = torch.arange(1, n + 1, dtype=losses.dtype, device=losses.device)
        # With the k largest losses active: k + a (sum_k - k y) = n.
        roots = (sums + (counts - n) / self.aversion) / counts
        # The k-th loss must be active, which holds exactly up to the correct k.
        k = int((losses - roots + 1 / self.aversion > 0).sum().clamp(min=1))
        return roots[k - 1]


def risk(measure: Risk, pnl: Float[Tensor, " paths"]) -> Float[Tensor, ""]:
    """rho(pnl) at the optimal ``y``, in the currency of ``pnl`` (smaller is better).

    Differentiable, with the exact gradient of the sample's risk.
    """
    return measure.loss(pnl, measure.optimal_y(pnl)).mean()


def cvar(pnl: Float[Tensor, " paths"], *, tail: float) -> Float[Tensor, ""]:
    """Mean P&L of the worst ``tail`` share of paths, in currency (larger is better).

    The path on the boundary counts fractionally, so the value is continuous in ``tail``
    and exact for every sample size.

    Args:
        pnl: terminal P&L, gains positive.
        tail: share of worst paths in (0, 1]; 0.05 is the worst 5 %.
    Raises:
        ValueError: ``tail`` outside (0, 1], or no paths.
    Source: Rockafellar and Uryasev (2002).
    """
    return -risk(CVaR(tail), pnl)


def cvar_influence(pnl: Float[Tensor, " paths"], *, tail: float) -> Float[Tensor, " paths"]:
    """Influence of each path on :func:`cvar`, up to a constant.

    Its sd divided by sqrt(paths) is the standard error.
    """
    quantile = -CVaR(tail).optimal_y(pnl)
    return -torch.relu(quantile - pnl) / tail


def standard_error(influence: Float[Tensor, " paths"]) -> Float[Tensor, ""]:
    """Standard error of an estimate from the influence of every path on it."""
    return influence.std() / influence.numel() ** 0.5


def _tail_rank(size: int, tail: float) -> int:
    """1-based rank of the P&L on the boundary of the tail: ceil(tail * size)."""
    if size == 0:
        raise ValueError("pnl is empty; give at least one path")
    share = tail * size
    nearest = round(share)
    # 0.05 * 20000 is slightly over 1000 in floating point and must not become 1001.
    rank = nearest if abs(share - nearest) < 1e-9 * size else int(share) + 1
    return min(max(rank, 1), size)


RISKS: Mapping[str, type[CVaR | Entropic | MeanVariance | MonotoneMeanVariance]] = {
    "cvar": CVaR,
    "entropic": Entropic,
    "mean_variance": MeanVariance,
    "monotone_mean_variance": MonotoneMeanVariance,
}


def make(name: str, *, tail: float, aversion: float) -> Risk:
    """Risk called ``name``; ``tail`` is for CVaR, ``aversion`` for the others."""
    kind = lookup(RISKS, name, kind="risk")
    return CVaR(tail) if kind is CVaR else kind(aversion)
