"""The table of every learning rate: marks, means, and configurations that carry none."""

import numpy as np
import pandas as pd
import pytest

import analysis
from analysis import best_lr, learning_rates
from analysis.terminal import console
from analysis.tickets import learning_rate_table
from tests.analysis.test_best_lr import seeds


def marks(rows: pd.DataFrame) -> dict[float, str]:
    return dict(zip(rows["lr"], rows["mark"], strict=True))


def test_the_fastest_is_best_a_slower_one_ok_and_one_without_the_criterion_nc(table):
    rows = [*seeds(1e-3, [10, 12]), *seeds(5e-4, [15, 15]), *seeds(1e-4, [3, None])]
    rates = learning_rates(table(*rows))
    assert marks(rates) == {1e-3: "BEST", 5e-4: "OK", 1e-4: "NC"}
    assert rates["lr"].tolist() == [1e-3, 5e-4, 1e-4]
    assert rates["converged"].tolist() == [2, 2, 1]
    assert rates["epochs_to_95pct"].tolist()[:2] == [11.0, 15.0]
    assert np.isnan(rates["epochs_to_95pct"].iloc[2])


def test_best_agrees_with_the_best_learning_rate_of_every_group(grid, table):
    trials = table(*grid)
    rates, best = learning_rates(trials), best_lr(trials)
    chosen = rates[rates["mark"].eq("BEST")]
    keys = ["sparsity", "epsilon", "lr", "epochs_to_95pct"]
    assert sorted(map(tuple, chosen[keys].to_numpy())) == sorted(
        map(tuple, best[keys].astype(float).to_numpy())
    )


@pytest.mark.parametrize("status", ["stopped", "failed", "running"])
def test_a_configuration_that_lacks_a_seed_is_marked_and_not_averaged(status, table):
    lucky = seeds(1e-2, [1], cvar_05=-1.0)
    rest = [
        row | {"seed": seed, "status": status}
        for seed, row in enumerate(seeds(1e-2, [1, 1, 1, 1]), start=1)
    ]
    rates = learning_rates(table(*lucky, *rest, *seeds(1e-3, [9] * 5)))
    assert marks(rates) == {
        1e-2: {"running": "unfinished"}.get(status, status),
        1e-3: "BEST",
    }
    censored = rates.iloc[0]
    assert censored[["epochs_to_95pct", "cvar_05", "sharpe_ratio"]].isna().all()
    assert censored["seeds"] == 1
    assert censored[["completed", "trials"]].tolist() == [1, 5]


def test_a_seed_that_never_started_leaves_a_configuration_unfinished(table):
    rates = learning_rates(table(*seeds(1e-2, [2]), *seeds(1e-3, [9, 9])))
    assert marks(rates) == {1e-2: "unfinished", 1e-3: "BEST"}


def test_an_undefined_cvar_at_one_seed_leaves_no_mean_of_the_others(table):
    trials = table(*seeds(1e-3, [9, 9]))
    trials.loc[1, "cvar_05"] = float("nan")
    assert np.isnan(learning_rates(trials)["cvar_05"].iloc[0])


def test_means_have_intervals_from_three_seeds_on(table):
    rows = [row | {"cvar_05": -3.0 + 0.1 * i} for i, row in enumerate(seeds(1e-3, [9, 10, 11]))]
    three = learning_rates(table(*rows)).iloc[0]
    assert three["cvar_05"] == pytest.approx(-2.9)
    assert three["cvar_05_low"] < -2.9 < three["cvar_05_high"]
    assert three["epochs_to_95pct_low"] < 10 < three["epochs_to_95pct_high"]
    assert np.isnan(learning_rates(table(*rows[:2])).iloc[0]["cvar_05_low"])


def test_controls_are_no_learning_rates_of_the_ticket(table):
    trials = table(*seeds(1e-3, [9]), *seeds(1e-2, [2]))
    trials["config/ticket"] = pd.Series(["lottery", "random_mask"], dtype="string")
    assert learning_rates(trials)["lr"].tolist() == [1e-3]


def test_an_empty_sweep_has_an_empty_table_with_its_columns(table):
    rates = learning_rates(table(*seeds(1e-3, [9])).iloc[:0])
    assert rates.empty
    assert {"mark", "cvar_05_low", "stopped"} <= set(rates.columns)


def test_the_printed_table_fits_a_narrow_terminal(grid, table):
    rates = learning_rates(table(*grid))
    for width in (60, 120):
        printed = console()
        printed.width = width
        with printed.capture() as capture:
            printed.print(learning_rate_table.learning_rates(rates, width=width))
        lines = [line for line in capture.get().splitlines() if "BEST" in line and "%" in line]
        assert len(lines) >= 10
        assert max(map(len, lines)) <= width
    assert analysis.learning_rates is learning_rates
