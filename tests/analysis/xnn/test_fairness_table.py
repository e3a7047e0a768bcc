import pytest
from printed import numbers

from analysis import interval
from analysis.xnn import best, by_group, cells, plain_of
from analysis.xnn.fairness import CHOSEN, PLAIN, RULES, sentences, uncompared


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


RATES = ("selection_rate", "true_positive_rate", "false_positive_rate", "kappa")


def selected(first, second, *, width=0.02):
    """Changes for which the two groups have these selection rates by seed, of both networks."""
    columns = {}
    for level, rates in (("1", first), ("2", second)):
        for end, by in {"": 0.0, "_low": -width, "_high": width}.items():
            name = f"selection_rate{end}@InsuredInfo_6:{level}"
            columns[name] = [rate + by for rate in rates] * 2
    return columns


def between(rows, network=CHOSEN):
    (row,) = (r for _, r in rows.iterrows() if r["group"] == "all" and r["network"] == network)
    return row


def test_rates_of_two_seeds_have_the_mean_ends_of_their_bootstrap(sweep):
    trials = sweep(weights=(0.3,), clusters=(6,), seeds=(0, 1))
    trials["selection_rate_low@InsuredInfo_6:1"] = [0.3, 0.34]
    row = by_group(trials, best(cells(trials)), None).iloc[0]
    assert row["selection_rate"] == pytest.approx(0.38)
    assert row["selection_rate_low"] == pytest.approx(0.32)
    assert row["seeds"] == 2


def test_the_interval_of_a_rate_is_over_seeds_and_the_rows_that_they_share(told):
    rates = [0.36, 0.38, 0.40]
    row = told(**selected(rates, [0.55, 0.56, 0.57])).iloc[0]
    error = 2 * 0.02 / (2 * 1.959964)
    expected = interval(rates, shared_error=error)
    assert row["selection_rate_low"] == pytest.approx(expected.low)
    assert row["selection_rate_high"] == pytest.approx(expected.high)


@pytest.mark.parametrize(
    ("first", "rule"),
    [
        ([0.300, 0.301, 0.302], "below"),
        ([0.590, 0.591, 0.592], "not below"),
        ([0.40, 0.48, 0.56], "not shown"),
    ],
)
def test_the_four_fifths_rule_has_three_verdicts(told, first, rule):
    rows = told(**selected(first, [0.6001, 0.6, 0.6012], width=0.001))
    assert between(rows)["four_fifths"] == rule
    assert between(rows)["selection_rate_ratio"] == pytest.approx(first[1] / 0.6004, rel=1e-2)
    assert RULES[rule] in sentences(rows)[0]


def test_a_network_without_a_result_at_a_seed_has_no_verdict(sweep):
    trials = sweep(weights=(0.0, 0.3), clusters=(6,), seeds=range(6))
    changes = selected([0.3 + 1e-3 * s for s in range(6)], [0.6 + 1e-4 * s**2 for s in range(6)])
    whole = trials.assign(**changes)
    assert between(by_group(whole, best(cells(whole)), None))["four_fifths"] == "below"
    whole.loc[whole["config/seed"].eq(3) & whole["config/adj_weight"].eq(0.3), "status"] = "failed"
    part = by_group(whole, best(cells(whole)), None)
    assert between(part)["four_fifths"] == "not shown"
    assert part["selection_rate_low"].isna().all()


def test_a_level_may_be_text_with_dots(told):
    rows = told(**{"kappa@InsuredInfo_6:0.24..0.4": 0.5})
    assert rows[rows["group"].eq("0.24..0.4")]["kappa"].tolist() == [0.5, 0.5]


def test_a_group_without_any_number_has_no_row(told):
    rows = told(**{"kappa@InsuredInfo_6:missing": float("nan")})
    assert "missing" not in set(rows["group"])


def test_the_first_sentence_has_the_least_and_most_selected_groups_and_the_ratio(told):
    ratio, *differences = sentences(told())
    assert numbers(ratio)[:6] == [8, 1, 38, 2, 55, 0.691]
    assert "plain network" in ratio
    assert len(differences) == len(RATES)


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
