import math

import numpy as np
import pytest

from hedgecore.insurance.evaluation.faithfulness import ablation, concept_test, surrogate
from hedgecore.insurance.evaluation.node_regression import linear_fit
from hedgecore.insurance.evaluation.scores import CLASSES, cross_entropy
from hedgecore.rng import numpy_stream

ROWS = 400


def head(nodes):
    """Class 0 against class 1 by the sum of all nodes; the other classes never."""
    p = np.zeros((len(nodes), CLASSES))
    p[:, 1] = 1 / (1 + np.exp(-nodes.sum(axis=1)))
    p[:, 0] = 1 - p[:, 1]
    return p


@pytest.fixture(scope="module")
def planted():
    """Two clusters, each with a node that alone determines the class: -4 or 4, 0 elsewhere."""
    cluster = np.arange(ROWS) % 2
    label = np.arange(ROWS) // 2 % 2
    nodes = np.zeros((ROWS, 2))
    nodes[np.arange(ROWS), cluster] = 8 * label - 4
    distances = np.column_stack([1 + cluster, 2 - cluster]).astype(float)
    return nodes, distances, label


# Ablation.


def ablated(planted, owner, *, mean=(0.0, 0.0)):
    return ablation(head, *planted, owner=np.array(owner), mean=np.array(mean))


def test_a_node_that_speaks_for_its_cluster_alone_costs_its_rows_alone(planted):
    found = ablated(planted, [0, 1])
    rise = math.log(2) - math.log(1 + math.exp(-4))
    assert found.cluster == pytest.approx([rise, rise])
    assert found.others == pytest.approx([0, 0])
    assert found.selectivity == pytest.approx(rise)


def test_nodes_given_to_the_wrong_cluster_are_selective_the_wrong_way(planted):
    assert ablated(planted, [1, 0]).selectivity == pytest.approx(
        -ablated(planted, [0, 1]).selectivity
    )


def test_nodes_of_one_centroid_fall_together_and_the_other_has_none(planted):
    found = ablated(planted, [1, 1])
    assert found.cluster[1] == pytest.approx(found.others[1])
    assert np.isnan([found.cluster[0], found.others[0]]).all()
    assert found.selectivity == pytest.approx(0)


def test_a_node_that_is_its_mean_already_costs_nothing(planted):
    nodes, distances, label = planted
    flat = np.full_like(nodes, 0.7)
    found = ablated((flat, distances, label), [0, 1], mean=(0.7, 0.7))
    assert np.abs([found.cluster, found.others]).max() == 0


def test_a_centroid_without_rows_has_no_selectivity(planted):
    nodes, distances, label = planted
    far = np.column_stack([distances[:, 0], np.full(ROWS, 9.0)])
    found = ablated((nodes, far, label), [1, 1])
    assert np.isnan(found.cluster[1])
    assert math.isnan(found.selectivity)


# Surrogate.


def test_nodes_that_distances_imply_are_replaced_without_loss():
    g = numpy_stream(0, "implied")
    distances = g.normal(size=(ROWS, 3))
    nodes = distances @ g.normal(size=(3, 5)) + 1
    label = g.integers(2, size=ROWS)
    found = surrogate(head, nodes, distances, label, fit=linear_fit(nodes, distances))
    assert found["surrogate_agreement"] == 1
    assert found["surrogate_cross_entropy"] == pytest.approx(cross_entropy(head(nodes), label))
    assert found["surrogate_accuracy"] == (head(nodes).argmax(axis=1) == label).mean()


def test_nodes_that_distances_say_nothing_of_are_replaced_by_a_constant_guess():
    g = numpy_stream(0, "unrelated")
    distances, nodes = g.normal(size=(ROWS, 3)), g.normal(size=(ROWS, 5))
    label = (nodes.sum(axis=1) > 0).astype(int)
    found = surrogate(head, nodes, distances, label, fit=linear_fit(nodes, distances))
    assert found["surrogate_cross_entropy"] > 0.6
    assert found["surrogate_accuracy"] == found["surrogate_agreement"] < 0.65


def test_interventions_keep_the_dtype_that_the_head_expects(planted):
    nodes, distances, label = planted
    seen = set()

    def watched(z):
        seen.add(z.dtype)
        return head(z)

    narrow = nodes.astype(np.float32)
    ablation(watched, narrow, distances, label, owner=np.array([0, 1]), mean=np.zeros(2))
    surrogate(watched, narrow, distances, label, fit=linear_fit(nodes, distances))
    assert seen == {np.dtype(np.float32)}


# Concepts.


def concept(slopes, nodes, members, seed=0):
    return concept_test(slopes, nodes, members, generator=numpy_stream(seed, "concepts"))


@pytest.fixture(scope="module")
def layer():
    """Correlated nodes, and a class whose logit rises with node 0 and, row by row, any other."""
    g = numpy_stream(0, "layer")
    nodes = g.normal(size=(ROWS, 6)) @ g.normal(size=(6, 6))
    slopes = 3 * g.normal(size=(ROWS, 6))
    slopes[:, 0] = 1
    return slopes, nodes


def test_the_discriminant_sees_through_correlated_nodes():
    """Node 1 repeats the noise of node 0, so the difference of the two identifies the members."""
    g = numpy_stream(0, "pair")
    signal, noise = g.normal(size=(2, 4000))
    nodes = np.column_stack([signal + 3 * noise, 3 * noise])
    first = g.normal(size=500)
    slopes = np.column_stack([first, first - np.abs(g.normal(size=500))])
    # Along node 0 alone, as the means of the members lie, the score would be about a half.
    assert concept(slopes, nodes, signal > 0).score > 0.95


def test_p_is_least_where_no_random_concept_is_as_far_from_a_half():
    g = numpy_stream(0, "clean")
    nodes = g.normal(size=(ROWS, 4))
    slopes = 4 * g.normal(size=(300, 4))
    slopes[:, 0] = 1
    found = concept(slopes, nodes, nodes[:, 0] > 0)
    assert found.score > 0.9
    assert found.p_value == pytest.approx(1 / 201)


def test_random_members_have_p_values_of_all_sizes(layer):
    found = [
        concept(*layer, numpy_stream(i, "members").permutation(ROWS) < 80, seed=i).p_value
        for i in range(40)
    ]
    # The mean of 40 uniform numbers, four standard errors either way.
    assert np.mean(found) == pytest.approx(0.5, abs=4 / math.sqrt(12 * 40))


def test_a_linear_head_has_no_significant_concept(layer):
    slopes = np.ones((50, 6))
    found = concept(slopes, layer[1], layer[1].sum(axis=1) > 0)
    assert found.score in (0, 1)
    assert found.p_value == 1


@pytest.mark.parametrize("size", [0, ROWS])
def test_a_concept_of_no_or_of_all_rows_is_refused(layer, size):
    members = np.arange(ROWS) < size
    with pytest.raises(ValueError, match=f"some but not all of 400 rows, got {size}"):
        concept(*layer, members)
