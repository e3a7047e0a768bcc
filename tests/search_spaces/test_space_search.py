import pytest

from search_spaces import Search, SpaceError, load
from search_spaces.search import ALGORITHMS
from tests.cures import check_facts

SPACE = """\
experiment: tickets
space:
  lr: {loguniform: [1.0e-4, 1.0e-1]}
  seed: {grid: [0, 1]}
search: """


def loaded(write, search, text=SPACE):
    return load(write(f"{text}{search}\n")).search


def test_only_tpe_and_nsga2_learn_from_outcomes():
    made = [Search(algorithm=a, num_samples=None if a == "grid" else 5) for a in ALGORITHMS]
    assert [s.algorithm for s in made if s.adaptive] == ["tpe", "nsga2"]


def test_every_key_of_a_search_is_read_as_written(write):
    text = (
        "{algorithm: nsga2, num_samples: 60, seed: 3, objectives: [val_loss, val_cvar_05], "
        "delay: 4, warm_start: [results/first]}"
    )
    assert loaded(write, text) == Search(
        algorithm="nsga2",
        num_samples=60,
        seed=3,
        objectives=("val_loss", "val_cvar_05"),
        delay=4,
        warm_start=("results/first",),
    )


MISTAKES = [
    ("{algorithm: tpe}", "search.num_samples", ("write num_samples: 60",)),
    ("{algorithm: tpe, num_samples: 5, delay: 0}", "search.delay", ("got 0", "write delay: 8")),
    (
        "{algorithm: tpe, num_samples: 5, objectives: val_loss}",
        "search.objectives",
        ("got 'val_loss'", "write objectives: [val_loss]"),
    ),
    (
        "{algorithm: tpe, num_samples: 5, objectives: [a, a]}",
        "search.objectives",
        ("write objectives: [a]",),
    ),
    (
        "{algorithm: random, num_samples: 5, objectives: [val_loss, train_loss]}",
        "search.objectives",
        ("remove it",),
    ),
    (
        "{algorithm: quasirandom, num_samples: 5, warm_start: [a]}",
        "search.warm_start",
        ("remove it",),
    ),
    ("{algorithm: quasirandom}", "search.num_samples", ("write num_samples: 20",)),
]


@pytest.mark.parametrize(("written", "key", "facts"), MISTAKES)
def test_a_mistake_is_one_line_with_its_cure(write, written, key, facts):
    with pytest.raises(SpaceError) as caught:
        loaded(write, written)
    check_facts(caught.value, "tickets.yaml:5", key, facts)


@pytest.mark.parametrize(
    ("axis", "message"),
    [
        ("seed: {choice: [0, 1]}", "space.seed: must be a grid"),
        ("seed: {randint: [0, 9]}", "space.seed: must be a grid"),
        ("seed: {grid: [0], when: {n: [1]}}", r"space\.seed\.when: .*; remove it"),
    ],
)
def test_proposals_are_trained_at_every_seed_of_a_grid(write, axis, message):
    text = SPACE.replace("seed: {grid: [0, 1]}", f"{axis}\n  n: {{grid: [1, 2]}}")
    with pytest.raises(SpaceError, match=message):
        loaded(write, "{algorithm: tpe, num_samples: 5}", text)


def test_a_space_of_seeds_alone_leaves_nothing_to_propose(write):
    text = SPACE.replace("  lr: {loguniform: [1.0e-4, 1.0e-1]}\n", "")
    with pytest.raises(SpaceError, match="space: no axis besides the seed"):
        loaded(write, "{algorithm: tpe, num_samples: 5}", text)
