"""Search block of a space: algorithm, samples and seed."""

from dataclasses import dataclass

from search_spaces.fields import names, one_of, whole
from search_spaces.messages import Cure, FieldError

ADAPTIVE = ("tpe", "nsga2")
ALGORITHMS = ("grid", "random", "quasirandom", *ADAPTIVE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """Settings of a search.

    Args:
        algorithm: "grid" tries the product of all axes. "random" crosses the axes that are grids
            and draws ``num_samples`` values of the others for each point of that product;
            "quasirandom" does so by a scrambled Sobol sequence, which fills the space evenly.
            "tpe" and "nsga2" propose ``num_samples`` configurations of all axes but the seed,
            learning from the outcomes, and train each at every seed.
        num_samples: draws, or proposals; None where every axis is a grid that is crossed.
        seed: seed of the draws.
        objectives: columns to optimise; () for the scheduler's metric, or the validation risk
            without a scheduler.
        delay: proposal k uses exactly the outcomes of proposals 0 .. k - ``delay``, so that it
            does not depend on the speed of trials; also the maximum number of concurrent
            proposals.
        warm_start: storages of earlier sweeps to learn from before the first proposal.
    Raises:
        ValueError: "field: what is wrong; cure".
    """

    algorithm: str = "grid"
    num_samples: int | None = None
    seed: int = 0
    objectives: tuple[str, ...] = ()
    delay: int = 8
    warm_start: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        one_of("algorithm", self.algorithm, ALGORITHMS)
        whole("seed", self.seed, at_least=0)
        whole("num_samples", self.num_samples, at_least=1, or_null=True)
        if self.num_samples is not None and self.algorithm == "grid":
            raise FieldError(
                f"num_samples: a grid search tries every point, got {self.num_samples} "
                "(algorithm: random draws samples)",
                write=Cure.REMOVE,
            )
        if self.num_samples is None and self.adaptive:
            problem = f"num_samples: is missing, and {self.algorithm} would propose without end"
            raise FieldError(problem, write=60)
        whole("delay", self.delay, at_least=1)
        for name, of in (("objectives", "columns"), ("warm_start", "storages")):
            entries = names(name, getattr(self, name), of=of)
            object.__setattr__(self, name, entries)
            if entries and not self.adaptive:
                problem = f"{name}: {self.algorithm} does not learn from outcomes"
                problem += f" ({' and '.join(ADAPTIVE)} do)"
                raise FieldError(problem, write=Cure.REMOVE)

    @property
    def adaptive(self) -> bool:
        """True if proposals depend on outcomes, so that trials cannot be listed in advance."""
        return self.algorithm in ADAPTIVE
