import math

import pytest
import torch
from scipy import stats

from hedgecore.hedging.columns import TEST
from hedgecore.metrics import TAILS, cvar_name, paired_cvar_difference, pnl_metrics
from hedgecore.rng import stream


def measured(pnl, price=1.5):
    return pnl_metrics(
        pnl,
        price=price,
        unhedged=3 * pnl,
        turnover=torch.full_like(pnl, 2.0),
        cost=torch.full_like(pnl, 0.2),
    )


def normal_pnl(size=200_000):
    return -1.6 + 0.7 * torch.randn(size, generator=stream(0, "pnl"), dtype=torch.float64)


def test_moments_and_quantiles_agree_with_scipy():
    pnl = (normal_pnl(5_001) + 2).exp()
    values, sample = measured(pnl), pnl.numpy()
    assert values["pnl_skewness"] == pytest.approx(stats.skew(sample))
    assert values["pnl_kurtosis"] == pytest.approx(stats.kurtosis(sample))
    assert values["pnl_std"] == pytest.approx(sample.std(ddof=1))
    assert values["pnl_median"] == pytest.approx(stats.scoreatpercentile(sample, 50))
    assert values["var_05"] == pytest.approx(stats.scoreatpercentile(sample, 5))


def test_a_normal_has_its_closed_form_within_four_standard_errors():
    values = measured(normal_pnl())
    for tail, name in ((0.5, "cvar_50"), (0.05, "cvar_05"), (0.01, "cvar_01")):
        exact = -1.6 - 0.7 * stats.norm.pdf(stats.norm.ppf(tail)) / tail
        assert abs(values[name] - exact) < 4 * values[f"{name}_se"]


def test_every_tail_has_its_metric_and_a_name_of_two_digits():
    assert [cvar_name(tail) for tail in TAILS] == ["cvar_01", "cvar_05", "cvar_50"]
    assert {cvar_name(tail) for tail in TAILS} <= {column.name for column in TEST}


def test_sharpe_and_sortino_are_taken_after_the_price_is_received():
    pnl = torch.tensor([-3.0, -1.0], dtype=torch.float64)
    values = measured(pnl, price=3.0)
    assert values["sharpe_ratio"] == pytest.approx(1.0 / math.sqrt(2))
    assert math.isinf(values["sortino_ratio"])
    assert values["hedging_error_rmse"] == pytest.approx(math.sqrt(2))


def test_hedge_effectiveness_is_the_share_of_variance_removed():
    assert measured(normal_pnl(1000))["hedge_effectiveness"] == pytest.approx(1 - 1 / 9)


def test_every_metric_has_its_column():
    assert measured(normal_pnl(100)).keys() == {column.name for column in TEST}


def test_the_paired_difference_has_a_smaller_error_than_either_value():
    pnl = normal_pnl(20_000)
    better = pnl + 0.01 + 0.02 * torch.rand(20_000, generator=stream(1, "x"), dtype=torch.float64)
    difference, error = paired_cvar_difference(better, pnl, tail=0.05)
    assert abs(difference - 0.02) < 4 * error
    assert error < measured(pnl)["cvar_05_se"] / 10


def test_a_hedge_does_not_differ_from_itself():
    assert paired_cvar_difference(normal_pnl(500), normal_pnl(500), tail=0.05) == (0.0, 0.0)
