import numpy as np
import pytest

from hedgecore.insurance.clusters.stability import cluster_stability
from hedgecore.rng import numpy_stream

ROWS = 600


@pytest.fixture(scope="module")
def values():
    """Two heaps on a line, far apart."""
    g = numpy_stream(0, "values")
    return g.normal(size=ROWS) + 10 * (np.arange(ROWS) % 2)


def stable(partition, **options):
    return cluster_stability(partition, ROWS, generator=numpy_stream(0, "samples"), **options)


def test_clusters_that_every_sample_finds_are_stable(values):
    assert stable(lambda drawn: values > values[drawn].mean()) == 1


def test_the_names_of_clusters_do_not_matter(values):
    names = iter(range(100))

    def renamed(drawn):
        return (values > values[drawn].mean()) * 7 + next(names)

    assert stable(renamed) == 1


def test_clusters_that_know_nothing_of_the_rows_are_not_stable():
    g = numpy_stream(0, "labels")
    assert abs(stable(lambda _: g.integers(3, size=ROWS))) < 0.01


def test_a_border_through_a_heap_moves_with_the_sample(values):
    found = stable(lambda drawn: values > np.quantile(values[drawn], 0.25))
    assert 0.5 < found < 0.999


def test_clusters_are_fitted_to_as_many_rows_drawn_with_repetition():
    seen = []

    def watched(drawn):
        seen.append(drawn)
        return np.arange(ROWS) % 2

    stable(watched, resamples=4)
    assert len(seen) == 5
    assert (seen[0] == np.arange(ROWS)).all()
    assert all(len(d) == ROWS > len(np.unique(d)) for d in seen[1:])


def test_no_resample_is_refused(values):
    with pytest.raises(ValueError, match="resamples must be at least 1, got 0"):
        stable(lambda drawn: values > 0, resamples=0)
