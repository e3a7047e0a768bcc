"""A seed of the problem without a trial in one configuration, which is lacking there."""

import numpy as np
import pandas as pd
import pytest

import analysis
from analysis.contrast import BETTER, OPEN
from tests.simulated_tickets import World, frame
from tests.ticket_claims import trials

WORLD = World(seeds=5, noise="normal", effect=0.0)
NOISE = 0.01 * np.array([0.0, 1.0, -1.0, 2.0, -2.0])


def sweep(*configurations, absent=None):
    """Trials of ``configurations``, without the seed 4 of the last of them if ``absent``."""
    rows = [row for values, axes in configurations for row in trials(values, **axes)]
    return frame(rows[:-1] if absent else rows, WORLD, np.random.default_rng(0))


@pytest.mark.parametrize(("absent", "verdict"), [(False, BETTER), (True, OPEN)])
def test_controls_of_fewer_seeds_have_no_verdict(absent, verdict):
    ticket = {"sparsity": 0.9, "ticket": "lottery"}
    control = {"sparsity": 0.9, "ticket": "random_mask"}
    table = sweep((NOISE - 3.0, ticket), (2.0 * NOISE - 4.0, control), absent=absent)
    row = analysis.controls(table).set_index("kind").loc["random_mask"]
    assert (row["verdict"], row["lacking"]) == (verdict, int(absent))
    assert pd.isna(row["difference_low"]) == absent


@pytest.mark.parametrize("absent", [False, True])
def test_sparsities_of_fewer_seeds_are_undecided(absent):
    full = {"sparsity": 0.5}, {"sparsity": 0.9}
    table = sweep((NOISE - 2.0, full[0]), (NOISE - 2.0, full[1]), absent=absent)
    row = analysis.sparsity_passes(table).set_index("sparsity").loc[0.9]
    assert pd.isna(row["passes"]) == absent
    assert (row["seeds_lacking"], row["seeds_awaited"]) == (int(absent), int(absent))


@pytest.mark.parametrize("absent", [False, True])
def test_budgets_of_fewer_seeds_have_no_test(absent):
    dense = {"sparsity": 0.0, "ticket": None}
    rates = {"dense__lr": 1e-3, "lr": 1e-2}
    table = sweep(
        *((NOISE - 3.0, dense | rates | {"training__epochs": n}) for n in (5, 10)),
        *(
            (
                2.0 * NOISE - 3.0,
                {"sparsity": 0.8, "ticket": "lottery"} | rates | {"training__epochs": n},
            )
            for n in (10, 5)
        ),
        absent=absent,
    )
    curves = analysis.budget_curves(table, {"study": {"dense": {"epochs": 10}}})
    row = curves[curves["kind"].eq("lottery") & curves["training.epochs"].eq(5)].iloc[0]
    assert row["whole"] != absent
    assert pd.isna(row["less_retrained_as_long_p"]) == absent


def test_differences_that_cancel_need_no_number_of_seeds():
    values = np.array([0.1, 0.2, -0.3])
    assert values.sum() != 0.0
    assert analysis.more_seeds(values) is None


def test_the_size_of_a_tiny_effect_is_that_of_the_normal_test():
    assert analysis.paired_size(1e-5) == pytest.approx(7.849e10, rel=1e-3)
