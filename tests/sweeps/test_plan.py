import json
import math
from pathlib import Path

import pytest
from printed import numbers

import search_spaces
import sweeps
from hedgecore.config import to_mapping
from hedgecore.hedging.study import TicketStudy
from sweeps import SpaceError
from sweeps.planning.summary import lines
from sweeps.planning.validation import leaves

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


@pytest.mark.parametrize("key", sorted(leaves(to_mapping(TicketStudy()))))
def test_every_key_of_the_study_can_be_set_and_is_documented(tiny, key):
    value: object = to_mapping(TicketStudy())
    for name in key.split("."):
        value = value[name]  # type: ignore[index]
    text = json.dumps(value if value != 1e-6 else 1.0e-4).replace("1e-06", "1.0e-6")
    fits = {"study.training.batch_size=512": "study.training.batch_size=64"}
    override = f"study.{key}={text}"
    assert sweeps.plan(tiny, overrides=[fits.get(override, override)]).trials
    assert f"`{key}`" in (ROOT / "docs" / "spaces.md").read_text()


def test_max_t_limits_every_trial_by_its_own_epochs(tiny):
    overrides = {
        "space.training.epochs.grid": [1, 3],
        "study.dense.epochs": 3,
        "scheduler": {"asha": {"max_t": 2}},
    }
    plan = sweeps.plan(tiny, overrides=overrides)
    assert {(t.study.training.epochs, t.limit) for t in plan.trials} == {(1, 1), (3, 2)}
    assert (plan.limit, plan.rungs) == (2, (1,))


def test_without_max_t_a_trial_may_train_as_its_study_says(tiny):
    assert {t.limit for t in sweeps.plan(tiny).trials} == {3}


@pytest.mark.parametrize("scheduler", ["asha", "stock_asha", "median", "hyperband"])
def test_max_t_changes_nothing_that_a_trial_is(tiny, scheduler):
    short, long = (
        sweeps.plan(tiny, overrides={"scheduler": {scheduler: {"max_t": max_t}}})
        for max_t in (2, 3)
    )
    assert [t.limit for t in short.trials] == [2] * 8
    assert [(t.config, t.study) for t in short.trials] == [
        (t.config, t.study) for t in long.trials
    ]
    assert short.preparations.keys() == long.preparations.keys()


@pytest.mark.parametrize(
    ("epochs", "factor", "rungs"),
    [
        (1000, 10, (1, 10, 100)),
        (1001, 10, (1, 10, 100, 1000)),
        (243, 3, (1, 3, 9, 27, 81)),
        (244, 3, (1, 3, 9, 27, 81, 243)),
        (81, 3, (1, 3, 9, 27)),
        (100, 4, (1, 4, 16, 64)),
        (27, 3, (1, 3, 9)),
        (125, 5, (1, 5, 25)),
        (2, 2, (1,)),
        (1, 3, ()),
    ],
)
@pytest.mark.parametrize("by", ["max_t", "epochs"])
@pytest.mark.parametrize("kind", ["asha", "stock_asha"])
def test_rungs_are_exact_and_lie_below_the_last_epoch(tiny, epochs, factor, rungs, by, kind):
    rule = {"reduction_factor": factor, **({"max_t": epochs} if by == "max_t" else {})}
    overrides = {
        "study.training.epochs": 5000 if by == "max_t" else epochs,
        "scheduler": {kind: rule},
    }
    assert sweeps.plan(tiny, overrides=overrides).rungs == rungs


@pytest.mark.parametrize("kind", ["median", "hyperband", "pbt"])
def test_rules_of_ray_have_no_rungs_of_ours(tiny, kind):
    rule = {"axes": ["lr"]} if kind == "pbt" else {}
    plan = sweeps.plan(tiny, overrides={"scheduler": {kind: rule}})
    assert plan.rungs == ()
    assert "ASHA" not in lines(plan)[-1]


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
        (
            "space.attack.name.grid=[path_fgsm, path_pdg]",
            "space.attack.name.*: unknown attack 'path_pdg'",
        ),
        ("study.trainin.epochs=3", "study.trainin.*: unknown key 'trainin'; did you mean 'train"),
        ("study.training.epoch=3", "study.training.epoch.*: unknown key 'epoch'; did you mean"),
        ("study.training.epochs=0", "study.training.epochs.*: epochs must be at least 1, got 0"),
        ("study.market.rho=2.0", "study.market.rho.*: rho must"),
        ("study.market.xi=lots", "study.market.xi.*: expected a number, got 'lots'"),
        ("scheduler.asha.metric=val_cvar_05", "mode.*: 'min' would stop the best by val_cvar_05"),
        ("scheduler.asha.metric=vall_loss", "metric.*: unknown metric 'vall_loss'; did you mean"),
        ("scheduler.median.metric=vall_loss", r"median\.metric: unknown metric 'vall_loss'; did"),
        (
            "scheduler.pbt={axes: [training.batch_size]}",
            "'training.batch_size' is not an axis of space",
        ),
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
    assert {"sparsity", "epsilon", "seed"} <= axes
    assert plan.rungs or plan.space.scheduler is None
    assert all("\n" not in line for line in lines(plan))


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


TPE = ["search={algorithm: tpe, num_samples: 10}", "space.seed.grid=[3, 1]"]


def replicated(tiny, *more):
    asha = "scheduler.asha={stratify_by: [epsilon], replicates: seed}"
    return sweeps.plan(tiny, overrides=["space.seed.grid=[0, 1]", asha, *more])


def test_the_seeds_of_a_configuration_are_one_group(tiny):
    plan = replicated(tiny)
    groups: dict[object, list[int]] = {}
    for trial in plan.trials:
        groups.setdefault(plan.group(trial), []).append(trial.seed)
    assert list(groups.values()) == [[0, 1]] * 8
    assert plan.group(plan.trials[0]) == (("sparsity", 0.0), ("lr", 0.01), ("epsilon", 0.0))


@pytest.mark.parametrize("scheduler", ["null", "{asha: {}}", "{stock_asha: {}}"])
def test_without_replicates_every_trial_is_its_own_group(tiny, scheduler):
    plan = replicated(tiny, f"scheduler={scheduler}")
    assert len({plan.group(trial) for trial in plan.trials}) == 16


def test_a_stratum_holds_the_values_that_rivals_share(tiny):
    plan = replicated(tiny)
    assert [plan.stratum(t.config) for t in plan.trials[:4]] == [(0.0,), (0.0,), (0.2,), (0.2,)]
    for scheduler in ("null", "{median: {}}", "{asha: {}}"):
        plan = replicated(tiny, f"scheduler={scheduler}")
        assert {plan.stratum(t.config) for t in plan.trials} == {()}


QUASI = ["search.algorithm=quasirandom", "space.sparsity={uniform: [0, 0.5]}"]


def drawn(tiny, samples, *more):
    overrides = [*QUASI, f"search.num_samples={samples}", "space.lr={loguniform: [0.001, 0.1]}"]
    overrides += ["space.epsilon.grid=[0.0]", *more]
    trials = sweeps.plan(tiny, overrides=overrides).trials
    return [(t.config["sparsity"], t.config["lr"]) for t in trials]


def test_a_quasirandom_search_leaves_no_stretch_of_an_axis_empty(tiny):
    points = drawn(tiny, 16)
    assert sorted(int(sparsity / 0.5 * 16) for sparsity, _ in points) == list(range(16))
    assert sorted(int((math.log10(lr) + 3) / 2 * 16) for _, lr in points) == list(range(16))
    # Independent draws do.
    independent = drawn(tiny, 16, "search.algorithm=random")
    assert len({int(sparsity / 0.5 * 16) for sparsity, _ in independent}) < 16


def test_a_longer_quasirandom_search_begins_with_a_shorter_one(tiny):
    assert drawn(tiny, 21)[:5] == drawn(tiny, 5)


def test_quasirandom_draws_are_those_of_the_search_seed(tiny):
    assert drawn(tiny, 5, "search.seed=1") == drawn(tiny, 5, "search.seed=1")
    assert drawn(tiny, 5, "search.seed=1") != drawn(tiny, 5, "search.seed=2")


def test_a_quasirandom_search_crosses_grids_with_the_same_draws(tiny):
    more = ["search.num_samples=3", "space.epsilon.grid=[0.0, 0.2]"]
    trials = sweeps.plan(tiny, overrides=[*QUASI, *more, "space.lr.grid=[0.01]"]).trials
    by_epsilon = [[t.config["sparsity"] for t in trials if t.config["epsilon"] == e]
                  for e in (0.0, 0.2)]  # fmt: skip
    assert by_epsilon[0] == by_epsilon[1]
    assert len(trials) == 6


CONDITION = [
    "space.attack.name.grid=[path_fgsm, path_pgd]",
    "space.attack.steps={grid: [2, 3], when: {attack.name: [path_pgd]}}",
    "space.sparsity.grid=[0.0]",
    "space.lr.grid=[0.01]",
    "space.epsilon.grid=[0.2]",
]


def test_an_axis_that_does_not_exist_is_left_to_the_study_and_its_copies_run_once(tiny):
    trials = sweeps.plan(tiny, overrides=[*CONDITION, "study.attack.steps=7"]).trials
    found = [(t.config["attack.name"], t.config.get("attack.steps")) for t in trials]
    assert found == [("path_fgsm", None), ("path_pgd", 2), ("path_pgd", 3)]
    assert trials[0].study.attack.steps == 7


def test_a_drawn_axis_may_be_conditional(tiny):
    steps = "space.attack.steps={randint: [2, 9], when: {attack.name: [path_pgd]}}"
    search = ["search.algorithm=random", "search.num_samples=6"]
    trials = sweeps.plan(tiny, overrides=[*CONDITION, steps, *search]).trials
    assert all(
        ("attack.steps" in t.config) == (t.config["attack.name"] == "path_pgd") for t in trials
    )
    assert sum(t.config["attack.name"] == "path_fgsm" for t in trials) == 1


def test_a_wrong_value_of_a_conditional_axis_is_found_before_anything_runs(tiny):
    steps = "space.attack.steps={grid: [0], when: {attack.name: [path_pgd]}}"
    with pytest.raises(SpaceError, match=r"space\.attack\.steps: steps must be at least 1, got 0"):
        sweeps.plan(tiny, overrides=[*CONDITION, steps])


def test_proposals_become_one_trial_a_seed_in_creation_order(tiny):
    plan = sweeps.plan(tiny, overrides=TPE)
    assert (plan.adaptive, plan.trials, plan.seeds) == (True, (), (1, 3))
    trials = plan.proposal(4, {"sparsity": 0.8, "lr": 0.01, "epsilon": 0})
    assert [(t.index, t.seed) for t in trials] == [(8, 1), (9, 3)]
    assert trials[0].config == {"sparsity": 0.8, "lr": 0.01, "epsilon": 0.0, "seed": 1}
    assert trials[0].study.pruning.sparsity == 0.8
    assert {t.preparation for t in trials} == set(plan.preparations)


def test_a_proposed_trial_is_the_trial_that_a_grid_makes(tiny):
    of_grid = {t.index: t for t in sweeps.plan(tiny).trials}[7]
    config = {name: v for name, v in of_grid.config.items() if name != "seed"}
    (proposed,) = sweeps.plan(tiny, overrides=TPE[:1]).proposal(7, config)
    assert proposed == of_grid


def test_without_a_seed_axis_proposals_have_seed_0(tiny):
    tiny.write_text(tiny.read_text().replace("  seed: {grid: [0]}\n", ""))
    plan = sweeps.plan(tiny, overrides=TPE[:1])
    assert (plan.seeds, len(plan.preparations)) == ((0,), 1)


def test_a_plan_that_adapts_says_how_many_proposals_and_seeds(tiny):
    asha = "scheduler.asha={stratify_by: [epsilon], replicates: seed}"
    first, _, epochs, judgement = lines(sweeps.plan(tiny, overrides=[*TPE, asha]))
    assert first.startswith("tiny:")
    assert numbers(first)[:3] == [10, 2, 0], "proposals, seeds, the least sparsity"
    assert "tpe" in first
    assert "min val_loss" in first
    assert numbers(epochs)[0] == 60
    assert numbers(judgement) == [1]
    assert "strata of epsilon" in judgement


def test_what_is_proposed_may_set_the_number_of_epochs_if_the_baseline_has_its_own(tiny):
    overrides = [*TPE, "space.training.epochs={randint: [3, 11]}", "scheduler.asha={max_t: 9}"]
    plan = sweeps.plan(tiny, overrides=[*overrides, "study.dense.epochs=3"])
    assert (plan.limit, plan.rungs) == (9, (1, 3))


def test_objectives_are_what_the_scheduler_compares_unless_they_are_given(tiny):
    def objectives(*more):
        return dict(sweeps.plan(tiny, overrides=[*TPE, *more]).objectives)

    assert objectives() == {"val_loss": "min"}
    asha = "scheduler.asha={metric: val_cvar_05, mode: max}"
    assert objectives(asha) == {"val_cvar_05": "max"}
    both = "search.objectives=[val_loss, val_pnl_mean]"
    assert objectives(both, asha) == {"val_loss": "min", "val_pnl_mean": "max"}


def test_a_search_that_varies_nothing_prepared_is_planned_for_every_axis(tiny):
    axes = ["space.risk.y_lr={uniform: [0.01, 0.1]}", "space.attack.steps={randint: [1, 4]}"]
    with pytest.raises(
        SpaceError, match=r"^--set space\.risk\.y_lr: changes what is prepared \(data, theta_0"
    ):
        sweeps.plan(tiny, overrides=[*TPE, *axes])
    assert sweeps.plan(tiny, overrides=[*TPE, axes[1]]).adaptive


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            [*TPE, "space.market.xi.uniform=[0.1, 0.5]"],
            r"^--set space\.market\.xi: changes what is prepared \(data, theta_0, dense "
            r"baseline\) before tpe proposes; .* write --set 'space\.market\.xi={choice: "
            r"\[0\.1, 0\.5\]}'$",
        ),
        (
            [*TPE, "space.training.batch_size={randint: [64, 65], when: {sparsity: [0.8]}}"],
            r"space\.training\.batch_size: changes what is prepared",
        ),
        (
            ["space.training.batch_size.grid=[64, 128]", "scheduler.pbt={axes: "
             "[training.batch_size]}"],
            r"scheduler\.pbt\.axes: training\.batch_size changes what is prepared \(.*\), "
            "which a running trial keeps; write --set scheduler=null",
        ),
        (
            [*TPE, "search.objectives=[val_los]"],
            r"search\.objectives: unknown objective 'val_los'; did you mean 'val_loss'",
        ),
        ([*TPE, "space.lr={uniform: [-1, 1]}"], r"space\.lr: lr must be above 0, got -1"),
    ],
)  # fmt: skip
def test_what_cannot_be_searched_so_is_one_line_before_anything_runs(tiny, overrides, message):
    with pytest.raises(SpaceError, match=message) as caught:
        sweeps.plan(tiny, overrides=overrides)
    assert "\n" not in str(caught.value)


def test_a_proposal_whose_values_make_no_study_together_names_the_trial(tiny):
    overrides = [*TPE, "study.network.hidden=[1, 1, 1]", "space.sparsity.grid=[0.0, 0.5]"]
    plan = sweeps.plan(tiny, overrides=[*overrides, "space.pruning.min_kept={grid: [1, 4]}"])
    with pytest.raises(SpaceError, match=r"few.*\(trial sparsity=0.5, .*min_kept=4, seed=1\)"):
        plan.proposal(0, {"sparsity": 0.5, "lr": 0.01, "epsilon": 0.0, "pruning.min_kept": 4})


def test_listed_values_that_change_what_is_prepared_are_all_prepared_before_a_search(tiny):
    axes = ["space.network.hidden.choice=[[8], [16]]", "space.seed.grid=[0, 1, 2]"]
    plan = sweeps.plan(tiny, overrides=[*TPE, *axes])
    needed = {
        trial.preparation
        for number, hidden in enumerate([(8,), (16,)])
        for trial in plan.proposal(
            number, {"sparsity": 0.8, "lr": 1e-3, "epsilon": 0.2, "network.hidden": hidden}
        )
    }
    assert len(needed) == 6
    assert needed == plan.preparations.keys()


def test_a_robust_preparation_is_built_on_the_clean_one_of_its_seed(tiny):
    robust = ["study.pruning.source=robust", "space.seed.grid=[0, 1]"]
    plan = sweeps.plan(tiny, overrides=robust)
    bases = {key: plan.base(key) for key in plan.preparations}
    assert sorted(bases.values(), key=str).count(None) == 2
    for key, base in bases.items():
        if base:
            assert plan.preparations[key].seed == plan.preparations[base].seed
            assert plan.preparations[base].study.attack.epsilon == 0
    alone = sweeps.plan(tiny, overrides=[*robust, "space.epsilon.grid=[0.2]"])
    assert len(alone.preparations) == 4
    assert {alone.base(key) for key in alone.preparations} - {None} < alone.preparations.keys()
