import pandas as pd
import pytest
from printed import numbers

from analysis.contrast import NO_INTERVAL, bracketed, side_of
from analysis.xnn import best, cells, findings, members, pareto, spelled_out
from analysis.xnn.cells import COST, GAIN, axes

FIVE = range(5)


def chosen(trials):
    """The cell, and the findings on it."""
    table = cells(trials)
    cell = best(table)
    return cell, " ".join(findings.choice(table, cell, axes(trials)))


def test_the_chosen_cell_is_told_with_its_cost_gain_and_best_control(sweep):
    cell, said = chosen(sweep())
    assert (cell["adj_weight"], cell["clusters"], cell["seeds"]) == (0.3, 2, 3)
    told = [round(cell[name], 3) for name in (COST, "r2_mean", GAIN)]
    assert told == [0.006, 0.747, 0.495]
    # The limit, the weight, K, then what it costs and gains, and the best control.
    assert numbers(said)[:7] == [0.02, 0.3, 2, *told, 0.252]
    assert f"0.252, {findings.CONTROLS['plain_random_points']})" in said


def test_the_method_of_the_study_is_named_where_none_was_swept(sweep):
    manifest = {"study": {"explanation": {"method": "alignment"}}}
    cell, said = chosen(spelled_out(sweep(), manifest))
    assert cell["method"] == "alignment"
    assert "alignment" in said
    assert "alignment" not in chosen(sweep())[1]


def test_with_three_seeds_no_interval_is_claimed(sweep):
    cell, said = chosen(sweep())
    assert side_of(cell, GAIN) is None
    assert NO_INTERVAL in said
    assert "[" not in said


def test_with_five_seeds_intervals_are_claimed(sweep):
    cell, said = chosen(sweep(seeds=FIVE))
    assert (side_of(cell, COST), side_of(cell, GAIN)) == (1, 1)
    assert NO_INTERVAL not in said
    assert bracketed(cell, COST, signed=True) in said
    assert bracketed(cell, GAIN, signed=True).startswith("+0.488 [")
    assert bracketed(cell, GAIN, signed=True) in said


def test_a_cost_whose_interval_covers_0_is_not_told_apart(sweep):
    trials = sweep(weights=(0.0, 0.3), clusters=(6,), seeds=FIVE)
    assert "told apart" not in chosen(trials)[1].partition("nodes")[0]
    pulled = trials["config/adj_weight"].eq(0.3)
    trials.loc[pulled, "cross_entropy"] = [1.475, 1.482, 1.483, 1.475, 1.483]
    cell, said = chosen(trials)
    assert side_of(cell, COST) == 0
    assert "told apart" in said.partition("nodes")[0]


def test_a_gain_below_its_controls_is_called_that(sweep):
    trials = sweep(weights=(0.0, 0.3), clusters=(6,), seeds=FIVE)
    assert "controls explain more" not in chosen(trials)[1]
    cell, said = chosen(trials.assign(explanation_gain=-0.1))
    assert side_of(cell, GAIN) == -1
    assert "controls explain more" in said
    assert -0.1 in numbers(said)


def test_a_gain_that_was_chosen_on_test_rows_is_called_too_good(sweep):
    trials = sweep(weights=(0.0, 0.3), clusters=(6,))
    unknown = trials.drop(columns="val_explanation_gain")
    bases = [findings.chosen_on(cells(frame), held_out=True) for frame in (trials, unknown)]
    assert bases == ["validation rows", "gain on test rows"]
    assert ["too good" in chosen(frame)[1] for frame in (trials, unknown)] == [False, True]


def test_a_cell_whose_validation_rows_are_its_test_rows_was_chosen_on_test_rows(sweep):
    trials = sweep(weights=(0.0, 0.3), clusters=(6,))
    table = cells(trials)
    assert findings.chosen_on(table, held_out=False) == "test rows"
    lines = findings.choice(table, best(table), axes(trials), held_out=False)
    assert "both" in lines[-1], "cost and gain are too good"


def test_a_seed_that_is_missing_everywhere_is_told(sweep):
    trials = sweep(weights=(0.0, 0.3), clusters=(6,), seeds=FIVE)
    lost = trials["config/adj_weight"].eq(0.3) & trials["config/seed"].eq(2)
    trials.loc[lost, "status"] = "failed"
    cell, said = chosen(trials)
    assert cell["seeds"] == 4
    assert "4 of 5" in said


def test_where_all_cost_too_much_the_cheapest_is_told(sweep):
    cell, said = chosen(sweep(weights=(0.0, 3.0, 10.0)))
    assert cell is None
    assert numbers(said)[:4] == [0.02, 3, 2, 0.064]


def test_nothing_is_said_of_a_sweep_of_plain_networks(sweep):
    assert chosen(sweep(weights=(0.0,))) == (None, "")


def test_the_front_is_told_with_its_knee(sweep):
    trials = sweep(weights=(0.0, 0.1, 0.3, 1.0, 3.0), clusters=(2,))
    table = cells(trials)
    bargains = pareto(table)
    count, knee = findings.front(bargains, table, axes(trials))
    assert numbers(count)[:2] == [5, 5]
    assert numbers(count)[2] == pytest.approx(bargains.hypervolume, abs=5e-5)
    assert numbers(knee) == [0.3, 2, 0.006, 0.495]


def test_a_single_bargain_is_no_front(sweep):
    trials = sweep(weights=(0.3,), clusters=(2,))
    table = cells(trials)
    assert findings.front(pareto(table), table, axes(trials)) == []


def grown(trials, cell=None):
    return findings.growth(cells(trials), cell, axes(trials))


def test_raw_r2_of_the_untrained_network_is_larger_at_more_centroids(sweep):
    trials = sweep()
    by = findings.chance_by_clusters(cells(trials), None, axes(trials))
    assert by["r2_untrained"].round(3).to_dict() == {2: 0.210, 6: 0.501}
    assert by["r2_permuted"].abs().max().round(3) == 0.006
    larger, chance = grown(trials)
    assert numbers(larger) == [0.210, 2, 0.501, 6]
    assert numbers(chance) == [0.006]
    assert "whatever was learnt" in larger


def test_raw_r2_that_is_no_larger_at_more_centroids_is_told_so(sweep):
    same, _ = grown(sweep().assign(r2_untrained=0.3))
    assert numbers(same) == [0.3, 2, 0.3, 6]
    assert "whatever was learnt" not in same


def test_raw_r2_is_that_of_the_chosen_clustering_and_no_mean_over_clusterings(sweep):
    name = "config/clustering.method"
    kinds = [sweep().assign(**{name: kind}) for kind in ("k_means", "dbscan")]
    kinds[1]["r2_untrained"] = 0.9
    trials = pd.concat(kinds, ignore_index=True)
    table = cells(trials)
    cell = table[table["clustering.method"].eq("k_means")].iloc[0]
    assert grown(trials, cell) == grown(sweep())


def test_one_number_of_centroids_says_nothing_of_growth(sweep):
    assert grown(sweep(clusters=(6,))) == []


@pytest.fixture
def trust(sweep):
    def made(**changed):
        trials = sweep(weights=(0.0, 0.3), clusters=(6,)).assign(**changed)
        cell = best(cells(trials))
        return findings.faithfulness(cell, members(trials, cell))

    return made


def test_faithfulness_is_told_by_random_rows_ablation_surrogate_and_concepts(trust):
    clusters, rows, ablation, surrogate, concepts = trust()
    assert "do not" not in clusters
    assert numbers(rows) == [0.642, 0.204]
    assert numbers(ablation) == [1.8]
    assert numbers(surrogate) == [86.9, 0.05]
    assert numbers(concepts)[-3:] == [3, 3, 5]


def test_concepts_are_counted_by_seed(trust):
    concepts = trust(concept_p=[0.2, 0.2, 0.2, 0.01, 0.2, 0.03])[-1]
    assert numbers(concepts)[-3:-1] == [2, 3]


def test_what_was_not_measured_is_not_told(trust):
    names = ("cluster_stability", "specificity", "selectivity", "surrogate_agreement", "concept_p")
    nothing = dict.fromkeys(names, float("nan"))
    assert trust(**nothing) == []


def test_clusters_that_do_not_come_out_again_under_resampling_are_told(trust):
    said = trust(cluster_stability=0.3)[0]
    assert "do not" in said
    assert numbers(said) == [0.3]


def test_what_is_known_at_some_seeds_says_at_how_many(trust):
    (line,) = (t for t in trust(selectivity=[0.1, 0.1, 0.1, 0.2, 0.3, None]) if "known" in t)
    assert numbers(line) == [0.25, 2, 3]


def test_the_time_of_an_epoch_is_what_it_adds_to_that_of_its_trial():
    # The first epoch of each includes loading its data.
    seconds = {"a": [9.0, 11.0, 13.0], "b": [1.0, 5.0, 9.0], "c": [7.0, 9.0, 11.0]}
    rows = [{"trial_id": i, "seconds": s} for i, found in seconds.items() for s in found]
    epochs = pd.DataFrame(rows)
    own, plain = (pd.DataFrame({"trial_id": ids}) for ids in (["a", "b"], ["c"]))
    (line,) = findings.duration(epochs, own, plain)
    assert numbers(line) == [1.5, 3, 2]


def test_without_times_nothing_is_said_of_them():
    trials = pd.DataFrame({"trial_id": ["a"]})
    assert findings.duration(pd.DataFrame({"epoch": [1]}), trials, trials) == []
