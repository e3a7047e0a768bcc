import pathlib

import numpy as np
import pytest

from search_spaces import Choice, Grid, LogUniform, SpaceError, load, shipped
from tests.cures import check_facts


def test_without_overrides_nothing_changes(tickets):
    assert load(tickets, overrides=[]) == load(tickets, overrides={}) == load(tickets)


def test_a_grid_is_replaced_in_its_place(tickets):
    space = load(tickets, overrides=["space.sparsity.grid=[0.5,0.9]"])
    assert list(space.space) == ["sparsity", "lr", "attack.steps"]
    assert space.space["sparsity"] == Grid((0.5, 0.9))


def test_a_whole_domain_and_its_kind_are_replaced(tickets):
    random = ["search.algorithm=random", "search.num_samples=8"]
    space = load(tickets, overrides=[*random, "space.lr={loguniform: [1.0e-4, 1.0e-2]}"])
    assert space.space["lr"] == LogUniform(1e-4, 1e-2)
    space = load(tickets, overrides=["space.lr.choice=[1, 2]"])
    assert space.space["lr"] == Choice((1, 2))


def test_a_new_axis_comes_last(tickets):
    space = load(tickets, overrides=["space.epsilon.grid=[0,0.1]"])
    assert list(space.space)[-1] == "epsilon"


def test_an_axis_may_hold_dots(tickets):
    space = load(tickets, overrides=["space.attack.steps.grid=[7]", "space.a.b.c={grid: [1]}"])
    assert space.space["attack.steps"] == Grid((7,))
    assert space.space["a.b.c"] == Grid((1,))


def test_keys_of_the_other_blocks_are_set(tickets):
    space = load(
        tickets,
        overrides=[
            "experiment=xnn",
            "scheduler.asha.max_t=9",
            "resources.cpu=3",
            "study.training.epochs=4",
            "study.hedge.cost.rate=1.0e-3",
            "study.note=a=b",
        ],
    )
    assert space.experiment == "xnn"
    assert space.scheduler.max_t == 9
    assert space.resources.cpu == 3.0
    assert space.study["training"] == {"epochs": 4, "hidden": (32, 32)}
    assert space.study["hedge"] == {"cost": {"rate": 1e-3}}
    assert space.study["note"] == "a=b"


def test_null_switches_the_scheduler_off_and_a_key_below_switches_it_on(tickets):
    assert load(tickets, overrides=["scheduler=null"]).scheduler is None
    again = load(tickets, overrides=["scheduler=null", "scheduler.asha.max_t=3"]).scheduler
    assert (again.max_t, again.stratify_by) == (3, ())


def test_the_last_override_of_a_key_wins(tickets):
    assert load(tickets, overrides=["search.seed=1", "search.seed=2"]).search.seed == 2


def test_python_values_say_the_same_as_text(tickets):
    text = load(
        tickets,
        overrides=["space.lr.grid=[0.5, 1]", "study.a={b: [true, null]}", "search.seed=3"],
    )
    python = load(
        tickets,
        overrides={
            "space.lr": {"grid": (np.float32(0.5), np.int64(1))},
            "study.a": {"b": (np.True_, None)},
            "search.seed": np.int32(3),
        },
    )
    assert python == text
    assert type(python.space["lr"].ends()[0]) is float


def test_an_override_in_python_does_not_change_its_argument(tickets):
    mine = {"study.a": {"b": [1]}}
    load(tickets, overrides=mine)
    load(tickets, overrides={**mine, "study.a.b": 2})
    assert mine == {"study.a": {"b": [1]}}


def test_one_text_counts_as_one_override(tickets):
    assert load(tickets, overrides="search.seed=5").search.seed == 5


def test_where_names_the_override_that_a_key_came_from(tickets):
    space = load(tickets, overrides=["space.lr.grid=[1]", "study.training.epochs=4"])
    assert space.where("space.lr") == "--set space.lr"
    assert space.where("space.lr.grid") == "--set space.lr.grid"
    assert space.where("study.training.epochs") == "--set study.training.epochs"
    assert space.where("study.training.hidden") == "tickets.yaml:10 study.training.hidden"
    assert load(tickets, overrides={"study.a.b": 1}).where("study.a") == "overrides study.a"


def test_an_override_cures_a_mistake_of_the_file(write):
    path = write("experiment: tickets\nspace: {lr: 0.1}\n")
    assert load(path, overrides=["space.lr.grid=[0.1]"]).space["lr"] == Grid((0.1,))


MISTAKES = [
    ("search.sed", "", ("did you mean search.seed=VALUE",)),
    ("space.lrr.grid", "", ("did you mean space.lr.grid=VALUE",)),
    ("@", "", ("write KEY=VALUE",)),
    ("=3", "", ("write BLOCK.KEY=VALUE",)),
    ("serch.seed=1", "serch.seed", ("did you mean 'search'", "write --set search.seed=1")),
    ("search..seed=1", "search..seed", ("write --set search.seed=1",)),
    ("search.seed=", "search.seed", ("write search.seed=VALUE",)),
    ("search.sed=1", "search.sed", ("did you mean 'seed'", "remove it")),
    ("search.seed=a", "search.seed", ("got 'a'", "write --set search.seed=0")),
    ("search.seed.x=1", "search.seed.x", ("write --set search.seed=1",)),
    ("experiment.x=1", "experiment.x", ("write --set experiment=1",)),
    (
        "experiment=ticket",
        "experiment",
        ("did you mean 'tickets'", "write --set experiment=tickets"),
    ),
    (
        "study.training.hidden.x=1",
        "study.training.hidden.x",
        ("write --set study.training.hidden=1",),
    ),
    ("study.a={b.c: 1}", "study.a.b.c", ("write --set 'study.a={b: {c: 1}}'",)),
    ("space.lr.grid=[04]", "space.lr.grid", ("write --set 'space.lr.grid=[4]'",)),
    ("space.lr.grid=[1,1.0]", "space.lr", ("write --set 'space.lr.grid=[1]'",)),
    ("space.lr.grid=no", "space.lr", ("write --set 'space.lr.grid=[no]'",)),
    ("space.lr.grid=[1,", "space.lr.grid", ("check brackets",)),
    ("space.lr.grid.0=1", "space.lr.grid.0", ("write --set 'space.lr.grid=[1]'",)),
    ("space.lr.when.a=[1]", "space.lr.when.a", ("write --set 'space.lr.when={a: [1]}'",)),
    (
        "space.lr.gird=[1]",
        "space.lr.gird",
        ("did you mean 'grid'", "write --set 'space.lr={grid: [1]}'"),
    ),
    ("space.lr={grid: [1], grid: [2]}", "space.lr.grid", ("'grid' is written twice",)),
    ("space.lr=0.1", "space.lr", ("write --set 'space.lr={grid: [0.1]}'",)),
    ("space.eps=[0]", "space.eps", ("write --set 'space.eps={grid: [0]}'",)),
    ("space.lr.uniform=[0,1]", "space.lr", ("write --set 'space.lr={grid: [0.0, 1.0]}'",)),
    ("space={}", "space", ("write --set 'space={lr: {grid: [0.001]}}'",)),
    (
        "scheduler.asha.stratify_by=[lrr]",
        "scheduler.asha.stratify_by",
        ("did you mean 'lr'", "write --set 'scheduler.asha.stratify_by=[lr]'"),
    ),
    ("search.num_samples=3", "search.num_samples", ("got 3", "remove it")),
]


@pytest.mark.parametrize(("override", "key", "facts"), MISTAKES)
def test_a_mistake_in_an_override_is_one_line_with_its_cure(tickets, override, key, facts):
    with pytest.raises(SpaceError) as caught:
        load(tickets, overrides=[override])
    check_facts(caught.value, "--set", key, facts)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({3: 1}, "overrides: a key must be text, such as 'search.seed', got 3"),
        ([3], "--set 3: an override is text such as 'search.seed=1'"),
        ({"study.a": float("nan")}, "study.a: numbers must be finite"),
        ({"study.a": 2**64}, "study.a: numbers must be finite and below 2"),
        ({"study.a": {1: 2}}, "study.a: a key must be text, got 1"),
        ({"study.a": np.zeros(2)}, r"got ndarray; write .tolist\(\) after it"),
        ({"study.a": pathlib.Path("a")}, "expected numbers, text, .* got PosixPath"),
    ],
)
def test_python_values_that_no_file_could_hold_are_refused(tickets, overrides, message):
    with pytest.raises(SpaceError, match=message):
        load(tickets, overrides=overrides)


def test_a_value_that_contains_itself_is_refused(tickets):
    endless: list[object] = []
    endless.append(endless)
    with pytest.raises(SpaceError, match=r"study\.a: nested deeper than 40 levels"):
        load(tickets, overrides={"study.a": endless})


@pytest.mark.parametrize("name", shipped())
def test_the_text_of_an_overridden_space_has_the_same_trials_without_the_overrides(name, tmp_path):
    changed = load(name, overrides={"space.seed.grid": [7, 9], "study.training.batch_size": 64})
    file = tmp_path / name
    file.write_text(changed.text, encoding="utf-8")
    again = load(file)
    for part in ("experiment", "space", "when", "study", "search", "scheduler", "resources"):
        assert getattr(again, part) == getattr(changed, part), part
    assert again.text == changed.text


def test_without_overrides_the_text_is_that_of_the_file(tmp_path):
    file = tmp_path / "one.yaml"
    file.write_text("experiment: tickets  # mine\nspace: {lr: {grid: [0.1]}}\n")
    assert load(file).text == file.read_text()
