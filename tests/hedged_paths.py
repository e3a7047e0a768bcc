"""Positions of an exported hedge along simulated paths, against those of its model."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from hedgecore.hedging.features import exogenous, recurrent
from hedgecore.market.heston import simulate
from hedgecore.rng import stream

PATHS = 1000


def assert_positions_of(hedge: Any, output: Callable[[np.ndarray], Any]) -> None:
    """Assert that ``output`` gives the positions of ``hedge`` on :data:`PATHS` of its market.

    Args:
        hedge: the loaded model.
        output: positions (paths,) of the exported hedge from rows of features (paths, features).
    """
    market, strike = hedge.study.market, hedge.study.option.strike
    paths = simulate(
        market.heston,
        paths=PATHS,
        steps=market.steps,
        maturity=market.maturity,
        generator=stream(1, "parity"),
    )
    spot, variance = paths.spot.float(), paths.variance.float()
    features = exogenous(spot, variance, strike=strike)
    position = torch.zeros(features.shape[:2])
    for t in range(features.shape[1]):
        # Recurrent features follow from the positions before.
        rows = torch.cat([features[:, t], recurrent(position, spot)[:, t]], dim=1)
        position[:, t] = torch.as_tensor(np.asarray(output(np.ascontiguousarray(rows.numpy()))))
    # Six dates carry roundings of float32 on; positions are up to about one share.
    torch.testing.assert_close(position, hedge.positions(spot, variance), rtol=1e-5, atol=3e-6)
