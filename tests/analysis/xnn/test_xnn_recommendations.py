"""The recommended X-NN: the configuration that the report chooses, and its best seed."""

import faked_xnn
import pytest
from click.testing import CliRunner

from analysis import recommendations
from analysis.__main__ import main
from analysis.metric_names import metric_name
from analysis.xnn.cells import cells
from analysis.xnn.selection import choose

MANIFEST = {"experiment": "xnn"}


def test_the_chosen_configuration_is_recommended_with_its_cost(sweep):
    trials = sweep()
    (one,) = recommendations(trials, MANIFEST)
    cell = choose(cells(trials)).cell
    weight, clusters = one.configuration["adj_weight"], one.configuration["clusters"]
    assert (weight, clusters) == (cell["adj_weight"], cell["clusters"])
    assert one.metric == "cross_entropy_minus_plain"
    assert one.mean == pytest.approx(faked_xnn.cost("alignment", weight, clusters))
    assert one.interval.low < one.mean < one.interval.high
    mine = trials[trials["config/adj_weight"].eq(weight) & trials["config/clusters"].eq(clusters)]
    best = mine.loc[mine["val_loss"].idxmin()]
    assert (one.trial_id, one.seeds) == (best["trial_id"], 3)


def test_the_weak_point_is_the_lowest_share(sweep):
    trials = sweep().assign(cluster_stability=0.9, surrogate_agreement=0.25)
    (one,) = recommendations(trials, MANIFEST)
    assert "distances alone: 0.250" in one.weakness


def test_a_sweep_of_plain_networks_recommends_none(sweep):
    assert recommendations(sweep(weights=(0.0,)), MANIFEST) == []


def test_best_prints_the_cost_in_nats_and_a_classifier(store):
    storage, _ = store()
    output = CliRunner().invoke(main, ["best", str(storage)], catch_exceptions=False).output
    assert f"{metric_name('cross_entropy_minus_plain')} 0.0" in output
    assert " nat, mean of 3 seeds." in output
    assert f"classifier = sweeps.load_model({str(storage)!r}, 'x" in output
