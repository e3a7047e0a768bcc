import json
from pathlib import Path

import pytest

import search_spaces
import sweeps
from hedgecore.config import to_mapping
from hedgecore.hedging.study import TicketStudy
from sweeps import SpaceError
from sweeps.planning import _leaves

ROOT = Path(__file__).resolve().parents[2]


def configs(space, **overrides):
    return [dict(t.config) for t in sweeps.plan(space, overrides=overrides).trials]


def test_a_grid_is_crossed_in_file_order(tiny):
    trials = configs(tiny)
    assert len(trials) == 8
    assert trials[0] == {"sparsity": 0.0, "lr": 1e-2, "epsilon": 0.0, "seed": 0}
    assert trials[1] == {"sparsity": 0.0, "lr": 1e-2, "epsilon": 0.2, "seed": 0}
    assert [t["sparsity"] for t in trials] == [0.0] * 4 + [0.8] * 4


def test_without_a_seed_axis_the_seed_is_0(tiny):
    text = tiny.read_text().replace("  seed: {grid: [0]}\n", "")
    tiny.write_text(text)
    assert {t["seed"] for t in configs(tiny)} == {0}


def test_trials_of_a_seed_share_one_preparation_whatever_their_axes(tiny):
    plan = sweeps.plan(tiny, overrides={"space.seed.grid": [0, 1]})
    assert len(plan.trials) == 16
    assert len(plan.preparations) == 2
    assert {t.seed for t in plan.preparations.values()} == {0, 1}


def test_an_axis_that_changes_the_dense_network_asks_for_its_own_preparation(tiny):
    plan = sweeps.plan(tiny, overrides={"space.network.hidden.grid": [[8, 8], [16]]})
    assert len(plan.preparations) == 2


def test_random_search_crosses_grids_with_the_same_draws(tiny):
    trials = configs(
        tiny,
        **{
            "space.lr": {"loguniform": [1e-4, 1e-1]},
            "search.algorithm": "random",
            "search.num_samples": 3,
        },
    )
    assert len(trials) == 2 * 2 * 3
    lrs = {t["lr"] for t in trials}
    assert len(lrs) == 3
    assert all(1e-4 <= lr <= 1e-1 for lr in lrs)
    for sparsity in (0.0, 0.8):
        assert {t["lr"] for t in trials if t["sparsity"] == sparsity} == lrs


def test_random_draws_are_those_of_the_search_seed(tiny):
    def lrs(seed):
        return [
            t["lr"]
            for t in configs(
                tiny,
                **{
                    "space.lr": {"uniform": [0.001, 0.1]},
                    "search": {"algorithm": "random", "num_samples": 4, "seed": seed},
                },
            )
        ]

    assert lrs(1) == lrs(1)
    assert lrs(1) != lrs(2)


def test_equal_trials_are_run_once(tiny):
    trials = configs(
        tiny,
        **{
            "space.training.batch_size": {"randint": [128, 130]},
            "search": {"algorithm": "random", "num_samples": 20},
        },
    )
    assert len(trials) == 2 * 2 * 2 * 2


def test_rungs_are_powers_of_the_reduction_factor_from_the_grace_period(tiny):
    overrides = {
        "scheduler": {"asha": {"grace_period": 2, "reduction_factor": 3}},
        "study.training.epochs": 54,
    }
    assert sweeps.plan(tiny, overrides=overrides).rungs == (2, 6, 18)


@pytest.mark.parametrize("key", sorted(_leaves(to_mapping(TicketStudy()))))
def test_every_key_of_the_study_can_be_set_and_is_documented(tiny, key):
    value: object = to_mapping(TicketStudy())
    for name in key.split("."):
        value = value[name]  # type: ignore[index]
    text = json.dumps(value if value != 1e-6 else 1.0e-4).replace("1e-06", "1.0e-6")
    fits = {"study.training.batch_size=512": "study.training.batch_size=64"}
    override = f"study.{key}={text}"
    assert sweeps.plan(tiny, overrides=[fits.get(override, override)]).trials
    assert f"`{key}`" in (ROOT / "docs" / "spaces.md").read_text()


def test_max_t_caps_an_axis_of_epochs_too(tiny):
    overrides = {
        "space.training.epochs.grid": [1, 3],
        "scheduler": {"asha": {"max_t": 2}},
    }
    plan = sweeps.plan(tiny, overrides=overrides)
    assert {t.study.training.epochs for t in plan.trials} == {1, 2}
    assert plan.rungs == (1,)


def test_max_t_is_the_most_that_anyone_trains(tiny):
    plan = sweeps.plan(tiny, overrides={"scheduler": {"asha": {"max_t": 2}}})
    assert {t.study.training.epochs for t in plan.trials} == {2}


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (
            "space.sparsity.grid=[0.5, 1.0]",
            r"space.sparsity.*: sparsity must lie in \[0, 1\), got",
        ),
        ("space.lr.grid=[-0.001]", "space.lr.*: lr must be above 0, got -0.001"),
        ("space.lr.grid=['fast', 'slow']", "space.lr.*: expected a number, got 'fast' .text."),
        ("space.epsilon.grid=[-1.0]", "space.epsilon.*: epsilon must be at least 0"),
        ("space.seed.grid=[-1]", "space.seed.*: seed must be a non-negative integer, got -1"),
        ("space.sparsty.grid=[0.5]", "space.sparsty.*: unknown axis 'sparsty'; did you mean 'sp"),
        ("space.training.lr.grid=[0.1]", "space.training.lr.*: this axis is called 'lr'"),
        (
            "space.network.hidden.grid=[[8, 8], [1, 1, 1]]",
            r"space.sparsity.*: 0.8 keeps 2 of 10 .* \(trial sparsity=0.8",
        ),
        ("study.market.dividend=0.01", "set cost.financing to true"),
        ("space.attack.name.grid=[fgsm, pdg]", "space.attack.name.*: unknown attack 'pdg'"),
        ("study.trainin.epochs=3", "study.trainin.*: unknown key 'trainin'; did you mean 'train"),
        ("study.training.epoch=3", "study.training.epoch.*: unknown key 'epoch'; did you mean"),
        ("study.training.epochs=0", "study.training.epochs.*: epochs must be at least 1, got 0"),
        ("study.market.rho=2.0", "study.market.rho.*: rho must"),
        ("study.market.xi=lots", "study.market.xi.*: expected a number, got 'lots'"),
        ("scheduler.asha.metric=val_cvar_05", "mode.*: 'min' would stop the best by val_cvar_05"),
        ("scheduler.asha.metric=vall_loss", "metric.*: unknown metric 'vall_loss'; did you mean"),
        ("experiment=xnn", "experiment.*: unknown experiment 'xnn'"),
    ],
)
def test_a_mistake_is_one_line_with_its_place_and_cure(tiny, override, message):
    with pytest.raises(SpaceError, match=message) as caught:
        sweeps.plan(tiny, overrides=[override])
    assert "\n" not in str(caught.value)


def test_a_mistake_in_the_file_names_its_line(tiny):
    tiny.write_text(tiny.read_text().replace("epochs: 3", "epoch: 3"))
    with pytest.raises(SpaceError, match=r"^tiny.yaml:10 study.training.epoch: unknown key"):
        sweeps.plan(tiny)


def test_the_axis_that_is_wrong_is_named_whichever_is_checked_first(tiny):
    with pytest.raises(SpaceError, match=r"space\.lr: lr must be above 0"):
        sweeps.plan(tiny, overrides=["space.lr.grid=[-1.0, 0.1]"])


@pytest.mark.parametrize("name", [n for n in search_spaces.shipped() if n.startswith("tickets")])
def test_every_shipped_space_can_be_planned(name):
    plan = sweeps.plan(name)
    axes = {name for trial in plan.trials for name in trial.config}
    assert {"sparsity", "lr", "epsilon", "seed"} <= axes
    assert plan.rungs
    assert all("\n" not in line for line in plan.lines())


def test_the_paper_space_is_the_notebook_configuration():
    plan = sweeps.plan("tickets_paper.yaml")
    study = plan.study
    axes = {name: {t.config[name] for t in plan.trials} for name in plan.trials[0].config}
    assert {0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.97, 0.98, 0.99} <= axes["sparsity"]
    assert axes["lr"] == {1e-3, 5e-4, 1e-4, 5e-5}
    assert len(axes["seed"]) == 5
    assert len(axes["epsilon"]) > 1
    assert study.market.train_paths == 150_000
    assert (study.training.epochs, study.training.patience) == (200, 30)
    assert study.network.hidden == (256, 256, 128)
