"""Training steps by the compiled kernel: against pfhedge, a plain module, autograd and sgemm.

A step is forward, CVaR, backward, clipping and Adam on one batch of simulated paths. The sgemm row
is the time of its matrix products alone, each called as torch calls it: forward, in the inputs and
in the weights, at every date. Run as ``python -m benchmarks kernel``.
"""

import os
import warnings
from collections.abc import Callable, Mapping
from itertools import pairwise
from unittest.mock import patch

import torch
from torch import Tensor, nn

from benchmarks.figure import Figure, Runs, alternated, figure
from hedgecore.config import from_mapping
from hedgecore.hedging.descent import AutogradDescent, CompiledDescent
from hedgecore.hedging.features import Standardisation
from hedgecore.hedging.network import initialise
from hedgecore.hedging.problem import HedgingProblem, Scene
from hedgecore.hedging.study import TicketStudy
from hedgecore.kernel.shared_library import OFF, SWITCH
from hedgecore.market.heston import simulate
from hedgecore.market.paths import MarketPaths
from hedgecore.risk import CVaR, risk
from hedgecore.rng import stream
from hedgecore.threads import one_thread

DATES, TAIL = 30, 0.05
SMALL, WIDE = (64, 64), (256, 256, 128)
PGD = {"epsilon": 0.1, "name": "path_pgd", "steps": 10}
Step = Callable[[], object]
NARROW_TARGETS = {
    ("dense", "pfhedge"): 4.5,
    ("90 % sparse", "pfhedge"): 15.0,
    ("dense", "sgemm alone"): 0.85,
    ("dense", "a plain module"): 4.0,
    ("dense", "autograd"): 4.0,
    ("90 % sparse", "autograd"): 13.0,
}
PGD_TARGETS = {("dense", "autograd"): 5.0, ("90 % sparse", "autograd"): 12.0}
WIDE_TARGETS = {("dense", "sgemm alone"): 0.9, ("90 % sparse", "autograd"): 5.0}


def problem(hidden: tuple[int, ...], batch: int, attack: dict[str, object]) -> HedgingProblem:
    study = from_mapping(
        TicketStudy,
        {
            "market": {"steps": DATES},
            "network": {"hidden": list(hidden)},
            "training": {"batch_size": batch},
            "attack": attack,
        },
    )
    scales = Standardisation(
        mean=torch.tensor([0.0, 0.0, 0.2, 0.0, 0.5, 0.5, 0.0, 1.0]),
        sd=torch.tensor([0.03, 0.01, 0.05, 0.02, 0.3, 0.3, 1.0, 1.0]),
    )
    return HedgingProblem.of(study, scales)


def market(study: TicketStudy, paths: int) -> MarketPaths:
    simulated = simulate(
        study.market.heston,
        paths=paths,
        steps=DATES,
        maturity=study.market.maturity,
        generator=stream(0, "benchmark"),
    )
    return MarketPaths(simulated.spot.float(), simulated.variance.float(), study.market.maturity)


def steps(
    kind: type[AutogradDescent | CompiledDescent],
    hidden: tuple[int, ...],
    batch: int,
    *,
    sparsity: float = 0.0,
    attack: dict[str, object] | None = None,
) -> Step:
    """A step of ``kind`` on the next of four batches."""
    posed = problem(hidden, batch, attack or {})
    theta = initialise(hidden, generator=stream(0, "theta"))
    masks = stream(0, "mask")
    mask = {
        name: torch.rand(value.shape, generator=masks) >= sparsity
        for name, value in theta.items()
        if value.ndim == 2 and len(value) > 1
    }
    descent = kind(posed, theta, mask, training=posed.study.training, seed=0)
    paths = market(posed.study, 4 * batch)
    batches = torch.arange(4 * batch).split(batch)

    def step() -> object:
        # Four, as an epoch takes many: a call of the kernel is an epoch.
        return descent.epoch([(1e-4, one) for one in batches], paths, posed.study.attack)

    return step


def pfhedge_step(hidden: tuple[int, ...], batch: int, *, features: int) -> Step:
    """Four steps of pfhedge's hedger on simulated paths, with 4 or 8 input features."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pfhedge.instruments import EuropeanOption, HestonStock
        from pfhedge.nn import ExpectedShortfall, Hedger, MultiLayerPerceptron
    names = ["log_moneyness", "expiry_time", "volatility", "prev_hedge"]
    names += ["moneyness", "max_moneyness", "variance", "underlier_spot"][: features - 4]
    stock = HestonStock(cost=1e-3, dt=1 / 365)
    option = EuropeanOption(stock, maturity=DATES / 365)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        option.simulate(n_paths=batch)
        model = MultiLayerPerceptron(
            in_features=features, out_features=1, n_layers=len(hidden), n_units=hidden[0]
        )
        hedger, criterion = Hedger(model, names), ExpectedShortfall(TAIL)
        hedger.compute_pl(option)  # its layers take their sizes from the first call
    optimiser = torch.optim.Adam(hedger.parameters(), lr=1e-4)

    def step() -> None:
        for _ in range(4):
            optimiser.zero_grad()
            criterion(hedger.compute_pl(option)).backward()
            optimiser.step()

    return step


def module_step(hidden: tuple[int, ...], batch: int) -> Step:
    """Four steps of a plain module, date by date, as a notebook writes it."""
    layers: list[nn.Module] = []
    with torch.random.fork_rng():
        for a, b in pairwise((8, *hidden)):
            layers += [nn.Linear(a, b), nn.ReLU()]
        network = nn.Sequential(*layers, nn.Linear(hidden[-1], 1))
    posed = problem(hidden, batch, {})
    paths = market(posed.study, batch)
    with torch.no_grad():
        features = posed.features(_scene(paths))
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-4)
    moves = paths.spot.diff(dim=1)

    def pnl() -> Tensor:
        position = gains = volume = torch.zeros(batch)
        total = -torch.relu(paths.spot[:, -1] - 100)
        for t in range(DATES):
            past = torch.stack([position, gains, volume], dim=1)
            traded = network(torch.cat([features[:, t], past], dim=1)).squeeze(1)
            size = (traded - position).abs()
            total = total + traded * moves[:, t] - 1e-3 * size * paths.spot[:, t]
            volume = volume + size
            if t:
                gains = gains + position * moves[:, t - 1]
            position = traded
        return total - 1e-3 * position.abs() * paths.spot[:, -1]

    def step() -> None:
        for _ in range(4):
            optimiser.zero_grad()
            risk(CVaR(TAIL), pnl()).backward()
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimiser.step()

    return step


def products(hidden: tuple[int, ...], batch: int) -> Step:
    """The matrix products of four steps."""
    shapes = list(pairwise((8, *hidden, 1)))
    numbers = stream(0, "products")
    layers = [
        tuple(torch.randn(size, generator=numbers) for size in ((batch, a), (b, a), (batch, b)))
        for a, b in shapes
    ]
    results = [tuple(map(torch.empty_like, (y, x, w))) for x, w, y in layers]

    def step() -> None:
        for _ in range(4 * DATES):
            for (x, w, y), (forward, back, weights) in zip(layers, results, strict=True):
                torch.mm(x, w.T, out=forward)
                torch.mm(y, w, out=back)
                torch.mm(y.T, x, out=weights)

    return step


def _scene(paths: MarketPaths) -> Scene:
    return Scene(paths.spot, paths.variance)


def _without_kernel(step: Step) -> Step:
    """``step`` whose attack takes autograd too."""

    def run() -> object:
        with patch.dict(os.environ, {SWITCH: OFF}):
            return step()

    return run


def measure(*, rounds: int = 7, small: bool = False) -> dict[str, Figure]:
    """All figures, in milliseconds of four steps; ``small`` to try the benchmark itself."""
    one_thread()
    narrow, wide = ((SMALL, 256), (WIDE, 1024)) if not small else (((8, 8), 64), ((16, 16), 64))
    return {
        **_figures("64-64", _clean(*narrow), NARROW_TARGETS, rounds),
        **_figures("64-64 under PGD-10", _attacked(*narrow), PGD_TARGETS, max(1, rounds // 2)),
        **_figures("256-256-128", _wide(*wide), WIDE_TARGETS, rounds),
    }


def _figures(
    name: str, contestants: Runs, targets: Mapping[tuple[str, str], float], rounds: int
) -> dict[str, Figure]:
    times = alternated(contestants, rounds=rounds)
    return {
        f"step {name}, {ours} against {other}": figure(
            times[ours], times[other], unit="ms", target=target
        )
        for (ours, other), target in targets.items()
    }


def _clean(hidden: tuple[int, ...], batch: int) -> dict[str, Step]:
    return {
        "dense": steps(CompiledDescent, hidden, batch),
        "90 % sparse": steps(CompiledDescent, hidden, batch, sparsity=0.9),
        "autograd": steps(AutogradDescent, hidden, batch),
        "a plain module": module_step(hidden, batch),
        "pfhedge": pfhedge_step(hidden, batch, features=4),
        "sgemm alone": products(hidden, batch),
    }


def _attacked(hidden: tuple[int, ...], batch: int) -> dict[str, Step]:
    return {
        "dense": steps(CompiledDescent, hidden, batch, attack=PGD),
        "90 % sparse": steps(CompiledDescent, hidden, batch, attack=PGD, sparsity=0.9),
        "autograd": _without_kernel(steps(AutogradDescent, hidden, batch, attack=PGD)),
    }


def _wide(hidden: tuple[int, ...], batch: int) -> dict[str, Step]:
    return {
        "dense": steps(CompiledDescent, hidden, batch),
        "90 % sparse": steps(CompiledDescent, hidden, batch, sparsity=0.9),
        "autograd": steps(AutogradDescent, hidden, batch),
        "sgemm alone": products(hidden, batch),
    }
