import pytest

from analysis import max_efficient_sparsity
from analysis.sweep import Sweep

STUDY = {"study": {"attack": {"epsilon": 0.0}, "pruning": {"sparsity": 0.0}}}


@pytest.fixture
def rows(table):
    """Trials of a space that crosses epsilon with one of its three sparsities only."""
    pairs = [(0.5, None), (0.8, 0.0), (0.8, 0.5), (0.9, None)]
    return table(*({"sparsity": s, "epsilon": e, "seed": i} for s, e in pairs for i in range(3)))


def test_a_conditional_epsilon_has_the_studys_value_elsewhere(rows):
    (problem,) = Sweep.of(rows, STUDY).problems
    pairs = [(one.sparsity, one.epsilon) for one in problem.chosen()]
    assert sorted(pairs) == [(0.5, 0.0), (0.8, 0.0), (0.8, 0.5), (0.9, 0.0)]


def test_standard_tickets_of_a_conditional_epsilon_are_one_ladder(rows):
    answer = max_efficient_sparsity(Sweep.of(rows, STUDY))
    assert answer["swept"].tolist() == [3, 1]


def test_without_a_manifest_a_missing_value_is_a_group_of_its_own(rows):
    answer = max_efficient_sparsity(rows)
    assert sorted(answer["swept"]) == [1, 1, 2]
