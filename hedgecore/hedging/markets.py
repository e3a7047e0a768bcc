"""Markets of a study: one for training, others for tests."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from hedgecore.hedging.attack_config import AttackConfig
from hedgecore.hedging.problem import HedgingProblem, Scene
from hedgecore.hedging.study import TicketStudy
from hedgecore.market.heston import HestonParams, simulate
from hedgecore.market.paths import MarketPaths
from hedgecore.market.regimes import regime, shifted
from hedgecore.rng import stream

SPLITS = ("train", "val", "test")


def market_data(study: TicketStudy, *, seed: int) -> dict[str, MarketPaths]:
    """Float32 paths by name, each on its own random stream.

    Contains the three splits of the study's own market, "regime:NAME" for every regime of the
    evaluation, and "shift:SHARE" with the concatenated paths of all shifted markets.
    """
    market, evaluation = study.market, study.evaluation
    counts = (market.train_paths, market.val_paths, market.test_paths)
    data = {
        split: simulated(study, market.heston, count, seed, split)
        for split, count in zip(SPLITS, counts, strict=True)
    }
    for name in evaluation.regimes:
        data[f"regime:{name}"] = simulated(
            study, regime(market.heston, name), market.test_paths, seed, "regime", name
        )
    if evaluation.shift:
        parts = []
        for i in map(str, range(evaluation.shift_markets)):
            draws = stream(seed, "shift", i)
            params = shifted(market.heston, evaluation.shift, generator=draws)
            parts.append(simulated(study, params, evaluation.shift_paths, seed, "shift", i))
        data[f"shift:{evaluation.shift:g}"] = _joined(parts, market.maturity)
    return data


def transferred(
    problem: HedgingProblem, theta: Mapping[str, Tensor], paths: MarketPaths, *, seed: int
) -> dict[str, MarketPaths]:
    """Test paths under attacks on ``theta``, by "transfer:EPSILON"."""
    evaluation = problem.study.evaluation
    paths = first(paths, evaluation.attacked_paths)
    markets = {}
    for name, attack in evaluation.transfers.items():
        starts = attack_starts(attack, "test", seed=seed)
        scenes = list(problem.attacks(theta, paths, attack=attack, generator=starts))
        markets[name] = _joined(scenes, paths.maturity)
    return markets


def path_bytes(study: TicketStudy) -> int:
    """Bytes of all paths of one seed: spot and variance at every date, float32."""
    market, evaluation = study.market, study.evaluation
    attack_paths = min(evaluation.attacked_paths or market.test_paths, market.test_paths)
    paths = market.train_paths + market.val_paths
    paths += market.test_paths * (1 + len(evaluation.regimes))
    paths += attack_paths * len(evaluation.transfer)
    if evaluation.shift:
        paths += evaluation.shift_markets * evaluation.shift_paths
    return paths * (market.steps + 1) * 8


def attack_starts(attack: AttackConfig, split: str, *, seed: int) -> torch.Generator:
    """Stream of the starting points of ``attack`` on ``split``, the same for every target."""
    return stream(seed, "attack", split, f"{attack.name}:{attack.epsilon:g}")


def first(paths: MarketPaths, count: int | None) -> MarketPaths:
    """The first ``count`` of ``paths``; all of them for None."""
    return MarketPaths(
        spot=paths.spot[:count], variance=paths.variance[:count], maturity=paths.maturity
    )


def simulated(
    study: TicketStudy, params: HestonParams, paths: int, seed: int, *names: str
) -> MarketPaths:
    """Float32 paths of ``params`` at the study's dates, on the random stream ``names``."""
    market = study.market
    return simulate(
        params,
        paths=paths,
        steps=market.steps,
        maturity=market.maturity,
        scheme=market.scheme,
        substeps=market.substeps,
        generator=stream(seed, "paths", *names),
    ).to(dtype=torch.float32)


def _joined(parts: Sequence[MarketPaths | Scene], maturity: float) -> MarketPaths:
    """All paths of ``parts``, which have the same dates."""
    spot, variance = torch.cat([p.spot for p in parts]), torch.cat([p.variance for p in parts])
    return MarketPaths(spot=spot, variance=variance, maturity=maturity)
