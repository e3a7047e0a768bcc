import math

import pytest
import torch

from hedgecore.hedging.features import (
    EXOGENOUS_NAMES,
    FEATURE_NAMES,
    RECURRENT_NAMES,
    Standardisation,
    exogenous,
    recurrent,
)
from hedgecore.rng import stream

SPOT = torch.tensor([[100.0, 102.0, 99.0, 105.0]], dtype=torch.float64)
VARIANCE = torch.tensor([[0.04, 0.05, 0.03, 0.02]], dtype=torch.float64)


def column(name, features, names):
    return features[0, :, names.index(name)].tolist()


def test_there_are_eight_features_in_their_true_order():
    assert FEATURE_NAMES == (
        "log_moneyness",
        "return",
        "volatility",
        "variance_change",
        "time_to_maturity",
        "previous_position",
        "cumulative_pnl",
        "trading_volume",
    )


def test_exogenous_features_follow_their_definitions():
    f = exogenous(SPOT, VARIANCE, strike=101.0)
    expected = {
        "log_moneyness": [math.log(s / 101) for s in (100, 102, 99)],
        "return": [0, 102 / 100 - 1, 99 / 102 - 1],
        "volatility": [0.2, math.sqrt(0.05), math.sqrt(0.03)],
        "variance_change": [0, 0.05 - 0.04, 0.03 - 0.05],
        "time_to_maturity": [1, 2 / 3, 1 / 3],
    }
    for name, values in expected.items():
        assert column(name, f, EXOGENOUS_NAMES) == pytest.approx(values)


def test_recurrent_features_follow_their_definitions():
    position = torch.tensor([[0.5, 0.8, 0.2]], dtype=torch.float64)
    f = recurrent(position, SPOT)
    expected = {
        "previous_position": [0, 0.5, 0.8],
        # Gains enter one date late: at t = 2 those up to S_1.
        "cumulative_pnl": [0, 0, 0.5 * (102 - 100)],
        "trading_volume": [0, 0.5, 0.5 + 0.3],
    }
    for name, values in expected.items():
        assert column(name, f, RECURRENT_NAMES) == pytest.approx(values)


def test_a_feature_never_looks_ahead():
    g = stream(0, "x")
    spot = 100 + torch.randn(5, 8, generator=g, dtype=torch.float64)
    variance = torch.rand(5, 8, generator=g, dtype=torch.float64)
    before = exogenous(spot, variance, strike=100.0)
    spot[:, 4:] += 3
    variance[:, 4:] += 0.1
    after = exogenous(spot, variance, strike=100.0)
    assert torch.equal(before[:, :4], after[:, :4])
    assert not torch.equal(before[:, 4], after[:, 4])


def test_features_are_finite_and_differentiable_where_the_variance_is_zero():
    variance = torch.zeros_like(VARIANCE).requires_grad_()
    f = exogenous(SPOT, variance, strike=100.0)
    f.sum().backward()
    assert bool(f.isfinite().all())
    assert bool(variance.grad.isfinite().all())


def test_standardised_training_features_have_mean_zero_and_sd_one():
    g = stream(1, "x")
    spot = 100 * (0.01 * torch.randn(500, 7, generator=g, dtype=torch.float64)).cumsum(1).exp()
    variance = 0.04 * torch.rand(500, 7, generator=g, dtype=torch.float64)
    position = torch.rand(500, 6, generator=g, dtype=torch.float64)
    s = Standardisation.fit(spot, variance, position, strike=100.0)
    features = torch.cat(
        [exogenous(spot, variance, strike=100.0), recurrent(position, spot)], dim=-1
    )
    flat = ((features - s.mean) / s.sd).flatten(0, 1)
    torch.testing.assert_close(
        flat.mean(0), torch.zeros(8, dtype=torch.float64), atol=1e-9, rtol=0
    )
    torch.testing.assert_close(flat.std(0), torch.ones(8, dtype=torch.float64))


def test_a_feature_that_never_moves_is_left_unscaled():
    spot, variance = SPOT[:, :2].repeat(9, 1), VARIANCE[:, :2].repeat(9, 1)
    s = Standardisation.fit(spot, variance, torch.ones(9, 1, dtype=torch.float64), strike=100.0)
    assert s.sd.tolist() == [1.0] * 8
