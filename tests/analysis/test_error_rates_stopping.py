"""Error rates of the section on early stopping, from simulated audits with known truth.

A unit of final risk y shows y + noise at rungs 1, 3, 9; a third of those that reach a rung is
promoted; a random share of the stopped ones is audited. Printed: coverage, bias and power.
"""

import math

import numpy as np
import pandas as pd
import pytest
import scipy

from analysis import i_epoch, soundness
from analysis.i_epoch import share as share_of_strata

pytestmark = pytest.mark.slow
RUNGS, UNITS = (1, 3, 9), 27
NORMAL = "normal"


def monte_carlo(rate, repeats):
    """Three standard errors of a simulated rate."""
    return 3 * math.sqrt(rate * (1 - rate) / repeats)


def stratum(generator, noise, share):
    """Values at the rungs, final risks, rung of the stop (-1: finished), and whether audited."""
    quality = generator.normal(size=UNITS)
    values = quality[:, None] + noise * generator.normal(size=(UNITS, len(RUNGS)))
    alive, stop = np.arange(UNITS), np.full(UNITS, -1)
    for rung in range(len(RUNGS)):
        ranked = alive[np.argsort(values[alive, rung])]
        alive = ranked[: max(1, len(ranked) // 3)]
        stop[ranked[len(alive) :]] = rung
    return values, quality, stop, (stop >= 0) & (generator.random(UNITS) < share)


def audited(strata):
    """The frame of :func:`analysis.audit` for simulated strata."""
    stopped = sum(int((stop >= 0).sum()) for *_, stop, _ in strata)
    drawn = sum(int(audit.sum()) for *_, audit in strata)
    frames = []
    for number, (values, final, stop, audit) in enumerate(strata):
        ends = final[stop < 0]
        for rung, epoch in enumerate(RUNGS):
            known = (stop < 0) | audit
            frames.append(
                pd.DataFrame(
                    {
                        "stratum": str(number),
                        "outcome": np.where(stop < 0, "completed", "audited")[known],
                        "stopped_at": [RUNGS[s] if s >= 0 else 0 for s in stop[known]],
                        "rung": epoch,
                        "at_rung": values[known, rung],
                        "final": final[known],
                        "best": ends.min(),
                        "worst": ends.max(),
                        "weight": np.where(stop < 0, 1.0, stopped / max(drawn, 1))[known],
                    }
                )
            )
    return pd.concat(frames)


def true_tau(noise):
    """Kendall's tau of a normal pair of correlation 1 / sqrt(1 + noise^2)."""
    return 2 / math.pi * math.asin(1 / math.sqrt(1 + noise**2))


def simulated(strata, share, noise, repeats, *, seed=0):
    for i in range(repeats):
        generator = np.random.default_rng([seed, i])
        yield [stratum(generator, noise, share) for _ in range(strata)]


@pytest.mark.parametrize(
    ("strata", "share"), [(3, 0.1), (5, 0.1), (10, 0.1), (3, 0.3), (10, 0.3), (3, 1.0), (10, 1.0)]
)
@pytest.mark.parametrize("noise", [3.0, 1.0, 0.5])
def test_kendalls_tau_of_the_stopped_and_the_finished_is_that_of_all(strata, share, noise):
    repeats, truth = 100, true_tau(noise)
    taus, wrong, intervals, above = [], 0, 0, 0
    for sweep in simulated(strata, share, noise, repeats):
        row = soundness(audited(sweep)).iloc[1]
        if pd.isna(row["tau"]):
            continue
        taus.append(row["tau"])
        if not pd.isna(row["tau_low"]):
            intervals += 1
            wrong += not row["tau_low"] <= truth <= row["tau_high"]
            above += row["tau_low"] > 0.0
    error = 3 * np.std(taus) / math.sqrt(len(taus))
    print(
        f"{strata} strata, audit {share}: tau {truth:.3f}, bias "
        f"{np.mean(taus) - truth:+.3f}, interval in {intervals / repeats:.0%}, wrong in "
        f"{wrong / repeats:.1%} of sweeps, above 0 in {above / repeats:.0%}"
    )
    # A ratio is biased where few are audited: 0.04 at 8 units, below 0.02 from 13 on.
    assert abs(np.mean(taus) - truth) < error + (0.04 if strata * share < 0.5 else 0.02)
    assert wrong / repeats <= 0.05 + monte_carlo(0.05, repeats)


def test_unweighted_the_finishers_count_too_often():
    """The negative control of the weights."""
    gap = [
        soundness(audited(sweep).assign(weight=1.0)).iloc[1]["tau"] - true_tau(1.0)
        for sweep in simulated(10, 0.1, 1.0, 60)
    ]
    assert np.mean(gap) > 3 * np.std(gap) / math.sqrt(len(gap))


@pytest.mark.parametrize("share", [0.1, 0.3, 1.0])
@pytest.mark.parametrize("noise", [3.0, 1.0])
def test_the_share_of_false_stops_lies_in_its_interval(share, noise):
    repeats, wrong, widths = 120, 0, []
    for sweep in simulated(5, share, noise, repeats):
        hits = [(final < final[stop < 0].min())[stop >= 0] for _, final, stop, _ in sweep]
        truth = float(np.mean(np.concatenate(hits)))
        row = soundness(audited(sweep)).iloc[0]
        if row["audited"]:
            wrong += not row["false_stop_rate_low"] <= truth <= row["false_stop_rate_high"]
            widths.append(row["false_stop_rate_high"] - row["false_stop_rate_low"])
    print(f"audit {share}: wrong in {wrong / repeats:.1%}, mean width {np.mean(widths):.2f}")
    assert wrong / repeats <= 0.05 + monte_carlo(0.05, repeats)


def gains(generator, shape, strata):
    """Regrets by stratum, and their expectation."""
    if shape == NORMAL:
        return 3 + generator.normal(size=strata), 3.0
    if shape == "clipped":
        z = scipy.stats.norm
        return np.maximum(generator.normal(size=strata), 0.0), float(z.pdf(0.0))
    if shape == "rare":
        return (generator.random(strata) < 0.2) * generator.exponential(size=strata), 0.2
    return generator.lognormal(size=strata), math.exp(0.5)


@pytest.mark.parametrize("strata", [3, 5, 10])
@pytest.mark.parametrize("shape", [NORMAL, "clipped", "rare", "lognormal"])
def test_the_bound_of_the_regret_is_too_high_in_one_of_twenty_at_most(strata, shape):
    repeats, wrong, above = 300, 0, 0
    for i in range(repeats):
        regrets, truth = gains(np.random.default_rng([1, i]), shape, strata)
        rows = [
            {"stratum": str(s), "outcome": outcome, "stopped_at": 1, "rung": 1, "at_rung": 0.0,
             "final": final, "best": 0.0, "worst": 1.0, "weight": 1.0}
            for s, gain in enumerate(regrets)
            for outcome, final in (("completed", 0.0), ("audited", -gain))
        ]  # fmt: skip
        row = soundness(pd.DataFrame(rows)).iloc[0]
        wrong += row["regret_low"] > truth
        above += row["regret_low"] > 0.0
    print(f"{shape}, {strata} strata: wrong {wrong / repeats:.1%}, above 0 {above / repeats:.0%}")
    assert wrong / repeats <= 0.05 + monte_carlo(0.05, repeats)
    if shape == NORMAL:
        assert abs(wrong / repeats - 0.05) <= monte_carlo(0.05, repeats)


@pytest.mark.parametrize("strata", [3, 5, 10])
def test_the_share_of_strata_lies_in_its_interval(strata):
    repeats, wrong = 2000, 0
    generator = np.random.default_rng(3)
    for _ in range(repeats):
        low, high = share_of_strata(pd.Series(generator.random(strata) < 0.4))
        wrong += not low <= 0.4 <= high
    print(f"{strata} strata: wrong {wrong / repeats:.1%}")
    assert wrong / repeats <= 0.05 + monte_carlo(0.05, repeats)


def test_differences_of_simulated_sweeps_are_those_of_the_truth():
    """Under a full audit the choice of i-Epoch and its risk are those of the simulated units."""
    sweep = next(simulated(4, 1.0, 1.0, 1))
    trials, epochs = [], []
    for number, (values, final, stop, _) in enumerate(sweep):
        for unit in range(UNITS):
            name, ended = f"{number}-{unit}", stop[unit] < 0
            row = {"trial_id": name, "config/sparsity": number / 10, "config/lr": 1.0 + unit}
            row |= {"status": "completed" if ended else "stopped", "audited": not ended}
            row |= {"val_loss": final[unit], "audit_val_loss": None if ended else final[unit]}
            row |= {"stopped_at": None if ended else RUNGS[stop[unit]]}
            trials.append(row | {"epochs": 27 if ended else RUNGS[stop[unit]]})
            epochs.append({"trial_id": name, "epoch": 1, "val_loss": values[unit, 0]})
            epochs.append({"trial_id": name, "epoch": 27, "val_loss": final[unit]})
    rule = {"metric": "val_loss", "mode": "min", "stratify_by": ["sparsity"]}
    rows = i_epoch(pd.DataFrame(trials), pd.DataFrame(epochs), {"scheduler": {"asha": rule}})
    expected = [
        final[np.argsort(values[:, 0])[: (stop < 0).sum()]].min() - final[stop < 0].min()
        for values, final, stop, _ in sweep
    ]
    assert rows["difference"].tolist() == pytest.approx(expected)
    spent = [sum(27 if s < 0 else RUNGS[s] for s in stop) for *_, stop, _ in sweep]
    assert rows["epochs"].tolist() == spent
