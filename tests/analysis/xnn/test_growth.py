"""Growth of raw R2 with the number of centroids, by network, and its level by chance."""

import pandas as pd
import pytest
from printed import numbers

from analysis.xnn import best, cells
from analysis.xnn.cells import axes
from analysis.xnn.growth import chance, growth, sentences

TEN = range(10)


def grown(trials):
    table = cells(trials)
    cell = best(table)
    names = axes(trials)
    return growth(trials, table, cell, names), chance(trials, table, cell, names)


def noisy(trials, metric, *, few, many):
    """``trials`` with this metric at the fewest and the most centroids, apart from noise."""
    level = trials["config/clusters"].map({2: few, 6: many}).astype(float)
    return trials.assign(**{metric: level + 0.002 * (-1.0) ** trials["config/seed"].astype(int)})


@pytest.mark.parametrize(
    ("many", "verdict"), [(0.5, "better"), (0.1, "worse"), (0.3, "equivalent")]
)
def test_growth_is_told_of_the_network_that_shows_it(sweep, many, verdict):
    trials = noisy(sweep(seeds=TEN), "r2_untrained", few=0.3, many=0.5)
    trials = noisy(trials, "r2_mean", few=0.3, many=many)
    # The two ends have independent noise.
    odd = trials["config/clusters"].eq(6)
    trials.loc[odd, "r2_mean"] += 0.004 * (trials.loc[odd, "config/seed"].astype(int) % 3 - 1)
    trials.loc[odd, "r2_untrained"] += 0.003 * (trials.loc[odd, "config/seed"].astype(int) % 2)
    rows = grown(trials)[0].set_index("network")
    assert rows.loc["the untrained network", "verdict"] == "better"
    assert rows.loc["the X-NN", "verdict"] == verdict
    assert rows.loc["the X-NN", "difference"] == pytest.approx(many - 0.3, abs=1e-3)
    assert len(sentences(rows.reset_index())) == 3


def test_few_seeds_and_missing_ones_show_no_growth(sweep):
    assert grown(sweep(seeds=(0, 1)))[0]["verdict"].eq("not shown").all()
    trials = noisy(sweep(seeds=TEN), "r2_mean", few=0.1, many=0.9)
    trials["r2_mean"] += 0.001 * trials["config/seed"] * trials["config/clusters"]
    assert "better" in set(grown(trials)[0]["verdict"])
    lost = trials["config/seed"].eq(3) & trials["config/clusters"].eq(6)
    lost &= trials["config/adj_weight"].eq(0.3)
    trials.loc[lost, "status"] = "stopped"
    assert grown(trials)[0]["verdict"].eq("not shown").all()


def test_growth_is_that_of_the_chosen_clustering_and_no_mean_over_clusterings(sweep):
    name = "config/clustering.method"
    kinds = [sweep().assign(**{name: kind}) for kind in ("k_means", "dbscan")]
    kinds[1]["r2_untrained"], kinds[1]["val_explanation_gain"] = 0.9, -1.0
    both = grown(pd.concat(kinds, ignore_index=True))[0]
    assert both["most"].tolist() == pytest.approx(grown(sweep())[0]["most"].tolist())


def test_one_number_of_centroids_says_nothing_of_growth(sweep):
    rows, _ = grown(sweep(clusters=(6,)))
    assert rows.empty
    assert sentences(rows) == []


@pytest.mark.parametrize(("level", "shown"), [(0.001, True), (0.2, False)])
def test_permuted_rows_are_within_the_margin_only_if_that_is_shown_at_every_k(sweep, level, shown):
    trials = noisy(sweep(seeds=TEN), "r2_permuted", few=0.0, many=level)
    trials["r2_permuted"] += 1e-4 * (trials["config/seed"].astype(int) % 3)
    (line,) = grown(trials)[1]
    assert ("not shown" not in line) == shown
    assert numbers(line)[2] == pytest.approx(2)
    (few,) = grown(trials[trials["config/seed"].lt(2)])[1]
    assert "not shown" in few
