import math

import numpy as np
import pytest
import torch

from hedgecore.experiment import Experiment
from hedgecore.insurance.columns import TEST
from hedgecore.insurance.config import XnnStudy
from hedgecore.insurance.evaluation.assessment import VALIDATED, assess, validate
from hedgecore.insurance.evaluation.controls import CONTROLS, gains, node_pair, regressions
from hedgecore.insurance.evaluation.node_regression import regress
from hedgecore.insurance.evaluation.scores import confusion
from hedgecore.insurance.experiment import XNN
from hedgecore.insurance.preparation import XnnPreparation
from hedgecore.insurance.prepare import prepare
from hedgecore.insurance.xnn.network import pre_activations, probabilities
from hedgecore.insurance.xnn.train import train

_: Experiment[XnnStudy, XnnPreparation] = XNN
TESTED = tuple(column.name for column in TEST)


@pytest.fixture(scope="module")
def pulled(clustered, preparation):
    """A network pulled towards its centroids with all strength."""
    strongly = clustered.with_axes({"adj_weight": 10.0, "lr": 0.02, "training.epochs": 8})
    *_, last = train(
        preparation.theta_0,
        train_rows=preparation.rows("train"),
        val_rows=preparation.rows("val"),
        landmarks=preparation.landmarks(),
        training=strongly.training,
        explanation=strongly.explanation,
        seed=0,
    )
    return last.theta


@pytest.fixture(scope="module")
def assessed(clustered, preparation, pulled):
    return assess(clustered, preparation, pulled)


@pytest.fixture(scope="module")
def plain(clustered, preparation):
    """The row of the network that nothing pulls at."""
    return assess(clustered, preparation, preparation.theta_star)[0]


def test_rows_have_the_columns_of_every_assessment_first_and_groups_after(assessed):
    row = dict(assessed[0])
    assert tuple(row)[: len(TESTED)] == TESTED
    assert all("@InsuredInfo_6:" in name for name in tuple(row)[len(TESTED) :])
    groups = row.pop("groups")
    assert groups == 2
    assert {type(value) for value in row.values()} == {float}


def test_the_plain_network_is_assessed_as_its_preparation_says(plain, preparation):
    for name, value in preparation.baselines["plain"].items():
        assert plain[name] == value


# Controls.


def test_the_plain_network_is_its_own_control(plain):
    assert plain["r2_plain"] == pytest.approx(plain["r2_mean"], abs=1e-12)
    assert plain["r2_plain_random_points"] == plain["r2_random_points"]
    assert plain["explanation_gain"] <= 1e-12
    assert plain["rho_gain"] <= 1e-12


def test_the_untrained_network_is_its_own_control(clustered, preparation):
    row, _ = assess(clustered, preparation, preparation.theta_0)
    assert row["r2_untrained"] == pytest.approx(row["r2_mean"], abs=1e-12)


def test_gains_are_over_the_best_of_four_controls(assessed):
    row, _ = assessed
    best = max(row[f"r2_{name}"] for name in CONTROLS)
    assert len(CONTROLS) == 4
    assert row["explanation_gain"] == row["r2_mean"] - best
    assert row["specificity"] == row["r2_mean"] - row["r2_random_points"]
    assert row["specificity_rotated"] == row["r2_mean"] - row["r2_rotated"]
    assert row["rho_gain"] == row["rho_top"] - row["rho_control"]


def test_errors_over_rows_are_those_of_paired_differences(assessed, plain, preparation, pulled):
    row, _ = assessed
    x, y = preparation.inputs["test.x"], preparation.inputs["test.y"].numpy()
    losses = [
        -np.log(probabilities(theta, x).astype(np.float64)[np.arange(len(y)), y])
        for theta in (pulled, preparation.theta_star)
    ]
    expected = np.std(losses[0] - losses[1], ddof=1) / math.sqrt(len(y))
    assert row["cross_entropy_minus_plain_se"] == pytest.approx(expected, rel=1e-4)
    assert row["explanation_gain_se"] > 0.0
    for name in ("cross_entropy", "accuracy", "r2_mean"):
        assert plain[f"{name}_minus_plain_se"] == pytest.approx(0.0, abs=1e-12)


def test_every_control_is_the_regression_that_it_says(clustered, preparation, pulled):
    nodes = node_pair(preparation, pulled, layer=1, split="test")
    found = regressions(preparation, nodes, layer=1, split="test")
    networks = {"untrained": preparation.theta_0, "plain": preparation.theta_star}
    of = {name: node_pair(preparation, t, layer=1, split="test") for name, t in networks.items()}
    of |= {"random_points": nodes, "plain_random_points": of["plain"], "rotated": nodes}
    for name, (train_nodes, test_nodes) in of.items():
        kind = name.removeprefix("plain_")
        to = {"random_points": "random_distances", "rotated": "rotated_distances"}
        to = to.get(kind, "distances")
        expected = regress(
            train_nodes,
            preparation.distances("train", to=to),
            test_nodes,
            preparation.distances("test", to=to),
        )
        np.testing.assert_allclose(found[name].r2, expected.r2, atol=1e-9)
        np.testing.assert_allclose(found[name].fit.beta, expected.fit.beta, atol=1e-9)


def test_nodes_of_other_rows_are_told_nothing(assessed):
    row, _ = assessed
    # Fits to chance lose K / n of 384 training rows, and stray by as much as 1 / sqrt(120).
    assert abs(row["r2_permuted"]) < 3 / math.sqrt(120)


def test_a_network_that_is_pulled_beats_its_controls(assessed, plain):
    row, _ = assessed
    assert row["r2_mean"] > 0.8 > plain["r2_mean"]
    assert row["explanation_gain"] > 0
    assert row["coverage"] == 3


# Controls of the surrogate.


def test_the_surrogate_of_the_plain_network_is_its_own_control(plain):
    for name in ("cross_entropy", "accuracy", "agreement"):
        assert plain[f"plain_surrogate_{name}"] == pytest.approx(plain[f"surrogate_{name}"])


def test_controls_of_the_surrogate_need_no_network_but_for_its_answers(assessed, plain):
    for name in ("logistic_cross_entropy", "logistic_accuracy", "plain_surrogate_accuracy"):
        assert assessed[0][name] == plain[name]
    assert 1 / 8 <= assessed[0]["constant_agreement"] <= 1


# Layers, groups, and what is undefined.


def test_the_layer_that_is_asked_for_is_explained(clustered, preparation, pulled):
    first = clustered.with_axes({"evaluation.layer": 0})
    row, evidence = assess(first, preparation, pulled)
    nodes = node_pair(preparation, pulled, layer=0, split="test")
    expected = regress(
        nodes[0], preparation.distances("train"), nodes[1], preparation.distances("test")
    )
    assert evidence["explanation.r2"].shape == (10,)
    assert row["r2_mean"] == pytest.approx(expected.r2.mean())


def test_rates_of_groups_are_those_of_their_rows(assessed, preparation, pulled):
    row, _ = assessed
    likely = probabilities(pulled, preparation.rows("test").x).argmax(axis=1)
    for level in (1, 2):
        members = preparation.column("InsuredInfo_6") == level
        rate = (likely[members] == 7).mean()
        assert row[f"selection_rate@InsuredInfo_6:{level}"] == pytest.approx(rate)
        low, high = (row[f"selection_rate_{end}@InsuredInfo_6:{level}"] for end in ("low", "high"))
        assert low <= rate <= high


def test_numbers_are_cut_into_quantiles_for_groups(clustered, preparation, pulled):
    aged = clustered.with_axes({"evaluation.group": "Ins_Age", "evaluation.bins": 2})
    row, _ = assess(aged, preparation, pulled)
    names = [name for name in row if name.startswith("accuracy@Ins_Age:")]
    assert len(names) == 2
    assert all(name.split(":")[1].startswith("[") for name in names)


def test_groups_too_small_to_compare_leave_rates_undefined(clustered, preparation, pulled):
    rare = clustered.with_axes({"evaluation.group": "Medical_Keyword_1", "data.rows": 600})
    row, _ = assess(rare, preparation, pulled)
    assert tuple(row) == TESTED
    assert math.isnan(row["selection_rate_ratio"])


@pytest.mark.parametrize("clusters", [1, 40])
def test_one_centroid_and_many_can_be_assessed(clusters, study, base):
    other = study.with_axes({"clusters": clusters, "clustering.min_rows": 1})
    preparation = prepare(other, seed=0, base=base)
    row, evidence = assess(other, preparation, preparation.theta_star)
    assert len(evidence["explanation.members"]) == clusters
    assert math.isfinite(row["explanation_gain"])
    assert math.isnan(row["concept_score"]) == (clusters == 1)


# Evidence.


def test_evidence_is_of_the_numbers_in_the_row(assessed):
    row, evidence = assessed
    assert row["r2_mean"] == pytest.approx(float(evidence["explanation.r2"].mean()))
    assert row["r2_plain"] == pytest.approx(float(evidence["explanation.plain_r2"].mean()))
    table = evidence["test.confusion"]
    assert row["accuracy"] == pytest.approx(float(table.trace() / table.sum()))
    excess = evidence["ablation.own"] - evidence["ablation.others"]
    assert row["selectivity"] == pytest.approx(float(excess.nanmean()))


def test_the_confusion_has_true_classes_down(assessed, preparation, pulled):
    _, evidence = assessed
    test = preparation.rows("test")
    likely = probabilities(pulled, test.x).argmax(axis=1)
    expected = confusion(test.y.numpy(), likely)
    assert evidence["test.confusion"].tolist() == expected.tolist()


def test_coefficients_give_the_nodes_back(assessed, preparation, pulled):
    _, evidence = assessed
    d = torch.from_numpy(preparation.distances("test")).double()
    fitted = d @ evidence["explanation.coefficients"] + evidence["explanation.intercept"]
    nodes = pre_activations(pulled, preparation.rows("test").x)[1].double()
    residual = (nodes - fitted).square().sum(dim=0)
    total = (nodes - nodes.mean(dim=0)).square().sum(dim=0)
    torch.testing.assert_close(1 - residual / total, evidence["explanation.r2"])


def test_excited_nodes_are_as_excited_as_their_inputs_say(assessed, pulled):
    _, evidence = assessed
    nodes = pre_activations(pulled, evidence["excitation.point"])[1]
    torch.testing.assert_close(
        nodes.diagonal(), evidence["excitation.value"], rtol=1e-4, atol=1e-5
    )


def test_dependence_is_of_every_centroid_on_a_rising_grid(assessed):
    _, evidence = assessed
    assert evidence["dependence.mean"].shape == (3, 3, 8)
    assert (evidence["dependence.distance"].diff(dim=1) > 0).all()


# What may be chosen by.


def test_validation_columns_are_measured_on_validation_rows(clustered, preparation, pulled):
    found = validate(clustered, preparation, pulled)
    nodes = node_pair(preparation, pulled, layer=1, split="val")
    own = regress(nodes[0], preparation.distances("train"), nodes[1], preparation.distances("val"))
    controls = regressions(preparation, nodes, layer=1, split="val")
    assert found.keys() == VALIDATED.keys()
    assert found == {
        "val_explanation_gain": gains(own, controls)["explanation_gain"],
        "val_r2_mean": own.r2.mean(),
    }
