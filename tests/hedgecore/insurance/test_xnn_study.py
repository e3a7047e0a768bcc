from typing import get_args

import pytest

from hedgecore.config import ConfigError, from_mapping, to_mapping
from hedgecore.insurance.centroids import GROUPINGS
from hedgecore.insurance.config import (
    ClusteringConfig,
    ExplanationConfig,
    Grouping,
    Method,
    XnnStudy,
)
from hedgecore.insurance.methods import METHODS


def test_every_method_that_a_study_may_name_exists():
    assert set(METHODS) == set(get_args(Method))
    assert set(GROUPINGS) == set(get_args(Grouping))


def test_a_study_survives_its_mapping():
    study = XnnStudy().with_axes({"explanation.layer": 1, "data.path": "train.csv"})
    assert from_mapping(XnnStudy, to_mapping(study)) == study


def test_axes_have_short_names():
    study = XnnStudy().with_axes(
        {"method": "multiplier", "adj_weight": 3, "clusters": 8, "lr": 0.01, "data.rows": 500}
    )
    assert study.explanation == ExplanationConfig(method="multiplier", adj_weight=3.0)
    assert study.clustering == ClusteringConfig(clusters=8)
    assert (study.training.lr, study.data.rows) == (0.01, 500)


@pytest.mark.parametrize(
    ("axis", "value", "key"),
    [
        ("adj_weigth", 1.0, "adj_weigth"),
        ("method", "alignement", "explanation.method"),
        ("adj_weight", -1.0, "explanation.adj_weight"),
        ("clusters", 0, "clustering.clusters"),
        ("clustering.neighbours", 1.5, "clustering.neighbours"),
        ("clustering.eps", 0.0, "clustering.eps"),
        ("explanation.layer", 3, "explanation.layer"),
        ("explanation.alpha", 3.0, "explanation.alpha"),
        ("explanation.temperature", 0.0, "explanation.temperature"),
        ("training.batch_size", 0, "training.batch_size"),
        ("network.hidden", [], "network.hidden"),
        ("baseline.folds", 1, "baseline.folds"),
        ("data.encoding", "sounds", "data.encoding"),
    ],
)
def test_a_value_the_study_cannot_hold_names_its_key(axis, value, key):
    with pytest.raises(ConfigError) as caught:
        XnnStudy().with_axes({axis: value})
    assert caught.value.key == key


@pytest.mark.parametrize(
    "axes",
    [{"adj_weight": 3.0}, {"method": "none"}, {"clusters": 9}, {"lr": 0.1}],
    ids=lambda axes: next(iter(axes)),
)
def test_trials_of_a_sweep_share_what_they_do_not_change(axes):
    assert XnnStudy().with_axes(axes).shared_study() == XnnStudy().shared_study()


@pytest.mark.parametrize(
    "axes",
    [{"data.rows": 500}, {"network.hidden": [9]}, {"training.epochs": 7}, {"baseline.lr": 0.1}],
    ids=lambda axes: next(iter(axes)),
)
def test_a_study_with_other_data_or_baselines_shares_nothing(axes):
    assert XnnStudy().with_axes(axes).shared_study() != XnnStudy().shared_study()


def test_the_shared_study_trains_the_plain_network_as_the_baseline_says():
    study = XnnStudy().with_axes({"lr": 0.1, "baseline.lr": 0.02, "baseline.epochs": 5})
    shared = study.shared_study()
    assert (shared.training.lr, shared.training.epochs) == (0.02, 5)
    assert shared.explanation.applied == "none"
    assert shared.shared_study() == shared


def test_trials_share_distances_where_they_have_data_and_clusters_in_common():
    study = XnnStudy().with_axes({"clusters": 4})
    other = study.with_axes({"adj_weight": 2.0, "lr": 0.1, "network.hidden": [5]})
    assert other.clustered_study() == study.clustered_study()
    assert study.with_axes({"clusters": 5}).clustered_study() != study.clustered_study()


def test_weight_zero_applies_no_method():
    assert ExplanationConfig(method="double_step", adj_weight=0.0).applied == "none"
    assert ExplanationConfig(method="double_step", adj_weight=0.1).applied == "double_step"
