import math

import numpy as np
import pytest

from search_spaces import DOMAINS, Choice, Grid, LogUniform, RandInt, Uniform
from search_spaces.domains import read

EXAMPLES = {
    "grid": Grid((0.1, 0.2)),
    "choice": Choice(("relu", "tanh", None)),
    "uniform": Uniform(-1.0, 3.0),
    "loguniform": LogUniform(1e-4, 1e-1),
    "randint": RandInt(2, 5),
}


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_every_registered_domain_has_an_example():
    assert set(EXAMPLES) == set(DOMAINS)


@pytest.mark.parametrize("kind", DOMAINS)
def test_samples_lie_between_the_ends_or_among_them(kind, rng):
    domain = EXAMPLES[kind]
    ends = domain.ends()
    for _ in range(200):
        value = domain.sample(rng)
        assert value in ends if domain.enumerable else ends[0] <= value <= ends[1]


@pytest.mark.parametrize("kind", DOMAINS)
def test_samples_are_python_values(kind, rng):
    assert type(EXAMPLES[kind].sample(rng)) in (int, float, str, type(None))


@pytest.mark.parametrize("kind", DOMAINS)
def test_equal_generators_draw_equal_samples(kind):
    domain = EXAMPLES[kind]
    one, other = np.random.default_rng(3), np.random.default_rng(3)
    assert [domain.sample(one) for _ in range(9)] == [domain.sample(other) for _ in range(9)]


def test_only_grid_and_choice_are_enumerable():
    assert [k for k, domain in EXAMPLES.items() if domain.enumerable] == ["grid", "choice"]


def test_uniform_has_the_mean_of_its_ends(rng):
    n = 20_000
    mean = np.mean([Uniform(-1.0, 3.0).sample(rng) for _ in range(n)])
    assert abs(mean - 1.0) < 4 * (4 / math.sqrt(12)) / math.sqrt(n)


def test_loguniform_has_the_geometric_mean_of_its_ends_as_median(rng):
    n = 20_000
    below = sum(LogUniform(1e-4, 1e-2).sample(rng) < 1e-3 for _ in range(n))
    assert abs(below / n - 0.5) < 4 * 0.5 / math.sqrt(n)


def test_randint_draws_every_number_below_high_and_never_high(rng):
    assert {RandInt(2, 5).sample(rng) for _ in range(200)} == {2, 3, 4}


def test_ends_of_a_randint_are_the_smallest_and_the_largest_number_drawn():
    assert RandInt(2, 5).ends() == (2, 4)


def test_a_list_of_scalars_is_one_value_and_becomes_a_tuple():
    assert read({"grid": [[32, 32], [16], []]}) == Grid(((32, 32), (16,), ()))


def test_null_goes_with_every_type():
    assert read({"choice": [None, 5, 0.5]}).ends() == (None, 5, 0.5)


def test_a_domain_is_hashable_and_frozen():
    assert len({Grid((1, 2)), Grid((1, 2))}) == 1
    with pytest.raises(AttributeError, match="cannot assign"):
        Grid((1,)).values = (2,)


MISTAKES = [
    ({"grid": []}, r"grid: \[\] is empty; give at least one value"),
    ({"grid": [1, 2, 1]}, "grid: 1 appears twice; keep one"),
    ({"grid": [1, 1.0]}, r"grid: 1.0 appears twice \(as 1 and 1.0\); keep one"),
    ({"grid": [0.0, -0.0]}, "grid: -0.0 appears twice"),
    ({"choice": [[1, 2], [1, 2.0]]}, "choice: .* appears twice"),
    ({"grid": [0.5, "a"]}, "grid mixes numbers and text: 0.5, 'a'"),
    ({"grid": [True, 1]}, "grid mixes booleans and numbers: true, 1"),
    ({"grid": [[32, 32], 32]}, r"grid mixes lists and scalars: \[32, 32\], 32"),
    ({"grid": [[1, "a"]]}, "grid mixes numbers and text: 1, 'a'"),
    ({"grid": 0.5}, r"grid: 0.5 is not a list; write \[0.5\]"),
    ({"grid": "a"}, r"grid: 'a' is not a list; write \['a'\]"),
    ({"grid": None}, r"grid: null is not a list; write \[value, ...\]"),
    ({"grid": {"a": 1}}, r"grid: {a: 1} is not a list"),
    ({"grid": [{"a": 1}]}, "grid: {a: 1} is no value; write numbers, text"),
    ({"grid": [[[1]]]}, r"grid: \[1\] is no value"),
    ({"grid": [math.inf]}, "grid: numbers must be finite"),
    ({"grid": [10**400]}, "grid: numbers must be finite and below 2"),
    ({"uniform": 0.5}, r"uniform: 0.5 is not a list; write \[low, high\]"),
    ({"uniform": {"low": 0, "high": 1}}, r"uniform: .* write \[low, high\]"),
    ({"uniform": [0, 1, 2]}, r"uniform: expected \[low, high\], got \[0, 1, 2\]"),
    ({"uniform": [1, 0]}, r"uniform: low must lie below high, got \[1, 0\]; write \[0, 1\]"),
    ({"uniform": [1, 1]}, r"got \[1, 1\]; write {grid: \[1\]} to hold it fixed"),
    ({"uniform": ["a", 1]}, "uniform: low must be a number, got 'a'"),
    ({"uniform": [0, True]}, "uniform: high must be a number, got true"),
    ({"uniform": [0, math.nan]}, "uniform: high must be finite"),
    ({"uniform": [-1e308, 1e308]}, "uniform: .* is too wide"),
    ({"loguniform": [0, 1]}, "loguniform: low must be positive, got 0; write a small positive"),
    ({"loguniform": [-1.0, 1]}, "loguniform: low must be positive, got -1.0"),
    ({"loguniform": [1e-2, 1e-5]}, r"got \[0.01, 1.0e-05\]; write \[1.0e-05, 0.01\]"),
    ({"randint": [0.5, 3]}, "randint: low must be a whole number, got 0.5"),
    ({"randint": [3, 3]}, "randint: low must lie below high"),
    ({"gird": [1]}, "unknown kind 'gird'; did you mean 'grid'[?] known: choice, grid"),
    ({"steps": {"grid": [1]}}, r"written with a dot, NAME.steps: {grid: \[1\]}"),
    ({"grid": [1], "uniform": [0, 1]}, "2 kinds in one domain: grid, uniform; keep one"),
    ({}, "{} is not a domain; write one kind"),
    (
        0.001,
        r"0.001 is not a domain; write {grid: \[0.001\]} to hold it fixed, or put it in study",
    ),
    ([1, 2], r"\[1, 2\] is not a domain; write {grid: \[1, 2\]}"),
    (None, r"null is not a domain; write {grid: \[...\]}"),
]


@pytest.mark.parametrize(("written", "message"), MISTAKES)
def test_a_mistake_in_a_domain_is_said_with_its_cure(written, message):
    with pytest.raises(ValueError, match=message):
        read(written)


def test_a_domain_built_in_python_is_checked_as_well():
    with pytest.raises(ValueError, match="grid: 'ab' is not a list"):
        Grid("ab")
    assert Grid([np.float64(0.5), np.int64(2)]).ends() == (0.5, 2)
