import pytest
import torch

from hedgecore.market.payoffs import PAYOFFS, EuropeanCall, call
from hedgecore.registry import lookup


def test_a_call_pays_what_the_last_spot_exceeds_the_strike_by():
    spot = torch.tensor([[100.0, 120.0, 90.0], [100.0, 80.0, 107.5]])
    assert EuropeanCall(strike=100.0).payoff(spot).tolist() == [0.0, 7.5]
    assert call(torch.tensor([99.0, 101.0]), 100.0).tolist() == [0.0, 1.0]


def test_only_the_last_spot_of_a_call_in_the_money_carries_a_gradient():
    spot = torch.tensor([[100.0, 90.0], [100.0, 110.0]], requires_grad=True)
    EuropeanCall(strike=100.0).payoff(spot).sum().backward()
    assert spot.grad is not None
    assert spot.grad.tolist() == [[0.0, 0.0], [0.0, 1.0]]


def test_the_registry_knows_the_call_by_its_yaml_name():
    assert lookup(PAYOFFS, "european_call", kind="payoff") is EuropeanCall
    with pytest.raises(ValueError, match="did you mean 'european_call'"):
        lookup(PAYOFFS, "europaen_call", kind="payoff")


def test_a_strike_that_is_not_positive_is_refused():
    with pytest.raises(ValueError, match="strike must be positive and finite, got -1"):
        EuropeanCall(strike=-1.0)
