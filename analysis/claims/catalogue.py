"""Catalogue of the claims: name, statement with its limit, and the experiment that tests it.

They are those of the notebooks that the project began with, and its own. A limit is part of the
statement, so that it is fixed before the data are read.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches

SPEED, SPARSITY = 2.0, 0.9
"""Factor in epochs of a boosting ticket, and the sparsity of the claim on it."""
SHARE = 0.5
"""Least share of the gap under attack that robust training has to close."""
CHEAP, LITTLE = 0.01, 0.02
"""Costs of an explanation in nats of test cross-entropy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A claim that a sweep can support or contradict.

    Args:
        statement: a sentence in words; ``{tolerance}`` is the share of CVaR that may be lost.
        experiment: that tests it.
        unit: of the effect.
        axes: to be swept for it, in words.
        against_dense: the dense network is its opponent, so that it is not judged where that
            network is worse than a hedge without training.
    """

    name: str
    statement: str
    experiment: str
    unit: str
    axes: str
    against_dense: bool = False


CLAIMS: Mapping[str, Claim] = {
    claim.name: claim
    for claim in (
        Claim(
            name="boosting",
            statement="A ticket whose mask was found at a smaller learning rate needs at most "
            "half of the dense network's epochs, and leads its controls on that budget",
            experiment="tickets",
            unit="currency per option",
            axes="training.epochs and dense.lr below lr",
            against_dense=True,
        ),
        Claim(
            name="sparsity",
            statement="A ticket of sparsity 90 % loses at most {tolerance} of the dense network's "
            "CVaR",
            experiment="tickets",
            unit="currency per option",
            axes="sparsity of 0.9 or more",
            against_dense=True,
        ),
        Claim(
            name="features",
            statement="Robust tickets weigh moneyness and time more, returns and P&L less, than "
            "standard ones",
            experiment="tickets",
            unit="share of first-layer weights",
            axes="epsilon of 0 and above",
        ),
        Claim(
            name="patterns",
            statement="Masks of a robust and a standard ticket differ more than two masks of one "
            "theta_0",
            experiment="tickets",
            unit="overlap (IoU)",
            axes="epsilon of 0 and above, pruning.source: robust, dense.batch_order of two values",
        ),
        Claim(
            name="robustness",
            statement="Robust training closes at least half of the gap that an attack opens",
            experiment="tickets",
            unit="share of the gap",
            axes="epsilon of 0 and above, and study.evaluation with an attack",
        ),
        Claim(
            name="cost",
            statement=f"The X-NN costs less than {CHEAP:g} nat of test cross-entropy",
            experiment="xnn",
            unit="nat",
            axes="adj_weight of 0 and above",
        ),
        Claim(
            name="gain",
            statement="Its nodes explain clusters better than every control",
            experiment="xnn",
            unit="R2",
            axes="adj_weight of 0 and above",
        ),
        Claim(
            name="networks",
            statement="Networks beat XGBoost in quadratic weighted kappa",
            experiment="xnn",
            unit="kappa",
            axes="seed of three values or more",
        ),
        Claim(
            name="alignment",
            statement=f"Alignment explains better than every control at less than {LITTLE:g} nat",
            experiment="xnn",
            unit="R2",
            axes="method alignment, and adj_weight of 0 and above",
        ),
    )
}


def claim_named(name: str) -> Claim:
    """The claim of this ``name``.

    Raises:
        ValueError: there is none; the message lists all and suggests the nearest.
    """
    if name not in CLAIMS:
        nearest = get_close_matches(name, CLAIMS, n=1)
        hint = f"did you mean {nearest[0]!r}? " if nearest else ""
        raise ValueError(f"unknown claim {name!r}; {hint}known: {', '.join(sorted(CLAIMS))}")
    return CLAIMS[name]
