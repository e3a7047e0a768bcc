import pytest

from benchmarks import xnn_epochs


def test_the_benchmark_of_epochs_compares_both_methods_with_the_plain_network():
    study = xnn_epochs.shipped().with_axes({"data.rows": 600, "clusters": 3})
    figures = xnn_epochs.measure(study, runs=1)
    assert len(figures) == 2
    for one in figures.values():
        assert one["ratio"] == one["other"] / one["ours"] > 0
        assert (one["runs"], one["unit"]) == (1, "s")
    targets = [one["target"] for one in figures.values()]
    assert targets == pytest.approx([1 / 1.1, 1 / 1.5])
