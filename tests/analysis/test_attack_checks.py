import copy
import re

import pytest
from faked_robustness import HALF, MANIFEST, SOUND, STUDY, clean, harm, trials_of
from printed import numbers

from analysis import attack_checks

LOUD = "do not read the robustness of such tickets as real"
PGD = "attacked_cvar_05@path_pgd:0.5"


@pytest.fixture
def checks(table):
    """The checks of a sweep, as (passed, line); the columns of a sound one unless changed."""

    def build(changed=(), *, study=STUDY, without=(), **more):
        columns = {n: f for n, f in {**SOUND, **dict(changed)}.items() if n not in without}
        trials = trials_of(table, columns, **more)
        return [(c.passed, c.line) for c in attack_checks(trials, {"study": study})]

    return build


def about(found, text):
    (one,) = [check for check in found if text in check[1]]
    return one


def study(**changes):
    """The study with changed settings: ``attack_steps=30``."""
    new = copy.deepcopy(STUDY)
    for name, value in changes.items():
        section, _, key = name.partition("_")
        new[section][key] = value
    return new


def trial_count(line):
    """Trials in which a claim holds, of all, as its ``line`` says."""
    held, trials = re.search(r"in (\d+) of (\d+) trial", line).groups()
    return int(held), int(trials)


def test_sound_attacks_pass_every_check(checks):
    found = checks()
    assert [passed for passed, _ in found] == [True] * 4
    noise, growth, effort, transfer = (line for _, line in found)
    assert trial_count(noise) == trial_count(growth) == trial_count(transfer) == (12, 12)
    assert re.findall(r"\w+_\w+|\d+", effort) == ["path_pgd", "20", "path_fgsm", "1"]


def test_a_check_says_what_it_came_to(table):
    passed, failed = (
        next(map(str, attack_checks(trials_of(table, columns), MANIFEST)))
        for columns in (SOUND, SOUND | {PGD: clean})
    )
    assert passed.startswith("passed: path_noise:0.5 ")
    assert failed.startswith("FAILED: path_noise:0.5 ")


def test_the_checks_hold_the_attacks_of_another_tail_against_its_own_clean_column(checks):
    # CVaR 5 % is above all of them: as budget 0 it would hide that nothing was found.
    half = {"without": SOUND, "cvar": lambda e, s: 9.0}
    assert checks(HALF, **half) == checks()
    idle = HALF | {"attacked_cvar_50@path_pgd:0.1": clean}
    passed, line = about(checks(idle, **half), "CVaR falls")
    assert (passed, trial_count(line)) == (False, (0, 12))


def test_noise_as_harmful_as_the_search_shouts(checks):
    masked = {PGD: lambda e, s: clean(e, s) - (1.0 if e == 0 else 0.01)}
    passed, line = about(checks(masked), "path_noise:0.5 does")
    assert passed is False
    assert trial_count(line) == (6, 12)
    assert numbers(line.removesuffix(LOUD))[-2:] == [90, 0.5], "sparsity and epsilon"
    assert line.endswith(LOUD)


def test_a_search_that_finds_just_what_noise_does_finds_nothing(checks):
    same = {PGD: SOUND["attacked_cvar_05@path_noise:0.5"]}
    assert about(checks(same), "path_noise:0.5 does")[0] is False
    flat = {PGD: SOUND["attacked_cvar_05@path_pgd:0.1"]}
    assert about(checks(flat), "CVaR falls")[0] is False


def test_one_trial_is_enough_to_fail(checks):
    once = {PGD: lambda e, s: clean(e, s) - (0.0 if (e, s) == (0.5, 3) else 1.0)}
    passed, line = about(checks(once), "path_noise:0.5 does")
    assert (passed, trial_count(line)) == (False, (11, 12))


def test_more_budget_that_does_no_more_harm_shouts(checks):
    passed, line = about(checks({PGD: harm(0.05)}), "CVaR falls")
    assert passed is False
    assert trial_count(line) == (0, 12)
    assert line.endswith(LOUD)


def test_budget_zero_is_clean_on_the_attacked_paths_and_left_out_if_that_is_not_known(checks):
    same, some = "cvar_05@attacked_paths", study(evaluation_attacked_paths=4096)
    assert "(0, 0.1, 0.5)" in about(checks(study=some), "CVaR falls")[1]
    assert "(0.1, 0.5)" in about(checks(study=some, without=(same,)), "CVaR falls")[1]
    passed, line = about(checks(study=some, without=(same, PGD)), "CVaR falls")
    assert passed is None
    assert line.endswith("study.evaluation.path_pgd: [0.05, 0.1]")
    every = study(evaluation_attacked_paths=8192)
    assert "(0, 0.1, 0.5)" in about(checks(study=every, without=(same,)), "CVaR falls")[1]


def test_an_attack_of_the_test_no_harder_than_that_of_training_shouts(checks):
    equal = study(attack_name="path_pgd", attack_steps=20)
    passed, line = about(checks(study=equal), "gradients a path")
    assert passed is False
    assert re.findall(r"\b\d+\b", line) == ["20", "20"]
    assert "raise study.evaluation.steps" in line
    assert line.endswith(LOUD)
    weaker = study(attack_name="path_pgd", attack_steps=19)
    assert about(checks(study=weaker), "gradients a path")[0] is True


def test_a_test_by_fgsm_alone_is_told_to_add_a_search_that_takes_more_gradients(checks):
    fgsm = {"attacked_cvar_05@path_fgsm:0.5": harm(0.5)}
    without = [n for n in SOUND if "path_pgd" in n]
    passed, line = about(checks(fgsm, without=without), "gradient a path")
    assert passed is False
    assert "study.evaluation.path_pgd: [0.5]" in line


def test_paths_of_the_dense_network_that_hurt_more_mean_masked_gradients(checks):
    hurts = {"attacked_cvar_05@transfer:0.5": lambda e, s: harm(0.5)(e, s) - 0.1 * (e > 0)}
    passed, line = about(checks(hurts), "transfer:0.5")
    assert passed is False
    assert numbers(line.removesuffix(LOUD))[-2:] == [90, 0.5], "sparsity and epsilon"
    assert line.endswith(LOUD)


def test_the_same_network_attacked_twice_passes(checks):
    same = {"attacked_cvar_05@transfer:0.5": lambda e, s: harm(0.5)(e, s) - 1e-4}
    assert about(checks(same), "transfer:0.5")[0] is True


@pytest.mark.parametrize(
    ("without", "cure"),
    [
        ("path_noise:0.5", "study.evaluation.path_noise: [0.5]"),
        ("transfer:0.5", "study.evaluation.transfer: [0.5]"),
        ("path_pgd:0.5", "study.evaluation.path_pgd: [0.5]"),
    ],
)
def test_a_check_that_cannot_be_made_names_the_setting_to_add(checks, without, cure):
    found = checks(without=(f"attacked_cvar_05@{without}",))
    assert any(passed is None and line.endswith(f"add {cure}") for passed, line in found)


def test_a_test_without_the_threat_of_training_names_the_one_to_add(checks):
    passed, line = about(checks(study=study(attack_name="observation_fgsm")), "in training")
    assert passed is None
    assert line.endswith("study.evaluation.observation_pgd: [0.5]")


def test_a_manifest_that_names_no_attack_leaves_the_effort_unchecked(checks):
    passed, line = about(checks(study=None), "of training")
    assert passed is None
    assert line.endswith("study.attack")


def test_tickets_trained_clean_have_no_effort_to_compare(checks):
    found = checks(epsilons=(0.0,))
    assert len(found) == 3
    assert not any("gradients a path" in line for _, line in found)


def test_without_a_search_there_is_nothing_to_trust(checks):
    assert checks(without=[n for n in SOUND if "noise" not in n]) == []


def test_every_market_is_checked_by_itself(table):
    trials = trials_of(table).assign(**{"config/market.xi": [0.1, 0.5] * 6})
    found = attack_checks(trials, MANIFEST)
    assert len(found) == 8
    assert found[0].line.startswith("market.xi 0.1: path_noise:0.5")
