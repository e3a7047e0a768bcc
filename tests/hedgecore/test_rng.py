import re

import numpy as np
import pytest
import torch
from scipy import stats

from hedgecore.rng import numpy_stream, stream


def draws(*address, count=4):
    return tuple(torch.rand(count, generator=stream(*address), dtype=torch.float64).tolist())


def test_a_stream_is_a_function_of_seed_and_names():
    assert draws(7, "paths", "train") == draws(7, "paths", "train")


def test_every_seed_and_every_name_gives_another_stream():
    addresses = [
        (0,),
        (0, "a"),
        (0, "b"),
        (0, "a", "b"),
        (0, "ab"),
        (0, "b", "a"),
        (1, "a"),
        (2**32, "a"),
    ]
    assert len({draws(*address) for address in addresses}) == len(addresses)


def test_twenty_thousand_streams_all_differ():
    # torch seeds its CPU generator from 32 bits, where 2 of 100,000 streams would likely coincide.
    seen = {draws(i, "x", count=2) for i in range(20_000)}
    assert len(seen) == 20_000


def test_draws_are_uniform_and_streams_uncorrelated():
    a, b = (torch.rand(50_000, generator=stream(0, n), dtype=torch.float64).numpy() for n in "ab")
    assert stats.kstest(a, "uniform").pvalue > 1e-3
    assert abs(np.corrcoef(a, b)[0, 1]) < 4 / np.sqrt(50_000)


def test_first_draws_across_streams_are_uniform():
    firsts = [draws(seed, "x", count=1)[0] for seed in range(5_000)]
    assert stats.kstest(firsts, "uniform").pvalue > 1e-3


def test_normal_draws_have_unit_variance():
    z = torch.randn(100_000, generator=stream(3, "z"), dtype=torch.float64)
    assert abs(float(z.var()) - 1) < 4 * np.sqrt(2 / 100_000)


def test_the_numpy_stream_is_named_too():
    assert numpy_stream(1, "a").random() == numpy_stream(1, "a").random()
    assert numpy_stream(1, "a").random() != numpy_stream(1, "b").random()


@pytest.mark.parametrize("seed", [-1, 1.5, True, "0"])
def test_a_seed_must_be_a_non_negative_integer(seed):
    with pytest.raises(ValueError, match=re.escape(f"non-negative integer, got {seed!r}")):
        stream(seed, "a")


def test_making_a_stream_leaves_the_global_generator_alone():
    before = torch.get_rng_state()
    stream(0, "a")
    assert torch.equal(before, torch.get_rng_state())
