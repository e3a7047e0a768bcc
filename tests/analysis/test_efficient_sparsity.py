import pandas as pd
import pytest

from analysis import max_efficient_sparsity, sparsity_passes

# The dense network has CVaR -3.0, so 5 % of tolerance allow a loss of 0.15.


def sweep(losses, **more):
    """One completed trial per sparsity, with that loss of CVaR to the dense network."""
    return [
        {"sparsity": s, "cvar_05": -3.0 - loss, "dense_cvar_05": -3.0, **more}
        for s, loss in losses.items()
    ]


def answer(trials, **more):
    return max_efficient_sparsity(trials, **more).iloc[0]


def test_the_largest_sparsity_whose_loss_is_tolerated_is_found(table):
    row = answer(table(*sweep({0.0: 0.0, 0.5: 0.01, 0.8: 0.05, 0.9: 0.3})))
    assert row["max_efficient_sparsity"] == 0.8
    assert (row["limit"], row["limited_by"]) == (0.9, "fails")


def test_a_pass_after_a_failure_does_not_count(table):
    # Taking the last sparsity that passes would answer 95 %.
    row = answer(table(*sweep({0.5: 0.01, 0.8: 0.3, 0.9: 0.02, 0.95: 0.02})))
    assert (row["max_efficient_sparsity"], row["limit"]) == (0.5, 0.8)


def test_the_sharpe_ratio_has_no_say(table):
    rows = sweep({0.5: 0.01, 0.9: 1.0})
    rows[0]["sharpe_ratio"], rows[1]["sharpe_ratio"] = -9.0, -0.6
    assert answer(table(*rows))["max_efficient_sparsity"] == 0.5


def test_a_negative_cvar_is_not_a_gain_to_be_minimised(table):
    passes = sparsity_passes(table(*sweep({0.5: -0.4, 0.9: 0.4})))
    assert passes["passes"].tolist() == [True, False]


def test_the_bound_decides_and_not_the_point(table):
    # Lost: 0.14. Allowed: 0.15. The bound is 1.645 standard errors lower.
    near = sweep({0.5: 0.14}, cvar_05_minus_dense_se=0.005)
    far = sweep({0.5: 0.14}, cvar_05_minus_dense_se=0.007)
    assert answer(table(*near))["max_efficient_sparsity"] == 0.5
    assert pd.isna(answer(table(*far))["max_efficient_sparsity"])
    assert answer(table(*far), confidence=0.6)["max_efficient_sparsity"] == 0.5


def test_the_tolerance_is_a_share_of_the_absolute_cvar_of_dense(table):
    trials = table(*sweep({0.5: 0.29}, cvar_05_minus_dense_se=0.0))
    passes = sparsity_passes(trials, tolerance=0.1)
    assert passes["margin"].tolist() == pytest.approx([-0.3])
    assert passes["passes"].tolist() == [True]
    assert sparsity_passes(trials, tolerance=0.09)["passes"].tolist() == [False]


def test_seeds_that_disagree_do_not_pass_on_their_mean(table):
    rows = [r | {"seed": i} for i, x in enumerate((0.0, 0.28)) for r in sweep({0.5: x})]
    row = sparsity_passes(table(*rows)).iloc[0]
    assert row["cvar_05_minus_dense"] == pytest.approx(-0.14)
    assert row["cvar_05_minus_dense_se"] == pytest.approx(0.14)
    assert not row["passes"]


def test_every_seed_is_held_against_its_own_dense_network(table):
    rows = [
        {"sparsity": 0.5, "seed": 0, "cvar_05": -3.05, "dense_cvar_05": -3.0},
        {"sparsity": 0.5, "seed": 1, "cvar_05": -5.05, "dense_cvar_05": -5.0},
    ]
    row = sparsity_passes(table(*rows)).iloc[0]
    assert row["cvar_05_minus_dense"] == pytest.approx(-0.05)
    assert row["margin"] == pytest.approx(-0.05 * 4.0)


def test_the_learning_rate_is_chosen_on_validation_and_not_on_test(table):
    good_on_test = sweep({0.5: 0.0}, lr=1e-4, val_loss=3.5)
    good_on_validation = sweep({0.5: 0.5}, lr=1e-3, val_loss=3.0)
    row = sparsity_passes(table(*good_on_test, *good_on_validation)).iloc[0]
    assert (row["lr"], row["passes"]) == (1e-3, False)


def test_every_epsilon_has_its_own_answer(table):
    rows = sweep({0.5: 0.01, 0.9: 0.01}, epsilon=0.0) + sweep({0.5: 0.01, 0.9: 0.5}, epsilon=0.1)
    found = max_efficient_sparsity(table(*rows))
    assert found["epsilon"].tolist() == [0.0, 0.1]
    assert found["max_efficient_sparsity"].tolist() == [0.9, 0.5]
    assert found["limited_by"].tolist() == ["not swept", "fails"]


def test_the_dense_mask_itself_is_an_answer_when_it_was_swept(table):
    assert answer(table(*sweep({0.0: 0.0, 0.5: 0.9})))["max_efficient_sparsity"] == 0.0


def test_where_even_the_smallest_fails_the_answer_is_null(table):
    row = answer(table(*sweep({0.0: 0.2, 0.5: 0.0})))
    assert pd.isna(row["max_efficient_sparsity"])
    assert row["limit"] == 0.0


@pytest.mark.parametrize("status", ["running", "stopped", "failed", "interrupted"])
def test_a_sparsity_without_a_result_ends_the_claim_as_undecided(table, status):
    rows = sweep({0.5: 0.01, 0.8: 0.01, 0.9: 0.01})
    rows[1] = {"sparsity": 0.8, "status": status}
    passes = sparsity_passes(table(*rows))
    assert passes["passes"].tolist() == [True, pd.NA, True]
    assert passes["efficient"].tolist() == [True, False, False]
    row = answer(table(*rows))
    assert row["max_efficient_sparsity"] == 0.5
    assert (row["limit"], row["limited_by"]) == (0.8, "undecided")


def test_a_space_without_sparsity_has_no_answer(table):
    assert max_efficient_sparsity(table({}).drop(columns=["config/sparsity"])).empty


def test_an_empty_table_has_no_answer(table):
    assert max_efficient_sparsity(table({}).iloc[:0]).empty


@pytest.mark.parametrize("tolerance", [-0.1, float("nan"), float("inf")])
def test_a_tolerance_that_is_no_share_is_refused(table, tolerance):
    with pytest.raises(ValueError, match="tolerance must be a share of at least 0, got"):
        max_efficient_sparsity(table({}), tolerance=tolerance)


def test_a_confidence_that_is_no_share_is_refused_even_for_an_empty_table(table):
    with pytest.raises(ValueError, match="confidence must lie in"):
        max_efficient_sparsity(table({}).iloc[:0], confidence=95)
