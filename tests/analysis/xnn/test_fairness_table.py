import pytest
from printed import numbers

from analysis.xnn import best, by_group, cells, plain_of
from analysis.xnn.fairness import CHOSEN, PLAIN, four_fifths, sentences, uncompared


@pytest.fixture
def told(sweep):
    """The table by group, after changes to columns of the trials."""

    def made(**changed):
        trials = sweep(weights=(0.0, 0.3), clusters=(6,)).assign(**changed)
        table = cells(trials)
        cell = best(table)
        return by_group(trials, cell, plain_of(table, cell))

    return made


def test_there_is_a_row_for_every_network_and_group_and_one_between_groups(told):
    rows = told()
    assert rows["network"].tolist() == [CHOSEN] * 3 + [PLAIN] * 3
    assert rows["group"].tolist() == ["1", "2", "all"] * 2


def test_rates_and_the_ends_of_their_intervals_are_means_over_seeds(told):
    row = told(**{"selection_rate_low@InsuredInfo_6:1": [0.3, 0.3, 0.3, 0.2, 0.3, 0.4]}).iloc[0]
    assert row["selection_rate"] == pytest.approx(0.38)
    assert row["selection_rate_low"] == pytest.approx(0.3)
    assert row["seeds"] == 3


@pytest.mark.parametrize(("ratio", "below"), [(0.79, True), (0.80, False), (0.95, False)])
def test_a_ratio_below_four_fifths_is_flagged(told, ratio, below):
    rows = told(selection_rate_ratio=ratio)
    assert rows[rows["group"].eq("all")]["below_four_fifths"].eq(below).all()


def test_a_level_may_be_text_with_dots(told):
    rows = told(**{"kappa@InsuredInfo_6:0.24..0.4": 0.5})
    assert rows[rows["group"].eq("0.24..0.4")]["kappa"].tolist() == [0.5, 0.5]


def test_a_group_without_any_number_has_no_row(told):
    rows = told(**{"kappa@InsuredInfo_6:missing": float("nan")})
    assert "missing" not in set(rows["group"])


def test_the_first_sentence_has_the_least_and_most_selected_groups_and_the_ratio(told):
    ratio, *differences = sentences(told())
    assert numbers(ratio)[:8] == [8, 1, 38, 2, 55, 0.691, 0.671, 0.711]
    assert "not below" not in ratio
    assert "plain network" in ratio
    assert len(differences) == 4


@pytest.mark.parametrize(
    ("ends", "verdict"),
    [
        ((0.79, 0.7, 0.85), (True, False)),
        ((0.79, 0.7, 0.795), (True, True)),
        ((0.82, 0.7, 0.85), (False, False)),
        ((0.9, 0.85, 0.95), (False, True)),
    ],
)
def test_how_sure_the_rule_is_follows_from_the_interval(told, ends, verdict):
    names = [f"selection_rate_ratio{end}" for end in ("", "_low", "_high")]
    rows = told(**dict(zip(names, ends, strict=True)))
    assert four_fifths(rows[rows["group"].eq("all")].iloc[0]) == verdict
    line, *_ = sentences(rows)
    assert ("not below" not in line, "interval" not in line) == verdict


def test_without_groups_there_is_no_table_and_no_sentence(sweep):
    trials = sweep(weights=(0.3,), clusters=(6,))
    trials = trials[[name for name in trials if "@" not in name]]
    rows = by_group(trials, best(cells(trials)), None)
    assert len(rows) == 0
    assert sentences(rows) == []


@pytest.mark.parametrize(("groups", "where"), [([1, 0, 1], []), ([2, 1, 2], [1, 3])])
def test_groups_too_small_to_compare_are_told(sweep, groups, where):
    done = sweep(weights=(0.3,), clusters=(6,)).assign(groups=groups)
    (line,) = uncompared(done, "InsuredInfo_6")
    assert numbers(line) == [30, *where]
    assert "InsuredInfo_6" in line


def test_where_no_groups_were_asked_for_none_are_missed(sweep):
    done = sweep(weights=(0.3,), clusters=(6,))
    assert uncompared(done, "InsuredInfo_6") == []
    assert uncompared(done.assign(groups=0), None) == []


def test_without_a_cell_nothing_is_said_of_an_xnn(sweep):
    trials = sweep(weights=(0.0,), clusters=(6,))
    rows = by_group(trials, None, plain_of(cells(trials), None))
    assert set(rows["network"]) == {PLAIN}
    assert sentences(rows) == []
