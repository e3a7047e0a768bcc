"""Parameters that change the market or the measure form separate groups."""

import math

import pytest
from printed import numbers

from analysis import best_lr, max_efficient_sparsity, sparsity_passes, summary
from analysis.configurations import problem_axes
from analysis.figures import (
    NothingToDraw,
    convergence_speed,
    cvar_against_remaining,
    render,
    save,
    sharpe_against_remaining,
)
from analysis.tickets.efficiency_findings import efficient
from analysis.wording import learning_rates, setting

pytestmark = pytest.mark.usefixtures("drawn_small")

CALM, WILD = 0.1, 0.5


@pytest.fixture
def markets(table):
    """Two sparsities in a calm and a wild market, whose dense networks have CVaR -3 and -5.

    In the calm market both pass; in the wild one 90 % loses 1.0 and fails. The calm market has the
    lower risk and the faster rate everywhere.
    """
    losses = {(CALM, 0.5): 0.0, (CALM, 0.9): 0.1, (WILD, 0.5): 0.1, (WILD, 0.9): 1.0}
    rows, xi = [], []
    for (market, sparsity), loss in losses.items():
        dense = -3.0 if market == CALM else -5.0
        rows += [
            {
                "sparsity": sparsity,
                "seed": seed,
                "lr": 1e-3 if market == CALM else 5e-4,
                "val_loss": -dense,
                "epochs_to_95pct": 4 if market == CALM else 8,
                "cvar_05": dense - loss + 0.001 * (seed - 2),
                "cvar_05_minus_dense_se": 0.001,
                "dense_cvar_05": dense,
            }
            for seed in range(5)
        ]
        xi += [market] * 5
    return table(*rows).assign(**{"config/market.xi": xi})


def test_market_option_cost_risk_and_evaluation_are_the_problem_and_training_is_not():
    names = ["market.xi", "option.strike", "cost.proportional", "risk.tail", "evaluation.steps"]
    assert problem_axes(["lr", *names, "study.batch", "marketing", "training.lr"]) == names


def test_the_easiest_market_wins_nothing(markets):
    rows = summary(markets)
    assert rows["market.xi"].tolist() == [CALM, CALM, WILD, WILD]
    assert rows["sparsity"].tolist() == [0.5, 0.9, 0.5, 0.9]
    assert rows["cvar_05"].tolist() == pytest.approx([-3.0, -3.1, -5.1, -6.0])


def test_every_market_has_its_own_best_rate(markets):
    best = best_lr(markets)
    assert best["market.xi"].tolist() == [CALM, WILD] * 2
    assert best["lr"].tolist() == [1e-3, 5e-4] * 2
    second = learning_rates(best)[1]
    assert numbers(second)[:4] == [50, 0, WILD, 5e-4], "sparsity, epsilon, market.xi, rate"
    assert "market.xi 0.5:" in second
    assert best_lr(markets, by=("market.xi",))["epochs_to_95pct"].tolist() == [4.0, 8.0]


def test_every_market_has_its_own_margin_and_its_own_ladder(markets):
    passes = sparsity_passes(markets)
    assert passes["margin"].tolist() == pytest.approx([-0.15, -0.15, -0.25, -0.25])
    assert passes["efficient"].tolist() == [True, True, True, False]
    answer = max_efficient_sparsity(markets)
    assert answer["market.xi"].tolist() == [CALM, WILD]
    assert answer["max_efficient_sparsity"].tolist() == [0.9, 0.5]
    second = efficient(answer, tolerance=0.05, confidence=0.95)[1]
    assert numbers(second)[:3] == [0, WILD, 50], "epsilon, market.xi, sparsity"


def test_a_failure_in_one_market_does_not_end_the_claim_in_the_next(markets):
    # Wild first in the order of rows: 0.1 for it, 0.5 for the calm one.
    turned = markets.assign(**{"config/market.xi": CALM + WILD - markets["config/market.xi"]})
    answer = max_efficient_sparsity(turned)
    assert answer["max_efficient_sparsity"].tolist() == [0.5, 0.9]


def test_words_are_problem_values_too(table):
    trials = table({"val_loss": 1.0}, {"val_loss": 9.0})
    trials["config/risk.name"] = ["cvar", "entropic"]
    assert summary(trials)["risk.name"].tolist() == ["cvar", "entropic"]


@pytest.mark.parametrize("draw", [cvar_against_remaining, sharpe_against_remaining])
def test_two_markets_are_not_drawn_into_one_figure(markets, draw):
    with pytest.raises(NothingToDraw, match=r"2 problems, .*\(market.xi 0.1; market.xi 0.5\)"):
        render(lambda ax: draw(markets, ax))


def test_two_markets_are_not_drawn_into_one_row_of_bars(markets):
    with pytest.raises(NothingToDraw, match="2 problems"):
        render(lambda ax: convergence_speed(markets, ax, sparsity=0.5, epsilon=0.0))


def test_one_market_is_drawn_with_its_name_and_its_own_dense_network(markets):
    wild = markets[markets["config/market.xi"] == WILD]
    ax = render(lambda ax: cvar_against_remaining(wild, ax)).axes[0]
    assert ax.get_title(loc="left").endswith("\nmarket.xi 0.5")
    (dashed,) = [line for line in ax.get_lines() if line.get_linestyle() == "--"]
    assert dashed.get_ydata() == pytest.approx([-5.0, -5.0])


def test_every_market_has_its_own_folder_of_figures(markets, tmp_path):
    saved = save(tmp_path, markets)
    assert saved.skipped == ()
    for folder in ("market.xi_0.1", "market.xi_0.5"):
        for name in ("cvar_against_remaining", "sharpe_against_remaining", "convergence_speed"):
            assert (tmp_path / "figures" / folder / f"{name}.png").is_file()


def test_more_markets_than_folders_are_counted(table, tmp_path):
    trials = table(*({"sparsity": 0.5, "status": "failed"} for _ in range(8)))
    trials["config/market.xi"] = [0.1 * i for i in range(8)]
    saved = save(tmp_path, trials)
    assert [8, 6] in [numbers(line) for line in saved.skipped]


def test_a_market_that_a_trial_does_not_name_is_a_problem_of_its_own(markets):
    markets.loc[10:, "config/market.xi"] = math.nan
    rows = summary(markets)
    assert rows["market.xi"].isna().tolist() == [False, False, True, True]
    assert max_efficient_sparsity(markets)["max_efficient_sparsity"].tolist() == [0.9, 0.5]


def test_an_axis_that_no_trial_of_a_group_has_is_named_all_the_same():
    assert setting({"cost.first_trade": None}) == "cost.first_trade unset"
    assert setting({"market.xi": 0.1, "cost.first_trade": None}) == "market.xi 0.1"
    assert setting({}) == ""
