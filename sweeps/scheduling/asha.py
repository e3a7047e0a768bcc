"""Deterministic ASHA: successive halving whose survivors depend on the values only.

Contenders of one stratum have positions 0, 1, 2 .. in the order they were added. At a rung, the
one at position p is judged against the first max(``block``, p + 1 - ``lag``) positions and itself,
and only once all of those are settled there. So every decision is a function of positions and
recorded values; the number of workers, their speed, and crashes do not enter. Waiting for ``lag``
fewer rivals than a strictly sequential rule keeps a slow trial from delaying those after it.

A contender is one configuration. It may stand for several trials, its replicates over seeds, which
are judged by their mean and promoted or stopped together.

Source: the rung quota is that of Li et al., "A System for Massively Parallel Hyperparameter
Tuning" (2020), in its stopping form; the fixed comparison set is new.
"""

import math
from bisect import bisect_left, insort
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import Literal

_Rank = tuple[bool, float, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Final decision on a contender at a rung."""

    key: Hashable  # of the contender
    epoch: int  # of the rung
    goes_on: bool
    value: float  # mean over its replicates
    rank: int  # among the contenders compared, from 1
    of: int  # number of contenders compared, itself included


@dataclass(slots=True)
class _Contender:
    """Values by rung and replicate; ``settled`` values hold for all further rungs."""

    key: Hashable
    position: int
    replicates: set[Hashable]
    values: dict[int, dict[Hashable, float]] = field(default_factory=dict)
    settled: dict[Hashable, float] = field(default_factory=dict)
    passed: int = 0
    """Rungs at which it was promoted."""
    out: bool = False

    def value(self, rung: int) -> float | None:
        """The mean over replicates at the ``rung``-th rung; None while one is missing."""
        # A value of its own comes before the one that a replicate ended with.
        replicate_values = {**self.settled, **self.values.get(rung, {})}
        if not replicate_values.keys() >= self.replicates:
            return None
        values = [replicate_values[name] for name in self.replicates]
        if not all(map(math.isfinite, values)):
            return math.nan
        # An exact sum does not depend on the order of a set.
        return math.fsum(value / len(values) for value in values)


@dataclass(slots=True)
class _Rung:
    """One rung of one stratum."""

    prefix: int = 0
    """Positions below it are settled here: they have a value, or never reach this rung."""
    included: int = 0
    """Positions below it are in ``order``."""
    order: list[_Rank] = field(default_factory=list)
    values: dict[int, float] = field(default_factory=dict)
    waiting: list[int] = field(default_factory=list)


class Asha:
    """Judges contenders at rungs, within strata.

    Args:
        rungs: epochs at which contenders are judged, ascending.
        reduction_factor: one in ``reduction_factor`` is promoted, and at least one.
        block: the first ``block`` positions are compared with one another; at least 1.
        lag: number of positions directly before its own that a contender need not wait for.
        finish: this many are promoted instead, whatever the number of contenders compared.
    """

    def __init__(
        self,
        rungs: Sequence[int],
        *,
        mode: Literal["min", "max"],
        reduction_factor: int,
        block: int = 27,
        lag: int = 27,
        finish: int | None = None,
    ) -> None:
        self.rungs = tuple(rungs)
        self._index = {epoch: i for i, epoch in enumerate(self.rungs)}
        self._sign = 1.0 if mode == "min" else -1.0
        self._factor, self._block, self._lag = reduction_factor, block, lag
        self._finish = finish
        self._closed = False
        self._strata: dict[Hashable, list[_Contender]] = {}
        self._boards: dict[Hashable, list[_Rung]] = {}
        self._of: dict[Hashable, tuple[Hashable, _Contender]] = {}

    def add(self, key: Hashable, *, stratum: Hashable, replicate: Hashable = None) -> None:
        """Enter a replicate of ``key``; a new contender takes the next position of ``stratum``.

        A contender that gains a replicate later waits for it at further rungs; decisions stay.
        """
        self._closed = False
        if key in self._of:
            self._of[key][1].replicates.add(replicate)
            return
        contenders = self._strata.setdefault(stratum, [])
        self._boards.setdefault(stratum, [_Rung() for _ in self.rungs])
        contender = _Contender(key=key, position=len(contenders), replicates={replicate})
        contenders.append(contender)
        self._of[key] = stratum, contender

    def close(self) -> list[Decision]:
        """Stop waiting for further contenders, so that strata below a full block are judged."""
        self._closed = True
        return [decision for stratum in self._strata for decision in self._judge(stratum)]

    def record(
        self, key: Hashable, epoch: int, value: float, *, replicate: Hashable = None
    ) -> list[Decision]:
        """Enter a value at the rung ``epoch``, the first of which counts; decisions it settles."""
        stratum, contender = self._of[key]
        rung = self._index[epoch]
        contender.values.setdefault(rung, {}).setdefault(replicate, value)
        return self._reached(stratum, contender, rung)

    def settle(self, key: Hashable, value: float, *, replicate: Hashable = None) -> list[Decision]:
        """End ``replicate``; its last value, NaN if it failed, holds at all further rungs."""
        stratum, contender = self._of[key]
        contender.settled.setdefault(replicate, value)
        return self._reached(stratum, contender, contender.passed)

    def withdraw(self, key: Hashable, *, replicate: Hashable = None) -> list[Decision]:
        """Withdraw ``replicate``, so that no contender waits for it.

        With its last replicate the contender leaves; added again it takes a new position.
        """
        stratum, contender = self._of[key]
        contender.replicates.discard(replicate)
        if contender.replicates:
            return self._reached(stratum, contender, contender.passed)
        return self.leave(key)

    def leave(self, key: Hashable) -> list[Decision]:
        """Withdraw ``key`` with all of its replicates; nothing if it has left before."""
        if key not in self._of:
            return []
        stratum, contender = self._of.pop(key)
        contender.out = True
        for rung in self._boards[stratum]:
            if contender.position in rung.waiting:
                rung.waiting.remove(contender.position)
        return self._judge(stratum)

    def _reached(self, stratum: Hashable, contender: _Contender, rung: int) -> list[Decision]:
        """Judge again if ``contender`` now has a value at ``rung``."""
        if contender.out or rung != contender.passed or rung >= len(self.rungs):
            return []
        self._enter(self._boards[stratum][rung], contender, rung)
        return self._judge(stratum)

    def _enter(self, board: _Rung, contender: _Contender, rung: int) -> None:
        value = contender.value(rung)
        if value is not None and contender.position not in board.values:
            board.values[contender.position] = value
            insort(board.waiting, contender.position)

    def _judge(self, stratum: Hashable) -> list[Decision]:
        """All decisions that can be made, from the lowest rung upwards.

        A decision settles its contender at higher rungs only, so one pass is enough.
        """
        contenders, decisions = self._strata[stratum], []
        for index, board in enumerate(self._boards[stratum]):
            while board.prefix < len(contenders) and (
                board.prefix in board.values or contenders[board.prefix].out
            ):
                board.prefix += 1
            # Needs rise with the position, so the first that must wait holds up the rest.
            while board.waiting and self._need(board.waiting[0], len(contenders)) <= board.prefix:
                contender = contenders[board.waiting.pop(0)]
                decisions.append(self._decide(stratum, board, contender, index))
        return decisions

    def _need(self, position: int, size: int) -> int:
        need = max(self._block, position + 1 - self._lag)
        return min(need, size) if self._closed else need

    def _decide(
        self, stratum: Hashable, board: _Rung, contender: _Contender, rung: int
    ) -> Decision:
        position = contender.position
        need = self._need(position, len(self._strata[stratum]))
        for other in range(board.included, need):
            if other in board.values:
                insort(board.order, self._rank(board.values[other], other))
        board.included = max(board.included, need)
        value = board.values[position]
        order_key = self._rank(value, position)
        # Where a later contender was judged first, the order holds more than this one may see.
        unseen = [
            self._rank(board.values[other], other)
            for other in range(need, board.included)
            if other in board.values and other != position
        ]
        rank = 1 + bisect_left(board.order, order_key) - sum(other < order_key for other in unseen)
        of = len(board.order) - len(unseen) + (position >= board.included)
        goes_on = math.isfinite(value) and rank <= self._quota(of)
        if goes_on:
            contender.passed += 1
            if contender.passed < len(self.rungs):
                self._enter(self._boards[stratum][contender.passed], contender, contender.passed)
        else:
            contender.out = True
        key, epoch = contender.key, self.rungs[rung]
        return Decision(key=key, epoch=epoch, goes_on=goes_on, value=value, rank=rank, of=of)

    def _quota(self, compared: int) -> int:
        return self._finish or max(1, -(-compared // self._factor))

    def _rank(self, value: float, position: int) -> _Rank:
        """A strict order: finite before not, better before worse, older before younger."""
        finite = math.isfinite(value)
        return not finite, self._sign * value if finite else 0.0, position
