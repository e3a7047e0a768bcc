import math
import os
import re
import subprocess
import sys
from pathlib import Path

import faked_sweep
import numpy as np
import pyarrow.parquet as pq
import pytest
from optuna.samplers import TPESampler
from optuna.trial import TrialState
from searches import (
    AXES,
    CONDITIONAL,
    FAILED,
    MIXED,
    WHEN,
    complete,
    earlier,
    loss,
    outcome,
    proposals,
    pruned,
    searching,
    space,
)
from spaces import TINY

import analysis
import sweeps
from hedgecore.training.convergence import DivergedError
from search_spaces import (
    Uniform,
)
from sweeps import SpaceError, UsageError
from sweeps.scheduling.optuna_search import Outcome, search_for


@pytest.mark.parametrize("algorithm", ["tpe", "nsga2"])
@pytest.mark.parametrize("seed", [0, 1])
def test_proposals_do_not_depend_on_when_outcomes_become_known(algorithm, seed):
    expected = proposals(searching(space(algorithm, delay=4)), 50)
    rng = np.random.default_rng(seed)
    search = searching(space(algorithm, delay=4))
    made, untold = [], []
    while len(made) < 50:
        if rng.random() < 0.6 and (config := search.ask(len(made))) is not None:
            untold.append(len(made))
            made.append(config)
        elif untold:
            number = untold.pop(int(rng.integers(len(untold))))
            search.tell(number, outcome(number, made[number]))
    assert made == expected


def test_without_the_delay_proposals_would_depend_on_it():
    """The control: other outcomes than the rule's are seen, and other proposals come out."""
    assert proposals(searching(space(delay=1)), 40) != proposals(searching(space(delay=4)), 40)


def test_a_proposal_waits_for_the_outcomes_it_is_to_see_and_for_no_other():
    search = searching(space(delay=2))
    first, second = search.ask(0), search.ask(1)
    assert search.ask(2) is None
    search.tell(1, complete(loss(second)))
    assert search.ask(2) is None
    search.tell(0, complete(loss(first)))
    assert search.ask(2) is not None
    assert search.ask(3) is not None
    assert search.ask(4) is None


def test_a_proposal_that_is_asked_for_again_is_the_same():
    search = searching()
    made = proposals(search, 12)
    assert [search.ask(number) for number in range(12)] == made
    assert len(search.study.trials) == 12


def test_proposals_are_asked_for_in_their_order():
    search = searching()
    search.ask(0)
    with pytest.raises(ValueError, match="proposal 2 cannot be made after 1: proposals are made"):
        search.ask(2)
    with pytest.raises(ValueError, match="proposal 1 was not made; there are 1"):
        search.tell(1, FAILED)


def test_the_first_outcome_of_a_proposal_counts():
    once, twice = searching(space(delay=1)), searching(space(delay=1))
    for number in range(15):
        once.tell(number, complete(loss(once.ask(number))))
        twice.tell(number, complete(loss(twice.ask(number))))
        twice.tell(number, FAILED)
    assert once.ask(15) == twice.ask(15)


@pytest.mark.parametrize("algorithm", ["tpe", "nsga2"])
def test_a_study_rebuilt_from_its_outcomes_goes_on_as_before(algorithm):
    whole = proposals(searching(space(algorithm)), 45)
    cut = searching(space(algorithm))
    proposals(cut, 30)
    cut.close()
    again = searching(space(algorithm))
    assert proposals(again, 45) == whole


@pytest.mark.parametrize("axes", [AXES, MIXED])
def test_proposals_are_those_of_the_search_seed(axes):
    one, same, other = (
        proposals(searching(space(axes=axes, seed=seed)), 15) for seed in (1, 1, 2)
    )
    assert one == same
    assert all(a != b for a, b in zip(one, other, strict=True))


def test_no_two_proposals_share_their_stream():
    made = proposals(searching(space(delay=99)), 40)
    assert len({config["x"] for config in made}) == 40


SCRIPT = """
import sys; sys.path[:0] = {path!r}
from test_search import of_both
print(of_both())
"""


def of_both():
    return [proposals(searching(space(a, axes=MIXED)), 30) for a in ("tpe", "nsga2")]


@pytest.mark.slow
def test_proposals_do_not_depend_on_the_hashes_of_a_process():
    path = [str(Path(__file__).parent), *filter(None, sys.path)]
    made = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(path=path)],
        env={**os.environ, "PYTHONHASHSEED": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert made.stdout.strip() == repr(of_both())


def test_every_value_is_one_of_its_domain_and_of_its_type():
    for config in proposals(searching(space(axes=MIXED)), 30, tell=lambda *_: complete(0.0)):
        assert list(config) == ["x", "y", "n", "kind", "hidden"]
        assert -1 <= config["x"] <= 1
        assert 1e-4 <= config["y"] <= 1
        assert type(config["n"]) is int
        assert 2 <= config["n"] <= 5
        assert config["kind"] in ("a", "b")
        assert config["hidden"] in ((8, 8), (16,))


def test_every_value_of_every_domain_is_proposed():
    made = proposals(searching(space(axes=MIXED)), 60, tell=lambda *_: complete(0.0))
    assert {config["n"] for config in made} == {2, 3, 4, 5}
    assert {config["hidden"] for config in made} == {(8, 8), (16,)}


def trials_of(search):
    search.close()
    return search.study.trials


def test_a_complete_trial_has_its_value():
    search = searching()
    search.ask(0)
    search.tell(0, Outcome(state="complete", values=(0.5,), steps={1: 0.9, 3: 0.5}))
    (trial,) = trials_of(search)
    assert (trial.state, trial.value) == (TrialState.COMPLETE, 0.5)
    assert trial.intermediate_values == {1: 0.9, 3: 0.5}


def test_a_pruned_trial_has_the_values_of_all_its_rungs_and_that_of_the_last():
    search = searching()
    search.ask(0)
    search.tell(0, pruned({3: 0.5, 1: 0.9}))
    (trial,) = trials_of(search)
    assert (trial.state, trial.value) == (TrialState.PRUNED, 0.5)
    assert trial.intermediate_values == {1: 0.9, 3: 0.5}


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_trial_that_ends_without_a_finite_value_has_failed(value):
    search = searching()
    search.ask(0)
    search.tell(0, complete(value))
    (trial,) = trials_of(search)
    assert (trial.state, trial.value) == (TrialState.FAIL, None)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_trial_that_was_stopped_because_it_diverged_is_pruned_without_a_value(value):
    search = searching()
    search.ask(0)
    search.tell(0, pruned({1: 0.9, 3: value}))
    (trial,) = trials_of(search)
    assert (trial.state, trial.value) == (TrialState.PRUNED, None)
    assert math.isnan(trial.intermediate_values[3])


def test_a_failed_trial_has_no_value():
    search = searching()
    search.ask(0)
    search.tell(0, FAILED)
    assert [(t.state, t.value) for t in trials_of(search)] == [(TrialState.FAIL, None)]


def test_a_closed_search_has_no_running_trial_and_makes_none():
    search = searching(space(delay=5))
    configs = [search.ask(number) for number in range(5)]
    search.tell(3, complete(loss(configs[3])))
    assert {t.state for t in search.study.trials} == {TrialState.RUNNING}
    states = [t.state for t in trials_of(search)]
    assert states == [TrialState.FAIL] * 3 + [TrialState.COMPLETE, TrialState.FAIL]
    with pytest.raises(ValueError, match="proposal 5 cannot be made after 5: the search is close"):
        search.ask(5)


def test_closing_twice_changes_nothing():
    search = searching()
    search.ask(0)
    assert [t.state for t in trials_of(search)] == [t.state for t in trials_of(search)]


def test_the_study_has_the_name_and_the_directions_it_was_given():
    search = searching(directions=("minimize", "maximize"))
    assert search.study.study_name == "made"
    assert [d.name for d in search.study.directions] == ["MINIMIZE", "MAXIMIZE"]


def test_nothing_is_said_on_stderr(capfd):
    trials_of(searching())
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("algorithm", ["tpe", "nsga2"])
def test_an_axis_is_proposed_only_where_it_exists(algorithm):
    search = searching(space(algorithm, CONDITIONAL, WHEN))
    made = proposals(search, 60, tell=lambda n, c: complete(c.get("steps", 9) + n / 1e3))
    for config in made:
        assert ("steps" in config) == (config["name"] == "pgd")
        assert ("scale" in config) == (config.get("steps", 9) <= 4)
        assert list(config) == [axis for axis in CONDITIONAL if axis in config]
    assert {len(config) for config in made} == {1, 2, 3}
    assert [set(t.params) for t in trials_of(search)] == [set(config) for config in made]


@pytest.mark.parametrize("algorithm", ["tpe", "nsga2"])
def test_two_objectives_make_a_front(algorithm):
    search = searching(space(algorithm), ("minimize", "maximize"))

    def told(number, config):
        if number % 5 == 2:
            return pruned({1: 0.5, 3: 0.25})
        return complete(config["x"] ** 2, config["y"])

    made = proposals(search, 60, tell=told)
    trials = trials_of(search)
    assert {t.state for t in trials} == {TrialState.COMPLETE, TrialState.PRUNED}
    assert trials[0].values == [made[0]["x"] ** 2, made[0]["y"]]
    assert trials[2].user_attrs["steps"] == {"1": 0.5, "3": 0.25}
    front = [t.values for t in search.study.best_trials]
    assert front
    assert not any(a[0] < b[0] and a[1] > b[1] for a in front for b in front)


@pytest.mark.parametrize(("algorithm", "count"), [("tpe", 30), ("nsga2", 40)])
def test_earlier_sweeps_change_the_first_proposals_always_alike(algorithm, count):
    cold = proposals(searching(space(algorithm)), 5)
    warm, again = (
        proposals(searching(space(algorithm), warm=earlier(count)), 5) for _ in range(2)
    )
    assert warm == again
    assert warm != cold


def test_earlier_sweeps_bring_the_first_proposals_near_the_optimum():
    def first(count):
        searches = [searching(space(seed=s), warm=earlier(count, s)) for s in range(8)]
        return np.median([loss(search.ask(0)) for search in searches])

    assert first(60) < first(0) / 4


def test_earlier_trials_are_complete_and_come_first():
    search = searching(warm=earlier(3))
    search.ask(0)
    trials = trials_of(search)
    assert [t.state.name for t in trials] == ["COMPLETE"] * 3 + ["FAIL"]
    assert trials[1].values == list(earlier(3)[1][1])


def test_earlier_trials_that_the_space_could_not_propose_are_skipped():
    good = {"x": 0.0, "y": 0.5, "n": 3, "kind": "a", "hidden": [8, 8], "elsewhere": 1}
    bad = [
        {"x": 1.5},
        {"y": 0.0},
        {"n": 6},
        {"n": 2.5},
        {"kind": "c"},
        {"hidden": (8,)},
        {"x": None},
        {"x": "fast"},
    ]
    rows = [(good, (1.0,)), *(({**good, **wrong}, (1.0,)) for wrong in bad)]
    rows += [({"x": 0.0}, (1.0,)), (good, (math.nan,)), (good, (math.inf,))]
    search = searching(space(axes=MIXED), warm=rows)
    assert (search.skipped, len(search.study.trials)) == (11, 1)


def test_earlier_trials_need_only_the_axes_that_exist_beside_their_values():
    rows = [({"name": "fgsm"}, (1.0,)), ({"name": "pgd"}, (1.0,))]
    search = searching(space("tpe", CONDITIONAL, WHEN), warm=rows)
    assert (search.skipped, [t.params for t in search.study.trials]) == (1, [{"name": "fgsm"}])


def test_earlier_trials_with_another_number_of_objectives_are_a_mistake():
    with pytest.raises(ValueError, match=r"expected 2 objectives of \{'x'.*, got 1"):
        searching(directions=("minimize", "minimize"), warm=earlier(1))


FOUR = {name: Uniform(-1.0, 1.0) for name in "abcd"}


def quadratic(config):
    return sum(
        (config[name] - at) ** 2 for name, at in zip("abcd", (-0.6, -0.2, 0.2, 0.6), strict=True)
    )


def test_tpe_finds_a_lower_minimum_than_random_draws_in_60_proposals():
    gaps = []
    for seed in range(8):
        search = searching(space(axes=FOUR, seed=seed))
        made = proposals(search, 60, tell=lambda n, c: complete(quadratic(c)))
        rng = np.random.default_rng(seed)
        drawn = [{n: d.at(rng.random()) for n, d in FOUR.items()} for _ in range(60)]
        best, found = min(map(quadratic, drawn)), min(map(quadratic, made))
        gaps.append(math.log(best / found))
    assert np.mean(gaps) > 3 * np.std(gaps, ddof=1) / math.sqrt(len(gaps))


def test_tpe_learns_from_trials_that_were_stopped():
    """All it sees are values at a rung."""
    stopped = proposals(searching(), 40, tell=lambda n, c: pruned({1: loss(c)}))
    crashed = proposals(searching(), 40, tell=lambda n, c: FAILED)
    late = slice(25, 40)
    assert (
        np.median(list(map(loss, stopped[late]))) < np.median(list(map(loss, crashed[late]))) / 2
    )


def test_a_region_that_diverges_is_left_even_if_it_was_never_complete():
    def told(_, config):
        return pruned({1: math.nan}) if config["x"] > 0 else pruned({1: 1.0})

    made = proposals(searching(), 60, tell=told)
    assert np.mean([config["x"] > 0 for config in made[30:]]) < 0.25


SEARCHED = (
    TINY.replace("lr: {grid: [1.0e-2, 3.0e-3]}", "lr: {uniform: [0.01, 1.0]}")
    .replace("sparsity: {grid: [0.0, 0.8]}", "sparsity: {uniform: [0.0, 0.9]}")
    .replace("epsilon: {grid: [0.0, 0.2]}", "epsilon: {grid: [0.0]}")
    .replace("seed: {grid: [0]}", "seed: {grid: [0, 1]}")
    + "search: {algorithm: tpe, num_samples: 12, delay: 3}\n"
)
ASHA = "scheduler.asha={grace_period: 1, reduction_factor: 2, replicates: seed, block: 1, lag: 0}"
ATTACKED = "val_attacked_cvar_05@path_fgsm:0.2"


@pytest.fixture
def searched(tmp_path):
    """A space of 12 proposals at two seeds."""
    path = tmp_path / "searched.yaml"
    path.write_text(SEARCHED)
    return path


def asking(*columns):
    return f"search.objectives=[{', '.join(columns)}]"


def risk(config, epoch):
    """Best in epoch 2 of 3, and lower at seed 0."""
    return (config["lr"] - 0.3) ** 2 + abs(epoch - 2) + config["seed"]


def rough(config, epoch):
    """Trials of every fate: their learning rate decides."""
    if config["lr"] > 0.7:
        if epoch == 2:
            raise DivergedError(f"validation loss is nan in epoch {epoch}")
        return -config["lr"]  # the best at the first rung
    if 0.6 < config["lr"] < 0.7:
        raise RuntimeError("out of memory")
    return risk(config, epoch)


def history(sweep):
    """All that Optuna knows of every proposal; nan as text, since it equals nothing."""
    return [
        (t.state.name, t.values, t.params, repr(t.intermediate_values), repr(t.user_attrs))
        for t in sweep.study.trials
    ]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("cvar_05", r"'cvar_05' is a test metric, .*; write .*=\[val_cvar_05\]'$"),
        ("cvar_05_minus_dense", r"is a test metric, .*; write .*=\[val_cvar_05\]'$"),
        ("pnl_std", r"is a test metric, .*; write .*=\[val_pnl_std\]'$"),
        ("sharpe_ratio", r"is a test metric, .*; write .*=\[val_\w+\]'$"),
        ("'attacked_cvar_05@path_fgsm:0.2'", rf"is a test metric, .*; write .*{ATTACKED}"),
        ("sparsity", "unknown objective 'sparsity'; did you mean 'sparsity_achieved'"),
        (
            "'val_attacked_cvar_05@path_fgsm:0.3'",
            rf"unknown objective .*:0.3'; did you mean '{ATTACKED}'.*study.evaluation, add this",
        ),
    ],
)
def test_a_search_sees_no_test_metric_and_nothing_unknown(searched, name, message):
    with pytest.raises(SpaceError, match=rf"^--set search\.objectives: .*{message}") as caught:
        sweeps.plan(searched, overrides=[asking(name)])
    assert "\n" not in str(caught.value)


def test_every_objective_knows_which_way_is_better(searched):
    asked = asking("train_loss", "val_pnl_std", f"'{ATTACKED}'", "sparsity_achieved")
    assert list(sweeps.plan(searched, overrides=[asked]).objectives.values()) == [
        "min",
        "min",
        "max",
        "max",
    ]


def test_a_proposal_comes_to_the_mean_of_its_seeds_at_their_best_epochs(searched, tmp_path):
    asked = asking("val_loss", "val_cvar_05", "sparsity_achieved", f"'{ATTACKED}'")
    sweep = faked_sweep.run(searched, tmp_path / "out", risk, overrides=[asked])
    assert len(sweep.study.trials) == 12
    for trial in sweep.study.trials:
        loss = (trial.params["lr"] - 0.3) ** 2 + 0.5
        # The made-up val_cvar_05 is the fourth column: three above the loss.
        assert trial.values == pytest.approx([loss, loss + 3, trial.params["sparsity"], -7.0])


def test_what_is_attacked_on_validation_paths_is_computed_for_those_who_ask(searched, tmp_path):
    asked = asking(f"'{ATTACKED}'")
    asking_, plain = (
        faked_sweep.run(searched, tmp_path / name, risk, overrides=[*more, "search.num_samples=2"])
        for name, more in (("asking", [asked]), ("plain", []))
    )
    assert asking_.states.keys() == plain.states.keys()
    assert all(trial.metrics[ATTACKED] == -7.0 for trial in asking_.states.values())
    assert not any(ATTACKED in trial.metrics for trial in plain.states.values())
    assert pq.read_table(tmp_path / "asking" / "trials.parquet")[ATTACKED].to_pylist() == [-7] * 4
    assert ATTACKED not in pq.read_table(tmp_path / "plain" / "trials.parquet").column_names


def test_trials_that_ended_without_what_a_search_is_to_see_are_refused(searched, tmp_path):
    faked_sweep.run(searched, tmp_path / "out", risk, stop_after=3)
    with pytest.raises(UsageError, match=rf"ended without {ATTACKED}, which the search needs"):
        faked_sweep.run(
            searched, tmp_path / "out", risk, overrides=[asking(f"'{ATTACKED}'", "val_loss")]
        )


def test_every_fate_of_a_proposal_is_told(searched, tmp_path):
    sweep = faked_sweep.run(
        searched, tmp_path / "out", rough, overrides=[ASHA, "search.num_samples=20"]
    )
    told = {"diverged": 0, "failed": 0, "stopped": 0, "complete": 0}
    for trial in sweep.study.trials:
        lr, steps = trial.params["lr"], trial.intermediate_values
        if lr > 0.7:
            # Before its rungs, since Optuna takes what came further for the better.
            fate = "diverged"
            assert (trial.state, trial.value, list(steps)) == (TrialState.PRUNED, None, [1])
            assert math.isnan(steps[1])
        elif 0.6 < lr < 0.7:
            fate = "failed"
            assert (trial.state, trial.value) == (TrialState.FAIL, None)
        elif trial.state == TrialState.PRUNED:
            fate = "stopped"
            mean = (lr - 0.3) ** 2 + 0.5
            assert steps == pytest.approx({rung: mean + abs(rung - 2) for rung in steps})
            assert trial.value == steps[max(steps)]
        else:
            fate = "complete"
            assert trial.value == pytest.approx((lr - 0.3) ** 2 + 0.5)
        told[fate] += 1
    assert min(told.values()) > 0, told


def test_a_trial_that_diverged_is_told_from_one_that_crashed_in_the_log_only(searched, tmp_path):
    sweep = faked_sweep.run(searched, tmp_path / "out", rough, overrides=["search.num_samples=20"])
    marks = {
        (trial.end.error, trial.end.diverged)
        for trial in sweep.states.values()
        if trial.ended == "failed"
    }
    assert {mark for error, mark in marks if "loss is nan in epoch 2" in error} == {True}
    assert {mark for error, mark in marks if "out of memory" in error} == {False}
    assert not any("diverged" in trial.row(live=False) for trial in sweep.states.values())


@pytest.mark.parametrize("rule", [None, ASHA, ASHA.replace(", replicates: seed", "")])
@pytest.mark.parametrize("asked", [[], [asking("val_loss", "sparsity_achieved")]])
def test_a_search_does_not_depend_on_the_order_in_which_trials_end(
    searched, tmp_path, rule, asked
):
    overrides = [*asked, *filter(None, [rule])]
    runs = [
        faked_sweep.run(
            searched, tmp_path / str(seed), rough, shuffle_seed=seed, overrides=overrides
        )
        for seed in (None, 1, 2)
    ]
    assert all(len(sweep.states) == 24 for sweep in runs)
    assert history(runs[1]) == history(runs[0]) == history(runs[2])


@pytest.mark.parametrize("rule", [None, ASHA])
@pytest.mark.parametrize("cut", [1, 4, 11])
def test_a_search_that_was_cut_off_goes_on_as_if_it_had_not_been(searched, tmp_path, rule, cut):
    overrides = [*filter(None, [rule]), "search.num_samples=8"]
    whole = faked_sweep.run(searched, tmp_path / "whole", rough, overrides=overrides)
    out = tmp_path / "out"
    for _ in range(2):
        faked_sweep.run(
            searched, out, rough, stop_after=cut, shuffle_seed=cut, overrides=overrides
        )
    again = faked_sweep.run(searched, out, rough, overrides=overrides)
    assert history(again) == history(whole)


@pytest.mark.parametrize("algorithm", ["tpe", "nsga2"])
def test_a_search_of_several_generations_survives_any_cuts(searched, tmp_path, algorithm):
    overrides = [ASHA, f"search.algorithm={algorithm}", "search.num_samples=45"]
    whole = faked_sweep.run(searched, tmp_path / "whole", rough, overrides=overrides)
    rng, out, sweep = np.random.default_rng(3), tmp_path / "out", None
    while sweep is None or sweep.unfinished or len(sweep.study.trials) < 45:
        cut = int(rng.integers(1, 60))
        sweep = faked_sweep.run(
            searched, out, rough, stop_after=cut, shuffle_seed=cut, overrides=overrides
        )
    again = faked_sweep.run(searched, out, rough, overrides=overrides)
    assert history(again) == history(whole)


def test_a_finished_search_is_opened_again_with_one_proposal_made(searched, tmp_path, monkeypatch):
    def swept():
        return faked_sweep.run(searched, tmp_path / "out", risk)

    swept()
    sampled = []
    before = TPESampler.sample_relative
    monkeypatch.setattr(
        TPESampler, "sample_relative", lambda *a: sampled.append(a[2].number) or before(*a)
    )
    swept()
    assert sampled == [11]


def test_proposals_that_were_left_out_for_a_time_come_back(searched, tmp_path):
    whole = faked_sweep.run(searched, tmp_path / "whole", risk)
    out = tmp_path / "out"
    faked_sweep.run(searched, out, risk, stop_after=9, shuffle_seed=1)
    fewer = faked_sweep.run(searched, out, risk, overrides=["search.num_samples=2"])
    assert len(fewer.study.trials) == 2
    again = faked_sweep.run(searched, out, risk)
    assert history(again) == history(whole)
    assert again.counts == {"completed": 24}


def test_trials_of_a_grid_that_were_left_out_for_a_time_are_trained(tiny, tmp_path):
    def swept(**arguments):
        return faked_sweep.run(tiny, tmp_path / "out", risk, **arguments)

    swept(stop_after=1)
    assert swept(overrides=["space.sparsity.grid=[0.0]"]).counts == {"completed": 4}
    assert swept().counts == {"completed": 8}


@pytest.mark.parametrize("kind", ["stock_asha", "median"])
def test_a_scheduler_of_ray_cannot_tell_a_search_how_proposals_end(searched, tmp_path, kind):
    message = rf"^--set scheduler\.{kind}: .* tpe .*--set 'scheduler={{asha: {{}}}}'"
    with pytest.raises(SpaceError, match=message):
        faked_sweep.run(searched, tmp_path / "out", risk, overrides=[f"scheduler.{kind}={{}}"])


def test_a_further_seed_is_trained_for_every_proposal(searched, tmp_path):
    one, both = (f"space.seed.grid={seeds}" for seeds in ("[0]", "[0, 1]"))
    faked_sweep.run(searched, tmp_path / "out", risk, overrides=[one])
    grown = faked_sweep.run(searched, tmp_path / "out", risk, overrides=[both])
    whole = faked_sweep.run(searched, tmp_path / "whole", risk, overrides=[both])
    assert history(grown) == history(whole)


def test_a_study_is_named_after_what_it_varies(searched):
    def named(*overrides):
        return search_for(sweeps.plan(searched, overrides=overrides)).study.study_name

    assert re.fullmatch(r"searched-[0-9a-f]{8}", named())
    assert named() == named("search.num_samples=5")
    others = ["study.risk.tail=0.1", "space.lr={uniform: [0.01, 2.0]}", "space.epsilon.grid=[0.1]"]
    assert len({named(), *map(named, others)}) == 4


@pytest.mark.ray
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.slow
def test_real_trials_make_a_front_of_clean_risk_risk_under_attack_and_sparsity(
    ray_here, searched, silent, tmp_path
):
    out = tmp_path / "out"
    overrides = {
        "space.lr": {"uniform": [0.003, 0.03]},
        "search.algorithm": "nsga2",
        "space.seed": {"grid": [0]},
        "search.num_samples": 4,
        "search.objectives": ["val_cvar_05", ATTACKED, "sparsity_achieved"],
    }
    how = {"overrides": overrides, "max_concurrent": 1, "progress": silent}
    sweep = sweeps.run(searched, storage=out, **how)
    assert [t.state for t in sweep.study.trials] == [TrialState.COMPLETE] * 4
    for clean, attacked, sparsity in (t.values for t in sweep.study.trials):
        assert -100 < attacked < clean < 0
        assert 0 <= sparsity < 0.9
    assert analysis.schema.check(analysis.load_trials(out), "trials") == []
    # As a driver that was killed leaves it.
    log = out / "log" / "0001.jsonl"
    lines = log.read_bytes().splitlines(keepends=True)
    ends = [i for i, line in enumerate(lines) if b'"end":{' in line]
    log.write_bytes(b"".join(lines[: ends[2] + 1]))
    again = sweeps.run(searched, storage=out, **how)
    assert history(again) == history(sweep)
