from typing import get_args

import pytest

from hedgecore.config import ConfigError, from_mapping, to_mapping
from hedgecore.insurance.clusters.groupings import GROUPINGS
from hedgecore.insurance.config import (
    ClusteringConfig,
    ExplanationConfig,
    Grouping,
    Method,
    XnnStudy,
)
from hedgecore.insurance.xnn.methods import METHODS


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
        ("clustering.axes", 0, "clustering.axes"),
        ("evaluation.layer", 2, "evaluation.layer"),
        ("evaluation.group", "InsuredInfo_9", "evaluation.group"),
        ("evaluation.bins", 1, "evaluation.bins"),
        ("evaluation.points", 1, "evaluation.points"),
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
    [{"adj_weight": 3.0}, {"method": "none"}, {"lr": 0.1}, {"evaluation.layer": 0}],
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


def test_an_unknown_group_names_the_nearest_column():
    with pytest.raises(ConfigError, match=r"got 'Ins_age'; did you mean 'Ins_Age'\?"):
        XnnStudy().with_axes({"evaluation.group": "Ins_age"})


def test_text_has_levels_and_no_quantiles():
    with pytest.raises(ConfigError, match=r"bins must be null for the text of Product_Info_2"):
        XnnStudy().with_axes({"evaluation.group": "Product_Info_2", "evaluation.bins": 4})


def test_the_last_hidden_layer_is_explained_unless_another_is_named():
    study = XnnStudy().with_axes({"network.hidden": [9, 8, 7]})
    assert study.explained == 2
    assert study.with_axes({"evaluation.layer": 0}).explained == 0


def test_a_table_is_named_from_the_root_as_workers_live_elsewhere(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/desk")
    study = XnnStudy().with_axes({"data.path": "train.csv"})
    assert study.data.path == str(tmp_path / "train.csv")
    assert study.with_axes({"data.path": "~/train.csv"}).data.path == "/home/desk/train.csv"


def test_a_column_of_many_numbers_makes_groups_by_quantiles_only():
    with pytest.raises(ConfigError, match=r"bins must be a number for BMI.*4 gives quarters"):
        XnnStudy().with_axes({"evaluation.group": "BMI"})


def test_studies_with_other_clusters_add_to_the_same_base():
    study, other = (XnnStudy().with_axes({"clusters": k, "lr": 0.1}) for k in (6, 9))
    assert other.shared_study() != study.shared_study()
    assert other.base_study() == study.base_study() != study.shared_study()
    assert other.base_study().base_study() == other.base_study()


def test_the_shared_study_trains_the_plain_network_as_the_baseline_says():
    study = XnnStudy().with_axes({"lr": 0.1, "baseline.lr": 0.02, "baseline.epochs": 5})
    shared = study.shared_study()
    assert (shared.training.lr, shared.training.epochs) == (0.02, 5)
    assert shared.explanation.applied == "none"
    assert shared.shared_study() == shared


def test_weight_zero_applies_no_method():
    assert ExplanationConfig(method="double_step", adj_weight=0.0).applied == "none"
    assert ExplanationConfig(method="double_step", adj_weight=0.1).applied == "double_step"
