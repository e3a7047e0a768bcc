"""What a space file says, frozen and validated: illegal states cannot be built."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NoReturn, TypeVar, get_args

from .domains import Domain, Grid
from .messages import Places, nearest, show, too_large

V = TypeVar("V")

Experiment = Literal["tickets", "xnn"]
Mode = Literal["min", "max"]
ALGORITHMS = ("grid", "random")


class ReadOnly(dict[str, V]):
    """A dict that refuses every change.

    A dict rather than a proxy of one, because spaces are pickled, copied and written as JSON.
    """

    def _refuse(self, *_: object, **__: object) -> NoReturn:
        raise TypeError("a search space is read-only; change it by overrides in load()")

    __setitem__ = __delitem__ = __ior__ = _refuse
    clear = pop = popitem = setdefault = update = _refuse

    def __reduce__(self) -> tuple[Any, ...]:
        return (type(self), (dict(self),))


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """How the space is searched.

    Args:
        algorithm: "grid" tries the product of all axes; "random" crosses the axes that are grids
            and draws ``num_samples`` values of the others for each point of that product.
        num_samples: draws of a random search; None where every axis is a grid.
        seed: seed of the draws.
    Raises:
        ValueError: "field: what is wrong; cure".
    """

    algorithm: str = "grid"
    num_samples: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        _one_of("algorithm", self.algorithm, ALGORITHMS)
        _whole("seed", self.seed, at_least=0)
        if self.num_samples is not None:
            _whole("num_samples", self.num_samples, at_least=1, or_null=True)
            if self.algorithm == "grid":
                raise ValueError(
                    f"num_samples: a grid search tries every point, got {self.num_samples}; "
                    "remove it, or write algorithm: random"
                )


@dataclass(frozen=True, slots=True, kw_only=True)
class Asha:
    """Early stopping by successive halving.

    Args:
        metric: column that is compared.
        mode: whether the smaller or the larger ``metric`` is better.
        max_t: epochs of a trial that is never stopped; None for as many as the study trains.
        grace_period: epochs before the first comparison.
        reduction_factor: one in ``reduction_factor`` trials passes a rung.
        stratify_by: axes within whose values trials are compared.
    Raises:
        ValueError: "field: what is wrong; cure".
    """

    metric: str = "val_loss"
    mode: Mode = "min"
    max_t: int | None = None
    grace_period: int = 1
    reduction_factor: int = 3
    stratify_by: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not isinstance(self.metric, str) or not self.metric.strip():
            raise ValueError(f"metric: expected the name of a metric, got {show(self.metric)}")
        _one_of("mode", self.mode, get_args(Mode))
        _whole("grace_period", self.grace_period, at_least=1)
        _whole("reduction_factor", self.reduction_factor, at_least=2)
        if self.max_t is not None:
            _whole("max_t", self.max_t, at_least=1, or_null=True)
            if self.grace_period > self.max_t:
                raise ValueError(
                    f"grace_period: must not exceed max_t, got {self.grace_period} and "
                    f"max_t {self.max_t}; lower it, or raise max_t"
                )
        axes = self.stratify_by
        if not isinstance(axes, list | tuple):
            cure = f"; write [{axes}]" if isinstance(axes, str) else ""
            raise ValueError(f"stratify_by: expected a list of axes, got {show(axes)}{cure}")
        for i, axis in enumerate(axes):
            if not isinstance(axis, str):
                raise ValueError(f"stratify_by: expected names of axes, got {show(axis)}")
            if axis in axes[:i]:
                raise ValueError(f"stratify_by: {axis!r} appears twice; keep one")
        object.__setattr__(self, "stratify_by", tuple(axes))


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """What one trial occupies: CPU cores and GPUs; fractions share one.

    Raises:
        ValueError: "field: what is wrong; cure".
    """

    cpu: float = 1.0
    gpu: float = 0.0

    def __post_init__(self) -> None:
        if _number("cpu", self.cpu) <= 0:
            raise ValueError(f"cpu: must be positive, got {show(self.cpu)}; write 1")
        if _number("gpu", self.gpu) < 0:
            raise ValueError(f"gpu: must not be negative, got {show(self.gpu)}; write 0")
        object.__setattr__(self, "cpu", float(self.cpu))
        object.__setattr__(self, "gpu", float(self.gpu))


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchSpace:
    """A validated space file.

    Args:
        experiment: which trainable it is for.
        space: what varies, by axis, in the order of the file.
        study: what is fixed; read-only dicts, lists as tuples. Its keys are checked by the
            study itself.
        search: how the space is searched.
        scheduler: early stopping; None for none.
        resources: what one trial occupies.
        name: the file's name without its suffix.
        text: the YAML as read, without overrides.
        places: where each key was written.
    Raises:
        SpaceError: blocks that contradict one another.
    """

    experiment: Experiment
    space: Mapping[str, Domain]
    study: Mapping[str, object]
    search: Search
    scheduler: Asha | None
    resources: Resources
    name: str
    text: str
    places: Places = field(default_factory=Places, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "space", ReadOnly(self.space))
        object.__setattr__(self, "study", frozen(self.study))
        if self.experiment not in get_args(Experiment):
            known = nearest(str(self.experiment), get_args(Experiment))
            message = f"unknown experiment {show(self.experiment)}; {known}"
            raise self.places.error("experiment", message)
        if not self.space:
            cure = "give at least one axis, such as lr: {grid: [1.0e-3]}"
            raise self.places.error("space", f"is empty; {cure}")
        self._check_search()
        for axis in self.scheduler.stratify_by if self.scheduler else ():
            if axis not in self.space:
                message = f"{axis!r} is not an axis of space; {nearest(axis, self.space)}"
                raise self.places.error("scheduler.asha.stratify_by", message)

    def where(self, key: str) -> str:
        """The place of a dotted key and the key, such as "tickets.yaml:14 space.lr".

        A key without a place of its own has that of its nearest parent; an overridden key has
        the place "--set".
        """
        return self.places.where(key)

    def _check_search(self) -> None:
        if self.search.algorithm == "grid":
            for axis, domain in self.space.items():
                if not domain.enumerable:
                    raise self.places.error(
                        f"space.{axis}",
                        f"{type(domain).__name__.lower()} cannot be enumerated; use grid or "
                        "choice, or search.algorithm=random with num_samples",
                    )
        elif self.search.num_samples is None:
            for axis, domain in self.space.items():
                if not isinstance(domain, Grid):
                    kind = type(domain).__name__.lower()
                    message = f"is missing, and {axis} ({kind}) is to be sampled"
                    cure = "write how many samples, such as num_samples: 20"
                    raise self.places.error("search.num_samples", f"{message}; {cure}")


def frozen(value: object) -> Any:
    """A read-only deep copy of nested mappings, lists and scalars; lists become tuples."""
    if isinstance(value, Mapping):
        return ReadOnly({key: frozen(item) for key, item in value.items()})
    if isinstance(value, list | tuple):
        return tuple(frozen(item) for item in value)
    return value


def _one_of(name: str, value: object, known: tuple[str, ...]) -> None:
    if value not in known:
        raise ValueError(f"{name}: unknown {name} {show(value)}; {nearest(str(value), known)}")


def _whole(name: str, value: object, *, at_least: int, or_null: bool = False) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        expected = "a whole number or null" if or_null else "a whole number"
        cure = ""
        if isinstance(value, float) and value.is_integer():
            cure = f"; write {int(value)}"
        raise ValueError(f"{name}: expected {expected}, got {show(value)}{cure}")
    if value < at_least:
        raise ValueError(f"{name}: must be at least {at_least}, got {value}")
    if too_large(value):
        raise ValueError(f"{name}: must lie below 2**63, got {show(value)}")


def _number(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or too_large(value):
        raise ValueError(f"{name}: expected a number, got {show(value)}")
    return float(value)
