"""Configurations against the best of them, on the same seeds."""

import math

import numpy as np
import pandas as pd
import pytest
import scipy
from printed import numbers

from analysis import ColumnError, compare, holm, interquartile_mean, paired_size
from analysis.tickets.seed_findings import seeds

BEST, OTHER, THIRD = 1e-3, 5e-4, 1e-4


def runs(lr, values, **more):
    """One trial per seed with these CVaRs; validation risk is their mirror."""
    return [
        {"sparsity": 0.8, "lr": lr, "seed": s, "cvar_05": v, "val_loss": -v, **more}
        for s, v in enumerate(values)
    ]


def noise(number, *, scale=0.01, start=0):
    return scale * np.random.default_rng(start).normal(size=number)


def by_lr(rows):
    return rows.set_index("lr")


def test_luck_that_the_seeds_share_drops_out_of_the_difference(table):
    luck = noise(8, scale=1.0)
    rows = compare(table(*runs(BEST, -3.0 + luck), *runs(OTHER, -3.1 + luck + noise(8, start=1))))
    row = by_lr(rows).loc[OTHER]
    assert row["difference"] == pytest.approx(-0.1 + noise(8, start=1).mean())
    assert row["high"] - row["low"] > 20 * (row["difference_high"] - row["difference_low"])
    assert row["verdict"] == "worse"
    assert row["p"] == pytest.approx(scipy.stats.ttest_1samp(-0.1 + noise(8, start=1), 0.0).pvalue)


def test_the_verdict_follows_the_direction_of_the_metric(table):
    luck = noise(8)
    trials = table(
        *runs(BEST, -3.0 + luck, turnover=2.0, pnl_std=0.7),
        *runs(OTHER, -3.1 + luck + noise(8, start=1), turnover=1.5, pnl_std=0.7),
    )
    other = trials["config/lr"].eq(OTHER)
    for metric, start in (("turnover", 2), ("pnl_std", 3)):
        trials.loc[other, metric] += noise(8, start=start)
    verdicts = {
        metric: by_lr(compare(trials, metric)).loc[OTHER, "verdict"]
        for metric in ("cvar_05", "turnover", "pnl_std")
    }
    assert verdicts == {"cvar_05": "worse", "turnover": "better", "pnl_std": "not shown"}


def test_the_reference_is_chosen_on_validation_and_not_on_the_metric(table):
    trials = table(*runs(BEST, [-3.2, -3.2], val_loss=2.0), *runs(OTHER, [-3.0, -3.0]))
    rows = compare(trials)
    assert rows["lr"].tolist() == [OTHER, BEST]
    assert rows["reference"].tolist() == [False, True]
    assert rows["difference"].tolist()[0] == pytest.approx(0.2)


def test_a_named_reference_turns_the_signs(table):
    trials = table(*runs(BEST, [-3.0, -3.0]), *runs(OTHER, [-3.1, -3.1]))
    rows = by_lr(compare(trials, baseline={"lr": OTHER}))
    assert rows["reference"].to_dict() == {BEST: False, OTHER: True}
    assert rows.loc[BEST, "difference"] == pytest.approx(0.1)


@pytest.mark.parametrize(("baseline", "number"), [({"lr": 7.0}, 0), ({"sparsity": 0.8}, 2)])
def test_a_reference_that_is_not_one_is_refused(table, baseline, number):
    trials = table(*runs(BEST, [-3.0, -3.0]), *runs(OTHER, [-3.1, -3.1]))
    with pytest.raises(ValueError, match=f"fits {number} configurations that completed"):
        compare(trials, baseline=baseline)


def test_an_unknown_parameter_or_metric_is_named(table):
    trials = table(*runs(BEST, [-3.0, -3.0]))
    with pytest.raises(ColumnError, match="unknown parameter 'sparsty'; did you mean 'sparsity'"):
        compare(trials, baseline={"sparsty": 0.8})
    with pytest.raises(ColumnError, match="'pnl_skewness' has no better end"):
        compare(trials, "pnl_skewness")


@pytest.mark.parametrize(
    ("status", "why"),
    [("stopped", "stopped"), ("failed", "failed"), ("running", "unfinished")],
)
def test_a_configuration_that_lacks_a_seed_is_left_out_and_says_why(table, status, why):
    rows = [*runs(BEST, [-3.0, -3.0]), *runs(OTHER, [-2.0, -2.0])]
    rows[-1] |= {"status": status, "cvar_05": None}
    row = by_lr(compare(table(*rows))).loc[OTHER]
    assert row["left_out"] == why
    assert math.isnan(row["difference"])
    assert pd.isna(row["verdict"])


def test_a_configuration_that_was_never_tried_at_a_seed_is_left_out(table):
    rows = compare(table(*runs(BEST, [-3.0, -3.0]), *runs(OTHER, [-2.0])))
    assert by_lr(rows).loc[OTHER, "left_out"] == "not every seed"


def test_a_seed_at_which_one_lacks_the_metric_leaves_no_verdict(table):
    values = [-3.1, -3.2, math.nan, -3.15, -3.3]
    rows = [*runs(BEST, [-1.0] * 5), *runs(OTHER, values, val_loss=4.0)]
    row = by_lr(compare(table(*rows))).loc[OTHER]
    assert row["seeds"] == 4
    assert row["difference"] == pytest.approx(np.nanmean(values) + 1.0)
    assert (row["verdict"], math.isnan(row["difference_low"])) == ("not shown", True)


def test_p_is_corrected_for_all_pairs_or_for_the_rivals_of_a_named_reference(table):
    luck = noise(6)
    many = [
        row
        for k in range(1, 4)
        for row in runs(BEST / (1 + k), -3.0 - 0.1 * k + luck + noise(6, start=k))
    ]
    trials = table(*runs(BEST, -3.0 + luck), *many)
    for baseline, number in ((None, 6), ({"lr": BEST}, 3)):
        rivals = compare(trials, baseline=baseline).query("~reference")
        p = [*rivals["p"], *[1.0] * (number - 3)]
        assert rivals["p_holm"].tolist() == pytest.approx(holm(p)[:3].tolist())
        assert set(rivals["comparisons"]) == {number}


def test_equal_configurations_of_which_validation_picks_the_luckiest_are_seldom_shown(table):
    generator = np.random.default_rng(5)
    found = 0
    for _ in range(10):
        rows = [row for k in range(6) for row in runs(BEST * 2**k, generator.normal(-3.0, 0.1, 9))]
        found += int(compare(table(*rows))["verdict"].isin(["better", "worse"]).any())
    assert found <= 2


def test_more_seeds_are_at_least_those_of_a_verdict(table):
    # A clear difference at two seeds: three are the fewest.
    trials = table(*runs(BEST, [-3.0, -3.1]), *runs(OTHER, [-4.0, -4.11]))
    row = by_lr(compare(trials)).loc[OTHER]
    assert (row["verdict"], row["more_seeds"]) == ("not shown", 1)


def test_more_rivals_ask_for_more_seeds(table):
    differences = np.array([0.3, -0.2] * 4)
    trials = table(
        *runs(BEST, [-3.0] * 8, val_loss=1.0),
        *runs(OTHER, -3.0 + differences, val_loss=4.0),
        *runs(THIRD, -3.0 - differences, val_loss=4.0),
    )
    rows = by_lr(compare(trials))
    needed = paired_size(0.05 / np.std(differences, ddof=1), level=0.05 / 3)
    assert rows.loc[[OTHER, THIRD], "more_seeds"].tolist() == [needed - 8] * 2


def test_different_configurations_need_no_more_seeds_and_equal_ones_never_will(table):
    luck = noise(6)
    trials = table(
        *runs(BEST, -3.0 + luck),
        *runs(OTHER, -3.0 + luck, val_loss=4.0),
        *runs(THIRD, -3.5 + luck + noise(6, start=1), val_loss=4.0),
    )
    rows = by_lr(compare(trials, level=0.1))
    assert rows.loc[THIRD, ["verdict", "more_seeds"]].tolist() == ["worse", 0]
    equal = rows.loc[OTHER]
    assert (equal["difference"], equal["verdict"]) == (0.0, "not shown")
    assert math.isnan(equal["p"])
    assert pd.isna(equal["more_seeds"])


def test_the_mean_the_interquartile_mean_and_their_interval_stand_in_every_row(table):
    values = [-3.0, -3.2, -2.5, -3.1]
    row = compare(table(*runs(BEST, values))).iloc[0]
    assert row["mean"] == pytest.approx(np.mean(values))
    assert row["interquartile_mean"] == pytest.approx(interquartile_mean(values))
    assert row["low"] < row["mean"] < row["high"]


def test_a_row_does_not_depend_on_the_rows_beside_it(table):
    luck = noise(6)
    pair = [*runs(BEST, -3.0 + luck), *runs(OTHER, -3.1 + noise(6, start=1))]
    alone = by_lr(compare(table(*pair))).loc[OTHER]
    beside = by_lr(compare(table(*runs(THIRD, -3.3 + luck), *pair))).loc[OTHER]
    for name in ("mean", "low", "high", "difference", "difference_low", "difference_high", "p"):
        assert beside[name] == alone[name], name


def test_markets_have_references_of_their_own(table):
    rows = [*runs(BEST, [-3.0, -3.0]), *runs(OTHER, [-3.1, -3.1])]
    rows += [*runs(BEST, [-6.2, -6.2]), *runs(OTHER, [-6.0, -6.0])]
    trials = table(*rows).assign(**{"config/market.xi": [0.1] * 4 + [0.5] * 4})
    found = compare(trials)
    reference = found[found["reference"]].set_index("market.xi")["lr"]
    assert reference.to_dict() == {0.1: BEST, 0.5: OTHER}
    assert found["difference"].dropna().tolist() == pytest.approx([-0.1, -0.2])


def test_a_sweep_without_a_completed_trial_has_rows_without_numbers(table):
    rows = compare(table({"seed": 0, "status": "running"}, {"seed": 1, "status": "running"}))
    assert rows["left_out"].tolist() == ["unfinished"]
    assert not rows["reference"].any()


def test_verdicts_against_the_reference_are_counted_and_those_left_out_named(table):
    luck = noise(8)
    rows = [*runs(BEST, -3.0 + luck), *runs(OTHER, -3.1 + luck + noise(8, start=1))]
    rows += runs(THIRD, luck, status="stopped")
    found = compare(table(*rows))
    by = by_lr(found)
    assert by.loc[OTHER, "verdict"] == "worse"
    assert by.loc[THIRD, "left_out"] == "stopped"
    verdicts, left_out = seeds(found)
    assert numbers(verdicts) == [BEST, 1, 5, 1], "reference, worse, level, comparisons"
    assert "1 worse" in verdicts
    assert left_out.endswith("1 stopped early.")


def test_the_sentence_says_when_so_few_seeds_can_show_nothing(table):
    said = seeds(compare(table(*runs(BEST, [-3.0, -3.1]), *runs(OTHER, [-4.0, -4.1]))))
    assert numbers(said[1]) == [2, 3], "seeds, and the fewest"


def test_the_nearest_is_told_with_the_seeds_that_it_needs(table):
    # Differences of +0.3 and -0.2: mean 0.05, standard deviation 0.267, so 227 seeds in all.
    trials = table(*runs(BEST, [-3.0] * 8, val_loss=1.0), *runs(OTHER, [-2.7, -3.2] * 4))
    rows = compare(trials)
    assert by_lr(rows).loc[OTHER, "more_seeds"] == 219
    assert numbers(seeds(rows)[1]) == [219]


def test_where_no_two_are_whole_none_is_compared(table):
    rows = [*runs(BEST, [-3.0, -3.0]), *runs(OTHER, [-3.0, -3.0], status="failed")]
    found = compare(table(*rows))
    assert found["verdict"].isna().all()
    nothing, left_out = seeds(found)
    assert numbers(nothing) == []
    assert left_out.endswith("1 failed.")
