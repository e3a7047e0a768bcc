"""Domains of an axis: a grid, a choice or a range.

Every constructor checks its arguments, so every instance is valid. A domain is also a
distribution: ``at`` is its quantile function, used for every draw.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, TypeAlias

import numpy as np

from hedgecore.registry import nearest
from search_spaces.foreign_spellings import suggestion
from search_spaces.foreign_spellings import values as listed
from search_spaces.messages import Cure, FieldError
from search_spaces.yaml_text import show, too_large

Scalar: TypeAlias = bool | int | float | str | None
Value: TypeAlias = Scalar | tuple[Scalar, ...]


@dataclass(frozen=True, slots=True)
class _Listed:
    values: tuple[Value, ...]
    enumerable: ClassVar[bool] = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", distinct(type(self).__name__.lower(), self.values))

    def ends(self) -> tuple[object, ...]:
        """All values."""
        return self.values

    def at(self, u: float) -> object:
        """Quantile at ``u`` in [0, 1): the values have equal shares, in order."""
        return self.values[_step(u, len(self.values))]


class Grid(_Listed):
    """Values that are all tried, crossed with those of the other grids."""

    __slots__ = ()


class Choice(_Listed):
    """Values of which one is drawn per sample; a grid search tries all."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class _Reals:
    low: float
    high: float
    enumerable: ClassVar[bool] = False

    def __post_init__(self) -> None:
        low, high = _range(type(self).__name__.lower(), self.low, self.high)
        object.__setattr__(self, "low", float(low))
        object.__setattr__(self, "high", float(high))

    def ends(self) -> tuple[object, ...]:
        """``low`` and ``high``."""
        return (self.low, self.high)


class Uniform(_Reals):
    """Real numbers from ``low`` to ``high``, uniformly distributed."""

    __slots__ = ()

    def at(self, u: float) -> object:
        """The quantile at ``u`` in [0, 1), linear; ``high`` itself only by rounding."""
        return min(self.low + _share(u) * (self.high - self.low), self.high)


class LogUniform(_Reals):
    """Positive numbers from ``low`` to ``high``, uniformly distributed in the logarithm."""

    __slots__ = ()

    def at(self, u: float) -> object:
        """The quantile at ``u`` in [0, 1), linear in the logarithm."""
        low, high = math.log(self.low), math.log(self.high)
        # exp(log(low)) may round to just below low.
        return min(max(math.exp(low + _share(u) * (high - low)), self.low), self.high)


@dataclass(frozen=True, slots=True)
class RandInt:
    """Whole numbers from ``low`` to ``high - 1``, uniformly distributed; ``high`` is exclusive.

    It is sampled, never enumerated; use a grid to try every number.
    """

    low: int
    high: int
    enumerable: ClassVar[bool] = False

    def __post_init__(self) -> None:
        for name, value in (("low", self.low), ("high", self.high)):
            if isinstance(value, bool) or not isinstance(value, int):
                raise ValueError(f"randint: {name} must be a whole number, got {show(value)}")
        _range("randint", self.low, self.high)

    def ends(self) -> tuple[object, ...]:
        """``low`` and ``high - 1``, the largest number that is drawn."""
        return (self.low, self.high - 1)

    def at(self, u: float) -> object:
        """The quantile at ``u`` in [0, 1): the numbers below ``high`` have equal shares."""
        return self.low + _step(u, self.high - self.low)


Domain: TypeAlias = Grid | Choice | Uniform | LogUniform | RandInt


def read(written: object) -> Domain:
    """Domain that a space file writes as ``{kind: arguments}``.

    Raises:
        FieldError: ``written`` is not such a mapping or its arguments are invalid; without a
            place, with the domain to write instead.
    """
    try:
        return _read(written)
    except ValueError as error:
        problem = error.problem if isinstance(error, FieldError) else str(error)
        if isinstance(error, FieldError) and error.target:
            raise
        raise FieldError(problem, write=mended(written)) from None


def distinct(kind: str, written: object) -> tuple[Value, ...]:
    """Listed values as a tuple: at least one, of one type, without duplicates.

    Raises:
        ValueError: ``written`` is not such a list; the message begins with ``kind``.
    """
    if isinstance(written, str) or not isinstance(written, Sequence):
        raise FieldError(f"{kind}: {show(written)} is not a list", write=[written])
    values = tuple(_value(kind, item) for item in written)
    if not values:
        raise FieldError(f"{kind}: [] is empty", "give at least one value")
    _of_one_type(kind, values, {tuple: "lists"})
    members = [m for v in values for m in (v if isinstance(v, tuple) else (v,))]
    _of_one_type(kind, members, {bool: "booleans", str: "text"})
    for i, value in enumerate(values):
        if value in values[:i]:
            first = values[values.index(value)]
            both = "" if repr(first) == repr(value) else f" (as {show(first)} and {show(value)})"
            raise FieldError(f"{kind}: {show(value)} appears twice{both}", "keep one")
    return values


def as_written(domain: Domain) -> dict[str, object]:
    """``domain`` as a space file writes it."""
    ends = [domain.low, domain.high] if isinstance(domain, RandInt) else list(domain.ends())
    return {type(domain).__name__.lower(): ends}


def mended(written: object) -> object:
    """Valid domain that ``written`` probably stands for, as written in a file, or its removal."""
    domain = suggestion(written)
    for candidate in (domain, {"grid": listed(list((domain or {}).values())[:1])}):
        try:
            _read(candidate)
        except ValueError:
            continue
        return candidate
    return Cure.REMOVE


def _share(u: float) -> float:
    if not 0 <= u < 1:
        raise ValueError(f"u must lie in [0, 1), got {u}")
    return u


def _step(u: float, steps: int) -> int:
    """Index of the share of [0, 1), of ``steps`` equal ones, that contains ``u``."""
    # The product may round up to a whole number that floats cannot tell from its neighbours.
    return min(int(_share(u) * steps), steps - 1)


def _read(written: object) -> Domain:
    kind, arguments = _only_item(written)
    if kind not in DOMAINS:
        if isinstance(arguments, Mapping) and any(key in DOMAINS for key in arguments):
            problem = f"unknown kind {show(kind)}; an axis below another is written with a dot"
            raise FieldError(problem, write=arguments, target=kind)
        raise ValueError(f"unknown kind {show(kind)}; {nearest(str(kind), DOMAINS)}")
    is_set = kind in ("grid", "choice")
    if not isinstance(arguments, list | tuple):
        raise ValueError(f"{kind}: {show(arguments)} is not a list")
    if not is_set and len(arguments) != 2:
        raise ValueError(f"{kind}: expected [low, high], got {show(arguments)}")
    return DOMAINS[kind](arguments) if is_set else DOMAINS[kind](*arguments)


def _only_item(written: object) -> tuple[str, object]:
    if not isinstance(written, Mapping):
        fixed = written is not None and not isinstance(written, list | tuple)
        hint = "; fixed values belong in study" if fixed else ""
        raise ValueError(f"{show(written)} is not a domain{hint}")
    if not written:
        raise ValueError(f"{{}} is not a domain; known: {', '.join(DOMAINS)}")
    if len(written) > 1:
        names = show(", ".join(map(str, written)))[1:-1]
        raise ValueError(f"{len(written)} kinds in one domain: {names}; keep one")
    ((kind, arguments),) = written.items()
    return str(kind), arguments


def _value(kind: str, item: object) -> Value:
    if isinstance(item, list | tuple):
        return tuple(_scalar(kind, member) for member in item)
    return _scalar(kind, item)


def _scalar(kind: str, item: object) -> Scalar:
    if isinstance(item, np.generic):
        item = item.item()
    if isinstance(item, int | float) and too_large(item):
        raise ValueError(f"{kind}: numbers must be finite and below 2**63, got {show(item)}")
    if item is None or isinstance(item, bool | int | float | str):
        return item
    raise FieldError(
        f"{kind}: {show(item)} is not a value",
        "write numbers, text, true, false, null or lists of these",
    )


def _of_one_type(kind: str, values: Iterable[Value], names: Mapping[type, str]) -> None:
    """Reject values of several types; null is allowed with every type."""
    # A column of rows has one type, so a mixed axis could be swept but not stored.
    default = "scalars" if tuple in names else "numbers"
    examples: dict[str, Value] = {}
    for value in values:
        if value is not None:
            examples.setdefault(names.get(type(value), default), value)
    if len(examples) > 1:
        mixed = " and ".join(sorted(examples))
        listing = ", ".join(map(show, examples.values()))
        raise FieldError(f"{kind} mixes {mixed}: {listing}", "keep one type")


def _range(kind: str, low: object, high: object) -> tuple[float, float]:
    for name, value in (("low", low), ("high", high)):
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError(f"{kind}: {name} must be a number, got {show(value)}")
        if too_large(value):
            raise ValueError(f"{kind}: {name} must be finite and below 2**63, got {show(value)}")
    assert isinstance(low, int | float)
    assert isinstance(high, int | float)
    if low >= high:
        swap, fixed = (
            f"write {show([high, low])}",
            f"write {{grid: [{show(low)}]}} to hold it fixed",
        )
        cure = fixed if low == high else swap
        raise FieldError(f"{kind}: low must lie below high, got {show([low, high])}", cure)
    if not math.isfinite(high - low):
        raise ValueError(f"{kind}: {show([low, high])} is too wide; high - low must be finite")
    if kind == "loguniform" and low <= 0:
        cure = "write a small positive number such as 1e-6, or use uniform"
        raise FieldError(f"loguniform: low must be positive, got {show(low)}", cure)
    return low, high


DOMAINS: dict[str, Callable[..., Domain]] = {
    "grid": Grid,
    "choice": Choice,
    "uniform": Uniform,
    "loguniform": LogUniform,
    "randint": RandInt,
}
