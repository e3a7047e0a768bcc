import pytest
import torch

from hedgecore.insurance.clusters.centroids import find_centroids, most_clusters
from hedgecore.insurance.clusters.groupings import NOISE
from hedgecore.insurance.config import ClusteringConfig
from hedgecore.rng import stream

METHODS = ("k_means", "agglomerative", "dbscan", "mean_shift", "random_points")


@pytest.fixture(scope="module")
def outlying():
    """Two blobs of 150 rows; and far out 1, 2 and 3 rows, each group near a point of its own."""
    generator = stream(0, "test", "outlying")
    owner = torch.tensor([0] * 150 + [1] * 150 + [2] + [3] * 2 + [4] * 3)
    means = torch.tensor([[0.0, 0.0], [8.0, 0.0], [0.0, 90.0], [90.0, 0.0], [-90.0, -90.0]])
    return means[owner] + 0.3 * torch.randn(len(owner), 2, generator=generator)


def clustered(x, method="k_means", *, clusters=2, min_rows=20, **settings):
    config = ClusteringConfig(method=method, clusters=clusters, min_rows=min_rows, **settings)
    return find_centroids(config, x, seed=0)


@pytest.mark.parametrize("min_rows", [1, 5, 20, 60])
@pytest.mark.parametrize("method", METHODS)
def test_no_centroid_is_the_mean_of_fewer_rows_than_declared(outlying, method, min_rows):
    centroids = clustered(outlying, method, clusters=3, min_rows=min_rows)
    assert centroids.sizes.min() >= min_rows
    assert torch.equal(
        centroids.sizes, torch.bincount(centroids.labels[centroids.labels != NOISE])
    )


@pytest.mark.parametrize("method", ["k_means", "agglomerative"])
def test_small_clusters_are_set_aside_and_the_others_found_again(outlying, method):
    alone = clustered(outlying, method, clusters=4, min_rows=1)
    assert alone.sizes.tolist() == [300, 3, 2, 1], "the outliers are the clusters"
    assert alone.undersized == ()
    found = clustered(outlying, method, clusters=2)
    assert found.sizes.tolist() == [150, 150]
    assert sum(found.undersized) == 6
    assert (found.labels[300:] == NOISE).all()
    means = torch.stack([outlying[:150].mean(dim=0), outlying[150:300].mean(dim=0)])
    order = found.points[:, 0].argsort()
    torch.testing.assert_close(found.points[order], means)


def test_a_minimum_that_does_not_bind_changes_nothing(outlying):
    one, other = (clustered(outlying[:300], min_rows=m) for m in (1, 20))
    assert torch.equal(one.points, other.points)
    assert torch.equal(one.labels, other.labels)
    assert one.undersized == other.undersized == ()


def test_where_too_few_rows_remain_there_are_fewer_centroids(outlying):
    found = clustered(outlying, "random_points", clusters=5, min_rows=100)
    assert found.sizes.tolist() == [100, 100, 100]


def test_a_minimum_above_the_rows_is_refused_with_the_cure(outlying):
    with pytest.raises(ValueError, match=r"no cluster of min_rows 400 among 306 rows; lower"):
        clustered(outlying, min_rows=400)


def test_the_largest_number_of_clusters_leaves_each_its_rows():
    config = ClusteringConfig(min_rows=20)
    assert most_clusters(config, 400) == 20
    assert most_clusters(ClusteringConfig(method="agglomerative", sample=100), 400) == 5
