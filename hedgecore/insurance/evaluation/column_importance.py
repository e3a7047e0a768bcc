"""Permutation importance of the columns of the table for a classifier.

All inputs that encode one column (its levels, its missing flag) are permuted together: permuted
alone, the levels of a column would leave it to the others. Principal components are permuted one
by one, as each of them mixes all columns.

Source: Breiman (2001), Random forests, section 10; Fisher, Rudin and Dominici (2019).
"""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import cross_entropy, linear

from hedgecore.insurance.xnn.network import divided, matrices, pre_activations

PARTS = 10
_ROWS = 4096


def columns(inputs: Sequence[str]) -> dict[str, list[int]]:
    """Indices of the ``inputs`` that encode each column, by the name of the column.

    Args:
        inputs: names of the inputs: "Ht", "Family_Hist_2 missing", "InsuredInfo_6 = 2", "PC1".
    """
    grouped: dict[str, list[int]] = {}
    for place, name in enumerate(inputs):
        grouped.setdefault(name.partition(" ")[0], []).append(place)
    return grouped


def importance(
    theta: Mapping[str, Tensor],
    x: Float[Tensor, "rows inputs"],
    label: Int[Tensor, " rows"],
    groups: Sequence[Sequence[int]],
    *,
    generator: np.random.Generator,
) -> tuple[Float[Tensor, " groups"], Float[Tensor, " groups"]]:
    """Rise of cross-entropy (nat) when the inputs of a group are permuted, and its standard error.

    At most 4,096 rows, evenly spaced, are divided into ten parts, and values are permuted within
    each. The mean is over the parts, the standard error from their spread: as no row is in two
    parts, it covers the choice of the rows, which repeats on the same rows would not.

    Args:
        theta: parameters of the network.
        x: encoded rows, at least 4.
        label: class of every row, in 0..7.
        groups: indices of the inputs permuted together.
        generator: of the permutations.
    Raises:
        ValueError: fewer than 4 rows.
    """
    if len(x) < 4:
        raise ValueError(f"importance needs at least 4 rows, got {len(x)}")
    some = torch.linspace(0, len(x) - 1, min(len(x), _ROWS), dtype=torch.float64).long()
    x, label = x[some], label[some]
    parts = torch.arange(len(x)).tensor_split(min(PARTS, len(x) // 2))
    first, above = divided(theta, 0)
    (weight,) = matrices(first)
    with torch.no_grad():
        nodes = pre_activations(first, x)[0]
        plain = _losses(above, nodes, label)
        rises = torch.stack(
            [
                _losses(above, nodes + _moved(weight, x, group, parts, generator), label) - plain
                for group in groups
            ]
        )
        means = torch.stack([rises[:, part].mean(dim=1) for part in parts]).double()
    error = means.std(dim=0) / len(parts) ** 0.5
    return means.mean(dim=0), error


def _moved(
    weight: Tensor,
    x: Tensor,
    group: Sequence[int],
    parts: Sequence[Tensor],
    generator: np.random.Generator,
) -> Float[Tensor, "rows nodes"]:
    """Change of the first layer, which is linear: only the inputs of ``group`` move."""
    order = torch.cat([part[torch.from_numpy(generator.permutation(len(part)))] for part in parts])
    values = x[:, list(group)]
    return linear(values[order] - values, weight[:, list(group)])


def _losses(above: Mapping[str, Tensor], nodes: Tensor, label: Tensor) -> Float[Tensor, " rows"]:
    logits = pre_activations(above, nodes.relu())[-1]
    return cross_entropy(logits, label, reduction="none")
