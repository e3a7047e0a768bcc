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


# From 0 to the largest number below 1.
SHARES = [0.0, 1e-17, 0.25, 1 / 3, 0.5, 0.75, 0.999, math.nextafter(1, 0)]
EVEN = [(i + 0.5) / 1200 for i in range(1200)]


def test_every_registered_domain_has_an_example():
    assert set(EXAMPLES) == set(DOMAINS)


@pytest.mark.parametrize("kind", DOMAINS)
def test_every_quantile_lies_between_the_ends_or_among_them(kind):
    domain = EXAMPLES[kind]
    ends = domain.ends()
    for u in [*SHARES, *EVEN]:
        value = domain.at(u)
        assert value in ends if domain.enumerable else ends[0] <= value <= ends[1]


@pytest.mark.parametrize("kind", DOMAINS)
def test_quantiles_are_python_values(kind):
    assert all(type(EXAMPLES[kind].at(u)) in (int, float, str, type(None)) for u in SHARES)


@pytest.mark.parametrize("kind", ["uniform", "loguniform", "randint"])
def test_a_quantile_grows_with_its_share(kind):
    values = [EXAMPLES[kind].at(u) for u in sorted([*SHARES, *EVEN])]
    assert values == sorted(values)


@pytest.mark.parametrize("kind", ["grid", "choice", "randint"])
def test_discrete_values_have_equal_shares_in_their_order(kind):
    domain = EXAMPLES[kind]
    drawn = [domain.at(u) for u in EVEN]
    counts = {value: drawn.count(value) for value in dict.fromkeys(drawn)}
    assert set(counts.values()) == {len(EVEN) // len(counts)}
    assert list(counts) == ([2, 3, 4] if kind == "randint" else list(domain.ends()))


@pytest.mark.parametrize("kind", DOMAINS)
def test_the_quantile_at_0_is_the_first_end(kind):
    first = EXAMPLES[kind].ends()[0]
    value = EXAMPLES[kind].at(0.0)
    assert value == first or value == pytest.approx(first, rel=1e-14)


@pytest.mark.parametrize("kind", DOMAINS)
@pytest.mark.parametrize("u", [-1e-9, 1.0, math.nan])
def test_a_share_outside_0_to_1_is_refused(kind, u):
    with pytest.raises(ValueError, match=r"u must lie in \[0, 1\), got"):
        EXAMPLES[kind].at(u)


def test_the_median_of_a_uniform_is_the_mean_of_its_ends():
    assert Uniform(-1.0, 3.0).at(0.5) == 1.0


def test_the_median_of_a_loguniform_is_the_geometric_mean_of_its_ends():
    assert LogUniform(1e-4, 1e-2).at(0.5) == pytest.approx(1e-3, rel=1e-14)


def test_a_loguniform_never_rounds_out_of_its_range():
    lows = [k * 1e-5 for k in range(1, 2000)]
    # For some of them exp(log(low)) is below ``low``.
    assert any(math.exp(math.log(low)) < low for low in lows)
    assert all(LogUniform(low, 1.0).at(0.0) >= low for low in lows)


def test_a_randint_as_wide_as_64_bits_never_reaches_high():
    assert RandInt(0, 2**63 - 1).at(math.nextafter(1, 0)) < 2**63 - 1
    assert {RandInt(0, n).at(math.nextafter(1, 0)) - n for n in range(1, 5000)} == {-1}


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
    ({"grid": []}, r"grid: \[\] is empty; remove it"),
    ({"grid": [1, 2, 1]}, r"grid: 1 appears twice; write {grid: \[1, 2\]}"),
    ({"grid": [1, 1.0]}, r"grid: 1.0 appears twice \(as 1 and 1.0\); write"),
    ({"grid": [0.0, -0.0]}, "grid: -0.0 appears twice"),
    ({"choice": [[1, 2], [1, 2.0]]}, "choice: .* appears twice"),
    ({"grid": [0.5, "a"]}, "grid mixes numbers and text: 0.5, 'a'"),
    ({"grid": [True, 1]}, "grid mixes booleans and numbers: true, 1"),
    ({"grid": [[32, 32], 32]}, r"grid mixes lists and scalars: \[32, 32\], 32"),
    ({"grid": [[1, "a"]]}, "grid mixes numbers and text: 1, 'a'"),
    ({"grid": 0.5}, r"grid: 0.5 is not a list; write {grid: \[0.5\]}"),
    ({"grid": "a"}, r"grid: 'a' is not a list; write {grid: \[a\]}"),
    ({"grid": None}, r"grid: null is not a list; remove it"),
    ({"grid": {"a": 1}}, r"grid: {a: 1} is not a list"),
    ({"grid": [{"a": 1}]}, "grid: {a: 1} is not a value; remove it"),
    ({"grid": [[[1]]]}, r"grid: \[1\] is not a value"),
    ({"grid": [math.inf]}, "grid: numbers must be finite"),
    ({"grid": [10**400]}, "grid: numbers must be finite and below 2"),
    ({"uniform": 0.5}, r"uniform: 0.5 is not a list; write {grid: \[0.5\]}"),
    ({"uniform": {"low": 0, "high": 1}}, r"uniform: .* write {uniform: \[0, 1\]}"),
    ({"uniform": [0, 1, 2]}, r"uniform: expected \[low, high\], got \[0, 1, 2\]"),
    (
        {"uniform": [1, 0]},
        r"uniform: low must lie below high, got \[1, 0\]; write {uniform: \[0, 1\]}",
    ),
    ({"uniform": [1, 1]}, r"got \[1, 1\]; write {grid: \[1\]}"),
    ({"uniform": ["a", 1]}, "uniform: low must be a number, got 'a'"),
    ({"uniform": [0, True]}, "uniform: high must be a number, got true"),
    ({"uniform": [0, math.nan]}, "uniform: high must be finite"),
    ({"uniform": [-1e308, 1e308]}, "uniform: .* is too wide"),
    (
        {"loguniform": [0, 1]},
        r"loguniform: low must be positive, got 0; write {loguniform: \[1e-06, 1\]}",
    ),
    ({"loguniform": [-1.0, 1]}, "loguniform: low must be positive, got -1.0"),
    (
        {"loguniform": [1e-2, 1e-5]},
        r"got \[0.01, 1e-05\]; write {loguniform: \[1e-05, 0.01\]}",
    ),
    ({"randint": [0.5, 3]}, "randint: low must be a whole number, got 0.5"),
    ({"randint": [3, 3]}, "randint: low must lie below high"),
    ({"gird": [1]}, "unknown kind 'gird'; did you mean 'grid'[?] known: choice, grid"),
    ({"steps": {"grid": [1]}}, r"written with a dot; write steps: {grid: \[1\]}"),
    ({"grid": [1], "uniform": [0, 1]}, "2 kinds in one domain: grid, uniform; keep one"),
    ({}, "{} is not a domain; known: grid, .*; remove it"),
    (
        0.001,
        r"0.001 is not a domain; fixed values belong in study; write {grid: \[0.001\]}",
    ),
    ([1, 2], r"\[1, 2\] is not a domain; write {grid: \[1, 2\]}"),
    (None, r"null is not a domain; remove it"),
]


@pytest.mark.parametrize(("written", "message"), MISTAKES)
def test_a_mistake_in_a_domain_is_said_with_its_cure(written, message):
    with pytest.raises(ValueError, match=message):
        read(written)


def test_a_domain_built_in_python_is_checked_as_well():
    with pytest.raises(ValueError, match="grid: 'ab' is not a list"):
        Grid("ab")
    assert Grid([np.float64(0.5), np.int64(2)]).ends() == (0.5, 2)
