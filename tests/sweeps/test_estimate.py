import math
import signal
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from printed import numbers

import sweeps
from hedgecore.hedging.cost_model import COST, epoch_work, reduced, stored_bytes, timing_key
from hedgecore.hedging.markets import SPLITS
from hedgecore.hedging.preparation import NETWORKS
from hedgecore.hedging.prepare import prepare
from hedgecore.hedging.problem import CHUNK
from hedgecore.kernel.shared_library import OFF, SWITCH, library
from hedgecore.rng import numpy_stream
from sweeps import UsageError
from sweeps.planning import probe as probing
from sweeps.planning.budget import Budget
from sweeps.planning.estimate import estimate, expected_trials, probe
from sweeps.planning.expected_halving import epochs, passing, rung_counts
from sweeps.planning.probe import Probe
from sweeps.scheduling.asha import Asha

ASHA = {"metric": "val_loss", "mode": "min", "grace_period": 1, "reduction_factor": 3}
TIMES = {"startup": 10.0, "idle": 300_000_000, "worker": 200_000_000}


def counts(size, rungs, *, limit=81, block=27, lag=27, factor=3):
    limits = [limit] * size
    found = passing(limits, rungs, reduction_factor=factor, block=block, lag=lag)
    return [(rung.reach, rung.go_on) for rung in rung_counts(limits, found, rungs)]


@pytest.fixture
def planned(tiny):
    """TINY by the given overrides, judged after its first epoch of three within its problems."""

    def of(**overrides):
        asha = {**ASHA, "stratify_by": ["sparsity", "epsilon"], "replicates": "seed"}
        return sweeps.plan(tiny, overrides={"scheduler": {"asha": asha}, **overrides})

    return of


@pytest.fixture
def flat():
    """A probe in which every epoch takes 2 s, every test 5 s and every preparation 7 s beside."""

    def of(plan):
        kinds = {timing_key(trial.study) for trial in plan.trials}
        dense = {timing_key(trial.study.shared_study()) for trial in plan.trials}
        return Probe(
            experiment="tickets",
            epochs=dict.fromkeys(kinds | dense, 2.0),
            tests=dict.fromkeys(dense, 5.0),
            setups=dict.fromkeys(dense, 7.0),
            **TIMES,
        )

    return of


def test_a_cohort_of_27_leaves_9_then_3_then_1():
    assert counts(27, (1, 3, 9, 27)) == [(27, 9), (9, 3), (3, 1), (1, 1)]


def test_four_leave_two_and_two_leave_one():
    assert counts(4, (1, 3)) == [(4, 2), (2, 1)]


def test_a_single_contender_goes_on_at_every_rung():
    assert counts(1, (1, 3, 9)) == [(1, 1)] * 3
    assert counts(1, (1, 3, 9), block=1, lag=0) == [(1, 1)] * 3


def test_a_stratum_no_larger_than_its_block_is_one_cohort_whatever_the_lag():
    assert counts(20, (1, 3), lag=0) == counts(20, (1, 3), lag=27) == [(20, 7), (7, 3)]


def test_with_a_block_of_one_and_no_lag_each_is_judged_against_those_before_it():
    found = passing([3] * 5, (1,), reduction_factor=3, block=1, lag=0)
    assert found[:, 1].tolist() == pytest.approx([1, 1 / 2, 1 / 3, 2 / 4, 2 / 5])


def test_a_verdict_does_not_wait_for_those_within_the_lag():
    found = passing([3] * 5, (1,), reduction_factor=3, block=2, lag=2)
    # Two of a cohort; then those two and itself, twice; then the first three and itself.
    assert found[:, 1].tolist() == pytest.approx([1 / 2, 1 / 2, 1 / 3, 1 / 3, 2 / 4])


def test_a_rung_at_or_above_the_limit_of_a_contender_does_not_judge_it():
    limits, rungs = [2, 2, 9, 9, 9], (1, 2)
    found = passing(limits, rungs, reduction_factor=3, block=27, lag=27)
    first, second = rung_counts(limits, found, rungs)
    assert (first.reach, first.go_on) == (5, 2)
    # Three fifths of the two that go on have longer to train.
    assert second.reach == pytest.approx(1.2)
    assert second.go_on < second.reach
    assert found[:2, 2].tolist() == found[:2, 1].tolist()
    assert epochs(limits, found, rungs)[:2].tolist() == [1.4, 1.4]


@pytest.mark.parametrize(("block", "lag"), [(9, 9), (9, 0), (1, 0)])
def test_beyond_the_block_the_counts_are_those_of_the_rule_on_exchangeable_values(block, lag):
    size, rungs, repeats = 60, (1, 3, 9), 200
    draws = numpy_stream(0, "test", "halving")
    seen = np.array(
        [survivors(draws.normal(size=(3, size)), rungs, block, lag) for _ in range(repeats)]
    )
    mean, error = seen.mean(axis=0), seen.std(axis=0) / math.sqrt(repeats)
    expected = [go_on for _, go_on in counts(size, rungs, block=block, lag=lag)]
    # The mixture of whole numbers of rivals is an approximation where they are few.
    assert (np.abs(mean - expected) < 4 * error + 0.05 * mean).all()
    thirds = [size / 3, size / 9, size / 27]
    assert abs(mean[2] - thirds[2]) > 4 * error[2] + 0.05 * mean[2]


def survivors(values, rungs, block, lag):
    """How many go on at every rung under the rule itself."""
    asha = Asha(rungs, mode="min", reduction_factor=3, block=block, lag=lag)
    for key in range(values.shape[1]):
        asha.add(key, stratum=0)
    asha.close()
    went_on = dict.fromkeys(rungs, 0)
    waiting = [(key, 0) for key in range(values.shape[1])]
    while waiting:
        key, rung = waiting.pop(0)
        for decision in asha.record(key, rungs[rung], values[rung, key]):
            if decision.goes_on:
                went_on[decision.epoch] += 1
                after = rungs.index(decision.epoch) + 1
                waiting += [(decision.key, after)] * (after < len(rungs))
    return list(went_on.values())


def test_epochs_are_those_of_every_segment():
    found = passing([27] * 27, (1, 3, 9), reduction_factor=3, block=27, lag=27)
    assert epochs([27] * 27, found, (1, 3, 9)).sum() == pytest.approx(27 + 9 * 2 + 3 * 6 + 18)


def test_strata_are_judged_apart_and_added(planned):
    made = estimate(planned(), cpus=2)
    # Two learning rates in each of four problems.
    assert [(r.epoch, r.reach, r.go_on) for r in made.rungs] == [(1, 8, 4)]
    assert (made.epochs, made.most_epochs, made.finishers) == (8 * 1 + 4 * 2, 24, 4)


def test_replicates_are_one_contender_and_several_trials(planned):
    made = estimate(planned(**{"space.seed.grid": [0, 1, 2]}), cpus=2)
    assert [(r.reach, r.go_on) for r in made.rungs] == [(24, 12)]
    assert made.epochs == 3 * 16


def test_seeds_judged_apart_are_rivals(planned):
    alone = {"scheduler": {"asha": {**ASHA, "stratify_by": ["sparsity", "epsilon"]}}}
    made = estimate(planned(**{"space.seed.grid": [0, 1, 2], **alone}), cpus=2)
    assert [(r.reach, r.go_on) for r in made.rungs] == [(24, 8)]


def test_max_t_ends_every_trial_early(planned):
    made = estimate(planned(**{"scheduler.asha.max_t": 2}), cpus=2)
    assert (made.longest, made.epochs, made.most_epochs) == (2, 8 + 4, 16)


@pytest.mark.parametrize("scheduler", [None, {"median": {"metric": "val_loss", "mode": "min"}}])
def test_where_nobody_knows_who_is_stopped_every_epoch_counts(planned, scheduler):
    made = estimate(planned(scheduler=scheduler), cpus=2)
    assert (made.epochs, made.finishers, made.rungs) == (24, 8, ())
    assert numbers(made.lines()[0]) == [24]


def test_hours_are_epochs_tests_and_preparations(planned, flat):
    plan = planned()
    cost = estimate(plan, flat(plan), cpus=2).cost
    assert cost.trial_hours * 3600 == pytest.approx(16 * 2 + 4 * 5)
    assert cost.preparation_hours * 3600 == pytest.approx(7 + 3 * 2 + 5)
    assert cost.wall_hours * 3600 == pytest.approx(3 * 10 + 18 + 52 / 2)


def test_a_sweep_lasts_as_long_as_its_longest_trial_on_however_many_cpus(planned, flat):
    plan = planned()
    cost = estimate(plan, flat(plan), cpus=1000).cost
    assert cost.wall_hours * 3600 == pytest.approx(3 * 10 + 18 + (3 * 2 + 5))


def test_a_trial_of_two_cpus_leaves_half_the_slots_and_occupies_twice_the_hours(planned, flat):
    plan, wide = planned(), planned(**{"resources.cpu": 2})
    one, two = (estimate(p, flat(p), cpus=4).cost for p in (plan, wide))
    assert (one.slots, two.slots) == (4, 2)
    assert two.trial_hours == pytest.approx(2 * one.trial_hours)


def test_there_are_no_more_workers_than_trials(planned, flat):
    plan = planned()
    few, many = (estimate(plan, flat(plan), cpus=n).cost for n in (8, 1000))
    assert many.slots == 8
    assert many.memory == few.memory


def test_a_trial_that_no_cpu_has_room_for_is_refused(planned):
    with pytest.raises(UsageError, match=r"asks for 4 CPUs, and the plan is for 2; .*--cpus 4"):
        estimate(planned(**{"resources.cpu": 4}), cpus=2)


def test_the_price_is_that_of_all_cpus_for_the_whole_time(planned, flat):
    plan = planned()
    made = estimate(plan, flat(plan), cpus=2, rate=0.5)
    assert made.price == pytest.approx(0.5 * 2 * made.cost.wall_hours)
    assert estimate(plan, flat(plan), cpus=2).price is None
    assert estimate(plan, cpus=2, rate=0.5).price is None


def test_memory_is_that_of_every_worker_and_of_the_arrays_they_share(planned, flat):
    plan = planned()
    small, large = (estimate(plan, flat(plan), cpus=n) for n in (1, 3))
    assert large.cost.memory - small.cost.memory == 2 * TIMES["worker"]
    assert small.cost.memory > TIMES["worker"] + TIMES["idle"] + small.store


def test_more_trials_never_cost_less(planned, flat):
    rates = [1e-2, 3e-3, 1e-3, 3e-4, 1e-4, 3e-5]
    plans = [planned(**{"space.lr.grid": rates[:n]}) for n in range(1, 7)]
    costs = [estimate(plan, flat(plan), cpus=2, rate=1.0) for plan in plans]
    for of in (lambda e: e.epochs, lambda e: e.cost.wall_hours, lambda e: e.price):
        assert [of(e) for e in costs] == sorted(of(e) for e in costs)
    assert costs[0].epochs < costs[-1].epochs


def test_the_object_store_holds_what_a_preparation_holds(planned):
    study = planned(**{"study.risk.y": "parameter"}).study
    made = prepare(study, seed=0)
    tensors = [
        *(t for split in SPLITS for t in (made.data[split].spot, made.data[split].variance)),
        *(value for name in NETWORKS for value in getattr(made, name).values()),
        made.standardisation.mean,
        made.standardisation.sd,
        made.dense_pnl,
    ]
    assert stored_bytes(study) == sum(t.numel() * t.element_size() for t in tensors)
    two = planned(**{"study.risk.y": "parameter", "space.seed.grid": [0, 1]})
    assert estimate(two, cpus=2).store == 2 * stored_bytes(study)


def test_the_lines_say_it_to_people(planned, flat):
    plan = planned()
    made = estimate(plan, flat(plan), cpus=2, rate=30.0)
    lines = {line.split()[0]: numbers(line) for line in made.lines()}
    assert lines == {
        "rung": [1, 3],
        "reach": [8, 4],
        "go": [4],
        "epochs": [16, 24],
        "time": [1, 14, 2, 0.019, 2, 4],
        "memory": [1.1, 2, 0.091],
        "price": [1.2, 30],
    }


def test_without_a_probe_the_lines_count_but_do_not_time(planned):
    lines = estimate(planned(), cpus=2, rate=30.0).lines()
    assert [line.split()[0] for line in lines] == ["rung", "reach", "go", "epochs", "memory"]


def test_the_times_of_a_gpu_space_are_said_to_be_those_of_a_cpu(planned, flat):
    gpu, cpu = (planned(**{"resources.gpu": number}) for number in (1, 0))
    said = [estimate(plan, flat(plan), cpus=2).lines() for plan in (gpu, cpu)]
    assert [any("GPU" in line for line in lines) for lines in said] == [True, False]


def test_a_search_that_learns_is_estimated_over_the_whole_space(planned):
    plan = planned(
        **{
            "space.lr": {"loguniform": [1e-4, 1e-2]},
            "space.seed.grid": [0, 1],
            "search": {"algorithm": "tpe", "num_samples": 10},
            "scheduler": {"asha": {**ASHA, "replicates": "seed", "block": 1, "lag": 0}},
        }
    )
    assert plan.trials == ()
    trials = expected_trials(plan)
    assert len(trials) == 20
    assert len({trial.config["lr"] for trial in trials}) == 10
    assert {trial.config["epsilon"] for trial in trials} == {0.0, 0.2}
    assert expected_trials(plan) == trials
    assert estimate(plan, cpus=2).most_epochs == 60
    kinds = dict.fromkeys({timing_key(trial.study) for trial in trials}, 1.0)
    dense = {timing_key(plan.study.shared_study()): 1.0}
    flat = Probe(
        experiment="tickets", epochs={**kinds, **dense}, tests=dense, setups=dense, **TIMES
    )
    # Eight proposals at a time, each at two seeds.
    assert estimate(plan, flat, cpus=1000).cost.slots == 16


def test_trials_of_a_kind_differ_in_learning_rate_and_seed_only(planned):
    one = {"space.sparsity.grid": [0.5]}
    plan = planned(**{"space.seed.grid": [0, 1]}, **one)
    assert len({timing_key(trial.study) for trial in plan.trials}) == 2  # clean and attacked
    wider = planned(**{"space.network.hidden.grid": [[8, 8], [16]]}, **one)
    assert len({timing_key(trial.study) for trial in wider.trials}) == 4
    sparser = planned(**{"space.sparsity.grid": [0.5, 0.9]})
    assert len({timing_key(trial.study) for trial in sparser.trials}) == 4


@pytest.mark.skipif(library() is None, reason="no compiled kernel")
def test_a_sparse_ticket_is_less_work_than_a_dense_network(planned, monkeypatch):
    dense, sparse = (
        epoch_work(planned().study.with_axes({"sparsity": sparsity})) for sparsity in (0.0, 0.9)
    )
    assert sparse == pytest.approx(0.25 * dense)
    monkeypatch.setenv(SWITCH, OFF)
    assert epoch_work(planned().study.with_axes({"sparsity": 0.9})) == dense


def test_a_kind_that_was_not_timed_follows_from_the_nearest_by_its_work(planned, flat):
    plan = planned(**{"space.sparsity.grid": [0.0]})
    study = plan.study
    half = replace(study, market=replace(study.market, train_paths=256, val_paths=256))
    assert epoch_work(timing_key(half)) == epoch_work(timing_key(study)) / 2
    assert flat(plan).epoch_seconds(half) == pytest.approx(2.0 / 2)


def test_an_attack_costs_a_training_pass_for_every_gradient(planned):
    plan = planned(**{"space.sparsity.grid": [0.0]})
    clean, attacked = (
        next(timing_key(t.study) for t in plan.trials if bool(t.study.attack.epsilon) is under)
        for under in (False, True)
    )
    paths = 512 * 6 * (8 * 8 + 8 * 8 + 8)
    assert epoch_work(clean) == 4 * paths
    assert epoch_work(attacked) == 7 * paths
    assert COST.test_work(clean) == 5 * paths


def test_the_kinds_that_are_timed_span_all_of_them():
    assert probing._spread(range(20), 6) == [0, 4, 8, 11, 15, 19]
    assert probing._spread(range(3), 6) == [0, 1, 2]


def test_a_large_study_is_timed_on_fewer_paths_in_full_batches_and_chunks():
    one = {"space.sparsity.grid": [0.5], "space.lr.grid": [1e-3], "space.seed.grid": [0]}
    study = timing_key(sweeps.plan("tickets_paper.yaml", overrides=one).trials[-1].study)
    (part,) = reduced([study], most=4e10)
    market, evaluation = part.market, part.evaluation
    assert market.train_paths == 2 * study.training.batch_size
    assert market.val_paths == market.test_paths == CHUNK
    assert (evaluation.attacked_paths, evaluation.steps) == (CHUNK, 2)
    small = timing_key(sweeps.plan("tickets_smoke.yaml").trials[-1].study)
    (whole,) = reduced([small], most=4e10)
    assert (whole.market, whole.evaluation) == (small.market, small.evaluation)


def test_a_probe_times_every_kind_in_a_process_of_its_own(planned):
    plan = planned()
    ballast = np.ones(1 << 30, dtype=np.uint8)  # of this process, not of the worker
    found = probe(plan)
    assert found.epochs.keys() == {timing_key(trial.study) for trial in plan.trials}
    assert all(s > 0 for s in (*found.epochs.values(), *found.tests.values(), found.startup))
    assert 0 < found.worker < found.idle + found.worker < ballast.nbytes
    assert estimate(plan, found, cpus=2, rate=1.0).price > 0


def test_a_probe_that_is_killed_names_the_want_of_memory(planned, tmp_path, monkeypatch):
    doomed = tmp_path / "python"
    doomed.write_text("#!/bin/sh\nkill -9 $$\n")
    doomed.chmod(0o755)
    monkeypatch.setattr(probing.origin, "PYTHON", (str(doomed),))
    with pytest.raises(UsageError, match="killed by signal 9"):
        probe(planned())


@pytest.mark.skipif(sys.platform != "linux", reason="the signal is Linux's")
def test_a_probe_ends_with_the_plan_that_asked_for_it():
    script = (
        "import contextlib, ctypes; from sweeps.planning.probe import answer\n"
        "with contextlib.suppress(ValueError): answer()\n"
        "number = ctypes.c_int(); ctypes.CDLL(None).prctl(2, ctypes.byref(number))\n"
        "print(number.value)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], input="", capture_output=True, text=True, check=True
    )
    assert int(done.stdout) == signal.SIGKILL


def test_a_budget_allows_the_less_of_its_hours_and_its_money():
    assert Budget(cpus=2, hours=1.5).seconds == 5400
    assert Budget(cpus=4, cost=2.0, rate=0.5).seconds == 3600
    assert Budget(cpus=4, hours=2.0, cost=2.0, rate=0.5).seconds == 3600
    assert Budget(cpus=4, hours=0.5, cost=2.0, rate=0.5).seconds == 1800
    assert Budget(cpus=4).seconds == math.inf


@pytest.mark.parametrize("limit", [{}, {"hours": 1e20}, {"cost": 1e299, "rate": 1e-299}])
def test_a_budget_that_nobody_will_use_up_sets_no_deadline(limit):
    assert Budget(cpus=2, **limit).deadline(5.0) is None
    assert Budget(cpus=2, hours=1).deadline(5.0) == 3605.0


def test_only_a_budget_in_money_needs_the_number_of_cpus():
    assert Budget(hours=1).seconds == 3600
    with pytest.raises(UsageError, match="cpus"):
        Budget(cost=2.0, rate=0.5)


def test_money_without_a_price_is_refused():
    with pytest.raises(UsageError, match="a budget of 5 buys nothing without a price; give the"):
        Budget(cpus=2, cost=5.0)


@pytest.mark.parametrize("value", [0.0, -1.0, math.nan, math.inf])
@pytest.mark.parametrize("name", ["cpus", "hours", "cost", "rate"])
def test_a_budget_refuses_what_is_not_positive(name, value):
    with pytest.raises(UsageError, match=f"{name} of a budget must be a number above 0"):
        Budget(**{"cpus": 1.0, "rate": 1.0, name: value})
