import pandas as pd
import pytest

from analysis.xnn import best, cells, findings, members, pareto, spelled_out
from analysis.xnn.cells import axes

FIVE = range(5)


def chosen(trials):
    table = cells(trials)
    return " ".join(findings.choice(table, best(table), axes(trials)))


def test_the_chosen_cell_is_told_with_its_cost_gain_and_best_control(sweep):
    said = chosen(sweep())
    assert "At a cost of at most 0.02 nat by validation loss, weight 0.3, K = 2 explains" in said
    assert "it costs +0.006 nat of test cross-entropy" in said
    assert "R2 of 0.747 is +0.495 above that of its best control, the plain network on" in said


def test_the_method_of_the_study_is_named_where_none_was_swept(sweep):
    manifest = {"study": {"explanation": {"method": "alignment"}}}
    assert "alignment, weight 0.3, K = 2 explains" in chosen(spelled_out(sweep(), manifest))


def test_with_three_seeds_no_interval_is_claimed(sweep):
    said = chosen(sweep())
    assert "over 3 seeds; with fewer than 4 seeds no interval is claimed" in said
    assert "[" not in said


def test_with_five_seeds_intervals_are_claimed(sweep):
    said = chosen(sweep(seeds=FIVE))
    assert "it costs +0.006 nat of test cross-entropy" not in said
    assert "over 5 seeds." in said
    assert "] above that of its best control" in said


def test_a_cost_whose_interval_covers_0_is_not_told_apart(sweep):
    trials = sweep(weights=(0.0, 0.3), clusters=(6,), seeds=FIVE)
    pulled = trials["config/adj_weight"].eq(0.3)
    trials.loc[pulled, "cross_entropy"] = [1.475, 1.482, 1.483, 1.475, 1.483]
    assert "nat of test cross-entropy, which cannot be told apart from 0," in chosen(trials)


def test_a_gain_below_its_controls_is_called_that(sweep):
    trials = sweep(weights=(0.0, 0.3), clusters=(6,), seeds=FIVE)
    assert "so controls explain more" in chosen(trials.assign(explanation_gain=-0.1))


def test_a_gain_that_was_chosen_on_test_rows_is_called_too_good(sweep):
    trials = sweep(weights=(0.0, 0.3), clusters=(6,))
    assert "a little too good" in chosen(trials)
    assert "a little too good" not in chosen(trials.assign(val_explanation_gain=0.2))


def test_where_all_cost_too_much_the_cheapest_is_told(sweep):
    said = chosen(sweep(weights=(0.0, 3.0, 10.0)))
    assert said.startswith("No cell costs at most 0.02 nat by validation loss; the cheapest is")
    assert "weight 3, K = 2: it costs +0.064 nat" in said


def test_nothing_is_said_of_a_sweep_of_plain_networks(sweep):
    assert chosen(sweep(weights=(0.0,))) == ""


def test_the_front_is_told_with_its_knee(sweep):
    trials = sweep(weights=(0.0, 0.1, 0.3, 1.0, 3.0), clusters=(2,))
    table = cells(trials)
    said = " ".join(findings.front(pareto(table), table, axes(trials)))
    assert said.startswith("5 of 5 cells cannot be beaten in both cost and gain")
    assert "Their knee is weight 0.3, K = 2: +0.006 nat, gain +0.495." in said


def test_a_single_bargain_is_no_front(sweep):
    trials = sweep(weights=(0.3,), clusters=(2,))
    table = cells(trials)
    assert findings.front(pareto(table), table, axes(trials)) == []


def test_each_method_stands_against_its_control_at_the_same_weight(sweep):
    names = ("alignment", "double_step", "multiplier_published", "none")
    lines = findings.methods(sweep(method=names, weights=(0.0, 0.3), clusters=(6,), seeds=FIVE))
    assert [line.split(" at ")[0] for line in lines] == [
        "alignment against double_step",
        "double_step against the plain network",
        "multiplier_published against double_step",
    ]
    assert "it explains more" in lines[0]


def test_methods_whose_gains_are_equal_cannot_be_told_apart(sweep):
    names = ("double_step", "multiplier")
    trials = sweep(method=names, weights=(0.3,), clusters=(6,), seeds=FIVE)
    noise = [0.01, -0.02, 0.015, -0.01, 0.005]
    trials["explanation_gain"] = [0.0] * 5 + noise
    (line,) = findings.methods(trials)
    assert line.startswith("multiplier against double_step at the same seed and K: +0.000 [")
    assert line.endswith("of R2 gain: they cannot be told apart.")


def test_nothing_is_said_of_methods_that_were_not_swept(sweep):
    assert findings.methods(sweep()) == []
    assert findings.methods(sweep(method=("alignment",))) == []


def test_raw_r2_of_the_untrained_network_rises_with_the_centroids(sweep):
    rises, chance = findings.growth(cells(sweep()))
    assert "the untrained network reaches 0.210 at K = 2 and 0.501 at K = 6" in rises
    assert chance == "With permuted rows it is 0.006 at most, in absolute value."


def test_raw_r2_that_does_not_rise_is_told_so(sweep):
    lines = findings.growth(cells(sweep().assign(r2_untrained=0.3)))
    assert lines[0].startswith("Raw R2 does not rise with the number of centroids here")


def test_one_number_of_centroids_says_nothing_of_growth(sweep):
    assert findings.growth(cells(sweep(clusters=(6,)))) == []


@pytest.fixture
def trust(sweep):
    def made(**changed):
        trials = sweep(weights=(0.0, 0.3), clusters=(6,)).assign(**changed)
        cell = best(cells(trials))
        return findings.faithfulness(cell, members(trials, cell))

    return made


def test_faithfulness_is_told_by_random_rows_ablation_surrogate_and_concepts(trust):
    rows, ablation, surrogate, concepts = trust()
    assert "random rows its nodes have an R2 of 0.642: of these centroids they tell +0.204" in rows
    assert "own rows rises by 1.800 nat more than on others." in ablation
    assert "86.9 % of rows keep their likeliest class" in surrogate
    assert "changes by +0.050 nat" in surrogate
    assert "at 3 of 3 seeds (TCAV, 5 % after Bonferroni)" in concepts


def test_concepts_are_counted_by_seed(trust):
    concepts = trust(concept_p=[0.2, 0.2, 0.2, 0.01, 0.2, 0.03])[-1]
    assert "at 2 of 3 seeds" in concepts


def test_what_was_not_measured_is_not_told(trust):
    names = ("specificity", "selectivity", "surrogate_agreement", "concept_p")
    nothing = dict.fromkeys(names, float("nan"))
    assert trust(**nothing) == []


def test_the_time_of_an_epoch_is_that_of_the_median_trial():
    epochs = pd.DataFrame({"trial_id": ["a", "a", "b", "c"], "seconds": [3.0, 1.0, 4.0, 2.0]})
    own, plain = (pd.DataFrame({"trial_id": ids}) for ids in (["a", "b"], ["c"]))
    (line,) = findings.duration(epochs, own, plain)
    assert "1.50 times as long as one of the plain network (3 s against 2 s" in line


def test_without_times_nothing_is_said_of_them():
    trials = pd.DataFrame({"trial_id": ["a"]})
    assert findings.duration(pd.DataFrame({"epoch": [1]}), trials, trials) == []
