from itertools import pairwise

import pytest
import torch

from hedgecore.rng import stream


@pytest.fixture(scope="session")
def network():
    """Makes the parameters of a small network: normal weights, or all of them 1 and -1."""

    def make(*widths, seed=0, ties=False):
        g, theta = stream(seed, "net"), {}
        for i, (a, b) in enumerate(pairwise(widths)):
            weight = torch.randn(b, a, generator=g)
            theta[f"layers.{i}.weight"] = weight.sign() if ties else weight
            theta[f"layers.{i}.bias"] = torch.randn(b, generator=g)
        theta["y"] = torch.tensor(2.7)
        return theta

    return make
