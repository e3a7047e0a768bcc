import re
from dataclasses import replace

import pytest
import torch

from hedgecore.attacks.threats import THREATS
from hedgecore.config import ConfigError
from hedgecore.hedging.features import Standardisation
from hedgecore.hedging.problem import HedgingProblem, Scene
from hedgecore.hedging.ticket import (
    assess_ticket,
    draw_ticket,
    train_ticket,
    validate_ticket,
    validation_columns,
)
from hedgecore.hedging.train import train
from hedgecore.pruning import mask as masks
from hedgecore.risk import risk
from hedgecore.rng import stream
from hedgecore.training.convergence import DivergedError, epochs_to_criterion


def trained(study, preparation):
    ticket = draw_ticket(study, preparation)
    return ticket, list(train_ticket(study, preparation, ticket))


def rows(epochs):
    return [epoch.row() for epoch in epochs]


def test_training_lowers_the_risk(study, preparation):
    _, epochs = trained(study, preparation)
    assert epochs[-1].val_loss < 0.8 * epochs[0].val_loss


def test_training_is_a_function_of_study_and_seed(study, preparation):
    runs = [rows(trained(study, preparation)[1]) for _ in range(2)]
    assert runs[0] == runs[1]


def test_training_starts_from_theta_0_and_leaves_it_alone(study, preparation):
    before = {n: p.clone() for n, p in preparation.theta_0.items()}
    trained(study.with_axes({"sparsity": 0.5}), preparation)
    assert all(torch.equal(p, before[n]) for n, p in preparation.theta_0.items())


@pytest.mark.parametrize("sparsity", [0.0, 0.5, 0.9])
def test_a_trained_ticket_has_exact_zeros_and_the_requested_sparsity(study, preparation, sparsity):
    ticket, epochs = trained(study.with_axes({"sparsity": sparsity}), preparation)
    theta = epochs[-1].theta
    assert masks.weights(ticket.mask) == round((1 - sparsity) * masks.total(ticket.mask))
    for name, m in ticket.mask.items():
        assert bool((theta[name][~m] == 0).all())


def test_the_last_epoch_carries_the_best_parameters(study, preparation):
    study = study.with_axes({"lr": 0.1, "training.epochs": 6, "training.schedule": "constant"})
    _, epochs = trained(study, preparation)
    problem = HedgingProblem.of(study, preparation.standardisation)
    pnl = problem.outcomes(epochs[-1].theta, preparation.data["val"]).pnl.double()
    assert float(risk(problem.risk, pnl)) == min(e.val_loss for e in epochs)


def test_training_stops_when_patience_runs_out(study, preparation):
    study = study.with_axes(
        {"training.epochs": 50, "training.patience": 2, "training.min_delta": 1e9}
    )
    assert len(trained(study, preparation)[1]) == 3


def test_validation_risk_is_that_of_the_pooled_pnl(study, preparation, monkeypatch):
    # In chunks of 100 of 1024 paths: the mean of the chunks' CVaRs would be another number.
    monkeypatch.setattr("hedgecore.hedging.problem.CHUNK", 100)
    problem = HedgingProblem.of(study, preparation.standardisation)
    paths = preparation.data["val"]
    _, epochs = trained(study, preparation)
    best = min(epochs, key=lambda epoch: epoch.val_loss)
    whole = problem.outcome(best.theta, Scene(paths.spot, paths.variance)).pnl
    assert best.val_loss == pytest.approx(float(risk(problem.risk, whole)), rel=1e-5)


def test_epsilon_zero_is_exactly_clean_training(study, preparation):
    clean = rows(trained(study, preparation)[1])
    for name in THREATS:
        zero = study.with_axes({"epsilon": 0.0, "attack.name": name, "attack.steps": 7})
        assert rows(trained(zero, preparation)[1]) == clean


def test_adversarial_training_loses_clean_and_wins_under_attack(study, preparation):
    study = study.with_axes({"training.epochs": 12, "evaluation.path_pgd": [1.0]})
    results = {}
    for epsilon in (0.0, 1.0):
        robust = study.with_axes({"epsilon": epsilon})
        _, epochs = trained(robust, preparation)
        results[epsilon] = assess_ticket(robust, preparation, epochs[-1].theta)
    column = "attacked_cvar_05@path_pgd:1"
    assert results[1.0][column] > results[0.0][column]
    assert results[1.0]["cvar_05"] < results[0.0]["cvar_05"]
    assert all(r[column] < r["cvar_05"] for r in results.values())


def test_validation_under_attack_begins_at_clean_validation_and_falls_with_the_budget(
    study, preparation
):
    study = study.with_axes({"evaluation.path_pgd": [0.0, 0.1, 1.0]})
    _, epochs = trained(study, preparation)
    found = validate_ticket(study, preparation, epochs[-1].theta, validation_columns(study))
    assert list(found) == [f"val_attacked_cvar_05@path_pgd:{e}" for e in ("0", "0.1", "1")]
    best = min(epochs, key=lambda epoch: epoch.val_loss)
    clean, little, much = found.values()
    assert clean == best.val_cvar_05
    assert much < little < clean


def test_validation_under_attack_is_of_other_paths_than_the_test(study, preparation):
    study = study.with_axes({"evaluation.path_pgd": [0.1]})
    theta, column = preparation.theta_star, "attacked_cvar_05@path_pgd:0.1"
    tested = assess_ticket(study, preparation, theta)
    validated = validate_ticket(study, preparation, theta, [f"val_{column}"])
    assert tested[column] != validated[f"val_{column}"]
    paths = preparation.data["val"]
    swapped = replace(
        preparation,
        data={**preparation.data, "test": paths},
        dense_pnl=preparation.dense_pnl[: len(paths.spot)],
    )
    # FGSM draws nothing, so on equal paths it gives equal numbers.
    study = study.with_axes({"evaluation.path_fgsm": [0.1]})
    column = column.replace("pgd", "fgsm")
    again = assess_ticket(study, swapped, theta)
    validated = validate_ticket(study, preparation, theta, [f"val_{column}"])
    assert again[column] == validated[f"val_{column}"]


def test_a_column_that_is_no_attack_of_the_evaluation_is_refused(study, preparation):
    study = study.with_axes({"evaluation.path_pgd": [0.1]})
    message = r"unknown column 'val_attacked_cvar_05@path_pgd:0.2'; did you mean .*pgd:0.1'"
    with pytest.raises(ValueError, match=message):
        validate_ticket(
            study, preparation, preparation.theta_star, ["val_attacked_cvar_05@path_pgd:0.2"]
        )


def test_attacked_paths_stay_within_the_budget(study, preparation):
    study = study.with_axes({"epsilon": 0.5})
    problem = HedgingProblem.of(study, preparation.standardisation)
    paths = preparation.data["test"]
    spot, variance, _ = problem.attacked(
        preparation.theta_star,
        Scene(paths.spot, paths.variance),
        attack=study.attack,
        verify=True,
        generator=stream(0, "attack"),
    )
    assert float((spot - paths.spot).abs().max()) <= 0.5 * (1 + 1e-4)
    assert float((variance - paths.variance).abs().max()) <= 0.005 * (1 + 1e-4)
    assert torch.equal(spot[:, 0], paths.spot[:, 0])


def test_a_learning_rate_that_explodes_ends_in_one_clear_error(study, preparation):
    study = study.with_axes({"lr": 1e15, "training.schedule": "constant"})
    message = r"loss is (nan|inf) in epoch \d; lower the learning rate"
    with pytest.raises(DivergedError, match=message):
        trained(study, preparation)


def test_y_as_a_parameter_reaches_the_optimum_that_profiling_finds(study, preparation):
    # y alone is trained: the network's learning rate is nil.
    study = study.with_axes(
        {
            "risk.y": "parameter",
            "risk.y_lr": 0.1,
            "lr": 1e-12,
            "training.epochs": 120,
            "training.patience": 120,
            "training.batch_size": 1024,
        }
    )
    problem = HedgingProblem.of(study, preparation.standardisation)
    start = {**preparation.theta_star, "y": torch.tensor(4.0)}
    paths = preparation.data["train"]
    *_, last = train(
        problem,
        start,
        {},
        train_paths=paths,
        val_paths=paths,
        training=study.training,
        seed=0,
    )
    pnl = problem.outcomes(preparation.theta_star, paths).pnl
    assert last.y == pytest.approx(float(problem.risk.optimal_y(pnl)), abs=0.1)


def test_y_is_never_pruned_and_rewinds_with_theta_0(study, preparation):
    study = study.with_axes({"risk.y": "parameter", "sparsity": 0.9})
    theta_0 = {**preparation.theta_0, "y": torch.tensor(2.0)}
    theta_star = {**preparation.theta_star, "y": torch.tensor(3.0)}
    assert "y" not in masks.prunable(theta_star)
    ticket = draw_ticket(study, replace(preparation, theta_0=theta_0, theta_mask=theta_star))
    assert float(ticket.theta["y"]) == 2.0


@pytest.mark.parametrize(
    ("losses", "expected"),
    [
        ([9, 1, 1, 1, 1, 1], 2),
        ([1, 1, 1, 1, 9, 1, 1, 1, 1, 1], 6),
        ([1, 1, 1, 1], None),
        ([9] * 20, None),
        ([1.05] * 5, 1),
        ([1.0501] * 5, None),
    ],
)
def test_convergence_needs_five_epochs_in_a_row_within_five_percent(losses, expected):
    assert epochs_to_criterion(losses, reference=1.0) == expected


def test_the_criterion_holds_for_a_negative_reference():
    assert epochs_to_criterion([-0.95] * 5, reference=-1.0) == 1
    assert epochs_to_criterion([-0.94] * 5, reference=-1.0) is None


def test_the_cosine_schedule_falls_from_lr_to_lr_min(study, preparation):
    _, epochs = trained(study.with_axes({"training.epochs": 3}), preparation)
    lrs = [e.lr for e in epochs]
    assert lrs[0] == pytest.approx(1e-2)
    assert lrs == sorted(lrs, reverse=True)


@pytest.mark.parametrize(
    ("axes", "message"),
    [
        ({"sparsity": 1.0}, r"pruning.sparsity: sparsity must lie in \[0, 1\), got 1.0"),
        ({"lr": -1e-3}, "training.lr: lr must be above 0, got -0.001"),
        ({"epsilon": -1.0}, "attack.epsilon: epsilon must be at least 0"),
        ({"attack.name": "path_pdg"}, "unknown attack 'path_pdg'; did you mean 'path_pgd'"),
        ({"market.rho": -1.5}, "market.rho: rho must"),
        ({"network.hidden": []}, "network.hidden: hidden must list widths"),
        (
            {"sparsity": 0.99},
            "pruning.sparsity: 0.99 keeps 1 of 128 weights, too few for 1",
        ),
        (
            {"training.batch_size": 9999},
            "training.batch_size: 9999 exceeds market.train_paths",
        ),
        ({"trainin.lr": 1.0}, "unknown key 'trainin'; did you mean 'training'"),
    ],
)
def test_a_study_that_cannot_be_is_refused_with_its_key(study, axes, message):
    with pytest.raises(ConfigError, match=message):
        study.with_axes(axes)


def test_a_standardisation_has_eight_entries():
    with pytest.raises(Exception, match=re.escape("8")):
        Standardisation(mean=torch.zeros(7), sd=torch.ones(7))
