from itertools import pairwise

import numpy as np
import pytest
from printed import numbers

from analysis.figures import NothingToDraw, panels, render
from analysis.figures.xnn import (
    coefficients,
    components,
    dependence,
    excitation,
    largest_coefficient,
    nearest,
    network,
    node_coefficients,
    nodes,
    response_densities,
)
from analysis.figures.xnn.responses import CLASSES, XNN, counts

RNG = np.random.default_rng(0)
TOLD = "alignment, weight 0.3, K = 3, seed 0"


def explained(*, nodes=4, centroids=3, **more):
    rng = np.random.default_rng(1)
    rho = np.full((nodes, centroids), 0.1)
    rho[np.arange(nodes), np.arange(nodes) % centroids] = -0.9
    found = {
        "explanation.beta": rng.normal(size=(nodes, centroids)),
        "explanation.r2": np.linspace(0.5, 0.9, nodes),
        "explanation.rho": rho,
        "explanation.dead": np.zeros(nodes, dtype=bool),
        "dependence.distance": np.tile(np.linspace(0.0, 2.0, 5), (centroids, 1)),
        "dependence.mean": rng.normal(size=(centroids, 5, nodes)),
        "excitation.point": rng.normal(size=(nodes, 6)),
    }
    return found | {name.replace("_", ".", 1): value for name, value in more.items()}


def figure(draw):
    return panels(draw, size=(10.0, 6.0))


def texts(ax):
    return [t.get_text() for t in ax.texts]


def test_a_regression_is_rounded_to_a_response_between_1_and_8():
    found = counts(
        {"label": np.array([0, 7, 3]), "boosted": np.array([0.2, 9.7, 3.6])},
        np.eye(CLASSES, dtype=int),
    )
    assert found["XGBoost regression, rounded"].tolist() == [1, 0, 0, 1, 0, 0, 0, 1]


def test_a_classifier_says_its_likeliest_class_and_the_xnn_the_columns_of_its_confusion():
    confusion = np.zeros((CLASSES, CLASSES), dtype=int)
    confusion[0, 5] = 3
    found = counts(
        {"label": np.zeros(3, dtype=int), "plain": np.eye(CLASSES)[[2, 2, 4]]}, confusion
    )
    assert found["plain network"].tolist() == [0, 0, 2, 0, 1, 0, 0, 0]
    assert found[XNN].tolist() == [0, 0, 0, 0, 0, 3, 0, 0]


def test_a_label_outside_the_classes_is_refused():
    with pytest.raises(NothingToDraw, match="label must lie in 0 to 7"):
        counts({"label": np.array([8])}, np.eye(CLASSES, dtype=int))


def test_bars_are_shares_and_the_outline_is_what_occurred():
    found = {"actual": np.array([4, 0, 0, 0, 0, 0, 0, 4]), XNN: np.array([6, 0, 0, 0, 0, 0, 0, 2])}
    (ax,) = figure(lambda f: response_densities(found, f, subject=TOLD)).axes
    *bars, outline = ax.patches
    assert [b.get_height() for b in bars] == [0.75, 0, 0, 0, 0, 0, 0, 0.25]
    assert outline.get_data().values.tolist() == [0.5, 0, 0, 0, 0, 0, 0, 0.5]
    assert [numbers(t) for t in texts(ax)] == [[25]], "the total difference"


def test_without_test_rows_there_are_no_shares():
    with pytest.raises(NothingToDraw, match="no test rows"):
        figure(lambda f: response_densities({"actual": np.zeros(8)}, f, subject=TOLD))


def test_the_histogram_counts_every_coefficient_of_both_networks():
    beta = RNG.normal(size=(4, 3))
    found = explained(explanation_plain_beta=beta)
    ax = render(lambda ax: coefficients(found, ax, subject=TOLD)).axes[0]
    assert [p.get_data().values.sum() for p in ax.patches] == [12, 12]
    labels = [t.get_text() for t in ax.get_legend().get_texts()]
    assert labels[1].startswith("plain network")
    assert numbers(labels[1]) == [round(np.abs(beta).mean(), 2)]


def test_an_outlier_is_counted_in_the_last_bar_and_said_so():
    beta = np.concatenate([np.linspace(-1.0, 1.0, 299), [50.0]]).reshape(100, 3)
    found = explained(nodes=100, explanation_beta=beta)
    ax = render(lambda ax: coefficients(found, ax, subject=TOLD)).axes[0]
    assert ax.patches[0].get_data().values[-1] == 1
    assert "1 beyond" in texts(ax)[-1]


def test_the_largest_coefficient_counts_a_node_once():
    ax = render(lambda ax: largest_coefficient(explained(), ax, subject=TOLD)).axes[0]
    assert ax.patches[0].get_data().values.sum() == 4


def test_a_node_has_a_bar_a_centroid_as_high_as_its_coefficient():
    found = explained()
    drawn = figure(lambda f: nodes(found, f, subject=TOLD))
    heights = [[bar.get_height() for bar in ax.patches] for ax in drawn.axes[:4]]
    assert np.array(heights) == pytest.approx(found["explanation.beta"])


def test_centroids_stand_across_and_coefficients_up():
    ax = figure(lambda f: nodes(explained(), f, subject=TOLD)).axes[0]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("centroid", "β")


def test_a_dead_node_is_grey_and_called_dead():
    found = explained(explanation_dead=np.array([True, False, False, False]))
    dead, alive, *_ = figure(lambda f: nodes(found, f, subject=TOLD)).axes
    assert "dead" in dead.get_title(loc="left")
    assert numbers(alive.get_title(loc="left")) == [2, 0.63], "the node and its R2"
    assert len({bar.get_facecolor() for bar in dead.patches}) == 1


def test_of_many_nodes_those_with_the_largest_r2_are_drawn(monkeypatch):
    monkeypatch.setattr(node_coefficients, "_MOST_NODES", 3)
    drawn = figure(lambda f: nodes(explained(), f, subject=TOLD))
    assert "3 of 4" in drawn.get_supxlabel()
    titles = [numbers(ax.get_title(loc="left"))[0] for ax in drawn.axes]
    assert sorted(titles) == [2, 3, 4]


def test_bars_are_the_shares_of_rows_nearest_to_each_centroid():
    train, test = np.array([30, 10]), np.array([1, 1])
    ax = render(lambda ax: nearest(train, test, ax, subject=TOLD)).axes[0]
    heights = [[bar.get_height() for bar in bars] for bars in ax.containers]
    assert heights == [[0.75, 0.25], [0.5, 0.5]]


def test_rows_of_different_centroids_are_refused():
    with pytest.raises(NothingToDraw, match="2 centroids and test rows have 3"):
        render(lambda ax: nearest(np.ones(2), np.ones(3), ax, subject=TOLD))


def test_rows_and_numbered_centroids_lie_at_every_two_of_their_three_components():
    rows, points = RNG.normal(size=(20, 3)), np.array([[0.0, 0.0, -1.0], [0.0, 0.0, 1.0]])
    found = {
        "sample_projection": rows,
        "sample_class": np.arange(20) % CLASSES,
        "points_projection": points,
    }
    axes = figure(lambda f: components(found, f, subject=TOLD)).axes
    for ax, pair in zip(axes, ([0, 1], [0, 2], [1, 2]), strict=True):
        assert ax.collections[0].get_offsets().data == pytest.approx(rows[:, pair])
        assert np.column_stack(ax.get_lines()[0].get_data()) == pytest.approx(points[:, pair])
    # Those that coincide in a panel share a label.
    assert [texts(ax) for ax in axes] == [["1, 2"], ["1", "2"], ["1", "2"]]


def drawn_network(found, *, layer=None, widths=(6, 5, 4, CLASSES), inputs=()):
    rng = np.random.default_rng(2)
    theta = [rng.normal(size=(b, a)) for a, b in pairwise(widths)]
    more = {"layer": layer, "inputs": inputs, "subject": TOLD}
    return theta, figure(lambda f: network(theta, found, f, **more)).axes


def names(axis):
    return [t.get_text() for t in axis.get_ticklabels()]


def test_nodes_stand_by_the_centroid_that_owns_them_in_its_colour_with_their_r2():
    _, axes = drawn_network(explained())
    # Nodes 1 and 4 belong to centroid 1; of its nodes, the one with the larger R2 first.
    expected = [(4, 0.9), (1, 0.5), (2, 0.63), (3, 0.77)]
    for ax in axes[1:3]:
        assert [numbers(name) for name in names(ax.yaxis)] == [[*pair] for pair in expected]
        colors = [t.get_color() for t in ax.yaxis.get_ticklabels()]
        assert colors[0] == colors[1]
        assert len(set(colors)) == 3


def test_every_matrix_is_drawn_with_the_layer_that_it_shares_with_the_next():
    theta, axes = drawn_network(explained())
    down = [3, 0, 1, 2]
    first, second, third = (np.asarray(ax.images[0].get_array()) for ax in axes[:3])
    assert first == pytest.approx(theta[0].T / np.abs(theta[0]).max())
    assert second == pytest.approx(theta[1][down] / np.abs(theta[1]).max())
    assert third == pytest.approx(theta[2].T[down] / np.abs(theta[2]).max())
    assert names(axes[0].xaxis) == names(axes[1].xaxis)
    assert names(axes[1].yaxis) == names(axes[2].yaxis)


def test_a_large_layer_is_shown_in_part_and_says_so():
    _, axes = drawn_network(explained(), widths=(40, 5, 4, CLASSES))
    assert numbers(axes[0].get_ylabel()) == [16, 40]
    assert axes[0].images[0].get_array().shape == (16, 5)


@pytest.mark.parametrize("widths", [(6, 4), (6, 5, 4), (6, 5, 4, 3, CLASSES)])
def test_a_network_of_any_depth_has_a_matrix_for_every_two_layers(widths):
    found = explained(nodes=widths[1])
    _, axes = drawn_network(found, layer=0, widths=widths)
    assert len(axes) == len(widths)  # with the scale
    assert all(ax.images or ax.collections for ax in axes)


def test_the_layer_that_is_explained_can_be_the_first():
    _, axes = drawn_network(explained(nodes=5), layer=0)
    assert numbers(axes[0].get_xlabel()) == [1, 5]


def test_an_explained_layer_of_another_width_is_refused():
    with pytest.raises(NothingToDraw, match="5 nodes are explained"):
        drawn_network(explained(nodes=5))


def test_a_centroids_own_nodes_are_in_colour_and_less_their_mean():
    found = explained()
    drawn = figure(lambda f: dependence(found, f, subject=TOLD))
    mean = found["dependence.mean"][1][:, 1]
    lines = [line.get_ydata() for line in drawn.axes[1].get_lines() if line.get_linewidth() > 1.5]
    assert len(lines) == 1
    assert lines[0] == pytest.approx(mean - mean.mean())


def test_the_nodes_that_move_most_have_a_colour_each_and_a_name_in_the_legend():
    found = explained(nodes=24, centroids=1)
    (ax,) = figure(lambda f: dependence(found, f, subject=TOLD)).axes
    curves = found["dependence.mean"][0]
    largest = np.argsort(-np.ptp(curves, axis=0), kind="stable")[:5]
    entries = [t.get_text() for t in ax.get_legend().get_texts()]
    assert entries == [*(f"node {node + 1}" for node in largest), "its 19 others"]
    colors = {h.get_color() for h in ax.get_legend().get_lines()}
    assert len(colors) == len(entries)


def test_the_colours_of_the_inputs_run_in_one_direction_and_have_a_scale():
    drawn = render(lambda ax: excitation(explained(), ax, inputs=list("abcdef"), subject=TOLD))
    image = drawn.axes[0].images[0]
    shades = image.cmap(np.linspace(0.0, 1.0, 9))[:, :3] @ [0.2126, 0.7152, 0.0722]
    assert (np.diff(shades) > 0).all()
    assert "standard deviations" in drawn.axes[1].get_ylabel()


def test_centroids_without_a_node_are_counted_below():
    drawn = figure(lambda f: dependence(explained(nodes=2), f, subject=TOLD))
    assert "1 of 3" in drawn.get_supxlabel()


def test_the_map_of_inputs_has_nodes_down_in_the_order_of_their_owners():
    found = explained()
    ax = render(lambda ax: excitation(found, ax, inputs=list("abcdef"), subject=TOLD)).axes[0]
    expected = found["excitation.point"][[0, 3, 1, 2]]
    assert np.asarray(ax.images[0].get_array()) == pytest.approx(expected)
    assert [t.get_text() for t in ax.get_xticklabels()] == list("abcdef")


def test_inputs_without_names_are_numbered():
    ax = render(lambda ax: excitation(explained(), ax, inputs=["a"], subject=TOLD)).axes[0]
    assert ax.get_xticklabels()[0].get_text() == "input 1"


def test_scores_on_principal_axes_are_labelled_as_such_and_not_cut_off():
    found = explained()
    found["excitation.point"] = 10.0 * found["excitation.point"]
    names = {"inputs": list("abcdef"), "subject": TOLD}
    bars, limits = [], []
    for scores in (False, True):
        drawn = render(lambda ax, s=scores: excitation(found, ax, scores=s, **names))
        bars.append(drawn.axes[1].get_ylabel())
        limits.append(drawn.axes[0].images[0].norm.vmax)
    assert [text.split("\n")[0] for text in bars] == [
        "standard deviations from the mean",
        "score on the principal axis",
    ]
    assert limits == pytest.approx([3.0, np.abs(found["excitation.point"]).max()])
