import re
import shlex

import pytest

from search_spaces import SpaceError, load
from search_spaces.yaml_source import parse
from tests.cures import cured_overrides, cured_text, follow

SMALL = """\
experiment: tickets
space:
  lr: {grid: [1.0e-3]}
  epsilon: {grid: [0.0, 0.1]}
  seed: {grid: [0]}
search: {algorithm: grid}
scheduler: {asha: {grace_period: 2}}
resources: {cpu: 1}
"""

# What users of Ray Tune, Optuna, W&B, Hydra, Ax, hyperopt, scikit-learn, Vizier and NNI write.
DOMAINS = [
    "1e-3,1e-2", "1e-3, 1e-2", "1e-3;1e-2", "'1e-3 1e-2'", "1e-3|1e-2", "0-4", "0..4", "0...4",
    "0:4", "1:10:2", "0 to 4", "range(0, 5)", "range(5)", "range(0, 10, 2)", "0.1", "'0.1'",
    "1e-3", "true", "relu", "[1.0e-3, 1.0e-2]", "[1e-3, 1e-2]", "['1e-3', '1e-2']", "(1, 2)",
    "'[1e-3, 1e-2]'", "{1, 2, 3}", "{values: [1, 2]}", "{value: 3}", "{grid_search: [1, 2]}",
    "{choice: 1}", "{min: 1.0e-4, max: 0.1}", "{min: 1, max: 5}",
    "{min: 1.0e-4, max: 0.1, distribution: log_uniform_values}",
    "{distribution: int_uniform, min: 1, max: 5}", "{low: 1.0e-4, high: 0.1, log: true}",
    "{lower: 0.0, upper: 1.0}", "{start: 0, stop: 5, step: 1}", "{bounds: [1.0e-4, 0.1]}",
    "{type: range, bounds: [1.0e-4, 0.1], log_scale: true}",
    "{type: choice, values: [1, 2]}", "{_type: choice, _value: [1, 2]}",
    "{name: x, type: double, min: 1, max: 5}", "{uniform: '0, 1'}", "{uniform: {low: 0, high: 1}}",
    "{uniform: [1, 0]}", "{uniform: [1]}", "{uniform: [0, 1, 0.1]}", "{uniform: 1}",
    "{loguniform: [0, 1]}", "{loguniform: ['1e-4', '1e-1']}", "{log_uniform: [1.0e-4, 0.1]}",
    "{randint: [0.5, 4.5]}", "{randint: 5}", "{quniform: [0, 1, 0.1]}", "{int: [1, 5]}",
    "{gird: [1, 2]}", "{categorical: [a, b]}", "{grid: 0.1}", "{grid: a}", "{grid: []}",
    "{grid: [1, 1.0]}", "{grid: [1, a]}", "{grid: range(0, 5)}", "{grid: 1e-3,1e-2}",
    "{grid: {values: [1, 2]}}", "{grid: {min: 0, max: 1}}", "{grid: [[1, [2]], [3]]}",
    "{grid: [{a: 1}]}", "{grid: [1], choice: [2]}", "{}", "null", "{when: {epsilon: [0.1]}}",
    "tune.choice([1e-3, 1e-2])", "tune.grid_search([1, 2])", "tune.loguniform(1e-4, 1e-1)",
    "loguniform(1e-4, 1e-1)", "choice(1, 2, 3)", "choice(relu, tanh)", "interval(0, 1)",
    "int(interval(1, 5))", "linspace(0, 1, 5)", "np.logspace(-4, -1, 4)", "np.arange(0, 1, 0.25)",
    "hp.uniform('x', 0, 1)", "hp.choice('x', [1, 2])", "hp.loguniform('x', -9, -2)",
    "trial.suggest_float('x', 1e-5, 1e-1, log=True)", "trial.suggest_int('x', 1, 5)",
    "trial.suggest_categorical('x', ['a', 'b'])", "Real(1e-4, 1e-1, prior='log-uniform')",
    "Integer(1, 5)", "Categorical(['a', 'b'])", "reciprocal(1e-4, 1e-1)", "uniform(0, 1)",
    "normal(0, 1)", "{sample_from: spec}", "{a: {grid: [1]}}", "2026-11-20", "1:30",
    "0x10", "010", ".5e-3", "yes", ".inf", "None",
]  # fmt: skip
BLOCKS = [
    ("scheduler", w) for w in (
        "asha", "ASHAScheduler", "AsyncHyperBand", "hyperband", "median", "pbt", "fifo", "true",
        "false", "[asha]", "{type: asha}", "{name: hyperband}", "{asha: true}", "{asha: null}",
        "{ASHA: {}}", "{asha: {}, median: {}}", "{max_t: 10}", "{asha: {eta: 3}}",
        "{asha: {min_resource: 2}}", "{asha: {grace_period: '2'}}", "{asha: {metric: [a]}}",
        "{asha: {mode: minimize}}", "{asha: {stratify_by: lr}}", "{asha: {stratify_by: [lrr]}}",
        "{asha: {brackets: 1}}", "{asha: {grace_period: 9, max_t: 3}}", "{pbt: {}}",
        "{pbt: {axes: [seed]}}", "{pbt: {quantile_fraction: 0.25}}", "{asha: {replicates: 3}}",
        "{asha: {time_attr: training_iteration}}", "3", "{asha: [1]}", "{early: true}",
    )
] + [
    ("search", w) for w in (
        "grid", "bayes", "optuna", "random", "20", "[grid]", "{algorithm: bayes}",
        "{algorithm: optuna}", "{algorithm: TPESampler}", "{algorithm: sobol}",
        "{algorithm: grid_search}", "{algorithm: 3}", "{algorithm: random, n_trials: 20}",
        "{algorithm: tpe, num_trials: 20}", "{algorithm: tpe, budget: 20}", "{algorithm: tpe}",
        "{algorithm: grid, num_samples: 20}", "{seeds: [0, 1]}", "{seeds: 3}",
        "{max_concurrent: 4}", "{n_jobs: 4}", "{seed: '5'}", "{seed: 1.0}", "{random_state: 5}",
        "{algorithm: tpe, num_samples: '20'}", "{sampler: tpe, n_trials: 5}", "{metric: loss}",
        "{algorithm: tpe, num_samples: 5, objectives: val_loss}", "{seed: -1}", "{seed: null}",
    )
] + [
    ("resources", w) for w in (
        "{cpus: 2}", "{gpus: 1}", "{num_cpus: 2}", "{CPU: 2}", "{gpu: -1}", "{cpu: 0}",
        "{cpu: auto}", "{cpu: '2'}", "{cpu: [2]}", "2", "{memory: 4}", "{cpu: true}", "[1]",
    )
] + [
    ("space", w) for w in (
        "[{name: lr, type: range, bounds: [1.0e-4, 0.1]}]", "null", "3", "{}", "[lr]",
        "{grid: [1, 2]}", "{'a b': {grid: [1]}}", "{lr: null}",
    )
] + [
    ("space.epsilon.when", w) for w in (
        "lr", "{lr: 0.001}", "{lr: [0.5]}", "{lrr: [0.001]}", "{seed: [0]}", "[lr]", "{}",
        "{lr: []}", "{epsilon: [0.1]}", "{lr: '0.001'}",
    )
] + [
    (key, w) for key, w in (
        ("experiment", "ticket"), ("experiment", "insurance"), ("experiment", "3"),
        ("experiment", "[tickets]"), ("experiment", "null"), ("study", "3"), ("study", "[a]"),
        ("study", "{a.b: 1}"), ("seed", "5"), ("seeds", "[0, 1]"), ("n_trials", "20"),
        ("method", "random"), ("parameters", "{lr: {values: [1]}}"), ("name", "x"),
        ("metric", "{name: loss, goal: minimize}"), ("early_terminate", "{type: hyperband}"),
        ("serch", "{seed: 1}"), ("zzz", "1"),
    )
]  # fmt: skip


def tree_with(key: str, written: str) -> str:
    """SMALL with ``key`` written as a user would."""
    if key.startswith("space.epsilon.when"):
        return SMALL.replace("{grid: [0.0, 0.1]}", f"{{grid: [0.0, 0.1], when: {written}}}")
    if key.startswith("space."):
        axis = key.removeprefix("space.")
        return SMALL.replace("  seed:", f"  {axis}: {written}\n  seed:")
    lines = SMALL.split("\n")
    kept, skipping = [], False
    for line in lines:
        if line and not line.startswith(" "):
            skipping = line.startswith(f"{key}:")
        if not skipping:
            kept.append(line)
    return "\n".join([*kept[:-1], f"{key}: {written}", ""])


@pytest.fixture(scope="module")
def attempts(tmp_path_factory):
    """Loading a text, and loading SMALL with overrides."""
    path = tmp_path_factory.mktemp("cures") / "s.yaml"

    def text(written):
        path.write_text(written)
        return load(path)

    def overrides(given):
        path.write_text(SMALL)
        return load(path, overrides=given)

    return text, overrides


CASES = [("space.x", w) for w in DOMAINS] + BLOCKS


@pytest.mark.parametrize(("key", "written"), CASES)
def test_the_cure_of_a_foreign_spelling_in_a_file_cures_it(attempts, key, written):
    messages = follow(attempts[0], tree_with(key, written), cured_text)
    assert len(set(messages)) == len(messages)


@pytest.mark.parametrize(("key", "written"), CASES)
def test_the_cure_of_a_foreign_spelling_in_an_override_cures_it(attempts, key, written):
    messages = follow(attempts[1], [f"{key}={written}"], cured_overrides)
    assert all(message.startswith("--set ") for message in messages)


@pytest.mark.parametrize("written", ["1e-3,1e-2", "0-4", "range(0, 5)", "{values: [1, 2]}", "3"])
@pytest.mark.parametrize("kind", ["grid", "choice"])
def test_the_cure_of_a_foreign_spelling_of_a_list_keeps_the_key_of_the_override(
    attempts, kind, written
):
    search = ["search={algorithm: random, num_samples: 3}"]
    (message, *more) = follow(attempts[1], [*search, f"space.x.{kind}={written}"], cured_overrides)
    assert not more or "text in YAML" in message


@pytest.mark.parametrize(
    "override",
    [
        "lr=0.1", "lr.grid=[0.1]", "training.epochs=3", "n_trials=20", "search.sampler=tpe",
        "space.lr.gird=[1]", "space.lr.values=[1]", "space.lr.min=1", "space.lr.grid.0=1",
        "search.seed.x=1", "experiment.x=1", "search..seed=1", "space.lr.when.a=[1]",
        "search.seed=no", "space.lr.grid=[1e-3, yes]", "space.lr.grid=\u20121", "sp\u00a0ace.lr=1",
        "space.lr.grid=[\u22121]", "space.lr.grid=[1\u00a0, 2]", "zzz=1", "space.l\u200br=1",
        "scheduler.asha.eta=3", "scheduler=asha", "resources.gpus=1", "search.num_samples=5",
    ],
)  # fmt: skip
def test_the_cure_of_a_foreign_override_cures_it(attempts, override):
    follow(attempts[1], [override], cured_overrides)


@pytest.mark.parametrize(
    "override",
    [
        "scheduler={asha: {max_resource: 10}}", "scheduler={hyperband: {eta: 3, max_t: 81}}",
        "scheduler={pbt: {axes: lr}}", "scheduler={median: {min_samples: 0}}",
        "scheduler={asha: {grace_period: 1.0, reduction_factor: '3'}}", "scheduler=PB2",
        "scheduler.median={}", "scheduler.hyperband.max_t=9", "search=hyperopt",
        "search={algorithm: tpe, num_samples: 8, delay: 0}",
        "search={algorithm: tpe, n_trials: 5}", "resources={CPU: 1, GPU: 1}",
        "search={algorithm: tpe, num_samples: 8, objectives: val_loss}",
        "space={lr: 1, epsilon: {grid: [0], when: {lr: 1}}}", "space={x.y: {grid: 1}}",
    ],
)  # fmt: skip
def test_the_cure_of_a_part_of_an_override_is_that_override_whole(attempts, override):
    def printed_alone(_, message):
        return shlex.split(re.search("; write --set (.*)$", message)[1])

    assert follow(attempts[1], [override], printed_alone)


@pytest.mark.parametrize(
    ("written", "kind", "values"),
    [
        ("{_type: loguniform, _value: [0.1, 1]}", "loguniform", [0.1, 1]),
        ("{parameter_type: FLOAT, bounds: [0.1, 1], scaling: log}", "loguniform", [0.1, 1]),
        ("{doubleValueSpec: {minValue: 0.1, maxValue: 1.0}}", "uniform", [0.1, 1.0]),
        ("{parameterId: a, discreteValueSpec: {values: [0.1, 1]}}", "grid", [0.1, 1]),
        ("{type: DOUBLE, min_value: 0.1, max_value: 1.0, scale: LOG}", "loguniform", [0.1, 1.0]),
        ("{type: range, bounds: [0.1, 1], log_scale: true}", "loguniform", [0.1, 1]),
        ("'uniform(loc=1, scale=2)'", "uniform", [1, 3]),
        ("shuffle(range(1, 4))", "grid", [1, 2, 3]),
        ("[0.1 1]", "grid", [0.1, 1]), ("~U(0, 1)", "uniform", [0, 1]),
        ("'uniform 0 1'", "uniform", [0, 1]), ("uniform:0:1", "uniform", [0, 1]),
        ("{uniform: 0-1}", "uniform", [0, 1]), ("{randint: (1, 5)}", "randint", [1, 5]),
        ("50%, 90%", "grid", [0.5, 0.9]), ("hp.uniformint('x', 1, 5)", "randint", [1, 6]),
    ],
)  # fmt: skip
def test_a_foreign_spelling_keeps_its_meaning_in_the_cure(attempts, written, kind, values):
    with pytest.raises(SpaceError) as raised:
        attempts[1]([f"space.x={written}"])
    (cure,) = cured_overrides([f"space.x={written}"], str(raised.value))
    assert parse(cure.partition("=")[2], file="cure").tree == {kind: values}


@pytest.mark.parametrize(
    ("written", "kind"),
    [("FIFOScheduler", None), ("{_target_: ray.tune.schedulers.HyperBandScheduler}", "hyperband")],
)
def test_a_scheduler_of_another_tool_is_cured_to_the_one_that_it_is(attempts, written, kind):
    with pytest.raises(SpaceError) as raised:
        attempts[1]([f"scheduler={written}"])
    (cure,) = cured_overrides([f"scheduler={written}"], str(raised.value))
    assert parse(cure.partition("=")[2], file="cure").tree == (kind and {kind: {}})
