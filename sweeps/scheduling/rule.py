"""Rule of a sweep for promotion at rungs, and the engine that applies it."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self

from hedgecore.config import digest
from sweeps.scheduling.asha import Asha
from sweeps.scheduling.engine import Engine


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Successive halving, see :class:`.asha.Asha`; without ``rungs`` no trial is stopped.

    With ``finish`` it is i-Epoch: one rung, at which all of a stratum are one cohort.
    """

    rungs: tuple[int, ...] = ()  # epochs of judgement, ascending
    metric: str = "val_loss"  # compared column
    mode: Literal["min", "max"] = "min"
    reduction_factor: int = 3
    block: int = 27  # size of the first cohort of a stratum
    lag: int = 27  # positions that a verdict does not wait for
    finish: int | None = None  # configurations that i-Epoch promotes; None for a share
    stock: bool = False  # whether Ray's own ASHA decides, which logs stops only

    @classmethod
    def of(cls, scheduler: Mapping[str, Any] | None, rungs: Sequence[int]) -> Self | None:
        """Rule of a scheduler in a manifest or plan; None for one without rungs."""
        if not scheduler:
            return cls()
        ((kind, fields),) = scheduler.items()
        if kind not in ("asha", "i_epoch", "stock_asha"):
            return None
        names = ("metric", "mode", "reduction_factor", "block", "lag", "finish")
        written = {name: fields[name] for name in names if name in fields}
        return cls(rungs=tuple(rungs), stock=kind == "stock_asha", **written)

    def engine(self, *, metric: str | None = None, seed: int = 0, audit: float = 0.0) -> Engine:
        """An empty engine that decides by this rule on the column ``metric``, by default its own.

        ``seed`` draws the share ``audit`` of stopped configurations that train to the end.
        """
        judge = Asha(
            self.rungs,
            mode=self.mode,
            reduction_factor=self.reduction_factor,
            block=sys.maxsize if self.finish else self.block,
            lag=self.lag,
            finish=self.finish,
        )

        def audited(group: str) -> bool:
            return int(digest(["audit", seed, group])[:13], 16) < audit * 16**13

        return Engine(judge if self.rungs else None, metric=metric or self.metric, audit=audited)


def engine_of(
    scheduler: Mapping[str, Any] | None, rungs: Sequence[int], *, seed: int = 0, audit: float = 0.0
) -> Engine | None:
    """See :class:`Rule`; None if one of Ray Tune's schedulers decides."""
    rule = Rule.of(scheduler, rungs)
    return rule.engine(seed=seed, audit=audit) if rule and not rule.stock else None
