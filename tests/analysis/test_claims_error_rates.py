"""Error rates of the claims page on whole simulated sweeps, at the border of each claim."""

import math

import numpy as np
import pandas as pd
import pytest

from analysis import claims

DENSE, TOLERANCE = -3.0, 0.05
ATTACKED = "attacked_cvar_05@path_pgd:0.1"
UNATTACKED = "cvar_05@attacked_paths"
NOISE = {
    "normal": lambda rng, n: rng.normal(size=n),
    "long upper tail": lambda rng, n: (rng.lognormal(size=n) - math.exp(0.5)) / 2.16,
    "long lower tail": lambda rng, n: (math.exp(0.5) - rng.lognormal(size=n)) / 2.16,
}
EMPTY = {ATTACKED: 0.0, UNATTACKED: 0.0}
REPEATS = 120
ALLOWED = 0.05 + 3 * math.sqrt(0.05 * 0.95 / REPEATS)


@pytest.fixture
def study(table):
    """Frames of one shape, whose results are replaced before every reading."""

    def of(n):
        axes = [(e, s) for s in range(n) for e in (0.0, 0.1)]
        return table(*({"sparsity": 0.9, "epsilon": e, "seed": s} | EMPTY for e, s in axes))

    return of


def results(frame, rng, noise, *, loss, share, spread=0.05, gap=1.0):
    """Results of a sweep with the true ``loss`` of a sparse ticket and ``share`` of a gap."""
    n = len(frame) // 2
    luck = np.repeat(0.2 * rng.normal(size=n), 2)
    robust = np.tile([0.0, 1.0], n)
    clean = DENSE + luck - loss * (1.0 - robust) + spread * NOISE[noise](rng, 2 * n)
    attacked = clean.copy()
    attacked -= gap * (1.0 - robust * share)
    # The attacked metric of a robust ticket is relative to the clean one of the standard ticket.
    attacked += robust * (np.repeat(clean[::2], 2) - clean) + spread * NOISE[noise](rng, 2 * n)
    return frame.assign(
        **{"cvar_05": clean, "dense_cvar_05": DENSE + luck, ATTACKED: attacked, UNATTACKED: clean},
        cvar_05_minus_dense=clean - DENSE - luck,
    )


def verdicts(study, n, noise, *, seed=0, censor=None, repeats=REPEATS, **truth):
    rng, frame = np.random.default_rng(seed + n), study(n)
    tally = {}
    for _ in range(repeats):
        trials = results(frame, rng, noise, **truth)
        page = claims(trials if censor is None else censor(trials))
        for name, verdict in zip(page["claim"], page["verdict"], strict=True):
            tally[name, verdict] = tally.get((name, verdict), 0) + 1
    return {key: count / repeats for key, count in tally.items()}


@pytest.mark.slow
@pytest.mark.parametrize("noise", NOISE)
@pytest.mark.parametrize("n", [1, 3, 5, 10])
def test_claims_on_their_border_are_decided_at_most_as_often_as_the_level(study, n, noise):
    # On the border either verdict is wrong; the level of each direction is half.
    rates = verdicts(study, n, noise, loss=TOLERANCE * abs(DENSE), share=0.5)
    for name in ("sparsity", "robustness"):
        wrong = rates.get((name, "supported"), 0.0) + rates.get((name, "contradicted"), 0.0)
        assert wrong < ALLOWED, (name, rates)


@pytest.mark.slow
@pytest.mark.parametrize(("n", "power"), [(1, 0.0), (3, 0.0), (5, 0.5), (10, 0.9)])
def test_planted_claims_are_found_with_enough_seeds(study, n, power):
    true = verdicts(study, n, "normal", loss=-0.3, share=0.9, repeats=40)
    false = verdicts(study, n, "normal", loss=0.6, share=0.1, repeats=40)
    print(n, true, false)
    for name in ("sparsity", "robustness"):
        assert true.get((name, "supported"), 0.0) >= power
        assert false.get((name, "contradicted"), 0.0) >= power
        assert not true.get((name, "contradicted"))
        assert not false.get((name, "supported"))


MEASURED = ("cvar_05", "cvar_05_minus_dense", ATTACKED, UNATTACKED)


def _stopped(trials):
    """All but the luckiest seed stopped."""
    best = trials.groupby("config/epsilon")["cvar_05"].idxmax()
    stopped = pd.Series(~trials.index.isin(best), index=trials.index)
    lost = {name: trials[name].mask(stopped) for name in MEASURED}
    return trials.assign(status=trials["status"].mask(stopped, "stopped"), **lost)


def _worst_lost(trials):
    """The worst standard ticket without a finite result."""
    worst = trials.loc[trials["config/epsilon"].eq(0.0), "cvar_05"].idxmin()
    lost = pd.Series(trials.index == worst, index=trials.index)
    return trials.assign(**{name: trials[name].mask(lost, -math.inf) for name in MEASURED})


@pytest.mark.parametrize("censor", [_stopped, _worst_lost])
def test_censored_seeds_decide_nothing(study, censor):
    rates = verdicts(study, 6, "normal", loss=-0.3, share=0.9, censor=censor, repeats=10)
    assert rates["robustness", "undecided"] == rates["sparsity", "undecided"] == 1.0
