"""Supervised contrastive loss of a layer's outputs."""

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import normalize


def contrastive(
    z: Float[Tensor, "batch nodes"], y: Int[Tensor, " batch"], *, temperature: float
) -> Float[Tensor, ""]:
    """Supervised contrastive loss of one layer's outputs; 0 where no two rows share a class.

    Mean over the rows i with others P(i) of their class, and over p in P(i), of
    -log(exp(s_ip) / sum_(a != i) exp(s_ia)), where s is the cosine over ``temperature``.

    Source: Khosla et al. (2020), equation 2.
    """
    unit = normalize(z, dim=1)
    itself = torch.eye(len(z), dtype=torch.bool, device=z.device)
    similarity = (unit @ unit.T / temperature).masked_fill(itself, -torch.inf)
    positive = (y[:, None] == y) & ~itself
    counts = positive.sum(dim=1)
    has_pair = counts > 0
    if not bool(has_pair.any()):
        return z.new_zeros(())
    surprise = similarity.logsumexp(dim=1, keepdim=True) - similarity
    per_row = surprise.masked_fill(~positive, 0).sum(dim=1)[has_pair] / counts[has_pair]
    return per_row.mean()
