"""Starting point of a ticket, and its part of the schedule."""

from dataclasses import replace

import pytest
import torch
from safetensors.torch import load, save

from hedgecore.config import ConfigError
from hedgecore.hedging.prepare import prepare
from hedgecore.hedging.problem import HedgingProblem, Scene
from hedgecore.hedging.ticket import draw_ticket, train_ticket
from hedgecore.hedging.train import parameters_after, train
from hedgecore.pruning import mask as masks
from hedgecore.training.config import TrainingConfig
from hedgecore.training.schedule import Schedule, learning_rate

TRAINING = TrainingConfig(epochs=4, batch_size=100, lr=0.1)


def steps(schedule):
    return [
        (lr, batch.tolist())
        for epoch in range(1, schedule.epochs + 1)
        for lr, batch in schedule.steps(epoch)
    ]


@pytest.mark.parametrize("first", [0, 3, 4, 7, 15])
def test_a_training_from_step_k_is_the_rest_of_the_whole(first):
    whole = steps(Schedule(TRAINING, 350, seed=0))
    assert len(whole) == 16
    assert steps(Schedule(TRAINING, 350, seed=0, first_step=first)) == whole[first:]


def test_every_pass_sees_every_path_once_in_an_order_of_its_own():
    whole = steps(Schedule(TRAINING, 350, seed=0))
    orders = [[path for _, batch in whole[i : i + 4] for path in batch] for i in (0, 4, 8, 12)]
    assert all(sorted(order) == list(range(350)) for order in orders)
    assert len({tuple(order) for order in orders}) == 4


def test_the_rate_climbs_from_the_warm_up_rate_and_then_falls_as_a_cosine():
    training = replace(TRAINING, epochs=10, warmup=4, warmup_lr=0.02, lr_min=0.0)
    rates = [learning_rate(training, turn) for turn in range(10)]
    assert rates[:5] == pytest.approx([0.02, 0.04, 0.06, 0.08, 0.1])
    assert rates[4:] == sorted(rates[4:], reverse=True)
    assert rates[7] == pytest.approx(0.05)  # half way down


def test_parameters_after_an_epoch_of_steps_are_those_of_the_training(study, preparation):
    problem = HedgingProblem.of(study, preparation.standardisation)
    given = {"train_paths": preparation.data["train"], "training": study.training, "seed": 0}
    run = train(problem, preparation.theta_0, {}, val_paths=preparation.data["val"], **given)
    next(run)
    state = next(run).snapshot()
    found = parameters_after(8, problem, preparation.theta_0, **given)
    assert all(torch.equal(value, state[f"theta.{name}"]) for name, value in found.items())


def test_no_steps_leave_theta_0(study, preparation):
    assert all(torch.equal(preparation.theta_k[n], p) for n, p in preparation.theta_0.items())


@pytest.fixture(scope="module")
def rewound(study):
    """A preparation whose tickets are rewound to step 3."""
    study = study.with_axes({"sparsity": 0.8, "rewind": "step", "pruning.rewind_step": 3})
    return study, prepare(study, seed=0)


def test_rewinding_to_a_step_restores_every_parameter_of_it(rewound):
    study, preparation = rewound
    ticket = draw_ticket(study, preparation)
    for name, value in ticket.theta.items():
        kept = ticket.mask.get(name, torch.ones_like(value, dtype=torch.bool))
        assert torch.equal(value, preparation.theta_k[name] * kept)
    assert not torch.equal(preparation.theta_k["layers.0.bias"], torch.zeros(8))


def test_a_ticket_rewound_to_a_step_trains_the_steps_that_are_left(rewound):
    study, preparation = rewound
    epochs = list(train_ticket(study, preparation, draw_ticket(study, preparation)))
    assert len(epochs) == study.training.epochs  # the last one is a single batch of four


def starts(study, preparation, rewind):
    study = study.with_axes({"sparsity": 0.5, "rewind": rewind})
    return study, draw_ticket(study, preparation)


@pytest.mark.parametrize("rewind", ["lr", "finetune"])
def test_without_rewinding_a_ticket_starts_from_the_trained_parameters(study, preparation, rewind):
    _, ticket = starts(study, preparation, rewind)
    for name, value in ticket.theta.items():
        kept = ticket.mask.get(name, torch.ones_like(value, dtype=torch.bool))
        assert torch.equal(value, preparation.theta_star[name] * kept)


def test_learning_rate_rewinding_repeats_the_schedule_and_fine_tuning_has_none(study, preparation):
    rates = {
        rewind: [e.lr for e in train_ticket(s, preparation, ticket)]
        for rewind in ("init", "lr", "finetune")
        for s, ticket in [starts(study, preparation, rewind)]
    }
    assert rates["lr"] == rates["init"]
    assert set(rates["finetune"]) == {study.training.lr}


def test_a_ticket_warms_up_from_the_rate_of_its_dense_network(study, preparation):
    study = study.with_axes({"dense.lr": 2e-3, "lr": 1e-2, "training.warmup": 2})
    first, second, third, _ = train_ticket(study, preparation, draw_ticket(study, preparation))
    assert (first.lr, second.lr, third.lr) == pytest.approx((2e-3, 6e-3, 1e-2))


def test_iterative_pruning_to_90_percent_in_5_rounds_ends_at_90_percent(study, preparation):
    study = study.with_axes({"sparsity": 0.9, "schedule": "iterative", "pruning.rounds": 5})
    ticket = draw_ticket(study, preparation)
    total = masks.total(ticket.mask)
    assert masks.weights(ticket.mask) == round(0.1 * total)
    once = draw_ticket(study.with_axes({"schedule": "one_shot"}), preparation)
    assert any(not torch.equal(m, once.mask[n]) for n, m in ticket.mask.items())


@pytest.mark.parametrize(
    ("axes", "networks"),
    [
        ({}, 4),
        ({"criterion": "lamp"}, 4),
        ({"criterion": "snip"}, 0),
        ({"ticket": "random_mask"}, 0),
        ({"schedule": "one_shot"}, 0),
    ],
)
def test_only_a_criterion_that_reads_trained_weights_has_networks_trained_for_its_rounds(
    study, preparation, monkeypatch, axes, networks
):
    trainings = []

    def counted(*args, **options):
        trainings.append(args)
        return train(*args, **options)

    monkeypatch.setattr("hedgecore.hedging.ticket.train", counted)
    study = study.with_axes({"sparsity": 0.8, "schedule": "iterative", **axes})
    draw_ticket(study, preparation)
    assert len(trainings) == study.pruning.trained_rounds == networks


def test_a_robust_source_finds_masks_on_a_network_of_its_own_and_keeps_the_dense_baseline(
    study, preparation
):
    study = study.with_axes({"pruning.source": "robust", "epsilon": 1.0, "sparsity": 0.8})
    prepared = prepare(study, seed=0)
    assert prepared.dense == preparation.dense
    assert all(torch.equal(p, prepared.theta_star[n]) for n, p in preparation.theta_star.items())
    built = prepare(study, seed=0, base=preparation)
    for name, tensors in prepared.files.items():
        assert all(torch.equal(t, built.files[name][n]) for n, t in tensors.items())
    robust, clean = draw_ticket(study, prepared), draw_ticket(study, preparation)
    assert any(not torch.equal(m, clean.mask[n]) for n, m in robust.mask.items())
    # Without an attack there is nothing to be robust against, and one network to train.
    assert (
        study.with_axes({"epsilon": 0.0}).shared_study()
        == study.with_axes({"pruning.source": "clean"}).shared_study()
    )


def test_the_small_dense_rival_has_no_more_weights_than_the_ticket(study, preparation):
    study = study.with_axes({"network.hidden": [32, 32], "sparsity": 0.8})
    prepared = prepare(study, seed=0)
    ticket = draw_ticket(study, prepared)
    kept = masks.weights(ticket.mask) + 32  # the output layer is never pruned
    rival = study.with_axes({"ticket": "small_dense"})
    small = draw_ticket(rival, prepared)
    assert 0.7 * kept < masks.weights(small.mask) <= kept
    assert masks.sparsity(small.mask) == 0
    epochs = list(train_ticket(rival, prepared, small))
    assert epochs[-1].val_loss < epochs[0].val_loss


def test_a_ticket_saved_and_loaded_into_a_fresh_network_holds_bit_equal_positions(
    study, preparation
):
    study = study.with_axes({"sparsity": 0.9})
    *_, last = train_ticket(study, preparation, draw_ticket(study, preparation))
    paths = preparation.data["test"]
    scene = Scene(paths.spot, paths.variance)
    problem = HedgingProblem.of(study, preparation.standardisation)
    fresh = HedgingProblem.of(study, preparation.standardisation)
    there = load(save(dict(last.theta)))
    assert torch.equal(fresh.outcome(there, scene).pnl, problem.outcome(last.theta, scene).pnl)


def test_a_rewinding_point_behind_the_end_of_training_is_refused(study):
    with pytest.raises(ConfigError, match=r"pruning.rewind_step: 16 is not below the 16 steps"):
        study.with_axes({"rewind": "step", "pruning.rewind_step": 16})
