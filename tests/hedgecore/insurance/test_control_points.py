import numpy as np
import pytest
import torch

from hedgecore.insurance.clusters.control_points import all_distances, random_rows, rotated
from hedgecore.insurance.clusters.whitening import Whitening
from hedgecore.rng import stream


@pytest.fixture(scope="module")
def points():
    return torch.randn(7, 5, dtype=torch.float64, generator=stream(0, "test", "points"))


def test_rotated_centroids_keep_their_radii_and_mutual_distances(points):
    turned = rotated(points, seed=0)
    torch.testing.assert_close(turned.norm(dim=1), points.norm(dim=1))
    torch.testing.assert_close(torch.cdist(turned, turned), torch.cdist(points, points))
    assert (turned - points).norm(dim=1).min() > 0.1


def test_the_rotation_is_proper_and_one_for_all_points(points):
    turned = rotated(torch.eye(5, dtype=torch.float64), seed=3)
    torch.testing.assert_close(turned @ turned.T, torch.eye(5, dtype=torch.float64))
    assert float(torch.linalg.det(turned)) == pytest.approx(1)
    torch.testing.assert_close(rotated(points, seed=3), points @ turned)


def test_along_one_axis_there_is_nothing_to_rotate():
    line = torch.tensor([[1.0], [-2.0]])
    assert torch.equal(rotated(line, seed=0), line)


def test_a_seed_names_the_rotation_and_the_rows(points):
    x = torch.arange(40.0)[:, None]
    assert torch.equal(rotated(points, seed=0), rotated(points, seed=0))
    assert not torch.equal(rotated(points, seed=0), rotated(points, seed=1))
    assert torch.equal(random_rows(x, 5, seed=0), random_rows(x, 5, seed=0))
    assert len(random_rows(x, 40, seed=0).unique()) == 40


def test_distances_from_the_mean_do_not_change_under_rotation():
    x = torch.randn(300, 4, generator=stream(0, "test", "rotation"))
    whitening = Whitening.fit(x)
    centre = whitening.mean[None]
    found = all_distances(centre, whitening, {"train": x}, seed=0)
    torch.testing.assert_close(found["train.rotated_distances"], found["train.distances"])
    assert np.shape(found["train.random_distances"]) == (300, 1)
