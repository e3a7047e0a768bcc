"""An engine that users steer at random moments: nobody waits for ever, and the log is replayed."""

import random

import pytest
from driven_engine import Driver, Space, applied

from sweeps.scheduling.asha import Asha
from sweeps.scheduling.engine import Engine
from sweeps.scheduling.trial_status import TrialStatus


def stop(driver):
    """Stop the configuration of a trial that has not ended; False if there is none."""
    trials = driver.engine._trials
    if not (unfinished := driver.engine.unfinished()):
        return False
    group = trials[driver.dice.choice(unfinished)].group
    chosen = [i for i in unfinished if trials[i].group == group]
    driver.running = [job for job in driver.running if job.trial_id not in chosen]
    driver.append({"type": "stop", "request": str(len(driver.log)), "trials": chosen})
    return True


def retry(driver):
    """Start again what failed, with the seeds that were stopped for it."""
    failed = {
        record["trial_id"]
        for record in driver.log
        if record["type"] == "segment" and record.get("end", {}).get("status") == "failed"
    }
    trials, groups = driver.engine._trials, driver.engine._groups
    names = {trials[i].group for i in failed if trials[i].status is TrialStatus.FINISHED}
    chosen = [
        i
        for name in sorted(names)
        for i in groups[name].trials
        if i in failed or trials[i].status is TrialStatus.STOPPED
    ]
    if chosen:
        request = {"type": "retry", "request": str(len(driver.log)), "trials": chosen}
        driver.append(request, {"type": "closed"})


def steered(seed):
    """A finished sweep of which users stopped and started again some trials."""
    dice = random.Random(seed)
    seeds = dice.choice([(0,), (0, 1)])
    driver = Driver(Space(tuple(range(10)), seeds=seeds), dice=dice)
    driver.start()
    while driver.step():
        if dice.random() < 0.04:
            stop(driver)
        if dice.random() < 0.05:
            retry(driver)
    driver.finish()
    return driver


@pytest.mark.parametrize("seed", range(20))
def test_a_steered_sweep_ends_and_its_log_gives_the_same_verdicts(seed):
    driver = steered(seed)
    judge = Asha(driver.space.rungs, mode="min", reduction_factor=2, block=4, lag=3)
    engine, derived = Engine(judge), []
    for record in driver.log:  # a verdict that its values do not give is refused
        derived += [e for e in applied(engine, record) if e["type"] == "decision"]
    assert derived == [r for r in driver.log if r["type"] == "decision"]
    assert engine.unfinished_count == 0


@pytest.mark.parametrize("seed", range(20))
def test_cut_after_any_record_a_steered_sweep_goes_on_to_its_end(seed):
    whole = steered(seed)
    cut = random.Random(seed).randrange(1, len(whole.log))
    driver = Driver(whole.space, whole.log[:cut], random.Random(seed))
    driver.start()
    driver.finish()  # which asserts that nothing is left
    ended = {r["trial_id"] for r in driver.log if r.get("end")} | {
        trial_id
        for r in driver.log
        if r["type"] == "stop" or (r["type"] == "decision" and not r["goes_on"])
        for trial_id in r["trials"]
    }
    assert {*driver.engine._trials} == ended


def test_stops_and_retries_occur_in_what_is_tried_here():
    kinds = [record["type"] for seed in range(20) for record in steered(seed).log]
    assert kinds.count("stop") > 20
    assert kinds.count("retry") > 10
