import pandas as pd
import pytest

from analysis import ColumnError, best_lr, summary


def seeds(lr, epochs, **more):
    """A configuration over as many seeds as there are entries; None did not converge."""
    return [
        {
            "sparsity": 0.8,
            "lr": lr,
            "seed": seed,
            "converged": n is not None,
            "epochs_to_95pct": n,
            **more,
        }
        for seed, n in enumerate(epochs)
    ]


def test_the_fewest_epochs_averaged_over_seeds_win(table):
    best = best_lr(table(*seeds(1e-3, [10, 12]), *seeds(5e-4, [9, 20]))).iloc[0]
    assert (best["lr"], best["epochs_to_95pct"]) == (1e-3, 11.0)
    assert best["converged"]


def test_one_fast_seed_does_not_carry_a_seed_that_never_converged(table):
    # With 20 epochs at most, coding "never" as 20 would give 1e-2 a mean of 11 and the victory.
    best = best_lr(table(*seeds(1e-2, [2, None]), *seeds(1e-3, [13, 13]))).iloc[0]
    assert (best["lr"], best["epochs_to_95pct"]) == (1e-3, 13.0)


def test_the_validation_risk_does_not_outweigh_speed(table):
    rows = [*seeds(1e-3, [10, 10], val_loss=3.1), *seeds(5e-4, [15, 15], val_loss=2.9)]
    assert best_lr(table(*rows))["lr"].tolist() == [1e-3]


def test_equal_speed_is_decided_by_validation_risk(table):
    rows = [*seeds(1e-3, [10], val_loss=3.1), *seeds(5e-4, [10], val_loss=2.9)]
    assert best_lr(table(*rows))["lr"].tolist() == [5e-4]


def test_where_none_converged_the_lowest_validation_risk_is_given_and_flagged(table):
    rows = [*seeds(1e-3, [None, 3], val_loss=3.4), *seeds(5e-4, [None, None], val_loss=3.2)]
    best = best_lr(table(*rows)).iloc[0]
    assert best["lr"] == 5e-4
    assert not best["converged"]
    assert pd.isna(best["epochs_to_95pct"])


def test_a_stopped_trial_is_censored_counted_and_never_wins(table):
    stopped = seeds(1e-2, [1, 1], status="stopped", stopped_at=5, val_loss=1.0)
    best = best_lr(table(*stopped, *seeds(1e-3, [13, 13]))).iloc[0]
    assert best["lr"] == 1e-3
    assert best[["trials", "completed", "stopped"]].tolist() == [4, 2, 2]


def test_a_configuration_with_a_failed_seed_yields_to_a_whole_one(table):
    rows = [*seeds(1e-2, [2, 2]), *seeds(1e-3, [13, 13])]
    rows[1] |= {"status": "failed", "error": "ValueError: loss is not finite"}
    best = best_lr(table(*rows)).iloc[0]
    assert (best["lr"], best["failed"], best["provisional"]) == (1e-3, 1, False)


def test_where_every_configuration_lacks_a_seed_the_answer_is_provisional(table):
    rows = seeds(1e-3, [10, 10])
    rows[1]["status"] = "interrupted"
    best = best_lr(table(*rows)).iloc[0]
    assert best["lr"] == 1e-3
    assert best["provisional"]
    # The other seed has not shown that it converges.
    assert not best["converged"]


def test_a_running_group_is_provisional(table):
    rows = [*seeds(1e-3, [10]), *seeds(5e-4, [None], status="running")]
    best = best_lr(table(*rows)).iloc[0]
    assert (best["lr"], best["unfinished"], best["provisional"]) == (1e-3, 1, True)


def test_where_nothing_completed_the_learning_rate_is_null_and_the_counts_remain(table):
    best = best_lr(table(*seeds(1e-3, [None, None], status="failed"))).iloc[0]
    assert pd.isna(best["lr"])
    assert pd.isna(best["converged"])
    assert best["failed"] == 2


def test_groups_are_sparsity_and_epsilon_unless_told_otherwise(table, grid):
    trials = table(*grid)
    assert len(best_lr(trials)) == 10
    assert best_lr(trials, by=("epsilon",))["epsilon"].tolist() == [0.0, 0.1]
    assert len(best_lr(trials, by=())) == 1


def test_another_parameter_that_varies_belongs_to_the_candidate(table):
    trials = table(*seeds(1e-3, [10]), *seeds(1e-3, [5]))
    trials["config/study.batch"] = [64, 128]
    best = best_lr(trials).iloc[0]
    assert (best["lr"], best["study.batch"], best["epochs_to_95pct"]) == (1e-3, 128, 5.0)


def test_continuous_learning_rates_of_a_random_search_compete_one_by_one(table):
    rates = [3.1e-4, 7.7e-4, 2.9e-3]
    rows = [r for lr, n in zip(rates, [14, 6, 9], strict=True) for r in seeds(lr, [n])]
    assert best_lr(table(*rows))["lr"].tolist() == [7.7e-4]


def test_a_space_without_epsilon_has_one_group_a_sparsity(table):
    trials = table(*seeds(1e-3, [10])).drop(columns=["config/epsilon"])
    best = best_lr(trials)
    assert best["sparsity"].tolist() == [0.8]
    assert best["epsilon"].isna().all()


def test_the_speed_of_the_dense_network_stands_beside(table):
    rows = seeds(1e-3, [10, 10])
    rows[0]["dense_epochs_to_95pct"], rows[1]["dense_epochs_to_95pct"] = 20, 30
    assert best_lr(table(*rows))["dense_epochs_to_95pct"].tolist() == [25.0]


def test_an_unknown_group_is_refused_with_the_nearest(table):
    with pytest.raises(ColumnError, match="unknown parameter 'sparsty'; did you mean 'sparsity'"):
        best_lr(table({}), by=("sparsty",))


def test_a_missing_column_is_named_with_the_cure(table):
    message = (
        r"no column 'converged', which best_lr needs; pass the whole frame from .*load_trials"
    )
    with pytest.raises(ColumnError, match=message):
        best_lr(table({}).drop(columns=["converged"]))


@pytest.mark.parametrize("tabulate", [best_lr, summary])
def test_an_empty_table_gives_an_empty_answer_of_the_same_form(table, grid, tabulate):
    full, none = tabulate(table(*grid)), tabulate(table(*grid).iloc[:0])
    assert none.empty
    assert none.dtypes.to_dict() == full.dtypes.to_dict()


def test_metrics_may_be_absent_until_a_trial_completes(table):
    trials = table({"status": "running"}).drop(columns=["cvar_05", "converged", "cvar_05_se"])
    assert summary(trials)["cvar_05"].isna().all()
    assert best_lr(trials)["unfinished"].tolist() == [1]


def test_the_summary_selects_on_validation_and_never_on_test(table):
    rows = [
        {"lr": 1e-3, "val_loss": 3.0, "cvar_05": -3.3},
        {"lr": 5e-4, "val_loss": 3.1, "cvar_05": -2.8},
    ]
    row = summary(table(*rows)).iloc[0]
    assert (row["lr"], row["cvar_05"]) == (1e-3, -3.3)


def test_the_summary_gives_mean_and_range_over_seeds(table):
    rows = [{"seed": s, "cvar_05": c} for s, c in enumerate([-3.0, -3.2, -3.4])]
    row = summary(table(*rows)).iloc[0]
    assert row["seeds"] == 3
    assert row["cvar_05"] == pytest.approx(-3.2)
    assert (row["cvar_05_low"], row["cvar_05_high"]) == (-3.4, -3.0)
    assert row["cvar_05_se"] == pytest.approx(0.2 / 3**0.5)


def test_the_summary_carries_attacked_metrics_and_remaining_weights(table):
    row = summary(table({"sparsity": 0.9})).iloc[0]
    assert row["attacked_cvar_05@path_pgd:0.1"] == -3.4
    assert row["remaining"] == pytest.approx(10.0)
    assert row["weights_kept"] == 100


def test_the_tables_leave_the_frame_they_are_given_as_it_was(table, grid):
    trials = table(*grid)
    before = trials.copy()
    best_lr(trials)
    summary(trials)
    pd.testing.assert_frame_equal(trials, before)
