"""Markets other than the training market of a hedge."""

from collections.abc import Mapping
from dataclasses import replace

import torch

from hedgecore.market.params import HestonParams
from hedgecore.registry import lookup

REGIMES: Mapping[str, Mapping[str, float]] = {
    "calm": {"v0": 0.0175, "v_bar": 0.0398, "xi": 0.5751},
    "high_vol": {"v0": 0.04, "v_bar": 0.08, "xi": 0.8},
    "extreme": {"v0": 0.08, "v_bar": 0.15, "xi": 1.2},
}
"""Parameters that change in a regime: variance today, its long-run level, and its volatility."""

_SHIFTED = ("kappa", "v_bar", "xi", "rho")


def regime(params: HestonParams, name: str) -> HestonParams:
    """``params`` in the regime ``name``; spot, mean reversion, correlation and rates stay.

    Raises:
        ValueError: unknown ``name``.
    """
    return replace(params, **lookup(REGIMES, name, kind="regime"))


def shifted(params: HestonParams, share: float, *, generator: torch.Generator) -> HestonParams:
    """``params`` with kappa, v_bar, xi and rho each scaled by a draw from [1 - share, 1 + share].

    Source: He, Sutter and Gonon (2025), out-of-sample tests.
    """
    draws = 1 + share * (2 * torch.rand(len(_SHIFTED), generator=generator) - 1)
    scaled = {n: getattr(params, n) * float(d) for n, d in zip(_SHIFTED, draws, strict=True)}
    return replace(params, **{**scaled, "rho": max(-1.0, min(1.0, scaled["rho"]))})
