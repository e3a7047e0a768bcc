"""Random hedging problems for the kernel, and their gradients by autograd in double precision."""

from dataclasses import dataclass, replace

import torch
from hypothesis import strategies as st

from hedgecore.config import from_mapping
from hedgecore.hedging.descent import AutogradDescent
from hedgecore.hedging.features import EXOGENOUS_NAMES, Standardisation
from hedgecore.hedging.network import initialise
from hedgecore.hedging.problem import HedgingProblem, Scene
from hedgecore.hedging.study import TicketStudy
from hedgecore.market.paths import MarketPaths
from hedgecore.rng import stream

ATTACKS = {
    "none": {},
    "path_fgsm": {"epsilon": 0.5, "name": "path_fgsm"},
    "path_pgd": {"epsilon": 0.5, "name": "path_pgd", "steps": 3, "restarts": 2},
    "path_noise": {"epsilon": 0.5, "name": "path_noise"},
    "observation_fgsm": {"epsilon": 0.2, "name": "observation_fgsm"},
    "observation_pgd": {"epsilon": 0.2, "name": "observation_pgd", "steps": 2},
    "observation_noise": {"epsilon": 0.2, "name": "observation_noise"},
}
RISKS = ("cvar", "entropic", "mean_variance", "monotone_mean_variance")


@dataclass(frozen=True)
class Case:
    """A problem, the parameters and mask of its network, and its paths, all in float32."""

    problem: HedgingProblem
    theta: dict
    mask: dict
    paths: MarketPaths

    def double(self):
        """The same in double precision."""
        network = self.problem.network
        standardisation = Standardisation(mean=network.mean.double(), sd=network.sd.double())
        return replace(
            self,
            problem=HedgingProblem.of(self.problem.study, standardisation),
            theta={name: value.double() for name, value in self.theta.items()},
            paths=MarketPaths(self.paths.spot.double(), self.paths.variance.double(), 0.1),
        )

    def moved(self, seed):
        """This case with every number moved by up to a rounding error of float32."""
        generator = stream(seed, "rounding")

        def rounded(x):
            return x * (1 + 1.2e-7 * (torch.rand(x.shape, generator=generator) - 0.5))

        return replace(
            self,
            theta={name: rounded(value) for name, value in self.theta.items()},
            paths=MarketPaths(rounded(self.paths.spot), rounded(self.paths.variance), 0.1),
        )


def case(
    *,
    hidden=(9, 7),
    sparsity=0.0,
    paths=70,
    steps=6,
    limit=100.0,
    risk="cvar",
    y="optimal",
    cost=None,
    attack=None,
    seed=0,
):
    """A case with random parameters and paths from ``seed``."""
    study = from_mapping(
        TicketStudy,
        {
            "market": {"steps": steps},
            "network": {"hidden": list(hidden), "position_limit": limit},
            "risk": {"name": risk, "y": y, "aversion": 0.5, "tail": 0.3},
            "cost": cost or {},
            "attack": attack or {},
            "training": {"clip_norm": 1e9},
        },
    )
    generator = stream(seed, "case")
    theta = initialise(study.hidden, generator=generator)
    mask = {}
    for name, value in theta.items():
        if value.ndim == 1:
            theta[name] = 0.2 * torch.randn(value.shape, generator=generator)
        else:
            # Small weights: a network that feeds on its past amplifies roundings with every date.
            theta[name] = 0.5 * value
            mask[name] = torch.rand(value.shape, generator=generator) >= sparsity
    if y == "parameter":
        theta["y"] = torch.tensor(2.0)
        if study.attack.clean_weight:
            theta["y_attacked"] = torch.tensor(3.0)
    moves = 0.01 * torch.randn((paths, steps), generator=generator)
    spot = 100 * torch.cat([torch.zeros(paths, 1), moves.cumsum(dim=1)], dim=1).exp()
    variance = (0.03 + 0.02 * torch.randn((paths, steps + 1), generator=generator)).clamp(min=0)
    standardisation = Standardisation(
        mean=torch.tensor([0.0, 0.0, 0.2, 0.0, 0.5, 0.5, 0.0, 1.0]),
        sd=torch.tensor([0.03, 0.01, 0.05, 0.02, 0.3, 0.3, 1.0, 1.0]),
    )
    problem = HedgingProblem.of(study, standardisation)
    return Case(problem, theta, mask, MarketPaths(spot, variance, 0.1))


SETTINGS = st.fixed_dictionaries(
    {
        "hidden": st.lists(st.integers(1, 40), min_size=1, max_size=3),
        "sparsity": st.sampled_from([0.0, 0.3, 0.7, 0.95, 1.0]),
        "paths": st.integers(1, 140),
        "steps": st.integers(1, 8),
        "limit": st.sampled_from([100.0, 0.1]),
        "cost": st.fixed_dictionaries(
            {
                "proportional": st.sampled_from([0.0, 1e-3, 0.1]),
                "first_trade": st.booleans(),
                "unwind": st.booleans(),
                "financing": st.booleans(),
            }
        ),
        "seed": st.integers(0, 2**20),
    }
)
"""Arguments of :func:`case`."""


def scene_gradient(case, *, observed):
    """P&L of every path, and its gradient in prices and variances, or in the observation."""
    scene = Scene(case.paths.spot, case.paths.variance)
    problem = case.problem
    if observed:
        features = problem.features(scene)
        assert features.shape[-1] == len(EXOGENOUS_NAMES)
        scene = scene._replace(observation=features.requires_grad_())
        inputs = (scene.observation,)
    else:
        scene = Scene(*(x.clone().requires_grad_() for x in scene[:2]))
        inputs = scene[:2]
    theta = {name: value.detach() for name, value in masked(case).items()}
    pnl = problem.outcome(theta, scene).pnl
    gradient = torch.autograd.grad(pnl.sum(), inputs, materialize_grads=True)
    return pnl.detach(), torch.cat([g.flatten(1) for g in gradient], dim=1)


def step_gradient(case, kind):
    """Loss of one step of the descent ``kind`` on all paths, and the gradient in the parameters.

    Adam's first moment after one step is a tenth of the gradient, which is not clipped here.
    """
    descent = kind(
        case.problem, case.theta, case.mask, training=case.problem.study.training, seed=0
    )
    batch = torch.arange(case.paths.paths)
    losses, _ = descent.epoch([(1e-3, batch)], case.paths, case.problem.study.attack)
    return losses[0], torch.cat(
        [10 * descent.moments[name]["exp_avg"].flatten() for name in case.theta]
    )


def masked(case):
    """Effective parameters."""
    return {
        name: value * case.mask[name] if name in case.mask else value
        for name, value in case.theta.items()
    }


def distance(value, reference):
    """Largest relative distance of two tensors: of their difference's norm to the norm."""
    scale = reference.norm()
    return float((value.double() - reference).norm() / scale) if scale > 0 else 0.0


def autograd_step(case):
    """See :func:`step_gradient`, by autograd in double precision."""
    return step_gradient(case.double(), AutogradDescent)
