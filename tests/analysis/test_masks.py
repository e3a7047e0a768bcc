import math

import faked_networks as faked
import numpy as np
import pandas as pd
import pytest
from printed import numbers

from analysis.tickets.masks import ALL, chance, layer_name, overlap, overlaps, sentences, weights
from analysis.tickets.networks import STANDARD, Model

ROBUST = "robust (ε = 0.1)"


def mask(*rows):
    return {"layers.0.weight": np.array(rows, dtype=bool)}


def ticket(kind, seed, masks, of=None):
    shapes = of or {name: np.ones(m.shape) for name, m in masks.items()}
    return Model(kind=kind, seed=seed, weights=shapes, masks=masks, importance={})


def drawn(generator, shape, *, keep):
    """A mask of exactly the share ``keep``, at random."""
    kept = np.zeros(shape, dtype=bool)
    kept.flat[generator.permutation(kept.size)[: round(keep * kept.size)]] = True
    return kept


def test_identical_masks_overlap_by_one():
    m = mask([1, 0], [0, 1])
    assert overlap(m, m) == 1.0


def test_disjoint_masks_overlap_by_nothing():
    assert overlap(mask([1, 0], [0, 1]), mask([0, 1], [1, 0])) == 0.0


def test_overlap_is_the_intersection_over_the_union():
    assert overlap(mask([1, 1, 1, 0]), mask([0, 1, 1, 1])) == 2 / 4


def test_overlap_is_symmetric_and_so_is_chance():
    a, b = mask([1, 1, 1, 0]), mask([0, 0, 1, 0])
    assert overlap(a, b) == overlap(b, a)
    assert chance(a, b) == chance(b, a)


def test_chance_is_the_closed_form_of_one_layer():
    # k1 = 2, k2 = 3, n = 6: the expected intersection is 1, the union 4.
    assert chance(mask([1, 1, 0, 0, 0, 0]), mask([0, 0, 0, 1, 1, 1])) == pytest.approx(1 / 4)


def test_two_full_masks_overlap_by_one_by_chance_too():
    full = mask([1, 1], [1, 1])
    assert overlap(full, full) == chance(full, full) == 1.0


def test_masks_that_keep_nothing_have_no_overlap():
    none = mask([0, 0])
    assert math.isnan(overlap(none, none))
    assert math.isnan(chance(none, none))


def test_independent_masks_overlap_as_by_chance():
    draw = np.random.default_rng(0)
    shapes = {"layers.0.weight": (64, 8), "layers.1.weight": (64, 64)}
    keep = {"layers.0.weight": 0.3, "layers.1.weight": 0.1}
    found = []
    for _ in range(100):
        a, b = ({n: drawn(draw, s, keep=keep[n]) for n, s in shapes.items()} for _ in range(2))
        found.append(overlap(a, b))
    error = np.std(found) / math.sqrt(len(found))
    assert np.mean(found) == pytest.approx(chance(a, b), abs=4 * error)


def test_chance_knows_that_layers_are_not_equally_full():
    a = {"layers.0.weight": np.ones((2, 5), dtype=bool), **mask_of("layers.1.weight", 10, 1)}
    # All ten of the first layer agree with certainty: 10.1 expected in common of 11.9 in either.
    assert chance(a, a) == pytest.approx(10.1 / 11.9)


def mask_of(name, size, keep):
    kept = np.zeros((1, size), dtype=bool)
    kept[0, :keep] = True
    return {name: kept}


def test_pairs_are_two_kinds_of_one_seed_and_two_seeds_of_one_kind():
    m = mask([1, 0])
    models = [ticket(kind, seed, m) for kind in (STANDARD, ROBUST) for seed in (0, 1)]
    found = overlaps(models)
    whole = found[found["layer"].eq(ALL)]
    assert whole["same_seed"].tolist().count(True) == 2
    assert whole["same_seed"].tolist().count(False) == 2
    assert whole.loc[~whole["same_seed"], "first"].tolist() == [STANDARD, ROBUST]


def test_a_dense_network_has_no_mask_to_compare():
    dense = Model(kind="dense", seed=0, weights={}, masks={}, importance={})
    assert overlaps([dense, ticket(STANDARD, 0, mask([1, 0]))]).empty


def test_the_same_mask_at_every_seed_is_said_to_be_the_same():
    m = mask([1, 0, 0, 0])
    found = overlaps([ticket(STANDARD, 0, m), ticket(ROBUST, 0, m)])
    assert found["overlap"].eq(1.0).all()
    (line,) = sentences(found)
    assert "the same mask" in line


def test_overlap_and_chance_are_told_in_per_cent():
    a, b = ticket(STANDARD, 0, mask([1, 1, 0, 0])), ticket(ROBUST, 0, mask([0, 1, 1, 0]))
    (line,) = sentences(overlaps([a, b]))
    assert numbers(line)[:3] == [0.1, 33.3, 33.3], "epsilon, overlap, chance"
    assert "not tested" in line


def overlapping(gaps):
    """Overlaps of standard and robust tickets of as many seeds, above a chance of 20 %."""
    return pd.DataFrame(
        [
            {"first": STANDARD, "second": ROBUST, "same_seed": True, "layer": ALL}
            | {"first_seed": seed, "second_seed": seed, "overlap": 0.2 + gap, "chance": 0.2}
            for seed, gap in enumerate(gaps)
        ]
    )


def test_overlap_beyond_chance_needs_a_test_over_independent_pairs():
    gaps = 0.1 + 0.001 * np.arange(6)
    for values, words in (
        (gaps, "more than by chance"),
        (-gaps, "less than by chance"),
        (np.array([0.1, -0.1, 0.05, -0.06]), "not shown"),
        (gaps[:2], "not tested"),
        (np.full(6, 0.1), "not tested"),
    ):
        (line,) = sentences(overlapping(values))
        assert words in line
    (line,) = sentences(overlapping(gaps), complete=False)
    assert "not tested" in line


def test_pairs_that_share_a_network_count_once():
    rows = pd.DataFrame(
        [
            {"first": STANDARD, "second": STANDARD, "same_seed": False, "layer": ALL}
            | {"first_seed": a, "second_seed": b, "overlap": 0.3 + 0.001 * b, "chance": 0.2}
            for a in range(5)
            for b in range(a + 1, 5)
        ]
    )
    (line,) = sentences(rows)
    assert numbers(line)[2:4] == [2, 3], "independent pairs, and the fewest"


def test_two_robust_kinds_are_in_the_table_and_not_in_the_sentences():
    m = mask([1, 0])
    found = overlaps([ticket(ROBUST, 0, m), ticket("robust (ε = 0.3)", 0, m)])
    assert len(found) == 2
    assert sentences(found) == []


def test_kept_weights_are_counted_by_layer_and_together():
    of = {"layers.0.weight": np.full((2, 4), -2.0), "layers.1.weight": np.full((1, 2), 5.0)}
    m = {"layers.0.weight": np.array([[1, 1, 1, 0], [0, 0, 0, 0]], dtype=bool)}
    rows = weights([ticket(STANDARD, 0, m, of)]).set_index("layer")
    assert rows["kept"].to_dict() == {ALL: 5, "layers.0.weight": 3, "layers.1.weight": 2}
    assert rows["kept_share"].to_dict() == {
        ALL: 0.5,
        "layers.0.weight": 0.375,
        "layers.1.weight": 1,
    }
    assert rows.loc["layers.0.weight", ["mean", "sd", "median"]].tolist() == [2.0, 0.0, 2.0]
    assert rows["max"].to_dict() == {ALL: 5.0, "layers.0.weight": 2.0, "layers.1.weight": 5.0}


def test_a_unit_without_inputs_or_without_outputs_is_dead():
    of = {"layers.0.weight": np.ones((3, 8)), "layers.1.weight": np.ones((1, 3))}
    m = {name: np.ones(w.shape, dtype=bool) for name, w in of.items()}
    m["layers.0.weight"][0] = False  # nothing leads into the first unit
    m["layers.1.weight"][0, 1] = False  # nothing leads out of the second
    rows = weights([ticket(STANDARD, 0, m, of)]).set_index("layer")
    assert rows["dead_units"].to_dict() == {ALL: 2, "layers.0.weight": 2, "layers.1.weight": 0}


def test_counts_are_means_over_seeds_and_sizes_of_all_seeds_together():
    of = {"layers.0.weight": np.array([[1.0, 2.0, 3.0]])}
    rows = weights(
        [
            ticket(STANDARD, 0, mask([1, 0, 0]), of),
            ticket(STANDARD, 1, mask([0, 1, 1]), of),
        ]
    )
    assert rows["seeds"].tolist() == [2, 2]
    assert rows["kept"].tolist() == [1.5, 1.5]
    assert rows["mean"].tolist() == [2.0, 2.0]


def test_a_layer_that_keeps_nothing_has_counts_and_no_sizes():
    row = weights([ticket(STANDARD, 0, mask([0, 0]))]).iloc[0]
    assert row["kept"] == 0
    assert math.isnan(row["mean"])


def test_the_larger_part_of_a_trained_layer_survives_magnitude_pruning():
    of = faked.weights(np.random.default_rng(0))
    rows = weights(
        [
            Model(kind="dense", seed=0, weights=of, masks={}, importance={}),
            ticket(STANDARD, 0, faked.largest(of, keep=0.1), of),
        ]
    ).set_index(["model", "layer"])
    name = "layers.1.weight"
    assert rows.loc[(STANDARD, name), "mean"] > 1.5 * rows.loc[("dense", name), "mean"]
    assert rows.loc[(STANDARD, name), "q05"] > rows.loc[("dense", name), "median"]


def test_layers_are_counted_from_one():
    assert [layer_name(n) for n in (ALL, "layers.0.weight")] == ["all layers", "layer 1"]
