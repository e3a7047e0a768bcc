from itertools import combinations, product
from statistics import mean

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hedgecore.pruning.lottery import shuffled
from hedgecore.pruning.statistics import expected_overlap, overlap, relative_distance
from hedgecore.rng import stream


def layers(*counts):
    """A mask by the weights kept and all weights of every layer."""
    return {str(i): (torch.arange(n) < k).view(1, n) for i, (k, n) in enumerate(counts)}


def test_the_overlap_is_the_shared_weights_over_those_of_either():
    first = {"a": torch.tensor([[1, 1, 0, 0]]).bool(), "b": torch.tensor([[1, 0]]).bool()}
    second = {"a": torch.tensor([[0, 1, 1, 1]]).bool(), "b": torch.tensor([[1, 0]]).bool()}
    assert overlap(first, second) == overlap(second, first) == 2 / 5
    assert overlap(first, first) == 1
    assert overlap(first, {n: ~m for n, m in first.items()}) == 0


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.integers(1, 4).flatmap(
            lambda n: st.tuples(st.just(n), st.integers(1, n), st.integers(0, n))
        ),
        min_size=1,
        max_size=2,
    )
)
def test_the_expected_overlap_is_the_mean_over_all_pairs_of_masks(shapes):
    def every(counts):
        choices = [list(combinations(range(n), k)) for k, n in counts]
        for chosen in product(*choices):
            yield {
                str(i): torch.tensor([[j in picked for j in range(n)]])
                for i, (picked, (_, n)) in enumerate(zip(chosen, counts, strict=True))
            }

    first = [(a, n) for n, a, _ in shapes]
    second = [(b, n) for n, _, b in shapes]
    found = mean(overlap(a, b) for a in every(first) for b in every(second))
    assert expected_overlap(layers(*first), layers(*second)) == pytest.approx(found, abs=1e-12)


def test_the_expected_overlap_is_what_shuffles_have_on_average():
    first, second = layers((400, 2048), (3000, 30_000)), layers((90, 2048), (1500, 30_000))
    g = stream(0, "shuffle")
    drawn = torch.tensor(
        [overlap(first, shuffled(second, generator=g)) for _ in range(400)], dtype=torch.float64
    )
    error = float(drawn.std()) / 20
    assert abs(float(drawn.mean()) - expected_overlap(first, second)) < 4 * error


def test_the_expected_overlap_of_a_large_network_is_precise():
    # One layer of n, k kept in both: E[I] = k^2 / n, and the ratio is nearly linear in I.
    n, k = 4_000_000, 400_000
    expected = (k / n) / (2 - k / n)
    assert expected_overlap(layers((k, n)), layers((k, n))) == pytest.approx(expected, rel=1e-5)


def test_masks_that_keep_everything_must_overlap():
    assert expected_overlap(layers((5, 5), (7, 7)), layers((5, 5), (7, 7))) == pytest.approx(1)


@pytest.mark.parametrize("statistic", [overlap, expected_overlap])
def test_masks_of_different_networks_have_no_overlap(statistic):
    with pytest.raises(ValueError, match=r"no overlap: \{'0': \(1, 4\)\} and \{'0': \(1, 5\)\}"):
        statistic(layers((2, 4)), layers((2, 5)))


def test_the_distance_is_relative_to_the_reference_and_over_the_named_weights():
    full = {"a": torch.tensor([[3.0, 0.0]]), "b": torch.tensor([[4.0]]), "y": torch.tensor(9.0)}
    cut = {"a": torch.tensor([[0.0, 0.0]]), "b": torch.tensor([[4.0]]), "y": torch.tensor(1.0)}
    assert relative_distance(cut, full, names=["a", "b"]) == pytest.approx(3 / 5)
    assert relative_distance(cut, full, names=["a"]) == 1
    assert relative_distance(full, full, names=["a", "b"]) == 0
