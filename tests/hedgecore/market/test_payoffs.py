import torch

from hedgecore.market.payoffs import call


def test_a_call_pays_what_the_last_spot_exceeds_the_strike_by():
    assert call(torch.tensor([90.0, 107.5]), 100.0).tolist() == [0.0, 7.5]
    assert call(torch.tensor([99.0, 101.0]), 100.0).tolist() == [0.0, 1.0]


def test_only_the_last_spot_of_a_call_in_the_money_carries_a_gradient():
    spot = torch.tensor([[100.0, 90.0], [100.0, 110.0]], requires_grad=True)
    call(spot[:, -1], 100.0).sum().backward()
    assert spot.grad is not None
    assert spot.grad.tolist() == [[0.0, 0.0], [0.0, 1.0]]
