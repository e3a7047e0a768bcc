"""Coverage of the interval of Kendall's tau, from simulated pairs and audits of a known tau."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import scipy

from analysis.kendall import Ranked, kendall

REPEATS = 2000
SIZES = (20, 25, 30, 40, 60, 100)
FEWEST = 40

Draw = Callable[[np.random.Generator, int], tuple[np.ndarray, np.ndarray]]


def normal(tau: float) -> Draw:
    """Normal values of correlation sin(pi tau / 2), whose Kendall's tau is ``tau``."""
    rho = math.sin(math.pi * tau / 2)

    def draw(generator, n):
        x, noise = generator.normal(size=(2, n))
        return x, rho * x + math.sqrt(1 - rho**2) * noise

    return draw


def tied(tau: float) -> Draw:
    """Normal values rounded to whole standard deviations."""

    def draw(generator, n):
        x, y = normal(tau)(generator, n)
        return np.round(x), np.round(y)

    return draw


def skewed(scale: float) -> Draw:
    """Normal values, and the same with lognormal noise."""

    def draw(generator, n):
        x = generator.normal(size=n)
        return x, x + scale * generator.lognormal(size=n)

    return draw


def of_sample(tau: float) -> Draw:
    """Heavy tails that coincide: values of Student's distribution with two degrees of freedom."""

    def draw(generator, n):
        tails = np.sqrt(2.0 / generator.chisquare(2, size=n))
        x, y = normal(tau)(generator, n)
        return x * tails, y * tails

    return draw


DRAWS: dict[str, Draw] = {
    **{f"normal {tau:.2f}": normal(tau) for tau in (0.0, 1 / 3, 0.5, 0.7)},
    **{f"ties {tau:.2f}": tied(tau) for tau in (0.0, 1 / 3, 0.5)},
    **{f"lognormal noise {scale}": skewed(scale) for scale in (0.3, 1.0, 3.0)},
    **{f"heavy tails {tau:.2f}": of_sample(tau) for tau in (0.0, 0.5)},
}


def truth(name: str) -> float:
    """Tau of a draw, in closed form if it is of normal values, else of a large sample."""
    if name.startswith(("normal", "heavy tails")):
        return {"0.00": 0.0, "0.33": 1 / 3, "0.50": 0.5, "0.70": 0.7}[name.split()[-1]]
    generator = np.random.default_rng(9)
    return float(
        np.mean(
            [scipy.stats.kendalltau(*DRAWS[name](generator, 6000)).statistic for _ in range(8)]
        )
    )


def whole(x, y):
    """One stratum of which every unit is recorded."""
    return [Ranked(x=x, y=y, weight=np.ones(len(x)))]


def audits(generator, *, strata, share, noise, units=27):
    """Strata of which two thirds are stopped at each of three rungs and a share is audited."""
    samples = []
    for _ in range(strata):
        final = generator.normal(size=units)
        rungs = final + noise * generator.normal(size=(3, units))
        alive = np.arange(units)
        for values in rungs:
            alive = alive[np.argsort(values[alive])][: max(1, len(alive) // 3)]
        finished = np.isin(np.arange(units), alive)
        samples.append((rungs[0], final, finished, generator.random(units) < share))
    stopped = sum(int((~finished).sum()) for *_, finished, _ in samples)
    drawn = sum(int((audited & ~finished).sum()) for *_, finished, audited in samples)
    ranked = []
    for first, final, finished, audited in samples:
        recorded = finished | audited
        weight = np.where(finished, 1.0, stopped / max(1, drawn))
        ranked.append(Ranked(x=first[recorded], y=final[recorded], weight=weight[recorded]))
    return ranked, drawn


def covered(results, tau):
    """Share of intervals that contain ``tau``, and the share of samples that have one."""
    ends = [one.ends for one in results if not math.isnan(one.ends.low)]
    hits = [one.low <= tau <= one.high for one in ends]
    return (float(np.mean(hits)) if hits else math.nan), len(hits) / len(results)


@pytest.mark.parametrize("n", [8, 41])
def test_of_one_stratum_it_is_kendalls_tau_b(n):
    x, y = tied(0.5)(np.random.default_rng(n), n)
    expected = scipy.stats.kendalltau(x, y).statistic
    assert kendall(whole(x, y), sampled=n, confidence=0.95).tau == pytest.approx(expected)


def test_without_dependence_the_interval_has_the_width_of_the_exact_variance():
    """Var(tau) = 2 (2n + 5) / (9 n (n - 1)) under independence (Kendall, 1938)."""
    n, generator = 60, np.random.default_rng(4)
    ends = [
        kendall(whole(*normal(0.0)(generator, n)), sampled=n, confidence=0.95).ends
        for _ in range(300)
    ]
    reach = np.mean([(math.atanh(one.high) - math.atanh(one.low)) / 2 for one in ends])
    exact = math.sqrt(2 * (2 * n + 5) / (9 * n * (n - 1))) * scipy.stats.t.isf(0.025, n / 2)
    assert reach == pytest.approx(exact, rel=0.05)


def test_too_few_units_pairs_or_discordant_pairs_leave_no_interval():
    generator = np.random.default_rng(0)
    x, y = normal(0.3)(generator, 100)
    assert math.isnan(kendall(whole(x, y), sampled=FEWEST - 1, confidence=0.95).ends.low)
    assert not math.isnan(kendall(whole(x, y), sampled=FEWEST, confidence=0.95).ends.low)
    narrow = [stratum for i in range(0, 100, 4) for stratum in whole(x[i : i + 4], y[i : i + 4])]
    assert math.isnan(kendall(narrow, sampled=100, confidence=0.95).ends.low)
    almost = np.arange(100.0)
    almost[[0, 1]] = almost[[1, 0]]
    for values in (almost, np.arange(100.0)):
        row = kendall(whole(np.arange(100.0), values), sampled=100, confidence=0.95)
        assert row.tau > 0.99
        assert math.isnan(row.ends.low)


@pytest.mark.slow
@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("name", DRAWS)
def test_an_interval_covers_tau_in_93_to_97_of_100_samples(name, n):
    generator, draw = np.random.default_rng(n), DRAWS[name]
    results = [
        kendall(whole(*draw(generator, n)), sampled=n, confidence=0.95)
        for _ in range(REPEATS if n >= FEWEST else 10)
    ]
    share, frequency = covered(results, truth(name))
    print(f"{name}, {n} units: coverage {share:.1%}, interval in {frequency:.0%}")
    if n < FEWEST:
        assert frequency == 0.0
    else:
        assert 0.93 <= share <= 0.97
        assert frequency > 0.9


@pytest.mark.slow
@pytest.mark.parametrize("tau", [0.0, 1 / 3, 0.5, 0.7])
@pytest.mark.parametrize(
    ("strata", "share"), [(3, 0.1), (3, 0.6), (3, 1.0), (5, 0.5), (10, 0.1), (10, 0.3), (20, 0.2)]
)
def test_an_interval_of_audited_units_covers_tau_in_93_to_97_of_100_sweeps(strata, share, tau):
    generator = np.random.default_rng(strata)
    # Of normal values with correlation 1 / sqrt(1 + noise^2).
    noise = math.sqrt(1 / math.sin(math.pi * tau / 2) ** 2 - 1) if tau else 1e6
    results = []
    for _ in range(REPEATS):
        ranked, drawn = audits(generator, strata=strata, share=share, noise=noise)
        results.append(kendall(ranked, sampled=drawn, confidence=0.95))
    rate, frequency = covered(results, tau)
    print(f"{strata} strata, audit {share}: coverage {rate:.1%}, interval in {frequency:.0%}")
    if strata * share <= 1.0:  # 26 units on average
        assert frequency < 0.05
    else:
        assert 0.93 <= rate <= 0.97
