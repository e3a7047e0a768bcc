import math
from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy
from faked_robustness import BOUGHT, HALF, MANIFEST, PRICE, SOUND, STUDY, clean, harm, trials_of
from printed import numbers

from analysis import holm, robust_against_standard, robustness_table
from analysis.attacks import Attack, attacks, clean_column, gradients, nearest, setting
from analysis.contrast import BETTER, EQUIVALENT, NO_INTERVAL, OPEN, WORSE, bracketed
from analysis.intervals import skew_safe_p
from analysis.metric_names import cvar_name
from analysis.tickets.robustness_findings import robustness
from analysis.wording import amount

PGD = "attacked_cvar_05@path_pgd:0.5"


@pytest.fixture
def sweep(table):
    return partial(trials_of, table)


def said(trials: pd.DataFrame, manifest: Mapping[str, Any] = MANIFEST) -> list[str]:
    return robustness(robust_against_standard(trials), trials, manifest)


def flat(epsilon: float, seed: int) -> float:
    """A CVaR without any effect of robustness."""
    return -9.0


def row(rows: pd.DataFrame, metric: str) -> pd.Series:
    (found,) = [r for _, r in rows.iterrows() if r["metric"] == metric]
    return found


def test_the_table_has_the_dense_network_and_then_every_configuration(sweep):
    rows = robustness_table(sweep(sparsities=(0.5, 0.9)))
    assert rows["network"].tolist() == ["dense", *["ticket"] * 4]
    assert rows["sparsity"].tolist()[1:] == [0.5, 0.5, 0.9, 0.9]
    assert rows["epsilon"].tolist()[1:] == [0.0, 0.5, 0.0, 0.5]
    assert math.isnan(rows["epsilon"][0])


def test_every_metric_is_the_mean_over_seeds_with_its_error_and_interval(sweep):
    trials = sweep()
    robust = robustness_table(trials).iloc[-1]
    column = "attacked_cvar_05@path_pgd:0.5"
    values = trials.loc[trials["config/epsilon"].eq(0.5), column]
    assert robust["seeds"] == 6
    assert robust[column] == pytest.approx(values.mean())
    assert robust[f"{column}_se"] == pytest.approx(values.std(ddof=1) / math.sqrt(6))
    assert values.min() <= robust[f"{column}_low"] < robust[column] < robust[f"{column}_high"]


def test_the_dense_row_holds_what_the_trials_say_of_their_dense_network(sweep):
    dense = robustness_table(sweep()).iloc[0]
    means = {m: np.mean([f(0.0, s) - 0.5 for s in range(6)]) for m, f in SOUND.items()}
    assert {m: dense[m] for m in means} == pytest.approx(means)
    assert dense["cvar_05"] == pytest.approx(np.mean([clean(0.0, s) - 0.5 for s in range(6)]))
    assert dense["seeds"] == 6


def test_of_one_seed_there_is_a_mean_and_no_interval(sweep):
    rows = robustness_table(sweep(seeds=1))
    assert rows["cvar_05"].notna().all()
    assert rows["attacked_cvar_05@path_pgd:0.1_low"].isna().all()


def test_other_markets_have_their_columns(sweep):
    extreme = {"cvar_05@regime:extreme": lambda e, s: -9.0, "cvar_05_worst@shift:0.1": clean}
    rows = robustness_table(sweep({**SOUND, **extreme}))
    assert rows["cvar_05@regime:extreme"].tolist() == pytest.approx([-9.5, -9.0, -9.0])
    assert "cvar_05_worst@shift:0.1_low" in rows


def test_the_learning_rate_is_chosen_on_validation_and_not_on_the_test(sweep):
    trials = sweep()
    lucky = trials.assign(**{"config/lr": 0.5, "val_loss": 9.0, "cvar_05": 100.0})
    both = pd.concat([trials, lucky], ignore_index=True)
    assert row(robust_against_standard(both), "cvar_05")["standard"] < 0.0
    assert robustness_table(both).iloc[-1]["lr"] == 1e-3


def test_controls_of_the_lottery_take_no_part(sweep):
    trials = sweep().assign(**{"config/ticket": "lottery"})
    control = trials.assign(**{"config/ticket": "random_mask", "val_loss": 0.1, "cvar_05": -99.0})
    rows = robustness_table(pd.concat([trials, control], ignore_index=True))
    assert (rows["cvar_05"] > -4.0).all()


def test_the_planted_price_and_gain_come_back_with_their_signs(sweep):
    rows = robust_against_standard(sweep())
    assert row(rows, "cvar_05")["difference"] == pytest.approx(-PRICE * 0.5)
    for budget in (0.1, 0.5):
        found = row(rows, f"attacked_cvar_05@path_pgd:{budget}")["difference"]
        assert found == pytest.approx(-PRICE * 0.5 + 2.0 * budget * BOUGHT * 0.5)


def test_the_share_is_what_training_gives_back_of_what_the_attack_takes(sweep):
    rows = robust_against_standard(sweep())
    attacked = row(rows, "attacked_cvar_05@path_pgd:0.5")
    assert attacked["share"] == pytest.approx((2.0 * 0.5 * BOUGHT * 0.5 - 0.05) / (2.0 * 0.5))
    assert math.isnan(row(rows, "cvar_05")["share"])


def test_at_another_tail_every_difference_and_share_is_that_of_its_own_clean_column(sweep):
    rows = robust_against_standard(sweep(HALF, cvar=flat))
    assert rows["metric"].tolist()[0] == "cvar_50"
    assert rows["metric"].str.contains("cvar_50").all()
    usual = robust_against_standard(sweep())
    pd.testing.assert_frame_equal(rows.drop(columns="metric"), usual.drop(columns="metric"))


def test_the_table_of_another_tail_has_its_columns_alone(sweep):
    calm = {"cvar_50@regime:calm": lambda e, s: -1.0, "cvar_05@regime:calm": flat}
    rows = robustness_table(sweep(HALF | calm, cvar=flat))
    assert rows["network"].tolist() == ["dense", "ticket", "ticket"]
    means = [np.mean([clean(e, s) for s in range(6)]) for e in (0.0, 0.5)]
    assert rows["cvar_50"].tolist() == pytest.approx([means[0] - 0.5, *means])
    assert rows["cvar_50@regime:calm"].tolist() == pytest.approx([-1.5, -1.0, -1.0])
    assert not any("cvar_05" in name for name in rows.columns)


def test_the_dense_network_stays_where_its_own_clean_column_was_not_recorded(sweep):
    trials = sweep(HALF).drop(columns="dense_cvar_50")
    dense = robustness_table(trials).iloc[0]
    assert dense["network"] == "dense"
    assert math.isnan(dense["cvar_50"])
    assert dense["attacked_cvar_50@path_pgd:0.5"] < 0.0


def test_pairing_by_seed_takes_the_luck_of_the_seeds_out(sweep):
    price = row(robust_against_standard(sweep()), "cvar_05")
    assert price["difference_low"] < -0.05 < price["difference_high"] < 0.0
    assert price["difference_high"] - price["difference_low"] < 0.02
    # The same tickets with seeds permuted: the noise of the seeds swamps the difference.
    trials = sweep()
    robust = trials["config/epsilon"].gt(0.0)
    trials.loc[robust, "config/seed"] = 5 - trials.loc[robust, "config/seed"]
    price = row(robust_against_standard(trials), "cvar_05")
    assert price["difference_low"] < -1.0
    assert price["difference_high"] > 1.0


def test_only_seeds_that_have_both_tickets_are_paired(sweep):
    trials = sweep()
    lost = trials["config/epsilon"].gt(0.0) & trials["config/seed"].ge(4)
    rows = robust_against_standard(trials[~lost].reset_index(drop=True))
    assert rows["seeds"].unique().tolist() == [4]
    standard = row(rows, "cvar_05")["standard"]
    assert standard == pytest.approx(np.mean([clean(0.0, s) for s in range(4)]))


def test_p_holds_for_skewed_noise_and_holm_counts_every_row(sweep):
    trials = sweep()
    rows = robust_against_standard(trials)
    by_epsilon = trials.pivot(index="config/seed", columns="config/epsilon", values="cvar_05")
    t = scipy.stats.ttest_rel(by_epsilon[0.5], by_epsilon[0.0]).statistic
    assert row(rows, "cvar_05")["p"] == pytest.approx(2.0 * skew_safe_p(abs(t), 6))
    assert sorted(rows["p_holm"]) == pytest.approx(sorted(holm(rows["p"].tolist())))


def test_every_market_is_compared_by_itself(sweep):
    trials = pd.concat(
        [
            sweep().assign(**{"config/market.xi": 0.1}),
            sweep(cvar=lambda e, s: clean(e, s) - e).assign(**{"config/market.xi": 0.5}),
        ],
        ignore_index=True,
    )
    rows = robust_against_standard(trials)
    prices = rows[rows["metric"].eq("cvar_05")].set_index("market.xi")["difference"]
    assert prices.to_dict() == pytest.approx({0.1: -0.05, 0.5: -0.55})
    assert robustness_table(trials)["network"].tolist().count("dense") == 2
    markets = {line.partition(":")[0] for line in said(trials)[:-1]}
    assert markets == {"market.xi 0.1", "market.xi 0.5"}


def test_costs_and_gains_have_intervals_and_the_share_that_training_gives_back(sweep):
    rows = robust_against_standard(sweep())
    clean_row, attacked = (row(rows, name) for name in ("cvar_05", PGD))
    assert (clean_row["verdict"], attacked["verdict"]) == (WORSE, BETTER)
    first, others, test = said(sweep())
    assert numbers(first)[:3] == [90, 0.5, 0.05], "sparsity, epsilon, what it costs"
    assert clean_row["difference"] == pytest.approx(-0.05)
    assert f"gain {bracketed(attacked, 'difference')} under path_pgd:0.5" in first
    assert numbers(first)[-2:] == [6, 100 * round(attacked["share"], 2)], "seeds, share"
    assert numbers(others) == [0.1, 0.03, 0.5, 0.55]
    assert "gain under path_pgd:0.1" in others
    assert numbers(test)[:2] == [5, len(rows)], "level, comparisons"


def test_a_sentence_names_another_tail_than_5_percent(sweep):
    usual, *rest = said(sweep())
    half = usual.replace("of CVaR on", "of CVaR 50 % on")
    assert half != usual
    assert said(sweep(HALF, cvar=flat)) == [half, *rest]
    (few,) = said(sweep(HALF, cvar=flat, seeds=1))
    assert "of CVaR 50 %" in few
    assert 0.345 in numbers(few)


def test_where_the_tail_is_swept_every_study_is_told_by_its_own(sweep):
    parts = {0.05: sweep(), 0.5: sweep(HALF, cvar=flat)}
    trials = pd.concat(
        [part.assign(**{"config/evaluation.tail": tail}) for tail, part in parts.items()],
        ignore_index=True,
    )
    first, half = (line for line in said(trials) if "trained at epsilon" in line)
    assert "lose" in first
    assert numbers(first)[:3] == [0.05, 90, 0.5], "tail, sparsity, epsilon"
    assert numbers(first)[3:6] == numbers(half)[3:6] == [0.05, 0.044, 0.056]
    assert ["CVaR 50 %" in line for line in (first, half)] == [False, True]
    assert 0.35 in numbers(first)
    assert 0.35 in numbers(half)
    assert "cvar_50" not in robustness_table(trials)


def test_enough_seeds_are_put_to_the_test(sweep):
    *_, line = said(sweep({PGD: harm(0.5)}, seeds=12))
    assert numbers(line) == [5, 2, 1, 1, 95], "level, comparisons, better, worse, coverage"


def test_training_that_makes_it_worse_loses_and_gives_nothing_back(sweep):
    worse = sweep({PGD: harm(0.5, bought=-0.5)})
    attacked = row(robust_against_standard(worse), PGD)
    assert attacked["verdict"] == WORSE
    (first, _) = said(worse)
    assert attacked["difference"] == pytest.approx(-0.3)
    assert numbers(first.partition("and lose")[2])[0] == 0.3
    assert "harms" in first


def test_a_difference_that_is_not_shown_is_no_gain_and_no_price(sweep):
    def open_(epsilon, seed):
        return -3.0 + 2.0 * epsilon * (-1) ** seed

    trials = sweep({PGD: open_}, cvar=open_)
    rows = robust_against_standard(trials)
    assert rows["verdict"].tolist() == [OPEN, OPEN]
    (first, _) = said(trials)
    assert first.count("not shown to gain or lose") == 2


def test_a_difference_within_the_margin_is_equivalent_and_the_margin_is_printed(sweep):
    def equal(epsilon, seed):
        return -3.0 + 0.02 * epsilon * (-1) ** seed

    trials = sweep({"cvar_05@attacked_paths": equal, PGD: equal}, cvar=equal)
    rows = robust_against_standard(trials)
    assert rows["verdict"].tolist() == [EQUIVALENT, EQUIVALENT]
    assert rows["margin"].tolist() == pytest.approx([0.15] * 2)
    (first, _) = said(trials)
    assert 0.15 in numbers(first)


def test_a_seed_without_a_result_leaves_no_verdict(sweep):
    for ending in (math.nan, -math.inf):
        trials = sweep()
        trials.loc[0, PGD] = ending
        rows = robust_against_standard(trials)
        attacked = row(rows, PGD)
        assert (attacked["verdict"], attacked["lacking"]) == (OPEN, 1)
        assert attacked[["difference_low", "p"]].isna().all()
        assert row(rows, "cvar_05")["verdict"] == WORSE


@pytest.mark.parametrize(("seeds", "bought"), [(1, 0.345), (2, 0.35)])
def test_few_seeds_are_given_without_a_claim(sweep, seeds, bought):
    first, *rest = said(sweep(seeds=seeds))
    *_, gain, budget, over, _ = numbers(first)
    assert (gain, budget, over) == (bought, 0.5, seeds)
    assert rest == []
    assert NO_INTERVAL in first
    assert "gain" not in first
    assert "[" not in first


def test_an_untested_threat_model_is_reported(sweep):
    study = STUDY | {"attack": {"name": "observation_fgsm"}}
    (line,) = (t for t in said(sweep(), {"study": study}) if "observation_fgsm" in t)
    assert line not in said(sweep())


def test_a_sweep_without_attacks_or_without_rivals_is_one_line_with_the_cure(sweep):
    (line,) = said(sweep({}))
    assert "study.evaluation.path_pgd: [0.1]" in line
    (line,) = said(sweep(epsilons=(0.0,)))
    assert "above 0" in line
    assert "space.epsilon" in line
    (line,) = said(sweep(epsilons=(0.5,)))
    assert "add 0" in line
    assert "space.epsilon" in line
    (line,) = said(sweep(epsilons=(0.0,)).drop(columns="config/epsilon"))
    assert "budget above 0" in line


NAMES = ("path_fgsm:0.5", "path_pgd:0.1", "path_pgd:0.5", "path_noise:0.3", "observation_pgd:0.3")


@pytest.mark.parametrize(
    ("trained", "epsilon", "found"),
    [
        ("path_fgsm", 0.5, "path_pgd:0.5"),
        ("path_fgsm", 0.2, "path_pgd:0.1"),
        ("observation_fgsm", 0.1, "observation_pgd:0.3"),
        ("distribution_wpgd", 0.3, "observation_pgd:0.3"),
        (None, 0.5, "path_pgd:0.5"),
    ],
)
def test_the_attack_of_training_is_matched_by_threat_then_budget_then_hardness(
    trained, epsilon, found
):
    known = [Attack(*name.split(":")) for name in NAMES]
    assert str(nearest(known, trained=trained, epsilon=epsilon)) == found


def test_controls_are_never_the_attack_of_training():
    known = [Attack("path_noise", "0.5"), Attack("transfer", "0.5")]
    assert nearest(known, trained="path_fgsm", epsilon=0.5) is None


def test_attacks_are_those_with_a_value_by_model_hardness_and_budget():
    names = ["transfer:0.5", "path_pgd:0.5", "path_pgd:0.10", "path_fgsm:1e-05", "path_noise:0.5"]
    frame = pd.DataFrame({f"attacked_cvar_05@{name}": [-1.0] for name in names})
    frame["attacked_cvar_05@distribution_wpgd:0.1"] = math.nan
    frame["attacked_cvar_05@path_pgd:0.5_low"] = 1.0
    frame["val_attacked_cvar_05@path_pgd:0.7"] = 1.0
    assert list(map(str, attacks(frame))) == [
        "path_noise:0.5", "path_fgsm:1e-05", "path_pgd:0.10", "path_pgd:0.5", "transfer:0.5",
    ]  # fmt: skip
    assert attacks(frame)[2].column == "attacked_cvar_05@path_pgd:0.10"


def test_attacks_are_of_the_first_measure_that_has_a_value():
    names = ["attacked_cvar_05@path_pgd:0.1", "attacked_cvar_50@path_pgd:0.1"]
    both = pd.DataFrame([[-1.0, -2.0]], columns=names)
    assert [a.column for a in attacks(both)] == names[:1]
    half = both.assign(**{names[0]: math.nan})
    assert [a.column for a in attacks(half)] == names[1:]
    assert (clean_column(attacks(half)), clean_column([])) == ("cvar_50", "cvar_05")


@pytest.mark.parametrize(
    ("measure", "found"),
    [("cvar_01", "CVaR 1 %"), ("cvar_05", "CVaR 5 %"), ("cvar_50", "CVaR 50 %")],
)
def test_a_measure_is_labelled_by_its_percentage(measure, found):
    assert cvar_name(measure) == found


def test_an_axis_comes_before_the_study_and_a_null_in_it_does_not():
    trials = pd.DataFrame({"config/attack.name": ["path_pgd", None]})
    assert setting(trials, MANIFEST, "attack.name").tolist() == ["path_pgd", "path_fgsm"]
    assert setting(trials, {}, "attack.steps").isna().all()


@pytest.mark.parametrize(
    ("name", "found"), [("path_fgsm", 1), ("path_noise", 0), ("distribution_wbpgd", 20)]
)
def test_gradients_are_steps_times_restarts_but_for_fgsm_and_noise(name, found):
    assert gradients(name, 10, 2) == found


def test_unrecorded_numbers_of_gradients_are_unknown():
    assert math.isnan(gradients("path_pgd", None, 2))


def test_a_hedge_that_has_run_away_is_told_in_powers_of_ten():
    assert amount(-3.0012) == "-3.001"
    assert amount(9999.0, signed=True) == "+9999.000"
    assert amount(-60964417.9) == "-6.1e+07"


def test_hedges_that_run_away_are_counted_and_told_by_medians(table):
    def wild(epsilon, seed):
        return clean(epsilon, seed) * (1e6 if seed == 0 and epsilon == 0.0 else 2.0)

    rows = trials_of(table, {**SOUND, "attacked_cvar_05@distribution_wbpgd:0.5": wild})
    contrast = robust_against_standard(rows)
    assert contrast["robust_runaways"].eq(0).all()
    found = contrast[contrast["standard_runaways"].gt(0)]
    (one,) = found.to_dict("records")
    assert one["metric"] == "attacked_cvar_05@distribution_wbpgd:0.5"
    assert one["standard_runaways"] == 1
    assert one["standard_median"] > 3.0 * contrast["standard"].iloc[0]
    (line,) = [t for t in robustness(contrast, rows, MANIFEST) if "distribution_wbpgd" in t]
    medians = [round(one[f"{kind}_median"], 3) for kind in ("standard", "robust")]
    after = numbers(line.partition("distribution_wbpgd")[2])
    assert after == [0.5, 1, 0, 6, *medians], "budget, runaways of both, seeds, medians"
