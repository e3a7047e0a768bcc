"""Rates of wrong claims of every X-NN sentence, and the coverage of its intervals.

A claim may be wrong in 5 % of sweeps at most, for any of the cells that it is made of; the power
under a planted effect is printed (``pytest -s``).
"""

import math
import zlib

import numpy as np
import pandas as pd
import pytest
from simulated_xnn import COST_SD, NOISE, R2_SD, Truth, lost, sweep

from analysis import claims
from analysis.contrast import BETTER, EQUIVALENT, OPEN, WORSE
from analysis.statistics import holm
from analysis.xnn import by_group, cells, methods
from analysis.xnn.baselines import against_trees
from analysis.xnn.cells import COST, GAIN, axes
from analysis.xnn.growth import MARGIN, growth
from analysis.xnn.verdicts import CLAIMS, R2_OVER_PLAIN, WITHIN

pytestmark = pytest.mark.slow

LEVEL, REPEATS = 0.05, 100
ALLOWED = LEVEL + 3 * math.sqrt(LEVEL * (1 - LEVEL) / REPEATS)
SEEDS = (1, 3, 5, 10)
CLAIMED = (BETTER, WORSE)


def repeats(seeds):
    """Sweeps to simulate: few of one seed, which can claim nothing."""
    return REPEATS if seeds > 1 else 5


def generator(*parts):
    return np.random.default_rng(zlib.crc32(repr(parts).encode()))


def tables(seeds, truth, *, number=None):
    rng = generator(seeds, truth)
    for _ in range(number or repeats(seeds)):
        yield cells(sweep(rng, seeds, truth))


def rate(hits):
    return float(np.mean(list(hits)))


@pytest.mark.parametrize("rows", [0.0, 0.5])
@pytest.mark.parametrize("noise", NOISE)
@pytest.mark.parametrize("seeds", SEEDS)
def test_networks_trained_alike_are_told_apart_in_5_percent_of_sweeps(seeds, noise, rows):
    wrong = dict.fromkeys((COST, R2_OVER_PLAIN, GAIN, "specificity"), 0)
    for table in tables(seeds, Truth(noise=noise, rows=rows)):
        for metric in wrong:
            wrong[metric] += bool(table[f"{metric}_verdict"].isin(CLAIMED).any())
    assert all(count / repeats(seeds) <= ALLOWED for count in wrong.values()), wrong


@pytest.mark.parametrize("noise", NOISE)
@pytest.mark.parametrize("seeds", SEEDS)
def test_a_cost_at_the_limit_and_a_gain_of_0_are_claimed_in_5_percent_of_sweeps(seeds, noise):
    truth = Truth(cost=WITHIN, exchangeable=False, noise=noise, rows=0.3)
    within = gain = 0
    for table in tables(seeds, truth):
        within += bool(table["within_limit"].any())
        gain += bool(table[f"{GAIN}_verdict"].isin(CLAIMED).any())
    assert within / repeats(seeds) <= ALLOWED
    assert gain / repeats(seeds) <= ALLOWED


@pytest.mark.parametrize("noise", NOISE)
@pytest.mark.parametrize("seeds", SEEDS)
def test_differences_at_the_margin_are_called_none_in_5_percent_of_sweeps(seeds, noise):
    truth = Truth(cost=CLAIMS[COST].margin, gain=CLAIMS[R2_OVER_PLAIN].margin, noise=noise)
    equal = dict.fromkeys((COST, R2_OVER_PLAIN), 0)
    for table in tables(seeds, truth):
        for metric in equal:
            equal[metric] += bool(table[f"{metric}_verdict"].eq(EQUIVALENT).any())
    assert all(count / repeats(seeds) <= ALLOWED for count in equal.values()), equal


@pytest.mark.parametrize("how", ["stopped", "failed", "running", "absent"])
def test_cells_without_their_worst_seed_claim_nothing(how):
    rng = generator(how)
    for _ in range(20):
        truth = Truth(cost=-0.05, gain=0.4, methods=("alignment", "multiplier"))
        trials = lost(sweep(rng, 6, truth), by="cross_entropy", how=how)
        table, against = cells(trials), methods(trials)
        verdicts = [name for name in table if str(name).endswith("_verdict")]
        assert table[verdicts].eq(OPEN).all(axis=None)
        assert not table["within_limit"].any()
        columns = [name for name in against if str(name).endswith("_verdict")]
        assert against[columns].eq(OPEN).all(axis=None)


@pytest.mark.parametrize("noise", NOISE)
@pytest.mark.parametrize("seeds", SEEDS)
def test_methods_alike_are_told_apart_in_5_percent_of_sweeps(seeds, noise):
    rng = generator("methods", seeds, noise)
    names = ("double_step", "multiplier_published", "alignment")
    wrong = dict.fromkeys(("explanation_gain", "cross_entropy"), 0)
    for _ in range(repeats(seeds)):
        rows = methods(sweep(rng, seeds, Truth(noise=noise, methods=names)))
        for metric in wrong:
            verdicts = rows[f"{metric}_minus_control_verdict"]
            wrong[metric] += bool(verdicts.isin(CLAIMED).any())
    assert all(count / repeats(seeds) <= ALLOWED for count in wrong.values()), wrong


@pytest.mark.parametrize("noise", NOISE)
@pytest.mark.parametrize("seeds", SEEDS)
def test_r2_that_does_not_grow_is_called_that_in_5_percent_of_sweeps(seeds, noise):
    rng, wrong, equal = generator("growth", seeds, noise), 0, 0
    for _ in range(repeats(seeds)):
        trials = sweep(rng, seeds, Truth(noise=noise))
        trials["r2_plain"] = 0.3 + R2_SD * NOISE[noise](rng, len(trials))
        table = cells(trials)
        cell, names = table.iloc[0], axes(trials)
        wrong += bool(growth(trials, table, cell, names)["verdict"].isin(CLAIMED).any())
        larger = trials["config/clusters"].eq(6) * MARGIN
        moved = trials.assign(
            **{f"r2_{n}": trials[f"r2_{n}"] + larger for n in ("mean", "plain", "untrained")}
        )
        rows = growth(moved, cells(moved), cell, names)
        equal += bool(rows["verdict"].eq(EQUIVALENT).any())
    assert wrong / repeats(seeds) <= ALLOWED
    assert equal / repeats(seeds) <= ALLOWED


@pytest.mark.parametrize("noise", NOISE)
@pytest.mark.parametrize("seeds", SEEDS)
def test_trees_as_good_as_the_networks_are_beaten_in_5_percent_of_sweeps(seeds, noise):
    rng, wrong = generator("trees", seeds, noise), 0
    for _ in range(repeats(seeds)):
        trials = sweep(rng, seeds, Truth(noise=noise, rows=0.3))
        trials["cross_entropy_minus_boosted_se"] = 0.3 * COST_SD
        prepared = {
            str(s): {"seed": s, "baselines": {"boosted_classes": {"cross_entropy": 1.5}}}
            for s in range(seeds)
        }
        rows = against_trees(trials, cells(trials), {"preparations": prepared})
        wrong += bool(rows["verdict"].isin(CLAIMED).any())
    assert wrong / repeats(seeds) <= ALLOWED


def kappas(rng, seeds, noise, *, lead, rows):
    """Preparations whose plain network leads XGBoost by ``lead``, with shared error ``rows``."""
    shared = lead + 0.01 * rows * rng.normal()
    leads = shared + 0.01 * NOISE[noise](rng, seeds)
    trees = {"kappa": 0.5, "kappa_minus_plain_se": 0.01 * rows}
    baselines = [{"plain": {"kappa": 0.5 + x}, "boosted_offsets": trees} for x in leads]
    prepared = {str(s): {"seed": s, "baselines": one} for s, one in enumerate(baselines)}
    return {"experiment": "xnn", "preparations": prepared}


@pytest.mark.parametrize("rows", [0.0, 0.5, 3.0])
@pytest.mark.parametrize("noise", NOISE)
@pytest.mark.parametrize("seeds", SEEDS)
def test_networks_as_good_as_trees_beat_them_in_5_percent_of_sweeps(seeds, noise, rows):
    rng, wrong, covered = generator("kappa", seeds, noise, rows), 0, 0
    trials, number = sweep(rng, seeds, Truth(noise=noise)), repeats(seeds)
    number *= 4 if noise == "normal" else 1
    for _ in range(number):
        page = claims(trials, kappas(rng, seeds, noise, lead=0.0, rows=rows))
        row = page[page["claim"].eq("networks")].iloc[0]
        wrong += row["verdict"] in ("supported", "contradicted")
        covered += bool(row["low"] <= 0.0 <= row["high"])
    assert wrong / number <= LEVEL + 3 * math.sqrt(LEVEL * (1 - LEVEL) / number)
    assert noise != "normal" or seeds < 3 or 0.92 <= covered / number <= 0.98


def grouped(rng, trials, rates, *, size, spread):
    """``trials`` with selection rates of groups on shared rows, whose true means are ``rates``."""
    columns = {}
    for level, true in enumerate(rates):
        error = math.sqrt(true * (1.0 - true) / size)
        values = true + error * rng.normal() + spread * rng.normal(size=len(trials))
        for end, z in {"": 0.0, "_low": -1.959964, "_high": 1.959964}.items():
            columns[f"selection_rate{end}@Ins:{level}"] = values + z * error
    return trials.assign(**columns)


@pytest.mark.parametrize("spread", [0.001, 0.02])
@pytest.mark.parametrize("seeds", SEEDS)
def test_a_ratio_of_four_fifths_is_put_on_one_side_in_5_percent_of_sweeps(seeds, spread):
    rng, below, above, differs = generator("fairness", seeds, spread), 0, 0, 0
    for _ in range(repeats(seeds)):
        trials = sweep(rng, seeds, Truth()).iloc[:seeds]
        cell = cells(trials).iloc[0]
        # Ties at the smallest rate, whose least estimate is below it.
        noise = {"size": 1000, "spread": spread}
        rows = by_group(grouped(rng, trials, (0.5, 0.4, 0.4, 0.4), **noise), cell, None)
        rule = rows[rows["group"].eq("all")]["four_fifths"].iloc[0]
        below, above = below + (rule == "below"), above + (rule == "not below")
        rows = by_group(grouped(rng, trials, (0.4, 0.4, 0.4), **noise), cell, None)
        between = rows[rows["group"].eq("all")].iloc[0]
        differs += between["selection_rate_verdict"] in CLAIMED
    assert max(below, above, differs) / repeats(seeds) <= ALLOWED, (below, above, differs)


@pytest.mark.parametrize("seeds", [1, 3, 5, 10])
def test_directions_no_better_than_random_are_counted_in_5_percent_of_sweeps(seeds):
    rng = generator("concepts", seeds)
    p = rng.uniform(size=(4000, seeds))
    assert rate((holm(row) <= LEVEL).any() for row in p) <= LEVEL + 3 * math.sqrt(0.0475 / 4000)


@pytest.mark.parametrize("rows", [0.0, 0.3])
@pytest.mark.parametrize("seeds", [3, 5, 10])
def test_intervals_of_cost_and_gain_cover_the_truth_in_95_percent_of_sweeps(seeds, rows):
    truth = Truth(cost=0.01, gain=0.2, exchangeable=False, rows=rows)
    hits = {COST: [], R2_OVER_PLAIN: [], GAIN: [], "specificity": []}
    true = {COST: 0.01, R2_OVER_PLAIN: 0.2, GAIN: 0.2, "specificity": 0.0}
    for table in tables(seeds, truth, number=400):
        for metric, mean in true.items():
            low, high = (table[f"{metric}_{end}"] for end in ("low", "high"))
            hits[metric] += (low.le(mean) & high.ge(mean)).tolist()
    assert all(0.93 <= np.mean(hit) <= 0.97 for hit in hits.values()), {
        metric: np.mean(hit) for metric, hit in hits.items()
    }


@pytest.mark.parametrize("seeds", [3, 5, 10])
def test_intervals_of_group_rates_cover_the_truth_in_95_percent_of_sweeps(seeds):
    rng, hits = generator("rates", seeds), []
    for _ in range(500):
        trials = sweep(rng, seeds, Truth()).iloc[:seeds]
        cell = cells(trials).iloc[0]
        told = by_group(grouped(rng, trials, (0.5, 0.4, 0.3), size=1000, spread=0.03), cell, None)
        groups = told[told["group"].ne("all")]
        low, high = groups["selection_rate_low"], groups["selection_rate_high"]
        true = pd.Series([0.5, 0.4, 0.3], index=groups.index)
        hits += (low.le(true) & high.ge(true)).tolist()
    assert 0.93 <= np.mean(hits) <= 0.97


@pytest.mark.parametrize("noise", NOISE)
def test_power_grows_with_the_seeds(noise):
    power = {metric: [] for metric in (COST, R2_OVER_PLAIN, GAIN, "within_limit")}
    for seeds in (1, 3, 5, 10, 20):
        truth = Truth(cost=0.012, gain=0.3, noise=noise, rows=0.3)
        found = pd.concat(list(tables(seeds, truth, number=25)))
        for metric in (COST, R2_OVER_PLAIN, GAIN):
            power[metric].append(rate(found[f"{metric}_verdict"].isin(CLAIMED)))
        power["within_limit"].append(rate(found["within_limit"]))
    print(f"\npower at 1, 3, 5, 10, 20 seeds, {noise} noise: {power}")
    assert all(values[0] == 0.0 and values[-1] >= values[1] for values in power.values())
    assert power[R2_OVER_PLAIN][-1] > 0.95
