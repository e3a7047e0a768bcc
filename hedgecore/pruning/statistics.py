"""How alike two masks are, and how far two networks lie apart."""

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

from hedgecore.pruning.mask import Parameters, kept


def overlap(first: Mapping[str, Tensor], second: Mapping[str, Tensor]) -> float:
    """Weights that both masks keep, as a share of those that either keeps, in [0, 1].

    Raises:
        ValueError: the masks cover different weights.
    """
    _check_alike(first, second)
    both = sum(int((m & second[name]).sum()) for name, m in first.items())
    return both / (kept(first) + kept(second) - both)


def expected_overlap(first: Mapping[str, Tensor], second: Mapping[str, Tensor]) -> float:
    """The mean of :func:`overlap` if both masks were drawn at random, independently.

    Each layer keeps as many weights as it does in either mask, so what is above this value is
    agreement on the weights themselves, not on how many a layer needs. Exact but for rounding: the
    number of weights shared is a sum over layers of independent hypergeometric numbers.

    Raises:
        ValueError: the masks cover different weights.
    """
    _check_alike(first, second)
    laws = [_shared(m.numel(), int(m.sum()), int(second[n].sum())) for n, m in first.items()]
    # The law of a sum has the product of the characteristic functions.
    size = sum(len(law) - 1 for law in laws) + 1
    product = torch.stack([torch.fft.rfft(law, n=size) for law in laws]).prod(dim=0)
    law = torch.fft.irfft(product, n=size)
    both = torch.arange(size, dtype=torch.float64)
    return float(law @ (both / (kept(first) + kept(second) - both)))


def _shared(total: int, first: int, second: int) -> Tensor:
    """P(i shared), i = 0 ... min(first, second), for two random choices among ``total``."""
    i = torch.arange(min(first, second) + 1, dtype=torch.float64)
    # 1 / (i! (first - i)! (second - i)! (total - first - second + i)!), up to a factor; the last
    # is infinite where fewer than i can be shared.
    factorials = torch.stack((i, first - i, second - i, total - first - second + i))
    possible = factorials[3] >= 0
    logs = -torch.lgamma(factorials.clamp(min=0) + 1).sum(dim=0)
    return torch.where(possible, logs, -torch.inf).softmax(dim=0)


def relative_distance(theta: Parameters, reference: Parameters, *, names: Iterable[str]) -> float:
    """||reference - theta|| / ||reference||, Euclidean, over the weights in ``names`` together.

    For a dense network and its ticket, both trained: how much of the dense one the ticket lacks.

    Source: Li et al. (2020).
    """
    pairs = [(theta[n].double(), reference[n].double()) for n in names]
    gap = sum(float((b - a).square().sum()) for a, b in pairs)
    return float((gap / sum(float(b.square().sum()) for _, b in pairs)) ** 0.5)


def _check_alike(first: Mapping[str, Tensor], second: Mapping[str, Tensor]) -> None:
    covered = [{name: tuple(m.shape) for name, m in mask.items()} for mask in (first, second)]
    if covered[0] != covered[1]:
        raise ValueError(
            f"masks of different networks have no overlap: {covered[0]} and {covered[1]}; "
            "compare masks over the same weights"
        )
