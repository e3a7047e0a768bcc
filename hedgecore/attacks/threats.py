"""Registry of attacks by name: a threat model (what may be perturbed), then the search method."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from hedgecore.attacks.distributional import wbpgd, wpgd
from hedgecore.attacks.pathwise import Attack, fgsm, noise, pgd

Model = Literal["path", "observation", "distribution"]
"""What an adversary may perturb by up to epsilon: price units, or training sd for observations.

path: S and v of every path; features, positions, P&L and payoff follow. observation: the hedge's
inputs, but not the market. distribution: S and v, by epsilon in the mean over all paths.
"""


@dataclass(frozen=True, slots=True)
class Threat:
    """A threat model and the search for the worst case under it.

    Args:
        model: what the adversary may perturb.
        attack: search for the worst case.
        seeks: False for the control, which does not search.
    """

    model: Model
    attack: Attack[Any]
    seeks: bool = True


THREATS: Mapping[str, Threat] = {
    "path_fgsm": Threat("path", fgsm),
    "path_pgd": Threat("path", pgd),
    "path_noise": Threat("path", noise, seeks=False),
    "observation_fgsm": Threat("observation", fgsm),
    "observation_pgd": Threat("observation", pgd),
    "observation_noise": Threat("observation", noise, seeks=False),
    "distribution_wpgd": Threat("distribution", wpgd),
    "distribution_wbpgd": Threat("distribution", wbpgd),
}
