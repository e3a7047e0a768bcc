"""Every attack by its name: first what it may touch (the threat model), then how it searches."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from hedgecore.attacks.distributional import wbpgd, wpgd
from hedgecore.attacks.pathwise import Attack, fgsm, noise, pgd

Model = Literal["path", "observation", "distribution"]
"""What an adversary may touch, by up to epsilon; in price units, for observations in training sd.

path: S and v of every path; features, positions, P&L and payoff follow. observation: what the
hedge sees, but not the market. distribution: S and v, by epsilon in the mean over all paths.
"""


@dataclass(frozen=True, slots=True)
class Threat:
    """A threat model and the search for the worst case under it.

    Args:
        model: what the adversary may touch.
        attack: how the worst case is looked for.
        seeks: whether it looks at all; the control does not.
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
