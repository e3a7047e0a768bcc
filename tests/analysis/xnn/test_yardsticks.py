import math

import faked_xnn
import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from printed import numbers

from analysis import load_manifest, xnn
from analysis.__main__ import main
from analysis.tensors import SweepFiles, UnreadError
from analysis.xnn.node_table import node_table, table
from analysis.xnn.rarities import cluster_sizes
from analysis.xnn.rarities import sentences as of_rarities
from analysis.xnn.yardsticks import MEASURES, sentences, yardsticks


@pytest.fixture
def trials(sweep):
    return sweep(weights=(0.3,), clusters=(6,), seeds=range(5))


def test_every_measure_is_told_of_every_subject_with_its_mean_over_seeds(trials):
    rows = yardsticks(trials).set_index(["measure", "subject"])
    for measure, subjects in MEASURES.items():
        for subject, column in subjects.items():
            row = rows.loc[measure, subject]
            assert row["value"] == pytest.approx(trials[column].mean())
            assert row["seeds"] == 5
            if trials[column].nunique() > 1:
                assert row["value_low"] < row["value"] < row["value_high"]
            else:
                assert row[["value_low", "value_high"]].isna().all(), "seeds without spread"


def test_measures_without_a_value_are_left_out(trials):
    rows = yardsticks(trials.drop(columns="r2_rotated").assign(inflation_max=math.nan))
    assert "centroids, rotated" not in rows["subject"].tolist()
    assert "variance inflation" not in rows["measure"].tolist()
    assert len(sentences(rows)) == 2
    assert sentences(yardsticks(trials.iloc[:0])) == []


def test_sentences_have_the_means_of_network_and_controls(trials):
    kept, nats, r2, inflation = sentences(yardsticks(trials))
    agreement = trials["surrogate_agreement"].mean()
    assert numbers(kept) == [pytest.approx(100 * agreement, abs=0.1), 50, 52, 44]
    assert numbers(nats)[1:] == [1.62, 1.6, 1.8]
    assert numbers(r2)[-2:] == [
        pytest.approx(trials["r2_mean"].mean(), abs=1e-3),
        pytest.approx(trials["r2_rotated"].mean(), abs=1e-3),
    ]
    assert numbers(inflation) == [1.6, pytest.approx(math.sqrt(1.6), abs=0.05)]


def test_the_smallest_cluster_of_any_seed_is_counted(sweep):
    trials = sweep(clusters=(2, 6), seeds=(0, 1, 2))
    binding = trials["config/clusters"].eq(6) & trials["config/seed"].eq(1)
    trials.loc[binding, ["cluster_rows_min", "clusters_undersized", "centroids"]] = [21, 3, 4]
    sizes = cluster_sizes(trials)
    assert sizes["cluster_rows_min"].tolist() == [300, 21]
    assert sizes["clusters_undersized"].tolist() == [0, 3]
    assert sizes["centroids"].tolist() == [2, 4]
    told, warning = of_rarities(trials, sizes)
    assert numbers(told)[:2] == [700, 30]
    assert numbers(warning) == [6, 3, 4, 21]


def test_trials_without_the_columns_are_told_nothing(sweep):
    names = ["rare_levels", "rare_columns", "cluster_rows_min", "clusters_undersized"]
    trials = sweep().drop(columns=names)
    assert cluster_sizes(trials).empty
    assert of_rarities(trials, cluster_sizes(trials)) == []


@pytest.fixture
def file(store):
    storage, trials = store(weights=(0.3,), clusters=(6,), seeds=(0,))
    files = SweepFiles.of(storage, trials, load_manifest(storage))
    return files.model(trials["trial_id"].iloc[0], "xnn")


def test_every_coefficient_stands_beside_the_inflation_of_its_distance(file):
    rows = node_table(file)
    tensors = file.load().tensors
    beta = tensors["explanation.beta"]
    assert len(rows) == beta.size
    np.testing.assert_allclose(rows["beta"], beta.ravel())
    for k, factor in enumerate(tensors["explanation.inflation"], start=1):
        assert rows.loc[rows["centroid"].eq(k), "inflation"].eq(float(factor)).all()


def test_the_terminal_has_the_largest_coefficient_of_every_centroid(file):
    rows = node_table(file)
    drawn = table(rows, subject="seed 0")
    assert len(drawn.rows) == 6
    expected = rows.loc[rows.groupby("centroid")["beta"].apply(lambda b: b.abs().idxmax())]
    assert [row[2] for row in drawn.rows] == [f"{b:+.3f}" for b in expected["beta"]]


def test_a_model_whose_tensors_do_not_fit_is_refused(store):
    storage, trials = store(weights=(0.3,), clusters=(2,), seeds=(0,))
    row = trials.iloc[0].to_dict()
    faked_xnn.file_model(storage, row, {"explanation.inflation": np.ones(3)})
    files = SweepFiles.of(storage, trials, load_manifest(storage))
    with pytest.raises(UnreadError, match="do not fit one another"):
        node_table(files.model(row["trial_id"], "xnn"))


def test_the_report_has_a_table_of_controls_coefficients_and_cluster_sizes(store, undrawn):
    storage, trials = store(weights=(0.0, 0.3), clusters=(2, 6), seeds=(0, 1))
    result = CliRunner().invoke(main, ["report", str(storage)], catch_exceptions=False)
    assert result.exit_code == 0
    folder = storage / "report"
    cell = xnn.best(xnn.cells(xnn.spelled_out(trials, load_manifest(storage))))
    rows = pd.read_csv(folder / "yardsticks.csv")
    assert set(rows["measure"]) == set(MEASURES)
    nodes = pd.read_csv(folder / "node_coefficients.csv")
    assert nodes["centroid"].max() == cell["clusters"]
    assert pd.read_csv(folder / "cluster_sizes.csv")["clusters"].tolist() == [2, 6]
