"""Search space, frozen and validated: invalid instances cannot be constructed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn, TypeVar

from hedgecore.registry import nearest
from search_spaces import conditions, experiments, synonyms
from search_spaces.domains import Domain, Grid, Value
from search_spaces.fields import number
from search_spaces.messages import Cure, Places
from search_spaces.schedulers import Hyperband, IEpoch, Median, Pbt, Scheduler, StockAsha
from search_spaces.search import Search
from search_spaces.yaml_text import show

V = TypeVar("V")

EXAMPLE: Mapping[str, object] = {"lr": {"grid": [1e-3]}}
"""A block ``space`` for the cures of messages."""
MOST_AXES = 100
"""Axes of a space."""


class ReadOnly(dict[str, V]):
    """Read-only dict.

    A dict rather than a proxy, because spaces are pickled, copied and written as JSON.
    """

    def _refuse(self, *_: object, **__: object) -> NoReturn:
        raise TypeError("a search space is read-only; change it by overrides in load()")

    __setitem__ = __delitem__ = __ior__ = _refuse
    clear = pop = popitem = setdefault = update = _refuse

    def __reduce__(self) -> tuple[Any, ...]:
        return (type(self), (dict(self),))


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """Resources of a trial: CPU cores and GPUs; fractions share one.

    Raises:
        ValueError: "field: what is wrong; cure".
    """

    cpu: float = 1.0
    gpu: float = 0.0

    def __post_init__(self) -> None:
        if number("cpu", self.cpu) <= 0:
            raise ValueError(f"cpu: must be positive, got {show(self.cpu)}")
        if number("gpu", self.gpu) < 0:
            raise ValueError(f"gpu: must not be negative, got {show(self.gpu)}")
        object.__setattr__(self, "cpu", float(self.cpu))
        object.__setattr__(self, "gpu", float(self.gpu))


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchSpace:
    """A validated space file.

    Args:
        experiment: name of its experiment.
        space: domains by axis, in the order of the file.
        study: fixed settings; read-only dicts, lists as tuples. The study itself checks its keys.
        search: settings of the search.
        scheduler: early stopping; None for none.
        resources: resources of one trial.
        name: the file's name without its suffix.
        text: the YAML as read, without overrides.
        when: values of other axes that are required for an axis to exist.
        places: places of the keys.
    Raises:
        SpaceError: contradictory blocks.
    """

    experiment: str
    space: Mapping[str, Domain]
    study: Mapping[str, object]
    search: Search
    scheduler: Scheduler | None
    resources: Resources
    name: str
    text: str
    when: conditions.Conditions = field(default_factory=dict)
    places: Places = field(default_factory=Places, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "space", ReadOnly(self.space))
        object.__setattr__(self, "study", frozen(self.study))
        if not experiments.is_experiment(self.experiment):
            names = experiments.names()
            near = nearest(str(self.experiment), names)
            raise self.places.error(
                "experiment",
                f"unknown experiment {show(self.experiment)}; {near}",
                write=synonyms.choice("experiment", self.experiment, names) or names[0],
            )
        if not self.space:
            raise self.places.error("space", "is empty; give at least one axis", write=EXAMPLE)
        object.__setattr__(self, "when", frozen(self.when))
        try:
            conditions.order(self.space, self.when)
        except conditions.ConditionError as error:
            key = f"space.{error.axis}.when"
            raise self.places.error(key, str(error), write=error.write) from None
        self._check_search()
        if self.scheduler:
            self._check_scheduler(self.scheduler)

    def where(self, key: str) -> str:
        """Place of a dotted key and the key, such as "tickets.yaml:14 space.lr".

        A key without its own place has that of its nearest parent; an overridden key has the place
        "--set".
        """
        return self.places.where(key)

    @property
    def order(self) -> tuple[str, ...]:
        """Axes, each after those that it depends on."""
        return conditions.order(self.space, self.when)

    def present(self, values: Mapping[str, V]) -> dict[str, V]:
        """Those of ``values`` whose axes exist given the others, by axis, in order."""
        exist = conditions.present(values, self.order, self.when)
        return {axis: value for axis, value in values.items() if axis in exist}

    def required(self, axis: str) -> dict[str, tuple[Value, ...]]:
        """Values of other axes that are required for ``axis`` to exist, by axis."""
        return conditions.required(axis, self.when)

    def _check_search(self) -> None:
        search = self.search
        for axis, domain in self.space.items():
            kind = type(domain).__name__.lower()
            if search.algorithm == "grid" and not domain.enumerable:
                when = {"when": self.when[axis]} if axis in self.when else {}
                raise self.places.error(
                    f"space.{axis}",
                    f"{kind} cannot be enumerated; use grid or choice, or search.algorithm=random "
                    "with num_samples",
                    write={"grid": list(domain.ends()), **when},
                )
            sampled = search.algorithm != "grid" and not isinstance(domain, Grid)
            if sampled and search.num_samples is None:
                problem = f"is missing, but {axis} ({kind}) must be sampled"
                raise self.places.error("search.num_samples", problem, write=20)
        if search.adaptive:
            self._check_proposals()

    def _check_proposals(self) -> None:
        seeds = self.space.get("seed")
        trained = "every proposal is trained at every seed"
        if seeds is not None and not isinstance(seeds, Grid):
            problem = f"must be a grid: {trained}"
            raise self.places.error("space.seed", problem, write={"grid": [0, 1, 2]})
        if "seed" in self.when:
            problem = f"must be absent: {trained}"
            raise self.places.error("space.seed.when", problem, write=Cure.REMOVE)
        if set(self.space) == {"seed"}:
            problem = "no axis besides the seed to propose values for; add one"
            raise self.places.error("space", problem, write=EXAMPLE["lr"], target="space.lr")

    def _check_scheduler(self, scheduler: Scheduler) -> None:
        block = f"scheduler.{scheduler.kind}"
        for name in ("stratify_by", "axes", "replicates"):
            setting = getattr(scheduler, name, None) or ()
            for axis in (setting,) if isinstance(setting, str) else setting:
                if axis not in self.space:
                    problem = f"{show(axis)} is not an axis of space; {nearest(axis, self.space)}"
                elif axis in self.when:
                    problem = f"{show(axis)} has a condition, so it does not exist in every trial"
                elif name == "axes" and not self._is_numeric(axis):
                    problem = f"{show(axis)} is not numeric; name axes whose values are numbers"
                else:
                    continue
                where, write = f"{block}.{name}", self._without(scheduler, name, axis)
                if write:
                    raise self.places.error(where, problem, write=write)
                target = where if name != "axes" else "scheduler"
                empty: object = [] if name == "stratify_by" else None
                raise self.places.error(where, problem, write=empty, target=target)
        if self.search.adaptive:
            self._check_waiting(scheduler)

    def _is_numeric(self, axis: str) -> bool:
        return all(type(end) in (int, float) for end in self.space[axis].ends())

    def _without(self, scheduler: Scheduler, name: str, axis: str) -> list[str]:
        """Axes of a scheduler's setting, with an invalid one removed or corrected."""
        setting = getattr(scheduler, name)
        if isinstance(setting, str):
            return []
        closest = synonyms.choice("", axis, [a for a in self.space if a not in self.when])
        fits = axis not in self.space and closest is not None and closest not in setting
        if fits and closest and name == "axes":
            fits = closest != "seed" and self._is_numeric(closest)
        return [closest if a == axis and closest else a for a in setting if a != axis or fits]

    def _check_waiting(self, scheduler: Scheduler) -> None:
        """Reject rules under which proposals would wait for each other."""
        block = f"scheduler.{scheduler.kind}"
        algorithm, delay = self.search.algorithm, self.search.delay
        if isinstance(scheduler, Pbt):
            problem = f"changes what {algorithm} proposes; use it with search.algorithm: random"
            raise self.places.error(block, problem, write="random", target="search.algorithm")
        if isinstance(scheduler, IEpoch):
            problem = f"a proposal of {algorithm} would wait for all others; use asha, or "
            problem += "search.algorithm: random"
            raise self.places.error(block, problem, write={"asha": {}}, target="scheduler")
        if isinstance(scheduler, Hyperband):
            problem = f"a proposal of {algorithm} would wait for a bracket that is never filled"
            problem += "; use asha, or search.algorithm: random"
            raise self.places.error(block, problem, write={"asha": {}}, target="scheduler")
        if isinstance(scheduler, Median | StockAsha):
            problem = f"does not report to {algorithm} how proposals end; use asha or null"
            raise self.places.error(block, problem, write={"asha": {}}, target="scheduler")
        # Without strata the concurrent first proposals fill a block together.
        most, why = (1, "") if scheduler.stratify_by else (delay, f" (search.delay is {delay})")
        if scheduler.block > most:
            problem = f"a proposal of {algorithm} would wait for a block that is never filled, got"
            problem += f" {scheduler.block}{why}"
            raise self.places.error(f"{block}.block", problem, write=most)


def frozen(value: object) -> Any:
    """Read-only deep copy of nested mappings, lists and scalars; lists become tuples."""
    if isinstance(value, Mapping):
        return ReadOnly({key: frozen(item) for key, item in value.items()})
    if isinstance(value, list | tuple):
        return tuple(frozen(item) for item in value)
    return value
