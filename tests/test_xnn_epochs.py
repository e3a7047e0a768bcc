from benchmarks import xnn_epochs


def test_the_benchmark_of_epochs_compares_both_methods_with_the_plain_network():
    study = xnn_epochs.shipped().with_axes({"data.rows": 600, "clusters": 3})
    rows = xnn_epochs.measure(study, runs=1)
    assert list(rows) == ["xnn_alignment_epoch", "xnn_multiplier_epoch"]
    for row in rows.values():
        assert row["ratio"] == row["ours"] / row["other"] > 0
        assert (row["runs"], row["unit"]) == (1, "CPU s")
    assert [row["target"] for row in rows.values()] == [1.1, 1.5]
