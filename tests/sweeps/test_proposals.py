"""Proposals reused from records compared with sampled ones."""

import copy
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from optuna.samplers import NSGAIISampler, TPESampler
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

from hedgecore.rng import seed_sequence
from sweeps.errors import UsageError
from sweeps.scheduling.optuna_search import OptunaSearch

SAMPLERS = {"tpe": TPESampler, "nsga2": NSGAIISampler}
COUNT = 70


def of_two(number, config):
    """An outcome of every kind, of two objectives."""
    one = outcome(number, config)
    return complete(*one.values, config["x"] ** 2) if one.values else one


def of_steps(number, config):
    """The same of a space with conditions."""
    value = config.get("steps", 9) + number / 1e3
    return [complete(value), pruned({1: value}), complete(value), FAILED][number % 4]


KINDS = {
    "one objective": (space, AXES, None, ("minimize",), outcome),
    "two objectives": (space, MIXED, None, ("minimize", "maximize"), of_two),
    "conditions": (space, CONDITIONAL, WHEN, ("minimize",), of_steps),
}


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


@pytest.fixture(params=SAMPLERS)
def algorithm(request):
    return request.param


def begun(algorithm, kind, search=searching, *, seed=0, delay=4, **arguments):
    """A search, and what its proposals come to."""
    made, axes, when, directions, tell = KINDS[kind]
    searched = made(algorithm, axes, when, seed=seed, delay=delay)
    return search(searched, directions, **arguments), tell


def recorded(search, count):
    return {number: copy.deepcopy(search.record(number)) for number in range(count)}


def history(search):
    """All that a sampler can see of every trial."""
    return [
        (t.state, t.values, t.params, t.distributions, t.system_attrs, repr(t.intermediate_values))
        for t in search.study.trials
    ]


class Anew(OptunaSearch):
    """A search with a sampler of its own for every proposal."""

    def _seed(self, number):
        sequence = seed_sequence(self._space.search.seed, "search", "proposal", str(number))
        seed = int(sequence.generate_state(1)[0])
        more = {"population_size": 20} if self._space.search.algorithm == "nsga2" else {}
        self._sampler = SAMPLERS[self._space.search.algorithm](seed=seed, **more)


def anew(searched, directions):
    return Anew(searched, directions=directions, name="made")


def test_a_sampler_that_is_kept_proposes_what_a_new_one_does(algorithm, kind):
    search, tell = begun(algorithm, kind)
    other, _ = begun(algorithm, kind, anew)
    assert proposals(search, COUNT, tell=tell) == proposals(other, COUNT, tell=tell)


@pytest.mark.parametrize(
    ("algorithm", "last"),
    [
        ("tpe", {"x": 0.27867001612, "y": 0.006388705751}),
        ("nsga2", {"x": 0.99944898512, "y": 0.023534017617}),
    ],
)
def test_proposals_are_those_of_earlier_versions(algorithm, last):
    search, tell = begun(algorithm, "one objective", delay=8)
    assert proposals(search, COUNT, tell=tell)[-1] == pytest.approx(last, rel=1e-9)


@pytest.mark.parametrize("cut", [1, 25, 60])
def test_a_search_goes_on_from_its_records_as_if_it_had_made_them(algorithm, kind, cut):
    whole, tell = begun(algorithm, kind)
    made = proposals(whole, COUNT, tell=tell)
    again, _ = begun(algorithm, kind, records=recorded(whole, cut))
    assert proposals(again, COUNT, tell=tell) == made
    assert history(again) == history(whole)
    assert recorded(again, COUNT) == recorded(whole, COUNT)


@given(st.lists(st.integers(1, 12), max_size=6), st.integers(1, 6), st.sampled_from([*SAMPLERS]))
@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=10
)
def test_any_number_of_new_starts_leaves_the_proposals_as_they_are(steps, delay, algorithm):
    whole, tell = begun(algorithm, "two objectives", delay=delay)
    made = proposals(whole, COUNT, tell=tell)
    records, reached = {}, 0
    for step in [*steps, COUNT]:
        reached = min(reached + step, COUNT)
        search, _ = begun(algorithm, "two objectives", delay=delay, records=records)
        assert proposals(search, reached, tell=tell) == made[:reached]
        records = recorded(search, reached)
    assert history(search) == history(whole)


def test_a_record_is_taken_over_without_its_sampler_but_for_the_last(algorithm, kind, monkeypatch):
    whole, tell = begun(algorithm, kind)
    proposals(whole, COUNT, tell=tell)
    sampled = []
    sampler = SAMPLERS[algorithm]
    before = sampler.sample_relative
    monkeypatch.setattr(
        sampler,
        "sample_relative",
        lambda self, study, trial, axes: (
            sampled.append(trial.number) or before(self, study, trial, axes)
        ),
    )
    again, _ = begun(algorithm, kind, records=recorded(whole, 50))
    proposals(again, COUNT, tell=tell)
    assert sampled == list(range(49, COUNT))


def test_a_record_that_was_made_from_other_outcomes_is_not_taken_over(algorithm):
    def better(number, config):
        return complete(-loss(config))

    other, _ = begun(algorithm, "one objective")
    proposals(other, COUNT, tell=better)
    search, tell = begun(algorithm, "one objective", records=recorded(other, COUNT))
    cold, _ = begun(algorithm, "one objective")
    assert proposals(search, COUNT, tell=tell) == proposals(cold, COUNT, tell=tell)
    assert recorded(search, COUNT) != recorded(other, COUNT)


@pytest.mark.parametrize(
    "change",
    [{"seed": 1}, {"warm": earlier(3)}],
)
def test_a_record_of_another_search_is_not_taken_over(algorithm, change):
    other, tell = begun(algorithm, "one objective")
    proposals(other, 20, tell=tell)
    search, _ = begun(algorithm, "one objective", records=recorded(other, 20), **change)
    cold, _ = begun(algorithm, "one objective", **change)
    assert proposals(search, 20, tell=tell) == proposals(cold, 20, tell=tell)


def test_another_sampler_is_noticed_by_the_last_proposal_on_record(algorithm):
    whole, tell = begun(algorithm, "one objective")
    proposals(whole, 30, tell=tell)
    records = recorded(whole, 30)
    records[29].config["x"] += 1e-15
    search, _ = begun(algorithm, "one objective", records=records)
    with pytest.raises(UsageError, match=r"number 29 .* another version of optuna or numpy"):
        proposals(search, 30, tell=tell)


@pytest.mark.parametrize(
    "change",
    [
        {"config": {"x": 7.0, "y": 0.5}},
        {"config": {"x": 0.5}},
        {"config": {"x": "a", "y": 0.5}},
        {"attributes": {"NSGAIISampler:generation": 10**9}},
        {"attributes": {"NSGAIISampler:generation": -1}},
    ],
)
def test_a_record_that_no_search_can_have_written_is_refused(algorithm, change):
    whole, tell = begun(algorithm, "one objective")
    proposals(whole, 30, tell=tell)
    records = recorded(whole, 30)
    records[12] = replace(records[12], **change)
    search, _ = begun(algorithm, "one objective", records=records)
    with pytest.raises(UsageError, match=r"number 12 "):
        proposals(search, 30, tell=tell)
