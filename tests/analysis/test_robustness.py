import math
from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pytest
from faked_robustness import BOUGHT, HALF, MANIFEST, PRICE, SOUND, STUDY, clean, harm, trials_of

from analysis import robust_against_standard, robustness_table
from analysis.attacks import Attack, attacks, clean_column, gradients, label, nearest, setting
from analysis.tickets.robustness_findings import robustness
from analysis.wording import amount


@pytest.fixture
def sweep(table):
    return partial(trials_of, table)


def said(trials: pd.DataFrame, manifest: Mapping[str, Any] = MANIFEST) -> list[str]:
    return robustness(robust_against_standard(trials), trials, manifest)


def flat(epsilon: float, seed: int) -> float:
    """A CVaR that tells nothing of robustness."""
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
    # The same tickets against each other's seeds: the luck of the seeds swamps the difference.
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


def test_six_agreeing_seeds_have_the_exact_p_and_holm_counts_every_row(sweep):
    rows = robust_against_standard(sweep())
    assert row(rows, "cvar_05")["p"] == pytest.approx(2 / 2**6)
    assert row(rows, "cvar_05")["p_holm"] == pytest.approx(min(1.0, len(rows) * 2 / 2**6))


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
    assert any(line.startswith("market.xi 0.5: At sparsity 90 %") for line in said(trials))


def test_the_sentence_says_what_it_costs_and_buys_with_intervals(sweep):
    first, others, test = said(sweep())
    assert first.startswith("At sparsity 90 %, tickets trained at epsilon 0.5 lose 0.050 [0.04")
    assert "] of CVaR on clean paths and gain 0.350 [0.34" in first
    assert first.endswith("under path_pgd:0.5, over 6 seeds: 35 % of what that attack takes from "
                          "standard tickets.")  # fmt: skip
    assert others == (
        "Other attacks on them: gain under path_pgd:0.1 (+0.030), transfer:0.5 (+0.550)."
    )
    assert test == (
        "Intervals are uncorrected; Wilcoxon's test corrected for 5 comparisons needs 8 seeds and "
        "has 6."
    )


def test_a_sentence_names_another_tail_than_5_percent(sweep):
    usual, *rest = said(sweep())
    half = usual.replace("of CVaR on", "of CVaR 50 % on")
    assert half != usual
    assert said(sweep(HALF, cvar=flat)) == [half, *rest]
    (few,) = said(sweep(HALF, cvar=flat, seeds=1))
    assert "of CVaR 50 % on clean paths and +0.345 under path_pgd:0.5" in few


def test_where_the_tail_is_swept_every_study_is_told_by_its_own(sweep):
    parts = {0.05: sweep(), 0.5: sweep(HALF, cvar=flat)}
    trials = pd.concat(
        [part.assign(**{"config/evaluation.tail": tail}) for tail, part in parts.items()],
        ignore_index=True,
    )
    first, half = (line for line in said(trials) if "trained at epsilon" in line)
    assert first.startswith("evaluation.tail 0.05: At sparsity 90 %")
    assert "lose 0.050 [0.045, 0.055] of CVaR on clean paths and gain 0.350" in first
    assert "lose 0.050 [0.045, 0.055] of CVaR 50 % on clean paths and gain 0.350" in half
    assert "cvar_50" not in robustness_table(trials)


def test_enough_seeds_are_put_to_the_test(sweep):
    *_, line = said(sweep({"attacked_cvar_05@path_pgd:0.5": harm(0.5)}, seeds=12))
    assert line == (
        "By Wilcoxon's test corrected for 2 comparisons, 2 of the 2 differences are told apart "
        "from 0 at 5 %."
    )


def test_training_that_makes_it_worse_is_said_not_to_help(sweep):
    worse = {"attacked_cvar_05@path_pgd:0.5": harm(0.5, bought=-0.5)}
    (first, _) = said(sweep(worse))
    assert "and lose 0.300 [0.2" in first
    assert first.endswith("over 6 seeds: robust training does not help here.")


def test_a_difference_whose_interval_covers_zero_is_no_gain_and_no_price(sweep):
    def open_(epsilon, seed):
        return -3.0 + 0.2 * epsilon * (-1) ** seed

    trials = sweep({"attacked_cvar_05@path_pgd:0.5": open_}, cvar=open_)
    (first, _) = said(trials)
    assert "show no clear change of CVaR on clean paths (" in first
    assert first.count("the interval covers 0)") == 2
    assert first.endswith("robust training is not shown to help here.")
    assert "gain" not in first
    assert "lose" not in first


@pytest.mark.parametrize(
    ("seeds", "found"), [(1, "+0.345 under path_pgd:0.5, over 1 seed;"), (3, "over 3 seeds;")]
)
def test_few_seeds_are_given_without_a_claim(sweep, seeds, found):
    first, *rest = said(sweep(seeds=seeds))
    assert found in first
    assert rest == []
    assert first.endswith("with fewer than 4 seeds no interval is claimed.")
    assert "gain" not in first
    assert "[" not in first


def test_a_threat_that_nobody_tests_is_said(sweep):
    study = STUDY | {"attack": {"name": "observation_fgsm"}}
    assert (
        "They were trained under observation_fgsm, a threat that no test of them poses."
        in said(sweep(), {"study": study})
    )


NO_ATTACK = (
    "No network was attacked, so nothing is known of their robustness; add "
    "study.evaluation.path_pgd: [0.1] to the space."
)


def test_a_sweep_without_attacks_or_without_rivals_is_one_line_with_the_cure(sweep):
    assert said(sweep({})) == [NO_ATTACK]
    (line,) = said(sweep(epsilons=(0.0,)))
    assert line.endswith("add a value above 0 to space.epsilon.")
    (line,) = said(sweep(epsilons=(0.5,)))
    assert line.endswith("none is standard to compare with; add 0 to space.epsilon.")
    (line,) = said(sweep().drop(columns="config/epsilon"))
    assert line.endswith("train some at a budget above 0.")


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
    assert label(measure) == found


def test_an_axis_comes_before_the_study_and_a_null_in_it_does_not():
    trials = pd.DataFrame({"config/attack.name": ["path_pgd", None]})
    assert setting(trials, MANIFEST, "attack.name").tolist() == ["path_pgd", "path_fgsm"]
    assert setting(trials, {}, "attack.steps").isna().all()


@pytest.mark.parametrize(
    ("name", "found"), [("path_fgsm", 1), ("path_noise", 0), ("distribution_wbpgd", 20)]
)
def test_gradients_are_steps_times_restarts_but_for_fgsm_and_noise(name, found):
    assert gradients(name, 10, 2) == found


def test_gradients_that_nobody_wrote_down_are_unknown():
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
    (row,) = found.to_dict("records")
    assert row["metric"] == "attacked_cvar_05@distribution_wbpgd:0.5"
    assert row["standard_runaways"] == 1
    assert row["standard_median"] > 3.0 * contrast["standard"].iloc[0]
    (line,) = [t for t in robustness(contrast, rows, MANIFEST) if "run away" in t]
    assert "distribution_wbpgd:0.5 (1 standard and 0 robust of 6; -" in line
    assert not any(
        "distribution_wbpgd" in t for t in robustness(contrast, rows, MANIFEST) if t != line
    )
