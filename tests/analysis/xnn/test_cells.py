import faked_xnn
import faked_xnn_files
import pandas as pd
import pytest

from analysis import ColumnError, interval
from analysis.sweep import Sweep
from analysis.xnn import best, cells, members, plain_of, spelled_out
from analysis.xnn.selection import held_out

METHODS = ("alignment", "double_step", "none")


def at(table, **values):
    for name, value in values.items():
        table = table[table[name].eq(value)]
    (row,) = (row for _, row in table.iterrows())
    return row


def test_there_is_a_cell_for_every_configuration_but_the_seed(sweep):
    table = cells(sweep())
    assert len(table) == 3 * 2
    assert table["seeds"].eq(3).all()


def test_the_cells_of_a_sweep_are_those_of_its_trials_with_the_settings_of_its_study():
    trials = faked_xnn.trials(weights=(0.3,), clusters=(2,), seeds=(0, 1))
    trials = trials.drop(columns="config/adj_weight")
    manifest = {"study": faked_xnn_files.study()}
    sweep, table = Sweep(trials=trials, manifest=manifest), cells(spelled_out(trials, manifest))
    assert "adj_weight" in table
    for _ in range(2):
        assert cells(sweep).equals(table)


def test_means_are_those_of_the_formulas(sweep):
    row = at(cells(sweep()), adj_weight=0.3, clusters=6)
    cost = faked_xnn.cost("alignment", 0.3, 6)
    assert row["cross_entropy"] == pytest.approx(1.48 + cost)
    assert row["r2_mean"] == pytest.approx(faked_xnn.r2("alignment", 0.3, 6))
    assert row["cross_entropy_sd"] == pytest.approx(0.004)


def test_the_difference_to_the_plain_network_is_free_of_the_luck_of_seeds(sweep):
    row = at(cells(sweep()), adj_weight=0.3, clusters=6)
    assert row["cross_entropy_minus_plain"] == pytest.approx(faked_xnn.cost("alignment", 0.3, 6))
    assert row["cross_entropy_minus_plain_sd"] == pytest.approx(0.001)


@pytest.mark.parametrize("rows", [0.0, 0.002])
def test_an_interval_is_students_over_seeds_and_the_rows_that_they_share(sweep, rows):
    trials = sweep(seeds=range(5)).assign(cross_entropy_minus_plain_se=rows)
    row = at(cells(trials), adj_weight=0.3, clusters=6)
    costs = [faked_xnn.cost("alignment", 0.3, 6, seed) for seed in range(5)]
    expected = interval(costs, shared_error=rows)
    assert row["cross_entropy_minus_plain_low"] == pytest.approx(expected.low)
    assert row["cross_entropy_minus_plain_high"] == pytest.approx(expected.high)


@pytest.mark.parametrize("loss", ["failed", "stopped", "running", "absent"])
def test_a_cell_that_lacks_a_seed_has_means_without_intervals_or_verdicts(sweep, loss):
    trials = sweep(seeds=range(8))
    lost = trials["config/adj_weight"].eq(0.3) & trials["config/seed"].eq(5)
    if loss != "absent":
        trials.loc[lost, "status"] = loss
    table = cells(trials[~lost] if loss == "absent" else trials)
    part, whole = (at(table, adj_weight=w, clusters=6) for w in (0.3, 0.1))
    assert pd.notna(part["explanation_gain"])
    assert part[["explanation_gain_low", "explanation_gain_p_holm"]].isna().all()
    assert part["cross_entropy_minus_plain_verdict"] == "not shown"
    assert not part["within_limit"]
    assert bool(part["provisional"])
    assert pd.notna(whole["explanation_gain_low"])
    assert whole["explanation_gain_verdict"] == "better"


def test_a_cost_is_within_the_limit_only_by_an_upper_bound(sweep):
    table = cells(sweep(seeds=range(12)))
    cheap = at(table, adj_weight=0.1, clusters=2)
    assert cheap["cross_entropy_minus_plain"] < cheap["cross_entropy_minus_plain_upper"] < 0.02
    assert cheap["within_limit"]
    few = at(cells(sweep(seeds=range(2))), adj_weight=0.1, clusters=2)
    assert pd.isna(few["cross_entropy_minus_plain_upper"])
    assert not few["within_limit"]


def test_a_gain_below_0_needs_one_control_that_explains_more_at_all_seeds(sweep):
    trials = sweep(weights=(0.3,), clusters=(6,), seeds=range(10))
    drawn = pd.Series([0.3 + 0.01 * (s % 3) for s in range(10)])
    # Each control is best at some seeds, so that the largest always exceeds the network.
    wave = pd.Series([0.05 * (-1) ** s for s in range(10)])
    controls = {"r2_plain": drawn + wave, "r2_untrained": drawn - wave}
    controls |= {"r2_plain_random_points": drawn - 0.2, "r2_permuted": 0.0 * drawn}
    largest = pd.DataFrame(controls).max(axis=1)
    trials = trials.assign(**controls, r2_mean=drawn, explanation_gain=drawn - largest)
    (row,) = (row for _, row in cells(trials).iterrows())
    assert row["explanation_gain_high"] < 0.0 or pd.isna(row["explanation_gain_high"])
    assert row["explanation_gain_verdict"] == "not shown"
    one = trials.assign(r2_plain=drawn + 0.1 + wave / 50, explanation_gain=-0.1 - wave / 50)
    (row,) = (row for _, row in cells(one).iterrows())
    assert row["explanation_gain_verdict"] == "worse"


def test_one_seed_has_no_interval(sweep):
    table = cells(sweep(seeds=(0,)))
    assert table["explanation_gain"].notna().all()
    assert table["explanation_gain_low"].isna().all()


def test_the_plain_network_differs_from_itself_by_nothing(sweep):
    table = cells(sweep())
    plain = table[table["reference"]]
    assert plain["cross_entropy_minus_plain"].eq(0.0).all()
    assert plain["r2_mean_minus_plain"].eq(0.0).all()


def test_all_methods_at_weight_0_are_one_cell(sweep):
    table = cells(sweep(method=METHODS, weights=(0.0, 0.3), clusters=(6,)))
    assert table["method"].tolist() == ["alignment", "double_step", "none"]
    assert table["reference"].tolist() == [False, False, True]
    assert at(table, method="none")["seeds"] == 3


def test_a_completed_trial_speaks_for_a_stopped_one_of_the_same_network(sweep):
    trials = sweep(method=METHODS, weights=(0.0,), clusters=(6,))
    trials.loc[trials["config/method"].ne("double_step"), "status"] = "stopped"
    (row,) = (row for _, row in cells(trials).iterrows())
    assert (row["completed"], row["stopped"]) == (3, 0)


def test_without_weight_0_trials_are_paired_with_what_they_say_of_the_plain_network(sweep):
    whole, alone = cells(sweep()), cells(sweep(weights=(0.3,)))
    names = ["cross_entropy_minus_plain", "r2_mean_minus_plain"]
    for clusters in (2, 6):
        own, other = (at(t, adj_weight=0.3, clusters=clusters) for t in (alone, whole))
        assert own[names].tolist() == pytest.approx(other[names].tolist())
    assert set(whole["paired"]) == {"weight 0"}
    assert set(alone["paired"]) == {"plain network"}


def test_weight_0_of_the_same_learning_rate_goes_before_the_networks_own_plain_one(sweep):
    trials = sweep(weights=(0.0, 0.3), clusters=(6,))
    twice = trials.assign(**{"config/lr": 1e-2})
    twice["cross_entropy"] += 0.5
    trials = trials.assign(**{"config/lr": 1e-3})
    table = cells(pd.concat([trials, twice], ignore_index=True))
    costs = table[table["adj_weight"].eq(0.3)]["cross_entropy_minus_plain"]
    assert costs.tolist() == pytest.approx(2 * [faked_xnn.cost("alignment", 0.3, 6)])


def test_a_stopped_trial_enters_no_mean_and_makes_its_cell_provisional(sweep):
    trials = sweep(weights=(0.0, 0.3), clusters=(6,))
    late = trials["config/adj_weight"].eq(0.3) & trials["config/seed"].eq(2)
    trials.loc[late, ["status", "cross_entropy"]] = ["stopped", 99.0]
    row = at(cells(trials), adj_weight=0.3)
    assert row["cross_entropy"] < 2.0
    assert (row["seeds"], row["stopped"], row["provisional"]) == (2, 1, True)


def test_a_sweep_without_seeds_or_weights_has_cells_too(sweep):
    trials = sweep(weights=(0.3,), seeds=(0,)).drop(columns=["config/seed", "config/adj_weight"])
    assert cells(trials)["clusters"].tolist() == [2, 6]


def test_a_sweep_in_which_nothing_has_completed_has_cells_without_means(sweep):
    table = cells(sweep().assign(status="running").drop(columns="explanation_gain"))
    assert table["explanation_gain"].isna().all()
    assert table["provisional"].all()


def test_a_missing_column_is_named_with_the_cure(sweep):
    with pytest.raises(ColumnError, match=r"no column 'explanation_gain'.*load_trials"):
        cells(sweep().drop(columns="explanation_gain"))


def test_what_the_study_fixes_is_spelled_out(sweep):
    trials = sweep(weights=(0.3,)).drop(columns="config/adj_weight")
    whole = spelled_out(trials, {"study": {"explanation": {"method": "none", "adj_weight": 0.3}}})
    assert set(whole["config/method"]) == {"none"}
    assert cells(whole)["reference"].all()


def test_where_an_axis_is_conditional_the_study_speaks_for_the_trials_without_it(sweep):
    trials = sweep(method=("alignment", "multiplier"), weights=(0.3,), clusters=(6,))
    alone = trials["config/method"].eq("multiplier")
    trials["config/adj_weight"] = trials["config/adj_weight"].mask(alone)
    whole = spelled_out(trials, {"study": {"explanation": {"adj_weight": 3.0}}})
    table = cells(whole)
    assert dict(zip(table["method"], table["adj_weight"], strict=True)) == {
        "alignment": 0.3,
        "multiplier": 3.0,
    }


@pytest.mark.parametrize(
    ("seeds", "known", "claimed"), [(5, 2, False), (5, 4, False), (5, 5, True), (2, 2, False)]
)
def test_two_values_of_many_seeds_have_a_mean_and_no_interval(sweep, seeds, known, claimed):
    trials = sweep(weights=(0.3,), clusters=(6,), seeds=range(seeds))
    trials["selectivity"] = [0.1, 0.3, 0.2, 0.2, 0.2][:known] + [None] * (seeds - known)
    (row,) = (row for _, row in cells(trials).iterrows())
    assert row["selectivity"] == pytest.approx(0.2)
    assert pd.notna(row["selectivity_low"]) == claimed


def test_the_gain_is_paired_with_that_of_the_plain_network(sweep):
    whole, alone = cells(sweep()), cells(sweep(weights=(0.3,)))
    for clusters in (2, 6):
        own, other = (at(t, adj_weight=0.3, clusters=clusters) for t in (alone, whole))
        apart = "explanation_gain_minus_plain"
        assert own[apart] == pytest.approx(other[apart])
        assert own[apart] > own["explanation_gain"]


def test_the_stability_of_clusters_and_the_groups_compared_are_means(sweep):
    row = at(cells(sweep()), adj_weight=0.3, clusters=6)
    assert row[["cluster_stability", "groups"]].tolist() == pytest.approx([0.75, 2.0])


@pytest.mark.parametrize(("within", "weight"), [(0.003, 0.1), (0.02, 0.3), (0.05, 1.0)])
def test_the_best_cell_gains_most_of_those_within_the_cost(sweep, within, weight):
    row = best(cells(sweep(weights=(0.0, 0.1, 0.3, 1.0))), within=within)
    assert (row["adj_weight"], row["clusters"]) == (weight, 2)


def test_there_is_no_best_cell_where_all_cost_too_much(sweep):
    assert best(cells(sweep()), within=1e-4) is None


def test_the_plain_network_is_never_the_best_cell(sweep):
    assert best(cells(sweep(weights=(0.0,)))) is None


def test_the_cost_is_judged_on_validation_rows(sweep):
    trials = sweep()
    trials.loc[trials["config/adj_weight"].eq(0.3), "cross_entropy"] += 1.0
    assert best(cells(trials))["adj_weight"] == 0.3


def test_the_gain_is_judged_on_validation_rows(sweep):
    trials = sweep()
    trials["val_explanation_gain"] = trials["config/clusters"].astype(float)
    assert best(cells(trials))["clusters"] == 6


def test_the_gain_is_judged_on_test_rows_where_not_all_have_one_of_validation(sweep):
    trials = sweep()
    trials["val_explanation_gain"] = trials["config/clusters"].astype(float)
    early = trials["config/adj_weight"].eq(0.1)
    trials["val_explanation_gain"] = trials["val_explanation_gain"].mask(early)
    assert best(cells(trials))["clusters"] == 2


def test_a_cell_with_fewer_seeds_than_others_does_not_compete(sweep):
    trials = sweep()
    easy = trials["config/adj_weight"].eq(0.3) & trials["config/seed"].eq(0)
    trials.loc[easy, "status"] = "stopped"
    assert best(cells(trials))["adj_weight"] == 0.1


def test_a_seed_that_only_plain_networks_completed_at_keeps_no_cell_from_competing(sweep):
    trials = sweep()
    hard = trials["config/adj_weight"].ne(0.0) & trials["config/seed"].eq(0)
    trials.loc[hard, "status"] = "failed"
    assert best(cells(trials))["seeds"] == 2


@pytest.mark.parametrize(
    ("fixed", "swept", "apart"),
    [
        ("published", None, False),
        ("held_out", None, True),
        ("held_out", ["held_out", "published"], False),
        ("published", ["held_out", "held_out"], True),
        (None, None, True),
    ],
)
def test_the_published_split_has_no_test_rows_of_its_own(fixed, swept, apart):
    trials = pd.DataFrame({"config/data.split": swept} if swept else {"config/seed": [0, 1]})
    assert held_out(trials, {"study": {"data": {"split": fixed}}}) == apart


def test_the_members_of_a_cell_are_its_completed_trials_by_seed(sweep):
    trials = sweep()
    done = members(trials, at(cells(trials), adj_weight=0.3, clusters=6))
    assert done["config/seed"].tolist() == [0, 1, 2]
    assert done["cross_entropy"].tolist() == [
        pytest.approx(1.48 + faked_xnn.luck(s) + faked_xnn.cost("alignment", 0.3, 6, s))
        for s in (0, 1, 2)
    ]


def test_a_cell_finds_its_plain_network_at_the_same_number_of_centroids(sweep):
    table = cells(sweep(method=METHODS))
    plain = plain_of(table, at(table, method="alignment", adj_weight=0.3, clusters=6))
    assert (plain["method"], plain["clusters"]) == ("none", 6)


def test_a_sweep_without_weight_0_has_no_row_of_the_plain_network(sweep):
    table = cells(sweep(weights=(0.3,)))
    assert plain_of(table, table.iloc[0]) is None
