"""A hedge of one call in plain PyTorch: its market, network, training and test.

Written without this project, as its user would otherwise write it, for the sweeps of
:mod:`benchmarks.plain_sweep`. Market, costs, risk, network and attacks are those of
``search_spaces/tickets.yaml``; a test holds it against ours on equal paths and parameters.
"""

import copy
import math
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Generator, Tensor, nn
from torch.nn.functional import linear

SPOT, V0, KAPPA, V_BAR, XI, RHO, RATE = 100.0, 0.0175, 1.5768, 0.0398, 0.5751, -0.5711, 0.02
MATURITY, STEPS, STRIKE = 0.0833, 30, 100.0
COST, TAIL = 1e-3, 0.05
LAST_LR, CLIP = 1e-6, 1.0
VARIANCE_SCALE = 100.0  # price units per unit of variance
TEST_EPSILON, TEST_STEPS = 0.1, 5
CHUNK = 4096


class Sizes(NamedTuple):
    """Sizes of a sweep; the defaults are those of the shipped space."""

    epochs: int = 24
    train: int = 8192
    val: int = 8192
    test: int = 16384
    hidden: int = 64
    batch: int = 512


class Paths(NamedTuple):
    """Prices and annual variances, [paths, dates]."""

    spot: Tensor
    variance: Tensor


def simulate(count: int, seed: int) -> Paths:
    """Paths of Heston's model by Andersen's QE scheme, float32."""
    random = Generator().manual_seed(seed)
    dt = MATURITY / STEPS
    decay = math.exp(-KAPPA * dt)
    k0, half = -RHO * KAPPA * V_BAR / XI * dt, 0.5 * dt * (KAPPA * RHO / XI - 0.5)
    k1, k2, k3 = half - RHO / XI, half + RHO / XI, 0.5 * dt * (1 - RHO**2)
    x = torch.full((count,), math.log(SPOT), dtype=torch.float64)
    v = torch.full((count,), V0, dtype=torch.float64)
    spots, variances = [x.exp()], [v]
    for _ in range(STEPS):
        normal = torch.randn(2, count, generator=random, dtype=torch.float64)
        uniform = torch.rand(count, generator=random, dtype=torch.float64)
        mean = V_BAR + (v - V_BAR) * decay
        square = v * XI**2 * decay * (1 - decay) / KAPPA
        square = square + V_BAR * XI**2 * (1 - decay) ** 2 / (2 * KAPPA)
        psi = square / mean**2
        ratio = 2 / psi.clamp(max=1.5)
        b2 = ratio - 1 + (ratio * (ratio - 1)).sqrt()
        quadratic = mean / (1 + b2) * (b2.sqrt() + normal[0]) ** 2
        p = ((psi - 1) / (psi + 1)).clamp(min=0)
        exponential = mean / (1 - p) * ((1 - p) / (1 - uniform)).log().clamp(min=0)
        after = torch.where(psi <= 1.5, quadratic, exponential)
        x = x + RATE * dt + k0 + k1 * v + k2 * after + (k3 * (v + after)).sqrt() * normal[1]
        v = after
        spots.append(x.exp())
        variances.append(v)
    return Paths(torch.stack(spots, 1).float(), torch.stack(variances, 1).float())


def features(paths: Paths) -> Tensor:
    """Log-moneyness, return, volatility, change of variance and time left, [paths, dates, 5]."""
    s, v = paths.spot[:, :-1], paths.variance[:, :-1]
    zero = torch.zeros_like(s[:, :1])
    maturity = 1 - torch.arange(STEPS) / STEPS
    returns = torch.cat([zero, s[:, 1:] / s[:, :-1] - 1], 1)
    changes = torch.cat([zero, v.diff(dim=1)], 1)
    columns = (
        (s / STRIKE).log(),
        returns,
        v.clamp(min=1e-8).sqrt(),
        changes,
        maturity.expand_as(s),
    )
    return torch.stack(columns, -1)


class Hedge(nn.Module):
    """Network of the position, with its own past as input, and masks of the hidden layers."""

    mean: Tensor
    sd: Tensor

    def __init__(self, hidden: int, paths: Paths, seed: int) -> None:
        super().__init__()
        random = Generator().manual_seed(seed)
        sizes = ((8, hidden), (hidden, hidden), (hidden, 1))
        self.layers = nn.ModuleList(nn.utils.skip_init(nn.Linear, a, b) for a, b in sizes)
        for layer in self.layers:
            nn.init.xavier_uniform_(layer.weight, generator=random)
            nn.init.zeros_(layer.bias)
        flat = features(paths).flatten(0, 1)
        self.register_buffer("mean", flat.mean(0))
        self.register_buffer("sd", flat.std(0))
        self.masks = [torch.ones_like(layer.weight) for layer in self.layers]

    def prune(self, trained: dict[str, Tensor], sparsity: float) -> None:
        """Keep the hidden weights that are largest in ``trained``; the output stays dense."""
        scores = [trained[f"layers.{i}.weight"].abs() for i in range(2)]
        flat = torch.cat([score.flatten() for score in scores])
        threshold = flat.topk(max(1, round((1 - sparsity) * len(flat)))).values[-1]
        self.masks[:2] = [(score >= threshold).float() for score in scores]

    def forward(self, paths: Paths) -> Tensor:
        """P&L of every path."""
        spot, size = paths.spot, len(paths.spot)
        market = (features(paths) - self.mean) / self.sd
        moves = spot.diff(dim=1)
        weights = [x.weight * mask for x, mask in zip(self.layers, self.masks, strict=True)]
        position = gains = volume = torch.zeros(size)
        total = -(spot[:, -1] - STRIKE).relu()
        for date in range(STEPS):
            x = torch.cat([market[:, date], torch.stack([position, gains, volume], 1)], 1)
            for weight, layer in zip(weights[:-1], self.layers, strict=False):
                x = linear(x, weight, layer.bias).relu()
            holding = linear(x, weights[-1], self.layers[-1].bias).squeeze(1)
            traded = (holding - position).abs()
            total = total + holding * moves[:, date] - COST * traded * spot[:, date]
            volume = volume + traded
            if date:
                gains = gains + position * moves[:, date - 1]
            position = holding
        return total - COST * position.abs() * spot[:, -1]


def cvar_loss(pnl: Tensor) -> Tensor:
    """Mean loss of the worst paths, by Rockafellar and Uryasev at the optimal quantile."""
    loss = -pnl
    y = loss.detach().topk(math.ceil(TAIL * len(loss))).values[-1]
    return y + (loss - y).relu().mean() / TAIL


def step(hedge: Hedge, true: Paths, at: Paths, epsilon: float, size: float) -> Paths:
    """``at`` after a step of ``size`` radii against the P&L, within the budget around ``true``."""
    leaves = Paths(*(x.detach().requires_grad_() for x in at))
    slopes = torch.autograd.grad(-hedge(leaves).sum(), leaves)
    radii = (epsilon, epsilon / VARIANCE_SCALE)
    moved = (x + size * r * g.sign() for x, g, r in zip(at, slopes, radii, strict=True))
    return within(true, Paths(*moved), epsilon)


def within(true: Paths, at: Paths, epsilon: float) -> Paths:
    """``at`` in the budget around ``true``; the first date does not move."""
    clipped = []
    for x, y, r in zip(true, at, (epsilon, epsilon / VARIANCE_SCALE), strict=True):
        inside = torch.maximum(torch.minimum(y, x + r), x - r).clamp(min=0)
        clipped.append(torch.cat([x[:, :1], inside[:, 1:]], 1))
    return Paths(*clipped)


def train(
    hedge: Hedge, data: dict[str, Paths], lr: float, epsilon: float, sizes: Sizes, seed: int
) -> Iterator[float]:
    """Validation loss of every epoch; at the end ``hedge`` has the best parameters."""
    optimiser = torch.optim.Adam(hedge.parameters(), lr=lr)
    rate = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, sizes.epochs, LAST_LR)
    random = Generator().manual_seed(seed)
    best, state = math.inf, hedge.state_dict()
    for epoch in range(1, sizes.epochs + 1):
        for batch in torch.randperm(sizes.train, generator=random).split(sizes.batch):
            paths = Paths(*(x[batch] for x in data["train"]))
            if epsilon:
                paths = step(hedge, paths, paths, epsilon, 1.0)
            optimiser.zero_grad()
            cvar_loss(hedge(paths)).backward()
            nn.utils.clip_grad_norm_(hedge.parameters(), CLIP)
            optimiser.step()
        rate.step()
        with torch.no_grad():
            loss = float(cvar_loss(hedge(data["val"])))
        if loss < best:
            best, state = loss, copy.deepcopy(hedge.state_dict())
        if epoch == sizes.epochs:
            hedge.load_state_dict(state)
        yield loss


def test(hedge: Hedge, paths: Paths, seed: int) -> dict[str, float]:
    """CVaR on test paths, clean and under PGD from a random start."""
    random, clean, attacked = Generator().manual_seed(seed), [], []
    for chunk in zip(*(x.split(CHUNK) for x in paths), strict=True):
        true = Paths(*chunk)
        noise = (2 * torch.rand(x.shape, generator=random) - 1 for x in true)
        radii = (TEST_EPSILON, TEST_EPSILON / VARIANCE_SCALE)
        starts = Paths(*(x + r * n for x, r, n in zip(true, radii, noise, strict=True)))
        at = within(true, starts, TEST_EPSILON)
        with torch.no_grad():
            clean.append(hedge(true))
            worst = torch.minimum(clean[-1], hedge(at))
        for _ in range(TEST_STEPS):
            at = step(hedge, true, at, TEST_EPSILON, 2.5 / TEST_STEPS)
            with torch.no_grad():
                worst = torch.minimum(worst, hedge(at))
        attacked.append(worst)
    pnls = {"cvar": clean, "attacked_cvar": attacked}
    return {name: -float(cvar_loss(torch.cat(pnl)).detach()) for name, pnl in pnls.items()}
