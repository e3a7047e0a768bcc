"""Sweeps in virtual time: by hand, against the bounds of the theory, and against one worker."""

import math
import re
from itertools import pairwise

import numpy as np
import pytest
from logs import manifest
from printed import numbers
from spaces import TINY

from hedgecore.config import to_mapping
from sweeps.errors import UsageError
from sweeps.experiments import experiment
from sweeps.journal.storage import Lock
from sweeps.journal.writer import Writer
from sweeps.scheduling.rule import Rule
from sweeps.simulation.command import command
from sweeps.simulation.curves import Curve, source, synthetic
from sweeps.simulation.simulate import graham, simulate

RULE = Rule(rungs=(1, 3, 9, 27))
R = 81


def curve(name, *values, limit=None, seconds=1.0, end="completed", group=None, seed=0):
    return Curve(
        trial_id=name,
        group=group or name,
        stratum="",
        replicate=seed,
        limit=limit or len(values),
        values=values,
        seconds=[seconds] * len(values),
        end=end,
    )


def four(seconds=(1.0, 1.0, 1.0, 1.0)):
    """Four trials of 3 epochs, the earlier the better."""
    return [curve("abcd"[i], i, i, i, seconds=seconds[i]) for i in range(4)]


HALF = Rule(rungs=(1,), reduction_factor=2)


def test_one_worker_takes_the_sum_of_all_segments():
    run = simulate(four(), HALF, workers=1)
    assert (run.makespan, run.work, run.epochs, run.busy) == (8.0, 8.0, 8, 1.0)
    assert run.finishers == {"a", "b"}


def test_two_workers_by_hand():
    """Until 2 all reach the rung; then both survivors train for 2."""
    run = simulate(four(), HALF, workers=2)
    assert run.makespan == 4.0
    assert run.reached == {
        ("a", 1): 1.0, ("b", 1): 1.0, ("c", 1): 2.0, ("d", 1): 2.0, ("a", 3): 4.0, ("b", 3): 4.0,
    }  # fmt: skip
    assert run.parked == 3  # until the last of them is there


def test_nobody_is_judged_before_the_slowest_of_the_cohort():
    run = simulate(four(seconds=(1.0, 1.0, 1.0, 10.0)), HALF, workers=4)
    assert (run.reached["a", 1], run.reached["a", 3], run.makespan) == (1.0, 12.0, 12.0)


def test_a_worker_pays_for_taking_up_a_trial_that_it_does_not_hold():
    slow = simulate(four(), HALF, workers=1, resume=0.5)
    assert slow.makespan == 8.0 + 2 * 0.5  # a and b are taken up again, c and d never
    held = simulate([curve("a", 1.0, 1.0)], HALF, workers=1, resume=0.5)
    assert held.makespan == 2.0


def test_seeds_are_judged_together():
    curves = [curve(f"{g}{s}", v, v, group=g, seed=s) for g, v in (("a", 1.0), ("b", 2.0))
              for s in (0, 1)]  # fmt: skip
    run = simulate(curves, HALF, workers=2)
    assert {place: record.goes_on for place, record in run.decisions.items()} == {
        ("a", 1): True, ("b", 1): False,
    }  # fmt: skip
    assert run.finishers == {"a0", "a1"}


def test_what_fails_or_is_not_finite_does_not_finish():
    curves = [curve("a", 1.0, limit=3, end="failed"), curve("b", 2.0, 2.0, 2.0),
              curve("c", math.nan, 1.0, 1.0)]  # fmt: skip
    run = simulate(curves, Rule(rungs=(1,), reduction_factor=2), workers=1)
    assert run.finishers == {"b"}
    assert run.survivors == {1: {"a", "b"}}


def test_a_record_that_was_cut_off_is_held_and_counted():
    curves = [curve("a", 1.0, limit=3, seconds=2.0, end=None), curve("b", 2.0, 2.0, 2.0)]
    run = simulate(curves, HALF, workers=1)
    assert (run.extended, run.finishers) == ({"a"}, {"a"})
    assert run.work == 3 * 2.0 + 1.0


def test_without_rungs_every_trial_runs_to_its_end():
    run = simulate(four(), Rule(rungs=()), workers=2)
    assert (run.epochs, run.makespan, run.decisions) == (12, 6.0, {})


def _curves(spread, trials=5000, seed=1):
    return synthetic(trials, limit=R, seed=seed, spread=spread)


@pytest.fixture(scope="module", params=[0.0, 0.5], ids=["unit", "lognormal"])
def large(request):
    """5,000 trials by workers; as many workers as trials make nobody wait."""
    curves = _curves(request.param)
    return curves, {n: simulate(curves, RULE, workers=n) for n in (1, 8, 64, 500, len(curves))}


def test_decisions_do_not_depend_on_the_number_of_workers(large):
    _, runs = large
    assert all(run.decisions == runs[1].decisions for run in runs.values())
    assert len({run.finishers for run in runs.values()}) == 1
    assert len(runs[1].decisions) > 5000


def test_the_makespan_lies_between_its_bounds(large):
    _, runs = large
    path = runs[5000].makespan
    for workers, run in runs.items():
        lower = max(run.work / workers, path)
        # Sums of thousands of times are exact to a few parts in 10^12.
        slack = 1 + 1e-9
        assert lower <= run.makespan * slack, workers
        assert run.makespan <= graham(run, critical_path=path) * slack, workers


def test_the_cost_of_resuming_adds_to_the_bound_once_a_rung():
    curves, cost = _curves(0.5, trials=500), 2.0
    path = simulate(curves, RULE, workers=500).makespan + len(RULE.rungs) * cost
    for workers in (1, 8, 64):
        run = simulate(curves, RULE, workers=workers, resume=cost)
        assert run.makespan <= graham(run, critical_path=path) * (1 + 1e-9)
        assert run.work > simulate(curves, RULE, workers=workers).work


def test_a_schedule_that_leaves_workers_idle_breaks_the_bound(large):
    """The negative control: 8 workers who do no more than 4."""
    curves, runs = large
    lazy = simulate(curves, RULE, workers=4).makespan
    assert lazy > graham(runs[8], critical_path=runs[5000].makespan)


def test_the_critical_path_has_one_segment_a_rung(large):
    """A verdict only ever waits for segments of its rung and below, so chains climb."""
    curves, runs = large
    ends = (0, *RULE.rungs, R)
    longest = 0.0
    for start, stop in pairwise(ends):
        there = {name for name, epoch in runs[1].reached if epoch == stop}
        longest += max(c.time(start, stop) for c in curves if c.trial_id in there)
    assert runs[5000].makespan <= longest * (1 + 1e-9)


def test_with_workers_for_all_the_first_is_trained_in_the_time_of_one_training():
    run = simulate(_curves(0.0), RULE, workers=5000)
    assert run.makespan == R
    assert {time for (_, epoch), time in run.reached.items() if epoch == R} == {R}


def _segments(curves, run):
    """Of each segment of ``run``: position, rung and seconds."""
    ends = (0, *RULE.rungs, R)
    positions = {c.trial_id: i for i, c in enumerate(curves)}
    for name, epoch in run.reached:
        rung = ends.index(epoch) - 1
        p = positions[name]
        yield p, rung, curves[p].time(ends[rung], epoch)


def arrival_bound(curves, run, best, rung):
    """Seconds by which position ``best`` has come to ``rung``; see docs/simulation.md."""
    segments = list(_segments(curves, run))
    w = run.workers
    last = max(RULE.block - 1, best)
    before = math.fsum(s for p, _, s in segments if p < last + RULE.lag)
    chain = sum(max(s for p, k, s in segments if k == r and p <= last) for r in range(rung + 1))
    blocked = sum(max(s for _, k, s in segments if k <= r) for r in range(1, rung + 1))
    return before / w + chain + (1 - 1 / w) * blocked


@pytest.mark.parametrize("workers", [8, 64, 500])
def test_the_best_configuration_comes_to_every_rung_in_its_time(large, workers):
    curves, runs = large
    run = runs[workers]
    best = min(run.finishers, key=lambda name: curves[int(name)].value(R))
    ends = (*RULE.rungs, R)
    for rung, epoch in enumerate(ends):
        reached = run.reached[best, epoch]
        path = runs[5000].reached[best, epoch]
        assert path <= reached * (1 + 1e-9)
        assert curves[int(best)].time(0, epoch) <= path * (1 + 1e-9)
        bounds = (
            arrival_bound(curves, run, int(best), rung),
            graham(run, critical_path=path),
        )
        assert reached <= min(bounds) * (1 + 1e-9)


def test_whoever_is_early_waits_for_few_however_many_come():
    """The bound of an early position does not grow with the trials behind it."""
    few, many = (_curves(0.0, trials=n) for n in (500, 5000))
    times = []
    for curves in (few, many):
        better = list(curves)
        better[3] = curve(better[3].trial_id, *[-9.0] * R)
        run = simulate(better, RULE, workers=8)
        times.append(run.reached[better[3].trial_id, R])
        assert times[-1] <= arrival_bound(better, run, 3, 4)
    assert times[0] == times[1]


def test_synthetic_curves_follow_their_law():
    curves = synthetic(4000, limit=9, seed=3, noise=0.0, spread=0.5)
    values = np.array([c.values for c in curves])
    assert (np.diff(values, axis=1) < 0).all()
    pace = np.log([c.seconds[0] for c in curves])
    assert abs(pace.mean()) < 4 * 0.5 / math.sqrt(4000)
    assert abs(pace.std() - 0.5) < 4 * 0.5 / math.sqrt(2 * 4000)
    noisy = np.array([c.values for c in synthetic(4000, limit=9, seed=3, noise=0.1)])
    assert abs((noisy - values).std() - 0.1) < 4 * 0.1 / math.sqrt(2 * noisy.size)


def test_the_same_seed_draws_the_same_curves():
    assert synthetic(3, limit=4, seed=5) == synthetic(3, limit=4, seed=5)
    assert synthetic(3, limit=4, seed=5) != synthetic(3, limit=4, seed=6)


@pytest.mark.ray
def test_rays_scheduler_judges_by_who_is_there():
    """The first passes whatever it shows; ours would stop it."""
    curves = four()[::-1]
    stock = simulate(curves, HALF, workers=1, stock=True)
    assert stock.finishers == {"a", "b", "c", "d"}
    assert simulate(curves, HALF, workers=1).finishers == {"a", "b"}


@pytest.mark.ray
def test_the_verdicts_of_rays_scheduler_depend_on_the_workers():
    """The negative control of the independence of ours."""
    curves = _curves(0.5, trials=200)
    runs = [simulate(curves, RULE, workers=n, stock=True) for n in (1, 8, 64)]
    assert len({run.finishers for run in runs}) > 1
    assert all(run.parked == 0 for run in runs)


@pytest.fixture
def asha(tmp_path):
    path = tmp_path / "judged.yaml"
    rule = "scheduler: {asha: {stratify_by: [sparsity], replicates: seed, reduction_factor: 2}}\n"
    text = TINY.replace("scheduler: null\n", rule).replace("seed: {grid: [0]}",
                                                           "seed: {grid: [0, 1]}")  # fmt: skip
    path.write_text(text)
    return path


def test_a_space_gives_its_strata_its_seeds_and_its_rule(asha):
    given = source(asha)
    assert len(given.curves) == 16
    assert given.rule == Rule(rungs=(1, 2), reduction_factor=2)
    assert len({c.stratum for c in given.curves}) == 2
    assert {len([c for c in given.curves if c.group == g]) for g in
            {c.group for c in given.curves}} == {2}  # fmt: skip


def test_seeds_of_a_configuration_differ_by_noise_alone(asha):
    curves = source(asha).curves
    pairs = {}
    for c in curves:
        pairs.setdefault(c.group, []).append(c.values)
    gaps = [abs(a - b) for one, two in pairs.values() for a, b in zip(one, two, strict=True)]
    assert 0 < max(gaps) < 6 * 0.03


def test_a_space_is_repeated_as_often_as_it_takes(asha):
    given = source(asha, trials=40)
    assert len(given.curves) == 40
    assert len({c.group for c in given.curves}) == 20
    assert len({c.stratum for c in given.curves}) == 2


def first_table(lines):
    """Lines before the comparison of rules."""
    return lines[: lines.index("")]


def test_the_table_has_a_line_for_every_number_of_workers(asha):
    about, rule, head, *lines = first_table(command(asha, (1, 4), trials=48))
    assert about.startswith("judged: 48 trials")
    assert numbers(rule) == [1, 2, 1, 2], "one in two is promoted, after epochs 1 and 2"
    assert [line.split()[0] for line in (head, *lines)] == ["workers", "1", "4"]
    assert all("yes" in line for line in lines)
    assert len({len(line) for line in (head, *lines)}) == 1


@pytest.mark.ray
def test_the_table_compares_with_rays_scheduler(asha):
    _, _, head, line = first_table(command(asha, (2,), stock=True))
    assert "against stock" in head
    assert float(line.split()[-2]) > 0


def test_what_proposes_by_outcomes_cannot_be_drawn(tmp_path):
    path = tmp_path / "learning.yaml"
    path.write_text(TINY + "search: {algorithm: tpe, num_samples: 9}\n")
    with pytest.raises(UsageError, match="what tpe proposes depends on outcomes; simulate a"):
        source(path)


STUDY = to_mapping(experiment("tickets").study())


def _storage(path, *records, scheduler=None, rungs=()):
    """A sweep as a driver leaves it, with no more than a simulation reads."""
    about = manifest(name="small", scheduler=scheduler, rungs=list(rungs), study=STUDY)
    with Lock(path):
        writer = Writer(path, {"core": "c"})
        writer.append(about)
        for record in records:
            writer.append(record)
        writer.close()
    return path


def _entered(name):
    record = {"type": "trial", "trial_id": name, "index": 0, "config": {}, "group": name}
    return {**record, "stratum": "s", "replicate": 0, "limit": 3}


def _segment(name, *rows, **end):
    listed = [{"epoch": e, "val_loss": v, "seconds": s, "best": True} for e, v, s in rows]
    return {"type": "segment", "trial_id": name, "rows": listed, **end}


RECORDED = (
    *map(_entered, "abcd"),
    _segment("a", (1, 1.0, 2.0), (2, 0.9, 3.0), (3, 0.8, 4.5), end={"status": "completed"}),
    _segment("b", (1, 0.5, 1.0)),
    _segment("c", (1, None, 1.0), end={"status": "failed", "error": "it diverged"}),
)
ONE_OF_TWO = {"asha": {"metric": "val_loss", "mode": "min", "reduction_factor": 2, "block": 9,
                       "lag": 5, "max_t": None, "grace_period": 1}}  # fmt: skip


def test_a_storage_gives_the_curves_of_its_log(tmp_path):
    given = source(_storage(tmp_path / "s", *RECORDED, scheduler=ONE_OF_TWO, rungs=[1]))
    a, b, c = given.curves  # d never began
    assert (a.values, a.seconds, a.end, a.limit) == (
        [1.0, 0.9, 0.8],
        [2.0, 1.0, 1.5],
        "completed",
        3,
    )
    assert (b.values, b.end) == ([0.5], None)
    assert (math.isnan(c.values[0]), c.end) == (True, "failed")
    assert given.rule == Rule(rungs=(1,), reduction_factor=2, block=9, lag=5)
    assert given.about.startswith("small:")
    assert numbers(given.about) == [3, 1], "recorded trials, and those cut off"


def test_trials_that_a_rule_trains_beyond_their_record_are_counted(tmp_path):
    storage = _storage(tmp_path / "s", *RECORDED, scheduler=ONE_OF_TWO, rungs=[1])
    *_, line, last = first_table(command(storage, (2,)))
    assert "beyond their record" in last
    assert numbers(last) == [1]
    cells = re.split(r"\s{2,}", line.strip())
    assert cells[5:7] == ["7", "2"]  # epochs, of which the last two of b are guessed; who finishes


def test_a_storage_gives_no_more_trials_than_it_holds(tmp_path):
    storage = _storage(tmp_path / "s", *RECORDED)
    assert len(source(storage, trials=2).curves) == 2
    with pytest.raises(UsageError, match="holds the curves of 3 trials, not of 4; lower --trials"):
        source(storage, trials=4)


def test_a_rule_without_rungs_cannot_be_simulated(tmp_path):
    rule = {"median": {"metric": "val_loss", "mode": "min"}}
    storage = _storage(tmp_path / "s", *RECORDED, scheduler=rule)
    with pytest.raises(UsageError, match="median has no rungs to simulate"):
        source(storage)


def test_a_folder_without_a_sweep_is_refused(tmp_path):
    with pytest.raises(UsageError, match="holds no sweep; give the --storage"):
        source(tmp_path)


def test_workers_are_at_least_one(asha):
    with pytest.raises(UsageError, match=r"workers must be at least 1, got \[0\]"):
        command(asha, (0,))
    with pytest.raises(UsageError, match="trials must be at least 1, got 0"):
        command(asha, trials=0)
