import pandas as pd
import pytest
from printed import numbers

from analysis import interval
from analysis.contrast import NO_INTERVAL, bracketed
from analysis.xnn import methods, spelled_out
from analysis.xnn.methods import sentences

FIVE = range(5)
NAMES = ("none", "double_step", "multiplier_published", "multiplier", "alignment")


def at(rows, method, weight=None):
    rows = rows[rows["method"].eq(method)]
    (row,) = (row for _, row in rows.iterrows() if weight in (None, row["adj_weight"]))
    return row


def conditional(sweep, **given):
    """Trials of the published space: a weight of alignment alone, null elsewhere."""
    trials = sweep(method=NAMES, weights=(0.03, 0.3), clusters=(6,), **given)
    first = trials["config/adj_weight"].eq(0.03)
    aligned = trials["config/method"].eq("alignment")
    trials["config/adj_weight"] = trials["config/adj_weight"].where(aligned)
    return trials[first | aligned].reset_index(drop=True)


def test_every_method_has_the_plain_network_as_its_control_but_that_of_two_steps(sweep):
    rows = methods(conditional(sweep))
    assert dict(zip(rows["method"], rows["control"], strict=True)) == {
        "alignment": "none",
        "double_step": "none",
        "multiplier": "none",
        "multiplier_published": "double_step",
    }


def test_a_method_of_two_steps_stands_beside_the_plain_network_where_its_control_is_absent(sweep):
    trials = sweep(method=("none", "multiplier_published"), weights=(0.3,), clusters=(6,))
    assert methods(trials)["control"].tolist() == ["none"]


def test_a_weight_that_only_one_method_has_leaves_no_method_out(sweep):
    rows = methods(conditional(sweep))
    assert rows["method"].value_counts()["alignment"] == 2
    assert rows["seeds"].eq(3).all()
    assert at(rows, "alignment", 0.3)["explanation_gain_minus_control"] > 0.0


def test_a_method_without_a_weight_has_that_of_the_study(sweep):
    whole = spelled_out(conditional(sweep), {"study": {"explanation": {"adj_weight": 3.0}}})
    assert at(methods(whole), "multiplier")["adj_weight"] == 3.0


def test_gain_and_cost_are_those_of_the_seed_less_those_of_its_plain_network(sweep):
    trials = sweep(method=("none", "alignment"), weights=(0.3,), clusters=(6,))
    own, plain = (
        trials[trials["config/method"].eq(name)].set_index("config/seed")
        for name in ("alignment", "none")
    )
    row = at(methods(trials), "alignment")
    for metric in ("explanation_gain", "cross_entropy"):
        expected = (own[metric] - plain[metric]).mean()
        assert row[f"{metric}_minus_control"] == pytest.approx(expected)


def test_without_trials_of_the_plain_network_trials_say_what_it_gains(sweep):
    trials = sweep(method=("none", "alignment", "multiplier"), weights=(0.3,), clusters=(6,))
    whole = methods(trials)
    alone = methods(trials[trials["config/method"].ne("none")])
    pd.testing.assert_frame_equal(alone, whole)


def test_two_steps_are_held_against_two_steps_seed_by_seed(sweep):
    names = ("none", "double_step", "multiplier_published")
    trials = sweep(method=names, weights=(0.3,), clusters=(6,), seeds=range(4))
    luck = trials["config/seed"].map({0: 0.0, 1: 0.5, 2: -0.3, 3: 0.1}).astype(float)
    two = trials["config/method"].ne("none")
    trials["explanation_gain"] = luck.where(two, 0.0)
    published = trials["config/method"].eq("multiplier_published")
    ahead = [0.09, 0.1, 0.1, 0.11]
    trials.loc[published, "explanation_gain"] += ahead
    row = at(methods(trials), "multiplier_published")
    ends = [row[f"explanation_gain_minus_control{end}"] for end in ("_low", "_high")]
    expected = interval(ahead)
    assert row["explanation_gain_minus_control"] == pytest.approx(0.1)
    assert ends == pytest.approx([expected.low, expected.high])
    assert row["explanation_gain_minus_control_verdict"] == "better"


def test_pairs_have_the_same_number_of_centroids(sweep):
    trials = sweep(method=("none", "multiplier"), weights=(0.3,), clusters=(2, 6))
    six = trials["config/clusters"].eq(6)
    pulled = trials["config/method"].eq("multiplier")
    trials["explanation_gain"] = six.astype(float) + pulled.astype(float)
    row = at(methods(trials), "multiplier")
    assert row["explanation_gain_minus_control"] == pytest.approx(1.0)
    assert row["settings"] == 2


def test_a_line_has_the_rivals_the_gain_the_cost_and_the_verdict(sweep):
    rows = methods(conditional(sweep, seeds=FIVE))
    *lines, family = sentences(rows)
    assert numbers(family)[:2] == [5, 5], "the level, and the rows of the family"
    assert len(lines) == len(rows) == 5
    for (_, row), line in zip(rows.iterrows(), lines, strict=True):
        name, _, after = line.partition(" against ")
        assert name.split(",")[0] == row["method"]
        assert after.startswith(
            "the plain network" if row["control"] == "none" else row["control"]
        )
        for column in ("explanation_gain", "cross_entropy"):
            assert bracketed(row, f"{column}_minus_control", signed=True) in line
    assert rows["control"].tolist() == ["none"] * 4 + ["double_step"]
    second = rows.iloc[1]
    assert second["explanation_gain_minus_control_verdict"] == "better"
    assert numbers(lines[1])[0] == second["adj_weight"] == 0.3
    assert "explains more" in lines[1]


@pytest.mark.parametrize(("scale", "verdict"), [(1.0, "equivalent"), (10.0, "not shown")])
def test_gains_that_do_not_differ_are_equal_within_the_margin_or_not_shown(sweep, scale, verdict):
    trials = sweep(method=("none", "multiplier"), weights=(0.3,), clusters=(6,), seeds=FIVE)
    noise = [scale * x for x in (0.01, -0.02, 0.015, -0.01, 0.005)]
    trials["explanation_gain"] = [0.0] * 5 + noise
    (row,) = (row for _, row in methods(trials).iterrows())
    assert row["explanation_gain_minus_control_verdict"] == verdict
    assert numbers(sentences(methods(trials))[0])[0] == 0.0


def test_with_two_seeds_no_method_is_called_better(sweep):
    rows = methods(conditional(sweep, seeds=(0, 1)))
    assert rows["explanation_gain_minus_control_low"].isna().all()
    assert rows["explanation_gain_minus_control_verdict"].eq("not shown").all()
    for line in sentences(rows)[:-1]:
        assert "[" not in line
        assert NO_INTERVAL in line


@pytest.mark.parametrize("name", ["alignment", "double_step"])
@pytest.mark.parametrize("loss", ["failed", "stopped", None])
def test_a_method_or_control_that_lacks_a_seed_has_a_mean_without_verdict(sweep, name, loss):
    names = ("none", "double_step", "multiplier_published", "alignment")
    trials = sweep(method=names, weights=(0.3,), clusters=(6,), seeds=range(6))
    noise = trials.index.to_series().mul(0.37).mod(0.01)
    trials["explanation_gain"] += noise
    lost = trials["config/method"].eq(name) & trials["config/seed"].eq(4)
    if loss:
        trials.loc[lost, "status"] = loss
    rows = methods(trials if loss else trials[~lost])
    judged = {"alignment": "alignment", "double_step": "multiplier_published"}[name]
    row = at(rows, judged)
    assert row["seeds"] == 5
    assert pd.notna(row["explanation_gain_minus_control"])
    assert pd.isna(row["explanation_gain_minus_control_low"])
    assert row["explanation_gain_minus_control_verdict"] == "not shown"


@pytest.mark.parametrize(("within", "first"), [(0.02, "0.3"), (0.003, "0.1"), (1e-4, "0.03")])
def test_of_many_weights_the_best_within_the_cost_and_the_largest_are_told(sweep, within, first):
    weights = (0.03, 0.1, 0.3, 1.0, 3.0)
    trials = sweep(method=("none", "alignment"), weights=weights, clusters=(6,))
    lines = sentences(methods(trials), within=within)[:-1]
    assert [line.split(",")[1] for line in lines] == [f" weight {first}", " weight 3"]


def test_nothing_is_said_of_methods_that_were_not_swept(sweep):
    assert sentences(methods(sweep())) == []
    assert len(methods(sweep(method=("alignment",)))) == 0
