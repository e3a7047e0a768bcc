"""Permutation importance: a closed form, its invariants, and its standard error."""

import numpy as np
import pytest
import torch

from hedgecore.insurance.evaluation.boosted_trees import gain_shares, softprob
from hedgecore.insurance.evaluation.column_importance import columns, importance
from hedgecore.insurance.xnn.network import initialise, probabilities
from hedgecore.rng import numpy_stream, stream


def rises(theta, x, label, groups, seed=0):
    return importance(theta, x, label, groups, generator=numpy_stream(seed, "importance"))


@pytest.fixture(name="rows")
def _rows():
    x = torch.randn(3000, 4, generator=stream(0, "rows"))
    return x, (x[:, 0] > 0).long()


def reader(column):
    """A network whose logits of the first two classes are -+ 3 times one input."""
    theta = initialise(4, (2,), generator=stream(0, "theta"))
    theta = {name: torch.zeros_like(value) for name, value in theta.items()}
    theta["layers.0.weight"][:, column] = torch.tensor([1.0, -1.0])
    theta["layers.1.weight"][:2] = torch.tensor([[-3.0, 3.0], [3.0, -3.0]])
    theta["layers.1.bias"][2:] = -30.0
    return theta


def test_inputs_of_one_column_are_one_group():
    names = ("Ht", "Family_Hist_2", "Family_Hist_2 missing", "Sex = 1", "Sex = other")
    assert columns(names) == {"Ht": [0], "Family_Hist_2": [1, 2], "Sex": [3, 4]}
    assert columns(("PC1", "PC2")) == {"PC1": [0], "PC2": [1]}


def test_only_the_column_that_a_network_reads_matters(rows):
    rise, error = rises(reader(0), *rows, [[0], [1], [2, 3]])
    assert rise[0] > 0.5
    assert rise[1:].tolist() == [0.0, 0.0]
    assert error[1:].tolist() == [0.0, 0.0]


def test_the_rise_is_that_of_permuted_rows_put_through_the_network(rows):
    """With logits -+ 3x the loss of an independent x' is softplus(-+ 6 x'), in closed form."""
    x, label = rows
    rise, error = rises(reader(0), x, label, [[0]])
    mean = torch.nn.functional.softplus(6 * torch.randn(200_000, generator=stream(1, "n"))).mean()
    plain = -np.log(probabilities(reader(0), x)[np.arange(len(x)), label.numpy()]).mean()
    assert float(rise[0]) == pytest.approx(float(mean) - plain, abs=4 * float(error[0]))


def test_the_standard_error_matches_the_spread_over_tables_of_rows():
    draws = []
    for seed in range(60):
        x = torch.randn(400, 4, generator=stream(seed, "rows"))
        draws.append(rises(reader(0), x, (x[:, 0] > 0).long(), [[0]], seed=seed))
    means = np.array([float(m[0]) for m, _ in draws])
    errors = np.array([float(e[0]) for _, e in draws])
    assert np.sqrt((errors**2).mean()) == pytest.approx(means.std(ddof=1), rel=0.3)


def test_permuting_levels_together_keeps_every_row_possible(rows):
    x, label = rows
    together = rises(reader(0), x, label, [[0, 1]])[0]
    assert float(together[0]) == pytest.approx(float(rises(reader(0), x, label, [[0]])[0][0]))


def test_too_few_rows_are_refused(rows):
    x, label = rows
    with pytest.raises(ValueError, match="at least 4 rows, got 3"):
        rises(reader(0), x[:3], label[:3], [[0]])


def test_gain_shares_sum_to_one_and_are_zero_for_unused_columns():
    draw = np.random.default_rng(0)
    x = draw.normal(size=(400, 3))
    x[:, 2] = 0.0
    features = {"train": x}
    model = softprob(features, {"train": (x[:, 1] > 0).astype(np.int64)}, seed=0, rounds=8).model
    shares = gain_shares(model, 3)
    assert shares.sum() == pytest.approx(1.0)
    assert shares[2] == 0.0
    assert shares.argmax() == 1
