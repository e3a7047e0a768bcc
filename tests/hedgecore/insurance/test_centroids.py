import pytest
import torch

from hedgecore.insurance.clusters.centroids import find_centroids
from hedgecore.insurance.clusters.groupings import NOISE
from hedgecore.insurance.clusters.whitening import Whitening
from hedgecore.insurance.config import ClusteringConfig
from hedgecore.rng import stream

METHODS = ("k_means", "agglomerative", "dbscan", "mean_shift", "random_points")
MEANS = torch.tensor([[0.0, 0.0, 0.0], [12.0, 0.0, 3.0], [0.0, 12.0, -3.0]])


def blobs(sizes=(60, 50, 40), scale=0.3):
    """Rows around three points far apart, shuffled, and the point of each."""
    generator = stream(0, "test", "blobs")
    owner = torch.cat([torch.full((n,), k) for k, n in enumerate(sizes)])
    owner = owner[torch.randperm(len(owner), generator=generator)]
    noise = torch.randn(len(owner), 3, generator=generator)
    return MEANS[owner] + scale * noise, owner


def clustered(method, x, *, clusters=3, seed=0, **settings):
    config = ClusteringConfig(method=method, clusters=clusters, **{"min_rows": 1, **settings})
    return find_centroids(config, x, seed=seed)


@pytest.fixture
def skewed():
    """Rows of very different scales, strongly correlated."""
    x = torch.randn(400, 4, generator=stream(0, "test", "skewed"))
    return x @ torch.tensor(
        [[50.0, 1.0, 0.0, 0.0], [0.0, 1.0, 3.0, 0.0], [0.0, 0.0, 1.0, 0.02], [0.0, 0.0, 0.0, 0.02]]
    )


def test_whitened_rows_have_no_mean_and_unit_covariance(skewed):
    whitening = Whitening.fit(skewed.double())
    white = whitening(skewed.double())
    eye = torch.eye(4, dtype=torch.float64)
    torch.testing.assert_close(white.T.cov(correction=0), eye)
    torch.testing.assert_close(white.mean(dim=0), 0 * eye[0], atol=1e-10, rtol=0)
    assert whitening.shrinkage == 0


def test_distances_are_mahalanobis_distances(skewed):
    centroids = clustered("k_means", skewed)
    inverse = skewed.double().T.cov(correction=0).inverse()
    gap = skewed.double()[:, None] - centroids.points.double()
    expected = torch.einsum("bki,ij,bkj->bk", gap, inverse, gap).sqrt()
    found = centroids.distances(skewed)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found.double(), expected, rtol=1e-4, atol=1e-4)


def test_distances_do_not_know_the_units_of_the_features(skewed):
    units = torch.tensor([100.0, 0.01, 1.0, 3.0])
    plain = clustered("k_means", skewed)
    scaled = clustered("k_means", skewed * units)
    assert torch.equal(plain.labels, scaled.labels)
    torch.testing.assert_close(
        scaled.distances(skewed * units), plain.distances(skewed), rtol=1e-4, atol=1e-4
    )


def test_the_distance_of_a_row_to_itself_is_zero(skewed):
    centroids = clustered("random_points", skewed)
    drawn = centroids.rows[centroids.labels != NOISE]
    assert centroids.distances(skewed)[drawn].min(dim=1).values.max() < 1e-5


def test_a_covariance_without_full_rank_is_shrunk(skewed):
    doubled = torch.cat((skewed, skewed[:, :1] + skewed[:, 1:2]), dim=1)
    whitening = Whitening.fit(doubled)
    assert whitening.shrinkage > 0
    assert whitening(doubled).square().mean(dim=0).max() < 1.01


def test_a_constant_column_changes_no_distance(skewed):
    more = torch.cat((skewed, torch.full((len(skewed), 1), 0.1)), dim=1)
    plain, padded = clustered("random_points", skewed), clustered("random_points", more)
    torch.testing.assert_close(padded.distances(more), plain.distances(skewed))


def test_along_all_axes_distances_are_mahalanobis_distances(skewed):
    x = skewed.double()
    found = Whitening.fit(x, axes=4).distances(x, x[:3])
    torch.testing.assert_close(found, Whitening.fit(x).distances(x, x[:3]), rtol=1e-6, atol=1e-6)


def test_along_some_axes_distances_are_those_of_principal_scores_over_their_deviations(skewed):
    x = skewed.double()
    centred = x - x.mean(dim=0)
    _, s, vt = torch.linalg.svd(centred, full_matrices=False)
    scores = centred @ vt[:2].T / (s[:2] / len(x) ** 0.5)
    expected = torch.cdist(scores, scores[:3])
    torch.testing.assert_close(Whitening.fit(x, axes=2).distances(x, x[:3]), expected)


def test_centroids_stay_means_of_their_rows_where_some_axes_alone_tell_them_apart():
    x, owner = blobs()
    x = torch.cat((x, torch.randn(len(x), 5, generator=stream(0, "test", "noise"))), dim=1)
    centroids = clustered("k_means", x, axes=2)
    assert torch.equal(centroids.labels, owner)
    for k, point in enumerate(centroids.points):
        torch.testing.assert_close(point, x[owner == k].mean(dim=0))


def test_more_axes_than_the_rows_vary_along_are_refused(skewed):
    doubled = torch.cat((skewed, skewed), dim=1).double()
    with pytest.raises(ValueError, match=r"axes must not exceed the 4 that .* got 5; lower it"):
        clustered("k_means", doubled, axes=5)


def test_rows_all_alike_have_no_distances():
    with pytest.raises(ValueError, match=r"rows that differ, got 5 alike"):
        Whitening.fit(torch.ones(5, 2))


@pytest.mark.parametrize("method", METHODS[:-1])
def test_planted_clusters_are_found_largest_first(method):
    x, owner = blobs()
    centroids = clustered(method, x, neighbours=0.2)
    found = centroids.labels != NOISE
    assert torch.equal(centroids.labels[found], owner[centroids.rows][found])
    # Three standard errors of a mean of 40 rows.
    torch.testing.assert_close(centroids.points, MEANS, atol=3 * 0.3 / 40**0.5, rtol=0)


@pytest.mark.parametrize("method", METHODS)
def test_centroids_are_the_means_of_their_rows(method):
    x, _ = blobs()
    centroids = clustered(method, x, neighbours=0.2)
    for k, point in enumerate(centroids.points):
        own = x[centroids.rows[centroids.labels == k]]
        torch.testing.assert_close(point, own.mean(dim=0))


@pytest.mark.parametrize("method", METHODS)
def test_centroids_are_a_function_of_the_seed(method):
    x, _ = blobs(sizes=(20, 20), scale=3.0)
    first, again = (clustered(method, x, seed=5, clusters=2) for _ in range(2))
    assert torch.equal(first.points, again.points)


def test_random_points_are_distinct_rows_and_depend_on_the_seed():
    x, _ = blobs()
    twice = torch.cat((x, x))
    first, other = (clustered("random_points", twice, clusters=20, seed=s) for s in (0, 1))
    assert len(first.points.unique(dim=0)) == 20
    assert (first.points[:, None] == x).all(dim=2).any(dim=1).all()
    assert not torch.equal(first.points, other.points)


@pytest.mark.parametrize("method", METHODS[:2])
def test_one_cluster_is_the_mean_of_all_rows(method):
    x, _ = blobs()
    centroids = clustered(method, x, clusters=1)
    torch.testing.assert_close(centroids.points, x.mean(dim=0, keepdim=True))
    assert centroids.distances(x).shape == (len(x), 1)


@pytest.mark.parametrize("method", METHODS)
def test_more_clusters_than_distinct_rows_are_refused(method):
    x = torch.tensor([[0.0, 1.0], [1.0, 0.0], [2.0, 5.0], [-0.0, 1.0]]).repeat(3, 1)
    with pytest.raises(ValueError, match=r"clusters must not exceed the 3 distinct rows .* got 4"):
        clustered(method, x, clusters=4)


def test_as_many_clusters_as_distinct_rows_are_those_rows():
    x = torch.tensor([[0.0, 1.0], [1.0, 0.0], [2.0, 5.0]]).repeat(3, 1)
    centroids = clustered("k_means", x, clusters=3)
    torch.testing.assert_close(centroids.points.unique(dim=0), x.unique(dim=0))


def test_dbscan_leaves_noise_out_of_every_cluster():
    x, _ = blobs()
    far = torch.tensor([[400.0, 400.0, 400.0]])
    centroids = clustered("dbscan", torch.cat((x, far)))
    assert centroids.labels[-1] == NOISE
    assert centroids.points.max() < 20


def test_dbscan_with_noise_alone_is_refused_with_the_cure():
    x, _ = blobs()
    with pytest.raises(ValueError, match=r"all 150 rows as noise at eps 1e-06 .*; raise eps"):
        clustered("dbscan", x, eps=1e-6)


def test_methods_that_count_for_themselves_keep_the_largest_clusters():
    x, _ = blobs()
    centroids = clustered("dbscan", x, clusters=2)
    torch.testing.assert_close(centroids.points, MEANS[:2], atol=0.2, rtol=0)
    assert (centroids.labels == NOISE).sum() >= 40


def test_methods_that_count_for_themselves_may_find_fewer_clusters():
    x, _ = blobs()
    assert len(clustered("dbscan", x, clusters=9).points) == 3


def test_costly_methods_see_a_sample_of_the_rows():
    x, _ = blobs()
    centroids = clustered("agglomerative", x, sample=70)
    assert len(centroids.rows.unique()) == len(centroids.labels) == 70
    assert len(clustered("k_means", x, sample=70).rows) == len(x)
