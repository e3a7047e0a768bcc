import math

import numpy as np
import pandas as pd
import pytest
import scipy
from printed import numbers

from analysis.contrast import NO_INTERVAL
from analysis.tickets.importance import (
    MAIN,
    correlation,
    correlations,
    importances,
    means,
    sentences,
    shifts,
)
from analysis.tickets.networks import FEATURES, STANDARD, Model

ROBUST = "robust (ε = 0.1)"


def network(kind, seed, values, measure=MAIN):
    importance = {measure: np.asarray(values, dtype=float)}
    return Model(kind=kind, seed=seed, weights={}, masks={}, importance=importance)


def planted(shift, *, seeds=5, noise=0.01, measure=MAIN):
    """Standard and robust tickets with noise of their own; ``shift`` is added to volatility."""
    draw = np.random.default_rng(7)
    models = []
    for seed in range(seeds):
        luck = draw.normal(0.125, 0.05, 8)
        for kind, extra in ((STANDARD, 0.0), (ROBUST, shift)):
            values = luck + noise * draw.standard_normal(8)
            values[FEATURES.index("volatility")] += extra
            models.append(network(kind, seed, values, measure))
    return importances(models)


def test_every_network_has_a_row_a_feature_in_the_order_of_its_inputs():
    frame = importances([network("dense", 3, range(8))])
    assert frame["feature"].tolist() == list(FEATURES)
    assert frame["value"].tolist() == list(range(8))
    assert set(frame["seed"]) == {3}


def test_networks_without_an_interpretation_give_no_rows_but_all_columns():
    frame = importances([Model(kind="dense", seed=0, weights={}, masks={}, importance={})])
    assert frame.empty
    assert means(frame).empty
    assert shifts(frame).empty
    assert sentences(shifts(frame)) == []


def test_a_mean_is_over_the_seeds_and_its_interval_holds_it():
    frame = importances([network("dense", s, np.full(8, float(s))) for s in range(5)])
    row = means(frame).iloc[0]
    assert (row["seeds"], row["mean"]) == (5, 2.0)
    assert 0.0 <= row["low"] < 2.0 < row["high"] <= 4.0


def test_one_seed_has_a_mean_and_no_interval():
    row = means(importances([network("dense", 0, range(8))])).iloc[-1]
    assert row["mean"] == 7.0
    assert math.isnan(row["low"])
    assert math.isnan(row["high"])


def test_a_planted_shift_is_found_and_no_other():
    found = shifts(planted(0.1))
    assert found.loc[found["shifted"], "feature"].tolist() == ["volatility"]
    row = found[found["feature"].eq("volatility")].iloc[0]
    assert row["difference"] == pytest.approx(0.1, abs=0.02)
    assert 0.0 < row["low"] < row["difference"] < row["high"]


def test_where_nothing_was_planted_nothing_is_found():
    assert not shifts(planted(0.0))["shifted"].any()


def test_pairing_by_seed_takes_the_luck_of_the_seed_out():
    frame = planted(0.1)
    # Robust tickets with seeds permuted: the same means, but broken pairs.
    swapped = frame["seed"].where(~frame["model"].eq(ROBUST), (frame["seed"] + 1) % 5)
    apart = shifts(frame.assign(seed=swapped))
    row = apart[apart["feature"].eq("volatility")].iloc[0]
    assert row["difference"] == pytest.approx(shifts(frame)["difference"].iloc[2])
    assert not row["shifted"]


def test_holm_asks_more_of_the_smallest_p_the_more_features_there_are():
    found = shifts(planted(0.1))
    smallest = found.loc[found["p"].idxmin()]
    assert smallest["p_holm"] == pytest.approx(8 * smallest["p"])


def test_false_alarms_are_as_rare_as_promised():
    draw = np.random.default_rng(1)
    alarms = 0
    for _ in range(60):
        models = [
            network(kind, seed, draw.normal(0.1, 0.02, 8))
            for seed in range(5)
            for kind in (STANDARD, ROBUST)
        ]
        alarms += bool(shifts(importances(models))["shifted"].any())
    assert alarms <= 9  # P(more | 5 %) is 0.1 %


def test_a_seed_that_only_one_kind_has_is_left_out():
    frame = planted(0.1)
    lone = frame[~(frame["model"].eq(STANDARD) & frame["seed"].eq(0))]
    assert set(shifts(lone)["seeds"]) == {4}


def test_one_seed_shows_no_shift_however_large():
    found = shifts(planted(9.0, seeds=1))
    assert not found["shifted"].any()
    assert found["p"].isna().all()
    (line,) = sentences(found)
    assert NO_INTERVAL in line


def test_two_seeds_have_no_p_and_show_no_shift():
    found = shifts(planted(9.0, seeds=2))
    assert found["p"].isna().all()
    assert found["low"].isna().all()
    assert not found["shifted"].any()


def test_a_network_that_is_another_times_a_constant_correlates_perfectly():
    r, ends = correlation(range(8), [3.0 * x for x in range(8)])
    assert r == pytest.approx(1.0)
    assert math.isnan(ends.low) or ends.low > 0.99


def test_the_interval_of_a_correlation_is_fishers():
    draw = np.random.default_rng(0)
    x, y = draw.normal(size=(2, 8))
    r, ends = correlation(x, y)
    known = scipy.stats.pearsonr(x, y)
    theirs = known.confidence_interval(0.95)
    assert (r, ends.low, ends.high) == pytest.approx((known.statistic, theirs.low, theirs.high))


def test_an_importance_that_never_varies_correlates_with_nothing():
    r, ends = correlation([1.0] * 8, range(8))
    assert math.isnan(r)
    assert math.isnan(ends.low)


def test_correlations_stand_kind_by_kind_with_ones_on_the_diagonal():
    networks, matrix = correlations(planted(0.0, seeds=3))
    assert networks["model"].tolist() == [STANDARD] * 3 + [ROBUST] * 3
    assert np.diag(matrix) == pytest.approx(np.ones(6))
    assert matrix == pytest.approx(matrix.T)


def test_the_order_in_which_features_were_filed_does_not_matter_to_a_correlation():
    ahead = network("dense", 0, range(8))
    turned = Model(
        kind="other",
        seed=0,
        weights={},
        masks={},
        importance={MAIN: np.arange(8.0)[::-1]},
        features=FEATURES[::-1],
    )
    _, matrix = correlations(importances([ahead, turned]))
    assert matrix == pytest.approx(np.ones((2, 2)))


def test_the_feature_that_shifts_is_told_with_its_interval_seeds_and_correction():
    table = shifts(planted(0.1))
    assert table.loc[table["shifted"], "feature"].tolist() == ["volatility"]
    (line, *_) = sentences(table)
    row = table[table["shifted"]].iloc[0]
    ends = [round(float(row[name]), 3) for name in ("difference", "low", "high")]
    assert numbers(line) == [0.1, *ends, 5, len(FEATURES)], "epsilon, shift, seeds, features"
    assert "more on volatility" in line
    assert "return" not in line


def test_a_shift_downwards_is_less():
    (line, *_) = sentences(shifts(planted(-0.1)))
    assert "less on volatility" in line
    assert numbers(line)[1] < 0.0


def test_without_a_shift_the_sentence_says_so_and_gives_the_largest():
    table = shifts(planted(0.0))
    assert not table["shifted"].any()
    (line, *_) = sentences(table)
    largest = table.loc[table["difference"].abs().idxmax(), "difference"]
    assert line.startswith("No shift")
    assert numbers(line)[1] == round(float(largest), 3)


def test_other_measures_are_told_beside_the_main_one():
    both = pd.concat(
        [planted(0.1), planted(0.0, measure="importance_gradients")], ignore_index=True
    )
    table = shifts(both)
    main, others = sentences(table)
    assert table.groupby("measure")["shifted"].sum().to_dict() == {
        MAIN: 1,
        "importance_gradients": 0,
    }
    assert "more on volatility" in main
    assert "integrated gradients: none" in others


def test_one_seed_describes_its_largest_shifts_as_not_tested():
    table = shifts(planted(0.3, seeds=1))
    (line,) = sentences(table)
    assert line.startswith("Not tested, 1 seed")
    main = table.set_index("feature")["difference"]
    assert 1 <= len(lean := numbers(line.partition("lean")[2].partition("than")[0])) <= 6
    assert lean[0] == pytest.approx(main["volatility"], abs=5e-4)
    assert sorted(lean, reverse=True)[0] == lean[0]
