"""Conditional axes, which exist only for certain values of others: ``when: {attack.name: [pgd]}``.

An axis with several conditions exists if all of them hold; one that does not exist has no value,
so axes that depend on it do not exist either.
"""

from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter
from typing import Any, TypeAlias

from hedgecore.errors import HedgesweepError
from hedgecore.registry import nearest, suggestion
from search_spaces.domains import Domain, RandInt, Value, distinct
from search_spaces.foreign_spellings import values as listed
from search_spaces.messages import Cure, FieldError
from search_spaces.yaml_text import show

Conditions: TypeAlias = Mapping[str, Mapping[str, tuple[Value, ...]]]


class ConditionError(HedgesweepError, ValueError):
    """Condition that cannot be met.

    Args:
        axis: axis with the condition.
        problem: description of the mistake.
        write: conditions to write there instead.
    """

    def __init__(self, axis: str, problem: str, write: object = Cure.REMOVE) -> None:
        self.axis, self.write = axis, write
        super().__init__(problem)


def read(written: object) -> dict[str, tuple[Value, ...]]:
    """Values by axis, from the mapping ``when`` of a space file; null means no condition.

    Raises:
        FieldError: ``written`` is not a mapping of lists; without a place, with the cure.
    """
    if written is None:
        return {}
    if not isinstance(written, Mapping) or not written:
        problem = f"expected {{AXIS: [value, ...]}}, got {show(written)}"
        raise FieldError(problem, write=Cure.REMOVE)
    try:
        return {axis: distinct(axis, values) for axis, values in written.items()}
    except ValueError as error:
        problem = error.problem if isinstance(error, FieldError) else str(error)
        cure = {axis: choices for axis, values in written.items() if (choices := listed(values))}
        raise FieldError(problem, write=cure or Cure.REMOVE) from None


def order(axes: Mapping[str, Domain], when: Conditions) -> tuple[str, ...]:
    """Axes, each after those that it depends on.

    Raises:
        ConditionError: an axis that is unknown, never takes the value, depends on itself, or
            contradicts another condition.
    """
    for axis, conditions in when.items():
        for other, values in conditions.items():
            _check(axis, axes, other, values, conditions)
    try:
        ordered = tuple(TopologicalSorter({a: when.get(a, ()) for a in axes}).static_order())
    except CycleError as error:
        circle = error.args[1]
        path = " -> ".join(reversed(circle))
        raise ConditionError(circle[0], f"depends on itself ({path})") from None
    for axis in when:
        for other, values in required(axis, when).items():
            if not values:
                problem = f"never exists, its conditions exclude every value of {other}"
                raise ConditionError(axis, problem)
    return ordered


def present(values: Mapping[str, Any], ordered: tuple[str, ...], when: Conditions) -> set[str]:
    """Axes that exist in a trial with these ``values``; ``ordered`` as by :func:`order`."""
    exist: set[str] = set()
    for axis in ordered:
        if axis in values and all(
            other in exist and values[other] in domain
            for other, domain in when.get(axis, {}).items()
        ):
            exist.add(axis)
    return exist


def required(axis: str, when: Conditions) -> dict[str, tuple[Value, ...]]:
    """Values of other axes that are required for ``axis`` to exist."""
    domains: dict[str, tuple[Value, ...]] = {}
    pending = [axis]
    while pending:
        for other, values in when.get(pending.pop(), {}).items():
            domains[other] = tuple(v for v in domains.get(other, values) if v in values)
            pending.append(other)
    return domains


def _check(
    axis: str,
    axes: Mapping[str, Domain],
    other: str,
    values: tuple[Value, ...],
    conditions: Mapping[str, tuple[Value, ...]],
) -> None:
    if other == "seed":
        problem = "no axis can depend on the seed, which only names random streams"
        raise ConditionError(axis, problem)
    if other not in axes:
        problem = f"{show(other)} is not an axis of space; {nearest(other, axes)}"
        closest = suggestion(other, [name for name in axes if name != axis])
        if not closest:
            raise ConditionError(axis, problem)
        names = {name: closest if name == other else name for name in conditions}
        raise ConditionError(axis, problem, {names[n]: v for n, v in conditions.items()})
    domain = axes[other]
    if not (domain.enumerable or isinstance(domain, RandInt)):
        kind = type(domain).__name__.lower()
        problem = f"{other} ({kind}) takes no exact value; depend on a grid, choice or randint"
        raise ConditionError(axis, problem)
    for value in values:
        if not _takes(domain, value):
            ends = domain.ends()
            extent = show(ends) if domain.enumerable else f"{ends[0]} to {ends[1]}"
            problem = f"{other} never takes {show(value)}; its values: {extent}"
            choices = [v for v in values if _takes(domain, v)]
            raise ConditionError(
                axis, problem, {**conditions, other: choices} if choices else Cure.REMOVE
            )


def _takes(domain: Domain, value: Value) -> bool:
    if isinstance(domain, RandInt):
        low, high = domain.low, domain.high
        return isinstance(value, int) and not isinstance(value, bool) and low <= value < high
    return value in domain.ends()
