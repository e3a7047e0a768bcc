import pytest

from benchmarks import xnn_epochs

LARGEST = {"alignment": 1.1, "multiplier": 1.5}


def test_the_benchmark_of_epochs_compares_every_method_with_the_plain_network():
    study = xnn_epochs.shipped().with_axes({"data.rows": 600, "clusters": 3})
    figures = xnn_epochs.measure(study, runs=1)
    assert len(figures) == len(xnn_epochs.METHODS)
    for one in figures.values():
        assert one["ratio"] == one["other"] / one["ours"] > 0
        assert (one["runs"], one["unit"]) == (1, "s")
    targets = {name: figures[f"epoch of the X-NN, {name} against plain"] for name in LARGEST}
    assert {name: 1 / one["target"] for name, one in targets.items()} == pytest.approx(LARGEST)
