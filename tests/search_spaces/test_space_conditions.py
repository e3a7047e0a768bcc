import contextlib
import itertools

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from search_spaces import Grid, RandInt, SpaceError, load
from search_spaces.conditions import ConditionError, order, present, required
from tests.cures import check_facts

SPACE = """\
experiment: tickets
space:
  attack.steps: {randint: [1, 8], when: {attack.name: [pgd]}}
  attack.name: {grid: [fgsm, pgd]}
  lr: {uniform: [0, 1]}
  seed: {grid: [0]}
search: {algorithm: random, num_samples: 3}
"""
LINE = "  attack.steps: {randint: [1, 8], when: {attack.name: [pgd]}}"


def test_a_condition_is_read_beside_its_domain(write):
    space = load(write(SPACE))
    assert space.space["attack.steps"] == RandInt(1, 8)
    assert space.when == {"attack.steps": {"attack.name": ("pgd",)}}


def test_an_axis_is_ordered_after_those_it_depends_on(write):
    space = load(write(SPACE))
    assert next(iter(space.space)) == "attack.steps"
    assert space.order.index("attack.name") < space.order.index("attack.steps")


@pytest.mark.parametrize(("name", "axes"), [("pgd", {"attack.steps", "attack.name"}),
                                            ("fgsm", {"attack.name"})])  # fmt: skip
def test_an_axis_exists_only_beside_the_values_it_names(write, name, axes):
    space = load(write(SPACE))
    assert set(space.present({"attack.steps": 3, "attack.name": name})) == axes


def test_what_depends_on_an_absent_axis_is_absent(write):
    more = "  attack.variance_scale: {grid: [1.0, 2.0], when: {attack.steps: [2, 3]}}\n"
    space = load(write(SPACE.replace("  lr:", f"{more}  lr:")))
    config = {"attack.steps": 3, "attack.name": "fgsm", "attack.variance_scale": 1.0}
    assert space.present(config) == {"attack.name": "fgsm"}
    assert space.required("attack.variance_scale") == {
        "attack.steps": (2, 3),
        "attack.name": ("pgd",),
    }


def test_a_space_is_hard_to_change_by_its_conditions(write):
    space = load(write(SPACE))
    with pytest.raises(TypeError, match="a search space is read-only"):
        space.when["attack.steps"]["lr"] = (1,)


def test_an_override_of_the_domain_keeps_the_condition_and_the_other_way_round(write):
    path = write(SPACE)
    space = load(path, overrides=["space.attack.steps.grid=[2, 4]"])
    assert space.space["attack.steps"] == Grid((2, 4))
    assert space.when == {"attack.steps": {"attack.name": ("pgd",)}}
    space = load(path, overrides=["space.attack.steps.when={attack.name: [fgsm]}"])
    assert space.space["attack.steps"] == RandInt(1, 8)
    assert space.when == {"attack.steps": {"attack.name": ("fgsm",)}}


def test_null_removes_a_condition(write):
    assert load(write(SPACE), overrides=["space.attack.steps.when=null"]).when == {}


def test_a_whole_axis_that_is_replaced_has_no_condition_left(write):
    assert load(write(SPACE), overrides=["space.attack.steps={grid: [1]}"]).when == {}


MISTAKES = [
    ("{attack.nam: [pgd]}", ("did you mean 'attack.name'", "{attack.name: [pgd]}")),
    ("{attack.name: [pdg]}", ("'pdg'", "['fgsm', 'pgd']", "remove it")),
    ("{attack.name: pgd}", ("'pgd'", "write attack.steps.when: {attack.name: [pgd]}")),
    ("{attack.name: []}", ("[]", "remove it")),
    ("{attack.name: [pgd, pgd]}", ("'pgd'", "write attack.steps.when: {attack.name: [pgd]}")),
    ("{attack.steps: [3]}", ("attack.steps -> attack.steps", "remove it")),
    ("{lr: [0.5]}", ("lr (uniform)", "remove it")),
    ("{seed: [0]}", ("seed", "remove it")),
    ("[pgd]", ("got ['pgd']", "remove it")),
    ("{}", ("got {}", "remove it")),
    ("pgd", ("got 'pgd'", "remove it")),
]


@pytest.mark.parametrize(("written", "facts"), MISTAKES)
def test_a_mistake_in_a_condition_is_one_line_with_its_place(write, written, facts):
    text = SPACE.replace("{attack.name: [pgd]}", written)
    with pytest.raises(SpaceError) as caught:
        load(write(text))
    check_facts(caught.value, "tickets.yaml:3", "space.attack.steps.when", facts)


def test_a_number_that_a_randint_excludes_is_never_taken(write):
    more = "  attack.variance_scale: {grid: [1.0], when: {attack.steps: [8]}}\n"
    with pytest.raises(SpaceError, match=r"attack\.steps never takes 8; its values: 1 to 7"):
        load(write(SPACE.replace("  lr:", f"{more}  lr:")))


def test_a_circle_of_conditions_is_shown_as_one(write):
    text = SPACE.replace("[fgsm, pgd]}", "[fgsm, pgd], when: {attack.steps: [2]}}")
    with pytest.raises(
        SpaceError,
        match=r"\.when: depends on itself \(attack\.\w+ -> attack\.\w+ -> attack\.\w+\)",
    ):
        load(write(text))


def test_conditions_that_contradict_one_another_are_refused():
    axes = {name: Grid((1, 2)) for name in "abc"}
    when = {"b": {"a": (1,)}, "c": {"a": (2,), "b": (1,)}}
    with pytest.raises(ConditionError, match="never exists, its conditions exclude every value"):
        order(axes, when)


def test_the_condition_of_an_axis_is_written_below_it(write):
    with pytest.raises(SpaceError, match="'when' is a condition and belongs below"):
        load(write(SPACE.replace("  lr:", "  when: {lr: [1]}\n  lr:")))


NAMES = "abcd"
conditions = st.fixed_dictionaries(
    {},
    optional={
        name: st.dictionaries(
            st.sampled_from(NAMES),
            st.sets(st.integers(0, 2), min_size=1).map(lambda s: tuple(sorted(s))),
            min_size=1,
            max_size=2,
        )
        for name in NAMES
    },
)


@settings(deadline=None, max_examples=300, derandomize=True, database=None)
@given(when=conditions)
def test_an_axis_can_exist_exactly_if_its_requirements_can_be_met(when):
    axes = {name: Grid((0, 1, 2)) for name in NAMES}
    ordered = ()
    with contextlib.suppress(ConditionError):
        ordered = order(axes, when)
    assume(ordered)
    for values in itertools.product(range(3), repeat=4):
        config = dict(zip(NAMES, values, strict=True))
        exist = present(config, ordered, when)
        for name in NAMES:
            wanted = required(name, when)
            assert all(wanted.values())
            assert (name in exist) == all(config[other] in v for other, v in wanted.items())
