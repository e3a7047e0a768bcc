"""Seeds are added until the e-value of a claim decides, and no further."""

from pathlib import Path
from types import SimpleNamespace

import pytest

import sweeps
from search_spaces.domains import Grid
from sweeps import until_decided

SPACE = """
experiment: tickets
space:
  sparsity: {grid: [0.9]}
  seed: {grid: [5, 0]}
study:
  market: {train_paths: 256, val_paths: 256, test_paths: 512}
  network: {hidden: [4]}
  training: {epochs: 1, batch_size: 256}
search: {algorithm: grid}
"""


@pytest.fixture
def space(tmp_path):
    path = tmp_path / "space.yaml"
    path.write_text(SPACE)
    return path


@pytest.fixture
def study(monkeypatch):
    """Runs that only record their seeds, and e-values by number of seeds."""
    runs: list[tuple[int, ...]] = []
    values: dict[int, tuple[float, float]] = {}

    def run(plan, *, storage, budget=None):
        assert plan.until_decided in ("sparsity", "cost")
        assert isinstance(plan.space.space["seed"], Grid)
        runs.append(tuple(plan.seeds))
        return SimpleNamespace(storage=storage, within_budget=budget is None)

    def claims(*arguments):
        if arguments == ("--names",):
            return ["sparsity", "cost"]
        support, against = values.get(len(runs[-1]), (1.0, 1.0))
        return [
            {"claim": "sparsity", "verdict": "undecided", "reason": "", "e_supported": support}
            | {"e_contradicted": against},
            {"claim": "cost", "verdict": "not asked", "reason": "adj_weight"},
        ]

    monkeypatch.setattr(until_decided, "run", run)
    monkeypatch.setattr(until_decided, "_claims", claims)
    return SimpleNamespace(runs=runs, values=values)


def decisions(space, tmp_path, claim="sparsity", **options):
    return list(sweeps.run_until(claim, space, storage=tmp_path / "s", **options))


@pytest.mark.parametrize(
    ("values", "verdict"), [((40.0, 0.1), "supported"), ((0.1, 41.0), "contradicted")]
)
def test_the_first_decisive_e_value_ends_the_study(space, tmp_path, study, values, verdict):
    study.values[5] = values
    results = decisions(space, tmp_path)
    assert study.runs == [(0, 1, 5), (0, 1, 2, 5), (0, 1, 2, 3, 5)]
    assert [one.verdict for one in results] == [None, None, verdict]
    assert results[-1].seeds == 5


def test_an_e_value_short_of_the_limit_goes_to_the_last_seed(space, tmp_path, study):
    study.values |= dict.fromkeys(range(3, 9), (39.9, 39.9))
    results = decisions(space, tmp_path, max_seeds=6)
    assert [one.seeds for one in results] == [3, 4, 5, 6]
    assert results[-1].verdict is None


def test_a_budget_that_is_used_up_ends_the_study(space, tmp_path, study):
    assert len(decisions(space, tmp_path, budget=object())) == 1


def test_overrides_of_either_form_are_kept(space, tmp_path, study):
    for overrides in ({"study.training.epochs": 2}, ["study.training.epochs=2"]):
        (one,) = decisions(space, tmp_path, max_seeds=3, overrides=overrides)
        assert one.seeds == 3


@pytest.mark.parametrize(
    ("claim", "overrides", "max_seeds", "message"),
    [
        ("sparcity", (), 9, "unknown claim 'sparcity'; did you mean 'sparsity'"),
        ("cost", (), 9, "does not ask the claim cost: it needs adj_weight"),
        ("sparsity", ["scheduler.asha.grace_period=1"], 9, "give scheduler: null"),
        ("sparsity", (), 2, "max_seeds must be at least 3"),
    ],
)
def test_a_study_that_cannot_decide_is_refused(
    space, tmp_path, study, claim, overrides, max_seeds, message
):
    with pytest.raises(sweeps.UsageError, match=message):
        decisions(space, tmp_path, claim, overrides=overrides, max_seeds=max_seeds)


def test_a_study_continues_with_the_seeds_of_its_storage(space, tmp_path, study, monkeypatch):
    monkeypatch.setattr(until_decided, "_stored_seeds", lambda storage: 6)
    assert decisions(space, tmp_path, max_seeds=7)[0].seeds == 6
    assert study.runs[0] == (0, 1, 2, 3, 4, 5)


@pytest.mark.slow
def test_real_seeds_are_added_and_read_back(space, tmp_path):
    progress = sweeps.SilentProgress()
    options = {"storage": tmp_path / "real", "max_seeds": 4, "progress": progress}
    first = list(sweeps.run_until("sparsity", space, **options))
    assert [one.seeds for one in first] == [3, 4]
    assert Path(first[-1].sweep.storage) == tmp_path / "real"
    (again,) = sweeps.run_until("sparsity", space, **options)
    assert again.seeds == 4
    assert again.e_supported == first[-1].e_supported
