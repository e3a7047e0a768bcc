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
    assert (
        "R2 of 0.747 lies on average above the best control of its seed, a gain of +0.495" in said
    )
    assert "(largest mean of a control: 0.252, the plain network on random rows)" in said


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
    assert "the best control of its seed, a gain of +0.488 [" in said


def test_a_cost_whose_interval_covers_0_is_not_told_apart(sweep):
    trials = sweep(weights=(0.0, 0.3), clusters=(6,), seeds=FIVE)
    pulled = trials["config/adj_weight"].eq(0.3)
    trials.loc[pulled, "cross_entropy"] = [1.475, 1.482, 1.483, 1.475, 1.483]
    assert "nat of test cross-entropy, which cannot be told apart from 0," in chosen(trials)


def test_a_gain_below_its_controls_is_called_that(sweep):
    trials = sweep(weights=(0.0, 0.3), clusters=(6,), seeds=FIVE)
    said = chosen(trials.assign(explanation_gain=-0.1))
    assert "on average below the best control of its seed, a gain of -0.100" in said
    assert "so controls explain more" in said


def test_a_gain_that_was_chosen_on_test_rows_is_called_too_good(sweep):
    trials = sweep(weights=(0.0, 0.3), clusters=(6,))
    assert "a little too good" not in chosen(trials)
    unknown = trials.drop(columns="val_explanation_gain")
    assert "by its gain on test rows, which is therefore a little too good" in chosen(unknown)


def test_a_cell_whose_validation_rows_are_its_test_rows_was_chosen_on_test_rows(sweep):
    trials = sweep(weights=(0.0, 0.3), clusters=(6,))
    table = cells(trials)
    lines = findings.choice(table, best(table), axes(trials), held_out=False)
    assert "It was chosen on its test rows, which are the validation rows" in lines[-1]


def test_a_seed_that_is_missing_everywhere_is_told(sweep):
    trials = sweep(weights=(0.0, 0.3), clusters=(6,), seeds=FIVE)
    lost = trials["config/adj_weight"].eq(0.3) & trials["config/seed"].eq(2)
    trials.loc[lost, "status"] = "failed"
    assert "over 4 of 5 seeds." in chosen(trials)


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


def grown(trials, cell=None):
    return findings.growth(cells(trials), cell, axes(trials))


def test_raw_r2_of_the_untrained_network_is_larger_at_more_centroids(sweep):
    larger, chance = grown(sweep())
    assert "larger at the most centroids than at the fewest whatever was learnt" in larger
    assert "the untrained network reaches 0.210 at K = 2 and 0.501 at K = 6" in larger
    assert chance == "With permuted rows its mean is 0.006 at most in absolute value, at any K."


def test_raw_r2_that_is_no_larger_at_more_centroids_is_told_so(sweep):
    lines = grown(sweep().assign(r2_untrained=0.3))
    assert lines[0].startswith("Raw R2 is no larger at the most centroids than at the fewest")


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
    assert clusters.startswith("Its clusters come out again under resampling")
    assert "random rows its nodes have an R2 of 0.642; what they tell" in rows
    assert rows.endswith("of these centroids beyond it is +0.204.")
    assert ablation.endswith("on its own rows, less that on others, is +1.800 nat.")
    assert "86.9 % of rows keep their likeliest class" in surrogate
    assert "changes by +0.050 nat" in surrogate
    assert "at 3 of 3 seeds (TCAV, 5 % after Bonferroni)" in concepts


def test_concepts_are_counted_by_seed(trust):
    concepts = trust(concept_p=[0.2, 0.2, 0.2, 0.01, 0.2, 0.03])[-1]
    assert "at 2 of 3 seeds" in concepts


def test_what_was_not_measured_is_not_told(trust):
    names = ("cluster_stability", "specificity", "selectivity", "surrogate_agreement", "concept_p")
    nothing = dict.fromkeys(names, float("nan"))
    assert trust(**nothing) == []


def test_clusters_that_do_not_come_out_again_under_resampling_are_told(trust):
    said = trust(cluster_stability=0.3)[0]
    assert said.startswith("Its clusters do not come out again under resampling")
    assert "a mean adjusted Rand index of 0.300 with those of all rows" in said


def test_what_is_known_at_some_seeds_says_at_how_many(trust):
    some = trust(selectivity=[0.1, 0.1, 0.1, 0.2, 0.3, None])
    assert "is +0.250 nat (known at 2 of 3 seeds)." in " ".join(some)


def test_the_time_of_an_epoch_is_what_it_adds_to_that_of_its_trial():
    # The first epoch of each also waits for its data.
    seconds = {"a": [9.0, 11.0, 13.0], "b": [1.0, 5.0, 9.0], "c": [7.0, 9.0, 11.0]}
    rows = [{"trial_id": i, "seconds": s} for i, found in seconds.items() for s in found]
    epochs = pd.DataFrame(rows)
    own, plain = (pd.DataFrame({"trial_id": ids}) for ids in (["a", "b"], ["c"]))
    (line,) = findings.duration(epochs, own, plain)
    assert "1.50 times as long as one of the plain network (3 s against 2 s" in line


def test_without_times_nothing_is_said_of_them():
    trials = pd.DataFrame({"trial_id": ["a"]})
    assert findings.duration(pd.DataFrame({"epoch": [1]}), trials, trials) == []
