import pytest
import torch

from hedgecore.insurance.evaluation.probes import logit_slopes, maximise, partial_dependence
from hedgecore.insurance.xnn.network import initialise, pre_activations
from hedgecore.rng import stream

FEATURES = 3
LOW, HIGH = torch.tensor([-1.0, -2, 0]), torch.tensor([1.0, 3, 5])
CENTRE = {"centre": (LOW + HIGH) / 2}
WEIGHTS = torch.tensor([[1.0, -2, 0.5], [-0.1, -0.1, -0.1], [3, 0, 0.01]])


def linear(x):
    return x @ WEIGHTS.T


@pytest.fixture(scope="module")
def layer():
    """The second layer of a network that was never trained."""
    theta = initialise(FEATURES, (16, 8), generator=stream(0, "theta"))
    return lambda x: pre_activations(theta, x)[1]


@pytest.fixture(scope="module")
def rows():
    return torch.randn(300, FEATURES, generator=stream(0, "rows"))


def starts(count, seed=0):
    drawn = torch.rand(count, FEATURES, generator=stream(seed, "starts"))
    return {f"random {i}": LOW + (HIGH - LOW) * u for i, u in enumerate(drawn)}


# Excitation.


def test_a_linear_node_is_largest_in_the_corner_of_its_signs():
    found = maximise(linear, CENTRE, low=LOW, high=HIGH)
    assert torch.equal(found.point[:2], torch.where(WEIGHTS[:2] > 0, HIGH, LOW))
    assert torch.equal(found.value, linear(found.point).diagonal())


def test_a_feature_that_a_node_ignores_stays_where_it_began():
    found = maximise(linear, CENTRE, low=LOW, high=HIGH)
    assert found.point[2, 1] == CENTRE["centre"][1]


def test_a_peak_inside_the_box_is_met():
    peak = torch.tensor([0.3, -1.7, 4.4])
    found = maximise(
        lambda x: -(x - peak).square().sum(1, keepdim=True), CENTRE, low=LOW, high=HIGH
    )
    torch.testing.assert_close(found.point[0], peak, atol=0.01, rtol=0)


def test_a_peak_outside_the_box_is_met_at_its_nearest_point():
    peak = torch.tensor([9.0, 0.5, -9])
    found = maximise(
        lambda x: -(x - peak).square().sum(1, keepdim=True), CENTRE, low=LOW, high=HIGH
    )
    torch.testing.assert_close(found.point[0], torch.tensor([1.0, 0.5, 0]), atol=0.01, rtol=0)


def test_the_best_start_is_named():
    # Two hills, the higher on the right; each start climbs its own.
    def hills(x):
        return (1 - (x[:, :1] + 0.6).abs()).maximum(2 - (x[:, :1] - 0.8).abs() * 4)

    named = {"left": torch.tensor([-0.7, 0, 0]), "right": torch.tensor([0.7, 0, 0])}
    found = maximise(hills, named, low=LOW, high=HIGH)
    assert found.start == ("right",)
    assert found.value == pytest.approx(2, abs=0.01)
    alone = maximise(hills, {"left": named["left"]}, low=LOW, high=HIGH)
    assert alone.value == pytest.approx(1, abs=0.01)


def test_no_start_leads_lower_than_it_began(layer):
    for name, start in starts(6).items():
        found = maximise(layer, {name: start}, low=LOW, high=HIGH, steps=20)
        assert (found.value >= layer(start[None])[0]).all()


def test_a_peak_that_is_overstepped_is_remembered():
    near = {"near": torch.tensor([0.01, 0, 0])}
    found = maximise(lambda x: -x[:, :1].abs(), near, low=LOW, high=HIGH, steps=1)
    assert found.value == pytest.approx(-0.01)


def test_points_lie_in_the_box_and_have_the_value_told(layer):
    found = maximise(layer, starts(4), low=LOW, high=HIGH)
    assert ((found.point >= LOW) & (found.point <= HIGH)).all()
    torch.testing.assert_close(found.value, layer(found.point).diagonal())


def test_ascent_finds_more_than_as_many_random_inputs(layer):
    found = maximise(layer, starts(4), low=LOW, high=HIGH)
    drawn = layer(torch.stack(list(starts(4 * 201, seed=1).values())))
    assert (found.value >= drawn.amax(dim=0) - 1e-6).all()


def test_a_start_outside_the_box_is_brought_into_it(layer):
    outside = {"far": torch.full((FEATURES,), 100.0)}
    inside = {"far": HIGH}
    a, b = (maximise(layer, s, low=LOW, high=HIGH, steps=10) for s in (outside, inside))
    assert torch.equal(a.point, b.point)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"starts": {}}, "starts is empty"),
        ({"steps": 0}, "steps must be at least 1, got 0"),
        ({"low": HIGH, "high": LOW}, "low must not exceed high, got 1.0 > -1.0 in 0"),
    ],
)
def test_an_ascent_that_cannot_be_is_refused(change, message):
    arguments = {"starts": CENTRE, "low": LOW, "high": HIGH, **change}
    with pytest.raises(ValueError, match=message):
        maximise(linear, **arguments)


# Partial dependence.


def distances_to(x, centroids):
    return torch.cdist(x.double(), centroids.double()).to(x.dtype)


def test_a_node_that_is_the_distance_depends_on_it_as_the_identity(rows):
    centroids = rows[:2] + 0.3
    found = partial_dependence(
        lambda x: torch.cdist(x, centroids), rows, centroids, distances_to(rows, centroids)
    )
    for k in range(2):
        torch.testing.assert_close(found.mean[k, :, k], found.distance[k])


def test_any_norm_will_do_for_a_distance(rows):
    root = torch.randn(FEATURES, FEATURES, generator=stream(0, "root"))
    centroids = rows[:1] + 0.3

    def mahalanobis(x):
        return ((x - centroids) @ root.T).norm(dim=1, keepdim=True)

    found = partial_dependence(mahalanobis, rows, centroids, mahalanobis(rows))
    torch.testing.assert_close(found.mean[0, :, 0], found.distance[0])


def test_a_node_that_is_constant_is_flat(rows):
    found = partial_dependence(
        lambda x: torch.full((len(x), 1), 2.5), rows, rows[:1], distances_to(rows, rows[:1])
    )
    assert (found.mean == 2.5).all()


def test_a_linear_node_changes_by_the_mean_direction(rows):
    centroid = rows[:1] + 0.5
    d = distances_to(rows, centroid)
    found = partial_dependence(linear, rows, centroid, d, points=5)
    slope = linear((rows - centroid) / d).mean(dim=0)
    expected = linear(centroid) + found.distance[0][:, None] * slope
    torch.testing.assert_close(found.mean[0], expected)


def test_the_grid_runs_between_the_outer_quantiles_of_each_distance(rows):
    d = distances_to(rows, rows[:2])
    found = partial_dependence(linear, rows, rows[:2], d, points=7)
    assert found.distance.shape == (2, 7)
    torch.testing.assert_close(found.distance[:, 0], d.quantile(0.05, dim=0))
    torch.testing.assert_close(found.distance[:, -1], d.quantile(0.95, dim=0))


def test_rows_on_the_centroid_have_no_direction_and_no_part(rows):
    d = distances_to(rows, rows[:1])
    with_it = partial_dependence(linear, rows, rows[:1], d)
    assert with_it.mean.isfinite().all()


def test_a_centroid_on_which_all_rows_lie_is_refused():
    x = torch.ones(5, FEATURES)
    with pytest.raises(ValueError, match="distances to centroid 0 are all 0"):
        partial_dependence(linear, x, x[:1], torch.zeros(5, 1))


# Slopes.


def test_slopes_of_linear_logits_are_the_weights(rows):
    assert torch.equal(logit_slopes(linear, rows, to=1), WEIGHTS[1].expand(300, -1))


def test_slopes_are_those_of_each_row_by_itself(layer, rows):
    together = logit_slopes(layer, rows, to=2)
    alone = torch.cat([logit_slopes(layer, row[None], to=2) for row in rows[:10]])
    torch.testing.assert_close(together[:10], alone)
