"""An interrupted training continues to the last bit as an uninterrupted one."""

from dataclasses import replace
from functools import partial
from itertools import islice, product, starmap, zip_longest

import pytest
import torch
from safetensors.torch import load, save

from hedgecore.hedging.network import initialise
from hedgecore.hedging.ticket import draw_ticket, train_ticket
from hedgecore.rng import stream
from hedgecore.training.snapshot import best_theta

# The learning rate is so high that only the first two epochs improve by min_delta.
PATIENCE = {
    "lr": 0.1,
    "training.schedule": "constant",
    "training.epochs": 50,
    "training.patience": 3,
    "training.min_delta": 1.0,
    "risk.y": "parameter",
    "epsilon": 0.5,
}
CASES = {
    f"{schedule}, y {y}, epsilon {epsilon}": {
        "training.schedule": schedule,
        "risk.y": y,
        "epsilon": epsilon,
        "sparsity": 0.5,
    }
    for schedule, y, epsilon in product(
        ("cosine", "constant"), ("optimal", "parameter"), (0.0, 0.5)
    )
} | {"patience": PATIENCE}


@pytest.fixture(scope="module")
def training(study, preparation):
    """From axes to the training they describe: a function of ``resume``."""

    def of(axes):
        trial = study.with_axes(axes)
        prepared = preparation
        if trial.risk.y == "parameter":
            theta_0 = {**preparation.theta_0, "y": torch.tensor(2.0)}
            prepared = replace(preparation, theta_0=theta_0)
        return partial(train_ticket, trial, prepared, draw_ticket(trial, prepared))

    return of


def course(epochs):
    """The row of every epoch, the last one's parameters, and the snapshot of every epoch."""
    rows, theta, snapshots = [], {}, []
    for epoch in epochs:
        rows.append(epoch.row())
        theta = epoch.theta
        snapshots.append(epoch.snapshot())
    return rows, theta, snapshots


def after(epoch, epochs):
    """The snapshot of ``epoch``, and not a batch beyond it."""
    *_, last = islice(epochs, epoch)
    return last.snapshot()


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def differ(a, b):
    return a is None or b is None or a.row() != b.row() or not same(a.theta, b.theta)


@pytest.mark.parametrize("axes", CASES.values(), ids=CASES)
def test_cut_after_any_epoch_and_stored_the_rest_is_the_same_to_the_last_bit(training, axes):
    train = training(axes)
    rows, theta, snapshots = course(train())
    assert len(rows) > 3
    for cut, snapshot in enumerate(snapshots[:-1], start=1):
        rest, end, later = course(train(resume=load(save(snapshot))))
        assert rest == rows[cut:]
        assert same(end, theta)
        assert all(map(same, later, snapshots[cut:]))


def test_a_training_may_be_cut_again_and_again(training):
    train = training({"epsilon": 0.5})
    rows, theta, _ = course(train())
    snapshot, seen = None, []
    for _ in rows:
        epoch = next(train(resume=snapshot))
        snapshot = epoch.snapshot()
        seen.append(epoch.row())
    assert seen == rows
    assert same(epoch.theta, theta)


@pytest.mark.parametrize("axes", [{}, PATIENCE], ids=["epochs", "patience"])
def test_a_training_at_its_end_has_nothing_more_to_yield(training, axes):
    train = training(axes)
    _, theta, snapshots = course(train())
    assert list(train(resume=snapshots[-1])) == []
    assert same(best_theta(snapshots[-1]), theta)


def test_a_training_shortened_below_the_snapshot_has_nothing_more_to_yield(training):
    snapshot = after(3, training({})())
    assert list(training({"training.epochs": 2})(resume=snapshot)) == []


def test_a_snapshot_stays_as_it_is_while_training_goes_on(training):
    epochs = training({"epsilon": 0.5})()
    snapshot = next(epochs).snapshot()
    bits = save(snapshot)
    assert len(list(epochs)) == 3
    assert save(snapshot) == bits


def test_a_snapshot_stays_as_it_is_while_it_is_resumed(training):
    train = training({"risk.y": "parameter", "epsilon": 0.5})
    snapshot = after(1, train())
    bits = save(snapshot)
    assert len(list(train(resume=snapshot))) == 3
    assert save(snapshot) == bits


def test_to_take_a_snapshot_changes_nothing(training):
    train = training({"epsilon": 0.5})
    assert course(train())[0] == [epoch.row() for epoch in train()]


def test_the_tensors_of_a_snapshot_are_contiguous_and_share_no_memory(training):
    snapshot = after(1, training({"risk.y": "parameter"})())
    assert all(t.is_contiguous() and not t.requires_grad for t in snapshot.values())
    assert len({t.untyped_storage().data_ptr() for t in snapshot.values()}) == len(snapshot)


def test_the_snapshot_of_an_epoch_left_behind_is_refused(training):
    epochs = training({})()
    first = next(epochs)
    next(epochs)
    with pytest.raises(RuntimeError, match=r"epoch 1 cannot be snapshot once epoch 2 has begun"):
        first.snapshot()


def test_the_last_epoch_may_be_snapshot_when_the_training_is_over(training):
    *_, last = training({})()
    assert int(last.snapshot()["epoch"]) == last.epoch


def test_with_a_fresh_random_stream_the_rest_differs(training, preparation):
    train = training({"epsilon": 0.5})
    snapshot = after(2, train())
    state = stream(preparation.seed, "attack", "train").get_state()
    assert course(train(resume={**snapshot, "stream.attack": state}))[0] != course(train())[0][2:]


def test_nothing_in_a_snapshot_is_idle(training):
    # Each entry in turn is replaced by what it was two epochs ago: what follows must change.
    train = training(PATIENCE)
    whole = [(epoch, epoch.snapshot()) for epoch in train()]
    assert [epoch.best for epoch, _ in whole] == [True, True, False, False, False]
    rest = [epoch for epoch, _ in whole[3:]]
    idle = [
        name
        for name, old in whole[0][1].items()
        if not any(starmap(differ, zip_longest(train(resume=whole[2][1] | {name: old}), rest)))
    ]
    assert idle == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda s: {n: t for n, t in s.items() if n != "stream.attack"},
            r"resume is not a snapshot of this study: stream.attack is absent, "
            r"not uint8 \[5056\]; train it from the beginning",
        ),
        (
            lambda s: {**s, "theta.y": torch.tensor(1.0)},
            r"theta.y is float32 \[\], not absent",
        ),
        (
            lambda s: {**s, "best_loss": s["best_loss"].float()},
            r"best_loss is float32 \[\], not float64 \[\]",
        ),
        (
            lambda s: {**s, "exp_avg.layers.1.weight": torch.zeros(8, 9)},
            r"exp_avg.layers.1.weight is float32 \[8, 9\], not float32 \[8, 8\]",
        ),
        (lambda _: {}, "best.layers.0.bias is absent"),
    ],
)
def test_what_is_no_snapshot_of_the_study_is_refused(training, change, message):
    train = training({})
    with pytest.raises(ValueError, match=message):
        next(train(resume=change(after(1, train()))))


def test_a_snapshot_of_another_network_is_refused(training, study, preparation):
    snapshot = after(1, training({})())
    wider = study.with_axes({"network.hidden": [8, 16]})
    theta_0 = initialise((8, 16), generator=stream(0, "theta_0"))
    ticket = replace(draw_ticket(study, preparation), theta=theta_0, mask={})
    message = r"best.layers.1.bias is float32 \[8\], not float32 \[16\]"
    with pytest.raises(ValueError, match=message):
        next(train_ticket(wider, preparation, ticket, resume=snapshot))
