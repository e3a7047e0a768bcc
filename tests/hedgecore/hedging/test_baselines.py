import math
from functools import cache

import pytest
import torch

from hedgecore.hedging.baseline_hedges import NO_TRADE_BAND, BaselineHedges
from hedgecore.hedging.evaluate import attacked_cvar, measured
from hedgecore.hedging.features import Standardisation
from hedgecore.hedging.markets import market_data
from hedgecore.hedging.prepare import prepare
from hedgecore.hedging.study import TicketStudy
from hedgecore.market.heston import simulate
from hedgecore.market.pricing import heston_call
from hedgecore.risk import cvar, cvar_influence, standard_error
from hedgecore.rng import stream

PATHS = 20_000
NAMES = (
    *("no_hedge", "static", "bs_delta_initial", "bs_delta_current", "heston_delta"),
    *("minimum_variance", NO_TRADE_BAND),
)
AS_THEY_ARE = Standardisation(mean=torch.zeros(8), sd=torch.ones(8))


def study(**cost):
    return TicketStudy().with_axes({f"cost.{name}": value for name, value in cost.items()})


@pytest.fixture(scope="module")
def paths():
    market = TicketStudy().market
    return simulate(
        market.heston,
        paths=PATHS,
        steps=market.steps,
        maturity=market.maturity,
        generator=stream(0, "baselines"),
    )


@pytest.fixture(scope="module")
def hedge(paths):
    """Outcomes on the paths of a named hedge of a study; the hedges of a study are made once."""

    @cache
    def problems(study):
        data = {"val": paths, "test": paths}
        return BaselineHedges.of(study, AS_THEY_ARE, data).problems

    return lambda name, study: problems(study)[name].outcomes({}, paths)


@pytest.mark.parametrize(
    ("name", "cost", "mean", "sd", "tail"),
    # Mean, sd and CVaR 5 % of independent runs over a million paths, no financing.
    [
        ("bs_delta_initial", 0.0, -1.5032, 0.5602, -2.9663),
        ("bs_delta_initial", 1e-3, -1.7750, 0.5922, -3.3651),
        ("bs_delta_current", 0.0, -1.4988, 0.5539, -2.8065),
        ("bs_delta_current", 1e-3, -1.7794, 0.5529, -3.0976),
    ],
)
def test_black_scholes_hedges_have_their_reference_values(hedge, name, cost, mean, sd, tail):
    pnl = hedge(name, study(proportional=cost)).pnl
    assert abs(float(pnl.mean()) - mean) < 4 * sd / math.sqrt(PATHS)
    assert float(pnl.std()) == pytest.approx(sd, rel=0.02)
    error = float(standard_error(cvar_influence(pnl, tail=0.05)))
    assert abs(float(cvar(pnl, tail=0.05)) - tail) < 4 * error


@pytest.mark.parametrize("name", NAMES)
def test_with_financing_and_no_cost_every_hedge_earns_minus_the_price(hedge, paths, name):
    fair = study(proportional=0.0, financing=True)
    pnl = hedge(name, fair).pnl
    price = heston_call(fair.market.heston, strike=100.0, maturity=fair.market.maturity)
    assert abs(float(pnl.mean()) + price) < 4 * float(pnl.std()) / math.sqrt(PATHS)
    sharpe = measured(fair, hedge(name, fair), paths)["sharpe_ratio"]
    assert abs(sharpe) < 4 / math.sqrt(PATHS)


def test_the_minimum_variance_delta_has_the_smallest_variance(hedge):
    free = study(proportional=0.0)
    spread = {name: float(hedge(name, free).pnl.std()) for name in NAMES[:-1]}
    assert min(spread, key=spread.__getitem__) == "minimum_variance"
    assert max(spread, key=spread.__getitem__) == "no_hedge"


def test_baselines_follow_the_dtype_of_the_paths(paths):
    small = paths.to(dtype=torch.float32)
    made = BaselineHedges.of(TicketStudy(), AS_THEY_ARE, {"val": small, "test": small})
    assert made.problems["minimum_variance"].outcomes({}, small).pnl.dtype == torch.float32


TESTED = TicketStudy().with_axes(
    {
        **{f"market.{split}_paths": 400 for split in ("train", "val", "test")},
        "training.batch_size": 100,
        "evaluation.attacked_paths": 200,
        "evaluation.path_pgd": (0.1, 0.5),
        "evaluation.path_noise": (0.5,),
        "evaluation.observation_pgd": (0.5,),
        "evaluation.distribution_wbpgd": (0.1,),
        "evaluation.regimes": ("extreme",),
    }
)


@pytest.fixture(scope="module")
def data():
    return market_data(TESTED, seed=0)


@pytest.fixture(scope="module")
def hedges(data):
    return BaselineHedges.of(TESTED, AS_THEY_ARE, data)


@pytest.fixture(scope="module")
def rows(hedges, data):
    assert data["test"].paths == 400
    return hedges.metrics(data, seed=0)


def test_every_hedge_is_tested_under_every_threat(rows):
    places = {
        *(f"attacked_cvar_05@{name}" for name in TESTED.evaluation.attacks),
        *("cvar_05@regime:extreme", "cvar_05_of_price@regime:extreme"),
    }
    assert set(rows) == set(NAMES)
    for metrics in rows.values():
        assert places <= metrics.keys()
        assert all(math.isfinite(metrics[place]) for place in places)


@pytest.mark.parametrize("name", NAMES)
def test_harm_grows_with_the_budget_and_exceeds_that_of_noise(rows, name):
    row = rows[name]
    weak, strong = (row[f"attacked_cvar_05@path_pgd:{e}"] for e in ("0.1", "0.5"))
    assert strong < weak
    assert strong < row["attacked_cvar_05@path_noise:0.5"]


@pytest.mark.parametrize("name", ["no_hedge", "static"])
def test_an_attack_on_observations_cannot_harm_a_hedge_that_reads_nothing(hedges, data, name):
    problem = hedges.problems[name]
    attack = TESTED.evaluation.attacks["observation_pgd:0.5"]
    attacked = attacked_cvar(problem, {}, data["test"], attack=attack, seed=0)
    pnl = problem.outcomes({}, data["test"]).pnl[:200]
    assert attacked == pytest.approx(float(cvar(pnl.double(), tail=0.05)), abs=1e-9)


@pytest.mark.parametrize("name", NAMES[2:])
def test_no_more_steps_or_restarts_change_the_attacked_cvar_much(hedges, data, name):
    # A gradient that the table or the band masked would leave the weak attack far behind.
    problem = hedges.problems[name]
    values = []
    for steps, restarts in ((10, 1), (40, 2)):
        more = {"evaluation.steps": steps, "evaluation.restarts": restarts}
        attack = TESTED.with_axes(more).evaluation.attacks["path_pgd:0.1"]
        values.append(attacked_cvar(problem, {}, data["test"], attack=attack, seed=0))
    assert values[1] == pytest.approx(values[0], rel=0.03)


def test_a_hedge_without_weights_has_its_clean_pnl_at_budget_0(hedges, data):
    problem = hedges.problems["minimum_variance"]
    attack = TESTED.with_axes({"evaluation.path_pgd": (0.0,)}).evaluation.attacks["path_pgd:0"]
    attacked = attacked_cvar(problem, {}, data["test"], attack=attack, seed=0)
    pnl = problem.outcomes({}, data["test"]).pnl[:200]
    assert attacked == float(cvar(pnl.double(), tail=0.05))


@pytest.mark.slow
def test_a_dense_network_beats_the_minimum_variance_delta_on_cvar_at_10_basis_points():
    small = TicketStudy().with_axes({"training.epochs": 20, "dense.lr": 5e-3})
    made = prepare(small, seed=0)
    hedges = BaselineHedges.of(small, made.standardisation, made.data)
    benchmark = hedges.problems["minimum_variance"].outcomes({}, made.data["test"]).pnl
    ahead = float(cvar(made.dense_pnl, tail=0.05) - cvar(benchmark, tail=0.05))
    influence = cvar_influence(made.dense_pnl, tail=0.05) - cvar_influence(benchmark, tail=0.05)
    assert ahead > 3 * float(standard_error(influence))
