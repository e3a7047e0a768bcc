"""The plain script that a sweep is compared with: the same hedging problem, and a smoke test."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from benchmarks.complete import assert_complete

import search_spaces
from benchmarks import plain_hedge, plain_sweep
from benchmarks.whole_sweep import RATES, SHIPPED, STOCK, whole_sweep
from hedgecore.attacks.balls import PathBall
from hedgecore.attacks.pathwise import Effort, fgsm
from hedgecore.config import from_mapping
from hedgecore.hedging.features import Standardisation
from hedgecore.hedging.markets import simulated
from hedgecore.hedging.problem import HedgingProblem, Scene
from hedgecore.hedging.study import TicketStudy
from hedgecore.pruning.criteria import find_mask
from hedgecore.risk import CVaR, risk
from hedgecore.rng import stream
from hedgecore.training.schedule import learning_rate

PATHS = 512


@pytest.fixture(scope="module")
def shipped():
    return search_spaces.load(Path(search_spaces.__file__).parent / "tickets.yaml")


@pytest.fixture(scope="module")
def study(shipped):
    return from_mapping(TicketStudy, shipped.study)


@pytest.fixture(scope="module")
def paths():
    return plain_hedge.simulate(PATHS, 1)


@pytest.fixture
def hedge(paths):
    return plain_hedge.Hedge(64, paths, 0)


@pytest.fixture
def problem(study, hedge):
    none = torch.zeros(3)
    scales = torch.cat([hedge.mean, none]), torch.cat([hedge.sd, none + 1])
    return HedgingProblem.of(study, Standardisation(*scales))


def theta(hedge):
    return {name: value.detach() for name, value in hedge.named_parameters()}


def test_the_script_has_the_axes_and_settings_of_the_space(shipped, study):
    axes = {name: axis.values for name, axis in shipped.space.items()}
    assert axes["sparsity"] == plain_sweep.SPARSITIES
    assert axes["epsilon"] == plain_sweep.EPSILONS
    assert axes["lr"] == RATES
    market, training, sizes = study.market, study.training, plain_hedge.Sizes()
    assert (market.train_paths, market.val_paths, market.test_paths) == sizes[1:4]
    assert (training.epochs, training.batch_size) == (sizes.epochs, sizes.batch)
    assert study.network.hidden == (sizes.hidden, sizes.hidden)
    assert (training.clip_norm, training.lr_min) == (plain_hedge.CLIP, plain_hedge.LAST_LR)
    assert study.dense.lr == plain_sweep.DENSE_LR
    assert study.risk.tail == plain_hedge.TAIL
    asha = shipped.scheduler
    assert (asha.grace_period, asha.reduction_factor) == (plain_sweep.GRACE, plain_sweep.REDUCTION)
    assert tuple(STOCK["stratify_by"]) == asha.stratify_by
    assert (STOCK["grace_period"], STOCK["reduction_factor"]) == (
        asha.grace_period,
        asha.reduction_factor,
    )
    evaluation = dict(SHIPPED["study.evaluation"])
    # The peer interprets no ticket.
    assert evaluation.pop("interpreted_paths") == study.evaluation.interpreted_paths
    assert evaluation == {
        "path_pgd": [plain_hedge.TEST_EPSILON],
        "steps": plain_hedge.TEST_STEPS,
    }


def test_both_markets_are_the_same(study):
    count = 20_000
    plain = plain_hedge.simulate(count, 0)
    ours = simulated(study, study.market.heston, count, 0, "plain")
    for a, b in ((plain.spot, ours.spot), (plain.variance, ours.variance)):
        assert torch.equal(a[:, 0], b[:, 0])
        error = ((a.var(dim=0) + b.var(dim=0)) / count).sqrt()
        assert (a.mean(dim=0) - b.mean(dim=0)).abs().le(4.5 * error).all()
        assert torch.allclose(a.std(dim=0)[1:], b.std(dim=0)[1:], rtol=0.1)


@pytest.mark.parametrize("sparsity", [0.0, 0.9])
def test_both_hedges_have_the_same_pnl_and_loss(hedge, problem, paths, sparsity):
    hedge.prune(hedge.state_dict(), sparsity)
    kept = dict(zip(("layers.0.weight", "layers.1.weight"), hedge.masks, strict=False))
    masked = {name: value * kept.get(name, 1) for name, value in theta(hedge).items()}
    pnl = problem.outcome(masked, Scene(*paths)).pnl
    assert torch.allclose(hedge(paths), pnl, atol=1e-4)
    loss = plain_hedge.cvar_loss(hedge(paths)).detach()
    assert float(loss) == pytest.approx(float(risk(CVaR(0.05), pnl)), rel=1e-5)


def test_both_keep_the_same_weights(hedge):
    hedge.prune(hedge.state_dict(), 0.9)
    names = ["layers.0.weight", "layers.1.weight"]
    mask = find_mask(
        "magnitude",
        theta(hedge),
        names,
        sparsity=0.9,
        scope="global",
        min_kept=1,
        loss=lambda theta: torch.zeros(()),
        generator=stream(0, "mask"),
    )
    for name, plain in zip(names, hedge.masks, strict=False):
        assert torch.equal(plain.bool(), mask[name])


def test_both_attacks_move_paths_alike(hedge, paths, problem):
    def loss(spot, variance):
        return -problem.outcome(theta(hedge), Scene(spot, variance)).pnl

    ball, effort = PathBall(epsilon=0.1), Effort(verify=False)
    ours = fgsm(loss, tuple(paths), ball, effort=effort, generator=stream(0, "attack"))
    ours = ball.project(ours, around=tuple(paths))
    plain = plain_hedge.step(hedge, paths, paths, 0.1, 1.0)
    for a, b in zip(plain, ours, strict=True):
        # A derivative of nearly 0 has a sign of its own in each.
        assert torch.isclose(a, b, atol=1e-5).float().mean() > 0.99


def test_the_rate_of_every_epoch_is_that_of_the_study(study):
    parameter = torch.nn.Parameter(torch.zeros(1))
    training = replace(study.training, lr=5e-3, epochs=12)
    optimiser = torch.optim.Adam([parameter], lr=training.lr)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, 12, plain_hedge.LAST_LR)
    for turn in range(12):
        assert schedule.get_last_lr()[0] == pytest.approx(learning_rate(training, turn))
        optimiser.step()
        schedule.step()


def test_the_test_under_attack_is_worse_than_the_clean_one(hedge, paths):
    tested = plain_hedge.test(hedge, paths, 0)
    assert tested["attacked_cvar"] < tested["cvar"]


def test_the_loop_trains_every_ticket():
    sizes = plain_hedge.Sizes(epochs=1, train=64, val=64, test=64, hidden=4, batch=64)
    assert len(plain_sweep.run_loop(sizes, [5e-3, 1e-3])) == 2


@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.parametrize(
    ("sides", "epochs", "rates"),
    [(("tune", "loop", "cores"), 3, 1), (("asha", "stock_asha"), 9, 1)],
    ids=["every trial to its end", "early stopping"],
)
def test_whole_sweeps_are_compared(sides, epochs, rates):
    sizes = {"epochs": epochs, "train": 1024, "val": 256, "test": 256, "batch": 64}
    figures = whole_sweep(sizes, rates=RATES[:rates], sides=sides, rounds=1)
    assert len(figures) == len(sides)
    assert_complete(figures)
