"""Training under attack, and tests by attacks that were not trained for."""

from dataclasses import replace

import pytest
import torch

from hedgecore.attacks.threats import THREATS
from hedgecore.config import ConfigError
from hedgecore.hedging.attack_config import AttackConfig, EvaluationConfig
from hedgecore.hedging.evaluate import evaluate
from hedgecore.hedging.features import EXOGENOUS_NAMES, exogenous
from hedgecore.hedging.markets import attack_starts
from hedgecore.hedging.problem import HedgingProblem, Scene
from hedgecore.hedging.ticket import (
    assess_ticket,
    draw_ticket,
    train_ticket,
    validate_ticket,
    validation_columns,
)
from hedgecore.market.params import HestonParams
from hedgecore.market.regimes import REGIMES, regime, shifted
from hedgecore.risk import cvar, risk
from hedgecore.rng import stream

every_threat = pytest.mark.parametrize("name", THREATS)
seeking = pytest.mark.parametrize("name", [n for n, t in THREATS.items() if t.seeks])
TTM = EXOGENOUS_NAMES.index("time_to_maturity")


def trained(study, preparation):
    return list(train_ticket(study, preparation, draw_ticket(study, preparation)))


def problem_of(study, preparation):
    return HedgingProblem.of(study, preparation.standardisation)


def market(preparation):
    paths = preparation.data["test"]
    return Scene(paths.spot[:400], paths.variance[:400])


def attacked(study, preparation, name, epsilon, *, theta=None, steps=10, seed=0):
    problem = problem_of(study, preparation)
    return problem.attacked(
        preparation.theta_star if theta is None else theta,
        market(preparation),
        attack=AttackConfig(name=name, epsilon=epsilon, steps=steps),
        verify=True,
        generator=stream(seed, "attack"),
    )


def cvar_of(study, preparation, scene, theta=None):
    problem = problem_of(study, preparation)
    theta = preparation.theta_star if theta is None else theta
    return float(cvar(problem.outcome(theta, scene).pnl.detach().double(), tail=0.05))


@every_threat
def test_an_epsilon_of_zero_is_the_market_itself(study, preparation, name):
    scene = attacked(study, preparation, name, 0.0)
    assert torch.equal(scene.spot, market(preparation).spot)
    assert scene.observation is None


@seeking
def test_cvar_falls_as_the_budget_grows(study, preparation, name):
    found = [
        cvar_of(study, preparation, attacked(study, preparation, name, epsilon))
        for epsilon in (0.0, 0.05, 0.2, 0.8)
    ]
    assert found == sorted(found, reverse=True)
    assert found[-1] < found[0]


@pytest.mark.parametrize("model", ["path", "observation"])
def test_noise_of_the_same_size_does_less_harm_than_one_gradient_and_that_less_than_ten(
    study, preparation, model
):
    found = [
        cvar_of(study, preparation, attacked(study, preparation, f"{model}_{search}", 0.5))
        for search in ("pgd", "fgsm", "noise")
    ]
    assert found == sorted(found)


@pytest.mark.parametrize("search", ["fgsm", "pgd", "noise"])
def test_an_attack_on_observations_leaves_market_and_calendar_alone(study, preparation, search):
    scene, true = (
        attacked(study, preparation, f"observation_{search}", 0.3),
        market(preparation),
    )
    assert torch.equal(scene.spot, true.spot)
    assert torch.equal(scene.variance, true.variance)
    clean = exogenous(true.spot, true.variance, strike=study.option.strike)
    moved = ((scene.observation - clean).abs() / preparation.standardisation.sd[:5]).amax(
        dim=(0, 1)
    )
    assert float(moved[TTM]) == 0
    others = torch.cat([moved[:TTM], moved[TTM + 1 :]])
    assert float(others.max()) <= 0.3 * (1 + 1e-3)
    assert float(others.min()) > 0.1


@every_threat
def test_an_attack_leaves_parameters_and_their_gradients_as_they_were(study, preparation, name):
    theta = {n: p.clone().requires_grad_() for n, p in preparation.theta_star.items()}
    for p in theta.values():
        p.grad = torch.full_like(p, 7.0)
    attacked(study, preparation, name, 0.3, theta=theta)
    assert all(torch.equal(p, preparation.theta_star[n]) for n, p in theta.items())
    assert all(bool((p.grad == 7).all()) for p in theta.values())


@seeking
def test_a_variance_of_zero_makes_no_nan(study, preparation, name):
    problem, scene = problem_of(study, preparation), market(preparation)
    found = problem.attacked(
        preparation.theta_star,
        Scene(scene.spot, torch.zeros_like(scene.variance)),
        attack=AttackConfig(name=name, epsilon=0.3, steps=3),
        verify=True,
        generator=stream(0, "attack"),
    )
    assert all(bool(x.isfinite().all()) for x in found if x is not None)
    assert bool(problem.outcome(preparation.theta_star, found).pnl.isfinite().all())


def test_more_steps_rank_no_two_hedges_differently(study, preparation):
    """A gradient that is masked would give way to a longer search."""
    study = study.with_axes({"training.epochs": 8})
    thetas = [preparation.theta_star]
    for epsilon in (0.2, 1.0):
        thetas.append(trained(study.with_axes({"epsilon": epsilon}), preparation)[-1].theta)

    def ranked(steps):
        found = [
            cvar_of(
                study,
                preparation,
                attacked(study, preparation, "path_pgd", 1.0, theta=theta, steps=steps),
                theta,
            )
            for theta in thetas
        ]
        return sorted(range(3), key=found.__getitem__)

    assert ranked(5) == ranked(40)


def test_a_budget_for_the_whole_sample_does_not_depend_on_how_it_is_cut(
    study, preparation, monkeypatch
):
    problem, paths = problem_of(study, preparation), preparation.data["test"]
    attack = AttackConfig(name="distribution_wpgd", epsilon=0.3, steps=3)

    def found():
        return problem.outcomes(
            preparation.theta_star, paths, attack=attack, generator=stream(0, "unused")
        ).pnl

    whole = found()
    monkeypatch.setattr("hedgecore.hedging.problem.CHUNK", 300)
    torch.testing.assert_close(found(), whole, rtol=1e-4, atol=1e-4)


def test_epsilon_is_nothing_then_climbs_then_stays():
    attack = AttackConfig(epsilon=0.4, warmup=2, ramp=4)
    assert [attack.epsilon_at(e) for e in range(1, 9)] == pytest.approx(
        [0, 0, 0.1, 0.2, 0.3, 0.4, 0.4, 0.4]
    )
    assert AttackConfig(epsilon=0.4).epsilon_at(1) == 0.4
    assert AttackConfig(epsilon=0.4, warmup=1).epsilon_at(2) == 0.4


def test_no_epoch_is_selected_before_epsilon_is_full(study, preparation):
    study = study.with_axes(
        {"epsilon": 0.5, "attack.warmup": 2, "attack.ramp": 2, "training.epochs": 6}
    )
    epochs = trained(study, preparation)
    assert not any(e.best for e in epochs[:3])
    assert epochs[3].best
    first = trained(study.with_axes({"epsilon": 0.0}), preparation)
    assert [e.val_loss for e in epochs[:2]] == [e.val_loss for e in first[:2]]


def test_patience_is_not_lost_on_epochs_that_cannot_be_selected(study, preparation):
    study = study.with_axes({"epsilon": 0.5, "attack.warmup": 4, "training.epochs": 8})
    study = study.with_axes({"training.patience": 2})
    assert len(trained(study, preparation)) >= 6


def test_selection_is_by_the_declared_mixture(study, preparation):
    study = study.with_axes({"epsilon": 0.5, "attack.validation_weight": 0.3})
    problem = problem_of(study, preparation)
    for epoch in trained(study, preparation):
        mixed = 0.7 * epoch.val_clean_loss + 0.3 * epoch.val_attacked_loss
        assert epoch.val_loss == pytest.approx(mixed)
        assert epoch.val_attacked_loss > epoch.val_clean_loss
    pnl = problem.outcomes(epoch.theta, preparation.data["val"]).pnl.double()
    best = min(e.val_loss for e in trained(study, preparation))
    chosen = next(e for e in trained(study, preparation) if e.val_loss == best)
    assert float(risk(problem.risk, pnl)) == pytest.approx(chosen.val_clean_loss)


def test_the_clean_part_of_the_loss_draws_training_back_to_the_clean_risk(study, preparation):
    study = study.with_axes({"epsilon": 1.0, "training.epochs": 10})
    alone, beside = (
        trained(study.with_axes({"attack.clean_weight": w}), preparation)[-1].val_clean_loss
        for w in (0.0, 10.0)
    )
    assert beside < alone


def test_clean_and_attacked_paths_have_a_y_of_their_own(study, preparation):
    study = study.with_axes(
        {
            "epsilon": 1.0,
            "risk.y": "parameter",
            "risk.y_lr": 0.05,
            "attack.clean_weight": 1.0,
            "training.epochs": 10,
        }
    )
    theta_0 = {**preparation.theta_0, "y": torch.tensor(2.5)}
    preparation = replace(preparation, theta_0=theta_0)
    theta = trained(study, preparation)[-1].theta
    assert float(theta["y_attacked"]) > float(theta["y"]) > 0


def test_a_curriculum_that_leaves_no_epoch_at_the_full_budget_is_refused(study):
    with pytest.raises(ConfigError, match=r"attack.warmup: 4 clean epochs .* leave none of 4"):
        study.with_axes({"epsilon": 0.1, "attack.warmup": 4})


@pytest.mark.parametrize(("tail", "cvar"), [(0.05, "cvar_05"), (0.5, "cvar_50")])
def test_tests_in_other_markets_and_by_transfer_have_their_columns(study, tail, cvar):
    from hedgecore.hedging.prepare import prepare

    study = study.with_axes(
        {
            "evaluation.tail": tail,
            "evaluation.regimes": ["calm", "extreme"],
            "evaluation.shift": 0.1,
            "evaluation.shift_markets": 3,
            "evaluation.shift_paths": 500,
            "evaluation.transfer": [0.5],
            "evaluation.path_pgd": [0.5],
            "evaluation.attacked_paths": 500,
        }
    )
    prepared = prepare(study, seed=0)
    row = assess_ticket(study, prepared, prepared.theta_star)
    assert {name for name in row if "@" in name} == {
        f"{cvar}@attacked_paths",
        f"attacked_{cvar}@path_pgd:0.5",
        f"attacked_{cvar}@transfer:0.5",
        f"{cvar}@regime:calm",
        f"{cvar}_of_price@regime:calm",
        f"{cvar}@regime:extreme",
        f"{cvar}_of_price@regime:extreme",
        f"{cvar}@attacked_paths",
        f"{cvar}@shift:0.1",
        f"{cvar}_worst@shift:0.1",
    }
    # What was found on the dense network is the attack on the dense network.
    assert row[f"attacked_{cvar}@transfer:0.5"] == row[f"attacked_{cvar}@path_pgd:0.5"]
    assert row[f"{cvar}@regime:extreme"] < row[f"{cvar}@regime:calm"]
    assert row[f"{cvar}_worst@shift:0.1"] <= row[f"{cvar}@shift:0.1"]


def test_columns_under_attack_and_in_other_markets_are_cvar_of_the_tail(study, preparation):
    study = study.with_axes(
        {"evaluation.tail": 0.5, "evaluation.path_pgd": [0.0, 0.5], "evaluation.regimes": ["calm"]}
    )
    # The market of the study in the part of another one: its CVaR is known without it.
    test = preparation.data["test"]
    data = {**preparation.data, "regime:calm": test}
    theta = preparation.theta_star
    row = assess_ticket(study, replace(preparation, data=data), theta)
    assert row["attacked_cvar_50@path_pgd:0"] == row["cvar_50@regime:calm"] == row["cvar_50"]
    attack = study.evaluation.attacks["path_pgd:0.5"]
    starts = attack_starts(attack, "test", seed=0)
    pnl = problem_of(study, preparation).outcomes(theta, test, attack=attack, generator=starts).pnl
    assert row["attacked_cvar_50@path_pgd:0.5"] == float(cvar(pnl.double(), tail=0.5))
    assert row["attacked_cvar_50@path_pgd:0.5"] > float(cvar(pnl.double(), tail=0.05))


def test_validation_under_attack_has_the_tail_of_the_test(study, preparation):
    study = study.with_axes({"evaluation.tail": 0.5, "evaluation.path_fgsm": [0.0]})
    (column,) = validation_columns(study)
    found = validate_ticket(study, preparation, preparation.theta_star, [column])
    pnl = problem_of(study, preparation).outcomes(preparation.theta_star, preparation.data["val"])
    assert found == {"val_attacked_cvar_50@path_fgsm:0": float(cvar(pnl.pnl.double(), tail=0.5))}


def test_a_regime_keeps_what_it_does_not_name():
    params = HestonParams(
        spot=100.0, v0=0.0175, kappa=1.5768, v_bar=0.0398, xi=0.5751, rho=-0.5711, rate=0.02
    )
    assert regime(params, "calm") == params
    extreme = regime(params, "extreme")
    assert (extreme.v0, extreme.v_bar, extreme.xi) == tuple(REGIMES["extreme"].values())
    assert (extreme.kappa, extreme.rho, extreme.rate) == (params.kappa, params.rho, params.rate)


def test_shifted_parameters_lie_within_the_share_and_are_drawn_one_by_one():
    params = HestonParams(spot=100.0, v0=0.04, kappa=1.0, v_bar=0.04, xi=2.0, rho=-0.7)
    ratios = set()
    for i in range(50):
        moved = shifted(params, 0.1, generator=stream(i, "shift"))
        found = [getattr(moved, n) / getattr(params, n) for n in ("kappa", "v_bar", "xi", "rho")]
        assert all(0.9 <= ratio <= 1.1 for ratio in found)
        assert (moved.spot, moved.v0) == (params.spot, params.v0)
        ratios |= set(found)
    assert len(ratios) == 200


def test_every_threat_can_be_asked_for_and_is_named_in_its_column():
    asked = EvaluationConfig(**dict.fromkeys(THREATS, (0.1, 0.5)))
    assert set(asked.attacks) == {f"{name}:{e}" for name in THREATS for e in ("0.1", "0.5")}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"path_pgd": (-0.1,)}, "epsilon must be at least 0"),
        ({"regimes": ("calmm",)}, "unknown regime 'calmm'; did you mean 'calm'"),
        ({"shift": 1.0}, r"shift must lie in \[0, 1\), got 1.0; it is a share"),
        ({"tail": 0.1}, r"tail must be one of 0.01, 0.05, 0.5, got 0.1"),
        ({"restarts": 0}, "restarts must be at least 1, got 0"),
        ({"attacked_paths": 5}, "attacked_paths must be at least 100, got 5"),
    ],
)
def test_an_evaluation_that_makes_no_sense_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        EvaluationConfig(**options)


def test_clean_cvar_on_the_attacked_paths_is_that_of_the_first_of_the_test(study, preparation):
    few = study.with_axes({"evaluation.path_fgsm": [1e-12, 0.1], "evaluation.attacked_paths": 256})
    problem = HedgingProblem.of(few, preparation.standardisation)
    row, pnl = evaluate(problem, preparation.theta_star, preparation.data, seed=0)
    same = row["cvar_05@attacked_paths"]
    assert same == float(cvar(pnl[:256].double(), tail=0.05))
    assert same != row["cvar_05"]
    assert row["attacked_cvar_05@path_fgsm:1e-12"] == pytest.approx(same, rel=1e-4)
    assert row["attacks_not_finite"] == 0
    every = few.with_axes({"evaluation.attacked_paths": None})
    problem = HedgingProblem.of(every, preparation.standardisation)
    row, _ = evaluate(problem, preparation.theta_star, preparation.data, seed=0)
    assert row["cvar_05@attacked_paths"] == row["cvar_05"]
