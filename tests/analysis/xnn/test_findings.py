import numpy as np
import pandas as pd
import pytest
from printed import numbers

from analysis.contrast import NO_INTERVAL, bracketed, side_of
from analysis.xnn import best, cells, choose, findings, members, pareto, spelled_out
from analysis.xnn.cells import COST, GAIN, axes
from analysis.xnn.wording import NOT_FINITE

FIVE, TWELVE = range(5), range(12)


def chosen(trials):
    """The cell, and the findings on it."""
    table = cells(trials)
    choice = choose(table)
    cell = None if choice is None else choice.cell
    return cell, findings.choice(table, choice, axes(trials))


def test_without_an_interval_the_seeds_that_lack_a_result_are_counted(sweep):
    trials = sweep(weights=(0.0, 0.3), clusters=(6,), seeds=range(5))
    last = trials["config/seed"].eq(4)
    trials.loc[last, "status"] = "stopped"
    first = chosen(trials)[1][0]
    assert numbers(first)[-3:] == [4, 5, 1], "4 of 5 seeds, 1 without a result"
    assert NO_INTERVAL not in first


def test_losses_that_are_not_finite_are_the_reason_without_a_choice(sweep):
    trials = sweep()
    trials["val_loss"] = np.inf
    trials["plain_val_loss"] = np.inf
    assert chosen(trials.replace([np.inf], np.nan)) == (
        None,
        [f"No configuration is chosen: {NOT_FINITE}."],
    )


def test_the_chosen_cell_has_its_cost_gain_and_best_control(sweep):
    cell, (first, price, gained, *_) = chosen(sweep())
    assert (cell["adj_weight"], cell["clusters"], cell["seeds"]) == (0.3, 2, 3)
    assert numbers(first) == [0.3, 2, 0.02, 3]
    assert numbers(price)[0] == round(cell[COST], 3) == 0.006
    assert numbers(gained)[0] == round(cell[GAIN], 3) == 0.495
    assert f"0.252, {findings.CONTROLS['plain_random_points']})" in gained


def test_the_method_of_the_study_is_named_where_none_was_swept(sweep):
    manifest = {"study": {"explanation": {"method": "alignment"}}}
    cell, said = chosen(spelled_out(sweep(), manifest))
    assert cell["method"] == "alignment"
    assert "alignment" in said[0]
    assert "alignment" not in chosen(sweep())[1][0]


def test_with_two_seeds_no_interval_is_claimed(sweep):
    cell, said = chosen(sweep(seeds=(0, 1)))
    assert side_of(cell, GAIN) is None
    assert NO_INTERVAL in said[0]
    assert "[" not in " ".join(said)
    verdicts = [cell[f"{name}_verdict"] for name in (COST, GAIN, "r2_mean_minus_plain")]
    assert verdicts == ["not shown"] * 3


def test_with_five_seeds_intervals_are_claimed(sweep):
    cell, (_, price, gained, *_) = chosen(sweep(seeds=FIVE))
    assert bracketed(cell, COST, signed=True) in price
    assert bracketed(cell, GAIN, signed=True) in gained


def test_an_open_verdict_whose_interval_excludes_zero_has_its_p(sweep):
    cell, (_, _, gained, *_) = chosen(sweep(seeds=range(4)))
    assert (cell[f"{GAIN}_verdict"], cell[f"{GAIN}_low"] > 0.0) == ("not shown", True)
    assert f"p = {cell[f'{GAIN}_p_holm']:.2g}" in gained


def test_a_cost_is_less_than_the_limit_only_if_its_upper_bound_is(sweep):
    trials = sweep(weights=(0.0, 0.3), clusters=(6,), seeds=TWELVE)
    cell, (_, price, *_) = chosen(trials)
    assert cell["within_limit"]
    assert "not shown" not in price
    pulled = trials["config/adj_weight"].eq(0.3)
    wild = [0.04 * (-1) ** seed for seed in TWELVE]
    trials.loc[pulled, "cross_entropy"] += wild
    cell, (_, price, *_) = chosen(trials)
    assert not cell["within_limit"]
    assert "is not shown to cost less" in price
    assert cell[f"{COST}_verdict"] == "not shown"


def test_a_gain_below_one_control_at_all_seeds_is_called_that(sweep):
    trials = sweep(weights=(0.0, 0.3), clusters=(6,), seeds=TWELVE)
    cell, said = chosen(trials)
    assert cell[f"{GAIN}_verdict"] == "better"
    assert "more than every control" in said[2]
    low = trials["r2_mean"] - 0.5 - 0.001 * trials["config/seed"]
    gain = low - trials["r2_plain_random_points"]
    cell, said = chosen(trials.assign(r2_mean=low, explanation_gain=gain))
    assert cell[f"{GAIN}_verdict"] == "worse"
    assert "a control explains more" in said[2]


def test_a_gain_that_was_chosen_on_test_rows_is_called_too_good(sweep):
    trials = sweep(weights=(0.0, 0.3), clusters=(6,))
    unknown = trials.drop(columns="val_explanation_gain")
    bases = [findings.chosen_on(cells(frame), held_out=True) for frame in (trials, unknown)]
    assert bases == ["validation rows", "gain on test rows"]
    said = [" ".join(chosen(frame)[1]) for frame in (trials, unknown)]
    assert ["too good" in text for text in said] == [False, True]


def test_a_cell_whose_validation_rows_are_its_test_rows_was_chosen_on_test_rows(sweep):
    trials = sweep(weights=(0.0, 0.3), clusters=(6,))
    table = cells(trials)
    assert findings.chosen_on(table, held_out=False) == "test rows"
    lines = findings.choice(table, choose(table), axes(trials), held_out=False)
    assert "both" in lines[-1], "cost and gain are too good"


def test_a_seed_that_is_missing_everywhere_is_told(sweep):
    trials = sweep(weights=(0.0, 0.3), clusters=(6,), seeds=FIVE)
    lost = trials["config/adj_weight"].eq(0.3) & trials["config/seed"].eq(2)
    trials.loc[lost, "status"] = "failed"
    cell, said = chosen(trials)
    assert cell["seeds"] == 4
    assert "4 of 5" in said[0]
    assert cell[f"{GAIN}_verdict"] == "not shown"


def test_where_all_cost_too_much_the_cheapest_is_told(sweep):
    cell, said = chosen(sweep(weights=(0.0, 3.0, 10.0)))
    assert best(cells(sweep(weights=(0.0, 3.0, 10.0)))) is None
    assert (cell["adj_weight"], cell["clusters"]) == (3.0, 2)
    assert numbers(said[0]) == [3, 2, 0.02, 3]


def test_nothing_is_said_of_a_sweep_of_plain_networks(sweep):
    assert chosen(sweep(weights=(0.0,))) == (None, [])


def test_the_front_is_told_with_its_knee(sweep):
    trials = sweep(weights=(0.0, 0.1, 0.3, 1.0, 3.0), clusters=(2,))
    table = cells(trials)
    bargains = pareto(table)
    count, knee = findings.front(bargains, table, axes(trials))
    assert numbers(count)[:2] == [5, 5]
    assert numbers(count)[2] == pytest.approx(bargains.hypervolume, abs=5e-5)
    assert numbers(knee)[:3] == [0.3, 2, 0.006]
    assert 0.495 in numbers(knee)


def test_a_single_bargain_is_no_front(sweep):
    trials = sweep(weights=(0.3,), clusters=(2,))
    table = cells(trials)
    assert findings.front(pareto(table), table, axes(trials)) == []


@pytest.fixture
def trust(sweep):
    def made(**changed):
        trials = sweep(weights=(0.0, 0.3), clusters=(6,)).assign(**changed)
        cell = best(cells(trials))
        return findings.faithfulness(cell, members(trials, cell))

    return made


def test_faithfulness_is_told_by_random_rows_ablation_surrogate_and_concepts(trust):
    clusters, rows, ablation, surrogate, concepts = trust()
    assert numbers(clusters)[-1] == 0.65
    assert numbers(rows)[:2] == [0.642, 0.204]
    assert numbers(ablation) == [1.8]
    assert numbers(surrogate) == [86.9, 0.05]
    # At 4 % each, none of three seeds is shown after Holm.
    assert numbers(concepts)[-3:] == [0, 3, 5]


def test_concepts_are_counted_by_seed(trust):
    concepts = trust(concept_p=[0.2, 0.2, 0.2, 0.01, 0.2, 0.02])[-1]
    assert numbers(concepts)[-3:-1] == [2, 3]


def test_what_was_not_measured_is_not_told(trust):
    names = ("cluster_stability", "specificity", "selectivity", "surrogate_agreement", "concept_p")
    nothing = dict.fromkeys(names, float("nan"))
    assert trust(**nothing) == []


@pytest.mark.parametrize(("level", "state"), [(0.3, "below"), (0.9, "above")])
def test_the_recovery_of_clusters_is_judged_by_its_interval(sweep, level, state):
    trials = sweep(weights=(0.0, 0.3), clusters=(6,), seeds=TWELVE)
    stable = level + 0.001 * trials["config/seed"] % 0.004
    cell = best(cells(trials.assign(cluster_stability=stable)))
    assert f": {state} 0.65" in findings.faithfulness(cell, members(trials, cell))[0]
    few = best(cells(trials[trials["config/seed"].lt(2)].assign(cluster_stability=level)))
    assert f": {state} 0.65" not in findings.faithfulness(few, members(trials, few))[0]


def test_what_is_known_at_some_seeds_says_at_how_many(trust):
    (line,) = (t for t in trust(selectivity=[0.1, 0.1, 0.1, 0.2, 0.3, None]) if "known" in t)
    assert numbers(line)[:3] == [0.25, 2, 3]


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
