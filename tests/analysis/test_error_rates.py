"""Rates of wrong claims of the tickets report, power, and coverage of its intervals.

A claim may be wrong in 5 % of sweeps at most. ``docs/error_rates.csv`` is the same with more
sweeps; power is printed (``pytest -s``).
"""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy

from tests.error_rates import (
    BY_PATHS,
    FILE,
    LEVEL,
    SEEDS,
    VERDICTS,
    allowed,
    cells,
    describe,
    table,
)
from tests.interval_coverage import TABLES, coverage
from tests.simulated_tickets import ENDINGS, NOISE, SHAPES

DOCS = Path(FILE).with_name("claims.md")
POWER = 0.5
UNLIKELY = 1e-5


def simulated(verdict):
    """A few sweeps of every cell of a verdict, by other random numbers than the stored ones."""
    few = (cell for cell in cells(repeats=40, few=8) if cell.verdict == verdict)
    return table(few, stream=1)


@pytest.fixture(scope="module")
def stored():
    return pd.read_csv(FILE)


def within_the_level(rows):
    """Wrong claims of every noise, ending, shape and number of seeds are within the level."""
    claimed = rows[rows["seeds"].gt(1) | rows["verdict"].eq(BY_PATHS)]
    plain = claimed["noise"].eq("normal") & claimed["ending"].eq("complete")
    for axis, part in (
        ("noise", claimed),
        ("ending", claimed),
        ("shape", claimed),
        ("seeds", claimed),
        ("seeds", claimed[plain & claimed["shape"].eq("plain")]),
    ):
        totals = part.groupby(axis)[["null_sweeps", "null_wrong"]].sum()
        rates = totals["null_wrong"] / totals["null_sweeps"]
        assert (rates <= totals["null_sweeps"].map(allowed)).all(), rates
    # A single cell has few sweeps, so it is wrong if its number is all but impossible.
    p = scipy.stats.binom.sf(rows["null_wrong"] - 1, rows["null_sweeps"], LEVEL)
    assert (p > UNLIKELY).all(), rows[p <= UNLIKELY]


def power(rows):
    """Share of sweeps by seeds in which the planted effect is shown; nothing else is claimed."""
    planted = rows[rows["effect_sweeps"].gt(0)].set_index("seeds")
    wrong = planted["effect_wrong"].sum() / planted["effect_sweeps"].sum()
    assert wrong <= allowed(planted["effect_sweeps"].sum())
    return planted["effect_shown"] / planted["effect_sweeps"]


@pytest.mark.slow
@pytest.mark.parametrize("verdict", VERDICTS)
def test_verdicts_on_a_true_null_are_wrong_in_5_percent_of_sweeps_at_most(verdict):
    rows = simulated(verdict)
    within_the_level(rows)
    shown = power(rows)
    print(f"\n{verdict}: power by seeds {shown.round(2).to_dict()}")
    assert shown[10] >= POWER
    assert verdict == BY_PATHS or shown[1] == 0.0


@pytest.mark.parametrize("verdict", VERDICTS)
def test_stored_rates_are_within_the_level_and_power_grows(stored, verdict):
    rows = stored[stored["verdict"].eq(verdict)]
    within_the_level(rows)
    shown = power(rows)
    assert shown[10] >= POWER
    assert verdict == BY_PATHS or shown[1] == 0.0
    assert shown[10] >= shown[5] >= shown[3]


def test_the_stored_table_has_every_noise_ending_and_shape(stored):
    assert set(stored["verdict"]) == set(VERDICTS)
    for _, rows in stored.groupby("verdict"):
        assert set(rows["seeds"]) == set(SEEDS)
        for _, of in rows.groupby("seeds"):
            assert set(of["noise"]) >= set(NOISE)
            assert set(of["ending"]) == {"complete", *ENDINGS}
            assert set(of["shape"]) == {"plain", *SHAPES}


def test_rates_in_the_documentation_are_the_stored_ones(stored):
    text = DOCS.read_text(encoding="utf-8")
    assert "\n".join(describe(stored)) in text


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in TABLES if name != "selected"])
def test_95_percent_intervals_contain_the_truth_in_93_to_97_percent(name):
    counts = pd.concat({seeds: coverage(name, seeds) for seeds in SEEDS[1:]})
    shares = counts["hits"] / counts["intervals"]
    print(f"\n{name}: {shares.round(3).to_dict()}")
    error = np.sqrt(0.95 * 0.05 / counts["intervals"])
    assert (error < 0.01).all()
    # Many shares are compared, so each has two errors of the simulation beside the 2 %.
    assert ((shares - 0.95).abs() <= 0.02 + 2.0 * error).all()
    totals = counts.groupby(level="name").sum()
    assert (totals["hits"] / totals["intervals"]).between(0.93, 0.97).all()


@pytest.mark.slow
@pytest.mark.parametrize("seeds", SEEDS[1:])
def test_intervals_of_differences_to_a_selected_reference_cover_less(seeds):
    """Their p is corrected for the selection, see :func:`analysis.compare`."""
    (row,) = coverage("selected", seeds).to_dict("records")
    share = row["hits"] / row["intervals"]
    print(f"\nreference of the best validation, {seeds} seeds: {share:.3f}")
    assert 0.87 <= share <= 0.97
