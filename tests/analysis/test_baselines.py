import json
import math

import pandas as pd
import pytest
from click.testing import CliRunner
from printed import section

from analysis import baselines
from analysis.__main__ import main
from analysis.tickets import terminal_tables

pytestmark = pytest.mark.usefixtures("drawn_small")


def metrics(cvar, **more):
    found = {
        "cvar_05": cvar,
        "cvar_05_se": 0.06,
        "pnl_std": 2.0,
        "turnover": 1.0,
        "cost_paid": 0.1,
    }
    return found | more


def manifest(*preparations):
    """Each is its seed, as in the trials' data_sha256, and its baselines."""
    return {
        "name": "tickets_test",
        "preparations": {
            f"p{i}": {"seed": seed, "data_sha256": f"{seed:064x}", "baselines": found}
            for i, (seed, found) in enumerate(preparations)
        },
    }


TWO = manifest(
    (0, {"no_hedge": metrics(-7.0), "minimum_variance": metrics(-2.9, turnover=3.0)}),
    (1, {"no_hedge": metrics(-8.0), "minimum_variance": metrics(-3.0, turnover=5.0)}),
)


def test_a_baseline_is_its_mean_over_preparations(table):
    rows = baselines(table({"seed": 0}, {"seed": 1}), TWO).set_index("hedge")
    assert rows.loc["no_hedge", "cvar_05"] == pytest.approx(-7.5)
    assert rows.loc["minimum_variance", "turnover"] == pytest.approx(4.0)
    assert rows["preparations"].tolist() == [2, 2, 2]


def test_the_error_is_that_of_a_mean_over_independent_paths(table):
    same = manifest(*((seed, {"static": metrics(-7.0)}) for seed in range(4)))
    rows = baselines(table({}), same).set_index("hedge")
    assert rows.loc["static", "cvar_05_se"] == pytest.approx(0.06 / 2)


def test_the_best_cvar_comes_first_and_the_dense_network_stands_among_them(table):
    rows = baselines(table({"seed": 0}, {"seed": 1}), TWO)
    assert rows["hedge"].tolist() == ["minimum_variance", "dense", "no_hedge"]


def test_the_dense_network_counts_once_a_seed_and_what_it_lacks_is_null(table):
    easy = {"seed": 0, "dense_cvar_05": -2.0, "dense_pnl_std": 0.5}
    hard = {"seed": 1, "dense_cvar_05": -4.0, "dense_pnl_std": 0.7}
    dense = baselines(table(easy, easy, easy, hard), TWO).set_index("hedge").loc["dense"]
    assert (dense["cvar_05"], dense["pnl_std"]) == pytest.approx((-3.0, 0.6))
    assert math.isnan(dense["turnover"])


def test_names_are_words_and_unknown_ones_stay(table):
    keys = ["heston_delta", "bs_delta_current", "bs_delta_initial", "static", "sabr_delta"]
    found = {key: metrics(-7.0 - i) for i, key in enumerate(keys)}
    rows = baselines(table({}), manifest((0, found)))
    assert rows["hedge"].tolist() == ["dense", *keys]
    named = rows["name"].str.contains(" ")
    assert named.tolist() == [True] * 4 + [False] * 2
    assert rows["name"].is_unique
    assert rows["name"].tolist()[-2:] == keys[-2:]


@pytest.mark.parametrize(
    "old", [{}, {"preparations": {"p0": {"seed": 0}}}, {"preparations": None}, manifest((0, {}))]
)
def test_an_older_manifest_has_none(table, old):
    assert baselines(table({}), old).empty


def test_a_metric_that_was_not_recorded_is_null_and_sorts_last(table):
    found = {"static": {"pnl_std": 1.0, "cvar_05": None}, "no_hedge": metrics(-7.0)}
    rows = baselines(table({}), manifest((0, found)))
    assert rows["hedge"].tolist() == ["dense", "no_hedge", "static"]
    assert rows["cvar_05"].isna().tolist() == [False, False, True]


def test_every_market_has_the_baselines_of_its_own_paths(table):
    trials = table({"seed": 0}, {"seed": 1, "dense_cvar_05": -5.0})
    trials["config/market.xi"] = [0.1, 0.5]
    rows = baselines(trials, TWO)
    none = rows[rows["hedge"] == "no_hedge"]
    assert (none["market.xi"].tolist(), none["cvar_05"].tolist()) == ([0.1, 0.5], [-7.0, -8.0])
    dense = rows[rows["hedge"] == "dense"]
    assert dense["cvar_05"].tolist() == [-3.0, -5.0]


def test_problems_on_equal_paths_with_unequal_baselines_are_not_mixed(table):
    trials = table({}, {}).assign(**{"config/cost.proportional": [0.0, 0.01]})
    costs = manifest((0, {"static": metrics(-7.0)}), (0, {"static": metrics(-8.0)}))
    assert baselines(trials, costs).empty


ATTACKED, CALM = "attacked_cvar_05@path_pgd:0.1", "cvar_05@regime:calm"
THREATENED = {
    "no_hedge": metrics(-7.0, **{ATTACKED: -7.1, CALM: -7.2}),
    "no_trade_band": metrics(-2.9, **{ATTACKED: -3.3, CALM: -2.8}, band_scale=0.2, band_floor=0.1),
}


def test_every_hedge_has_its_cvar_under_attack_and_in_other_markets(table):
    trials = table({}).assign(**{f"dense_{ATTACKED}": -3.5, f"dense_{CALM}": -3.0})
    rows = baselines(trials, manifest((0, THREATENED))).set_index("hedge")
    assert rows.loc[["no_hedge", "no_trade_band", "dense"], ATTACKED].tolist() == [
        -7.1,
        -3.3,
        -3.5,
    ]
    assert rows.loc[["no_hedge", "no_trade_band", "dense"], CALM].tolist() == [-7.2, -2.8, -3.0]
    assert rows["band_scale"].isna().tolist() == [False, True, True]


def test_only_the_ambiguous_metrics_of_shared_paths_are_null(table):
    trials = table({}, {}).assign(**{"config/evaluation.steps": [5, 10]})
    stronger = {hedge: m | {ATTACKED: m[ATTACKED] - 1} for hedge, m in THREATENED.items()}
    rows = baselines(trials, manifest((0, THREATENED), (0, stronger)))
    rows = rows[rows["hedge"] == "no_trade_band"]
    assert rows["cvar_05"].tolist() == [-2.9, -2.9]
    assert rows[CALM].tolist() == [-2.8, -2.8]
    assert rows[ATTACKED].isna().all()


def test_the_terminal_table_has_a_row_per_threat_and_the_best_hedges_that_fit(table):
    rows = baselines(table({}), manifest((0, THREATENED)))
    (wide,), (narrow,) = (terminal_tables.threatened(rows, width=width) for width in (120, 36))
    assert len(wide.rows) == len(narrow.rows) == 2
    assert len(wide.cells) == 4
    assert len(narrow.cells) < 4
    assert terminal_tables.threatened(rows.drop(columns=[ATTACKED, CALM]), width=120) == []


def test_problems_that_the_baselines_do_not_depend_on_share_them(table):
    trials = table({}, {}).assign(**{"config/evaluation.steps": [5, 10]})
    shared = manifest((0, {"static": metrics(-7.0)}), (0, {"static": metrics(-7.0)}))
    rows = baselines(trials, shared)
    assert rows.loc[rows["hedge"] == "static", "cvar_05"].tolist() == [-7.0, -7.0]


def test_the_report_prints_and_writes_them(table, write, tmp_path):
    trials = table({"seed": 0, "sparsity": 0.5}, {"seed": 1, "sparsity": 0.5})
    storage = write(tmp_path, trials)
    (storage / "manifest.json").write_text(json.dumps(TWO), encoding="utf-8")
    said = CliRunner().invoke(main, ["report", str(storage)], catch_exceptions=False).output
    names = ["minimum-variance delta", "dense network (trained)", "no hedge"]
    places = [said.index(name, said.index("need no training")) for name in names]
    assert places == sorted(places)
    assert str(storage / "report/baselines.csv") in section(said, "Files")
    read = pd.read_csv(storage / "report/baselines.csv")
    assert read["cvar_05"].tolist() == pytest.approx([-2.95, -3.0, -7.5])


def test_a_report_without_baselines_has_no_such_table(table, write, tmp_path):
    storage = write(tmp_path, table({"sparsity": 0.5}))
    said = CliRunner().invoke(main, ["report", str(storage)], catch_exceptions=False).output
    assert "need no training" not in said
    assert not (storage / "report/baselines.csv").exists()
