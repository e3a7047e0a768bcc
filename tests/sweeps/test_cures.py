"""Wrong values at any key of any shipped space: the cure of each message cures it."""

import contextlib
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from quick import quick_of

import sweeps
from hedgecore.config import to_mapping
from search_spaces import SCHEDULERS, load, shipped
from search_spaces.yaml_text import as_yaml
from sweeps import SpaceError
from sweeps.experiments import experiment
from sweeps.planning.summary import lines
from sweeps.planning.validation import leaves
from tests.cures import cured_overrides, follow

WRONG = st.sampled_from(
    ["text", "3", "'3'", "0", "-1", "2.5", "1.0e+300", "1.0e-300", "[1, 2]", "[]", "[a]", "{}",
     "{a: 1}", "null", "true", "[[1]]", "1e-3", "yes", "9000000000000000000", "''", "[null]"]
)  # fmt: skip


def keys(name: str) -> list[str]:
    space = load(name)
    study = [f"study.{key}" for key in leaves(to_mapping(experiment(space.experiment).study()))]
    groups = sorted({key.rpartition(".")[0] for key in study})
    kind = space.scheduler.kind if space.scheduler else "asha"
    rule = [f"scheduler.{kind}.{name}" for name in SCHEDULERS[kind].__dataclass_fields__]
    axes = [f"space.{axis}" for axis in space.space]
    below = [f"{axis}.{kind}" for axis in axes for kind in ("grid", "when", "uniform")]
    search = [f"search.{name}" for name in ("algorithm", "num_samples", "seed", "delay")]
    return [*study, *groups, *rule, *axes, *below, *search, "resources.cpu", "resources.gpu",
            "scheduler", "search", "resources", "experiment", "space", "study.new.key",
            "study.trainin.epochs", "search.n_trials", "scheduler.ashaa"]  # fmt: skip


@pytest.mark.parametrize("name", ["tickets_smoke", "xnn_smoke", "distributional"])
@settings(deadline=None, max_examples=40, derandomize=True, database=None)
@given(data=st.data())
def test_the_cure_of_a_wrong_value_at_any_key_cures_it(name, data):
    key = data.draw(st.sampled_from(keys(name)))
    override = f"{key}={data.draw(WRONG)}"
    messages = follow(lambda some: sweeps.plan(name, overrides=some), [override], cured_overrides)
    assert all(message.startswith("--set ") for message in messages)


EXTREMES = (1e308, -1e308, 1e30, 1e-320, 1e-30, -0.0, math.inf, math.nan, 2**63 - 1, -(2**63))


@pytest.mark.parametrize("name", ["tickets_smoke", "xnn_smoke"])
@settings(deadline=None, max_examples=60, derandomize=True, database=None)
@given(data=st.data())
def test_an_extreme_number_at_any_key_plans_or_is_one_line(name, data):
    asked = experiment(load(name).experiment)
    key = data.draw(st.sampled_from(sorted(leaves(to_mapping(asked.study())))))
    value = data.draw(st.sampled_from(EXTREMES))
    shape = data.draw(st.sampled_from([lambda v: v, lambda v: [v], lambda v: [v, v]]))
    with contextlib.suppress(SpaceError):  # test_space_bounds: every one of them is one line
        lines(sweeps.plan(name, overrides={f"study.{key}": shape(value)}))


@pytest.mark.parametrize("name", quick_of(shipped(), every=4))
def test_a_shipped_space_is_planned_and_printed_as_yaml(name):
    bare = name.removesuffix(".yaml")
    texts = lines(sweeps.plan(bare))
    assert texts == lines(sweeps.plan(f"search_spaces/{name}"))
    assert not any(word in "\n".join(texts) for word in ("None", "True", "False"))


def blamed(*overrides: str) -> str:
    with pytest.raises(SpaceError) as caught:
        sweeps.plan("tickets_smoke", overrides=list(overrides))
    return str(caught.value)


@pytest.mark.parametrize(
    ("overrides", "place"),
    [
        (["study.training.warmup=3", "study.training.epochs=2"], "--set study.training.epochs=2 "),
        (["study.training.epochs=2", "study.training.warmup=3"], "--set study.training.warmup: "),
        (["study.market.train_paths=100"], "--set study.market.train_paths=100 study.training"),
        (["search.algorithm=tpe"], "--set search.algorithm=tpe search.num_samples"),
        (["experiment=xnn"], "--set experiment=xnn "),
        (["study.network.hidden=[1, 1, 1]"], "--set study.network.hidden=[1, 1, 1] space.spars"),
        (["space.lr.grid=[a]"], "--set space.lr"),
        (["study.market={train_paths: 1}"], "--set study.market.train_paths"),
    ],
)
def test_a_combination_is_blamed_on_the_override_that_was_set_last(overrides, place):
    assert blamed(*overrides).startswith(place)


def test_an_override_that_changes_nothing_of_a_mistake_is_not_blamed_for_it(tmp_path):
    path = tmp_path / "s.yaml"
    path.write_text("experiment: tickets\nspace: {lr: {grid: [1.0e-3]}}\nstudy: {new: 1}\n")
    with pytest.raises(SpaceError, match=r"^s\.yaml:3 study\.new"):
        sweeps.plan(path, overrides=["search.seed=3"])


def test_overrides_in_python_are_named_as_such_with_a_cure_in_python():
    overrides = {"space.lr.grid": "1e-3,1e-2"}
    with pytest.raises(SpaceError, match=r"^overrides space\.lr: ") as caught:
        sweeps.plan("tickets_smoke", overrides=overrides)
    cure = eval("{" + str(caught.value).partition("; write ")[2] + "}")
    assert cure == {"space.lr.grid": [0.001, 0.01]}
    assert len(sweeps.plan("tickets_smoke", overrides=cure).trials) == 8


@pytest.mark.parametrize("space", [3, None, ["tickets"], b"tickets", 0.5])
def test_what_is_no_space_is_one_line(space):
    with pytest.raises(TypeError, match="give the path of a YAML file"):
        sweeps.plan(space)


@pytest.mark.parametrize("overrides", [3, b"search.seed=1", 0.5, object()])
def test_what_are_no_overrides_is_one_line(overrides):
    with pytest.raises(TypeError, match="overrides must be a mapping or a list"):
        sweeps.plan("tickets_smoke", overrides=overrides)


@pytest.mark.parametrize(
    ("overrides", "count"),
    [
        ({"space.lr.grid": [i / 1e6 for i in range(1, 601)],
          "space.training.patience.grid": list(range(1, 601))}, "1,440,000"),
        ({"space.lr": {"uniform": [0.1, 0.2]}, "search.algorithm": "random",
          "search.num_samples": 10**12}, "4,000,000,000,000"),
        ({"search": {"algorithm": "tpe", "num_samples": 10**12}}, "1,000,000,000,000"),
    ],
)  # fmt: skip
def test_more_trials_than_can_be_listed_are_refused_with_their_number(overrides, count):
    with pytest.raises(SpaceError, match=f"{count} trials are more than 1,000,000"):
        sweeps.plan("tickets_smoke", overrides=overrides)


def test_values_are_printed_as_yaml(tiny):
    axes = {
        "space.cost.unwind.grid": [True, False],
        "space.network.hidden.grid": [[8, 8], [16]],
        "space.attack.name.grid": ["path_fgsm"],
        "space.dense.epochs.grid": [None, 2],
    }
    first = lines(sweeps.plan(tiny, overrides=axes))[0]
    for shown in ("cost.unwind true, false", "hidden [8, 8], [16]", "epochs null, 2"):
        assert shown in first
    assert as_yaml(1e-5) == "1e-05"


@pytest.mark.parametrize(("word", "value"), [("no", "false"), ("Off", "false"), ("yes", "true")])
def test_a_boolean_of_yaml_1_1_is_cured_to_what_it_meant_there(word, value):
    assert blamed(f"study.cost.unwind={word}").endswith(f"write --set study.cost.unwind={value}")
