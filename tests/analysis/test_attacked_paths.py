"""Clean and attacked CVaR on the same paths, and attacks without a finite CVaR."""

import math
from functools import partial

import pandas as pd
import pytest
from faked_robustness import MANIFEST, SOUND, clean, trials_of

from analysis import attack_checks, robust_against_standard, robustness_table
from analysis.attacks import attacks
from analysis.sweep import Sweep
from analysis.tickets.robustness_findings import robustness

PGD = "attacked_cvar_05@path_pgd:0.5"


@pytest.fixture
def sweep(table):
    return partial(trials_of, table)


def row(rows, metric):
    (one,) = [one for _, one in rows.iterrows() if one["metric"] == metric]
    return one


def test_damage_and_runaways_are_measured_on_the_paths_that_were_attacked(sweep):
    # The attacked paths are worse than the others by 1: that is no harm of the attack.
    worse = {**SOUND, "cvar_05@attacked_paths": lambda e, s: clean(e, s) - 1.0}
    harmed = {name: (lambda e, s, f=f: f(e, s) - 1.0) for name, f in SOUND.items()}
    rows = robust_against_standard(sweep({**harmed, **worse} | {PGD: harmed[PGD]}))
    assert row(rows, PGD)["share"] == pytest.approx(
        row(robust_against_standard(sweep()), PGD)["share"]
    )
    assert row(rows, PGD)["standard_runaways"] == 0


@pytest.mark.parametrize(
    ("attacked_paths", "comparable"), [(None, True), (8192, True), (2048, False)]
)
def test_an_older_table_has_a_share_only_if_all_test_paths_were_attacked(
    attacked_paths, comparable, sweep
):
    older = sweep({n: f for n, f in SOUND.items() if n != "cvar_05@attacked_paths"})
    about = {"market": {"test_paths": 8192}, "evaluation": {"attacked_paths": attacked_paths}}
    rows = robust_against_standard(Sweep.of(older, {"study": about}))
    attacked = row(rows, PGD)
    assert math.isnan(attacked["share"]) != comparable
    assert pd.isna(attacked["standard_runaways"]) != comparable
    assert attacked["difference_low"] > 0.0
    unknown = row(robust_against_standard(older), PGD)
    assert math.isnan(unknown["share"])


@pytest.mark.parametrize("value", [math.nan, -math.inf, math.inf, -1e300])
def test_a_seed_without_a_finite_cvar_under_attack_leaves_that_cell_undecided(value, sweep):
    trials = sweep()
    robust = trials["config/epsilon"].gt(0.0)
    trials.loc[robust & trials["config/seed"].isin([1, 3]), PGD] = value
    rows = robust_against_standard(trials)
    attacked = row(rows, PGD)
    assert (attacked["standard_not_finite"], attacked["robust_not_finite"]) == (0, 2)
    assert attacked[["difference", "difference_low", "p_holm", "share", "robust"]].isna().all()
    assert row(rows, "cvar_05")["difference_low"] < 0.0
    means = robustness_table(trials)
    assert means[PGD].notna().tolist() == [True, True, False]
    sentences = robustness(rows, trials, MANIFEST)
    assert any("undecided" in line and "2 robust tickets" in line for line in sentences)
    made = [check for check in attack_checks(trials, MANIFEST) if check.passed is not None]
    assert not any("path_pgd:0.5" in check.line for check in made if "gradient" not in check.line)


def test_an_attack_without_a_finite_cvar_at_any_seed_is_still_listed_and_undecided(sweep):
    trials = sweep().assign(**{PGD: math.nan})
    assert PGD not in {attack.column for attack in attacks(trials)}
    counted = trials.assign(attacks_not_finite=pd.Series(1, trials.index, dtype="Int64"))
    attacked = row(robust_against_standard(counted), PGD)
    assert (attacked["standard_not_finite"], attacked["robust_not_finite"]) == (6, 6)
    assert math.isnan(attacked["difference"])
