"""Error messages: one line with place, key, condition, value and cure.

An exact cure is at the end, after "; write " or as "; remove it", in the syntax of its place:
``lr: {grid: [1e-3]}`` in a file, a whole ``--set ...``, an item of the mapping of Python
overrides, or the value for a key of blocks in Python.
"""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum

from hedgecore.errors import HedgesweepError
from search_spaces.yaml_text import as_yaml, printable, shortened

_LONGEST_CURE = 2000


class Cure(Enum):
    """Cures other than a value to write."""

    UNKNOWN = "no exact cure"
    REMOVE = "remove it"


SET, OVERRIDES = "--set", "overrides"
"""Places of values from the command line and from Python."""


class SpaceError(HedgesweepError, ValueError):
    """Mistake in a space file or an override, as one line.

    For instance "tickets.yaml:14 space.lr: low must be positive, got 0; write ...".
    """

    def __init__(self, message: str) -> None:
        super().__init__(printable(message))
        self.place = self.key = self.problem = self.target = ""
        self.write: object = Cure.UNKNOWN

    @classmethod
    def at(
        cls,
        place: str,
        key: str,
        problem: str,
        *,
        write: object = Cure.UNKNOWN,
        target: str | None = None,
    ) -> "SpaceError":
        """Error on ``key`` with its ``problem`` and cure.

        Args:
            place: "tickets.yaml:14", text that begins with "--set" or "overrides", or "" for the
                blocks of a mapping.
            key: dotted.
            problem: condition and value.
            write: the value to write for ``target``; "" if ``problem`` contains the cure.
            target: dotted key of the cure; ``key`` if None.
        """
        target = key if target is None else target
        about = f"{place} {shortened(key, 120)}".strip() + f": {problem}"
        cure = written_cure(place, key, target, write)
        error = cls(f"{about}; {cure}" if cure else about)
        error.place, error.key, error.problem = place, key, problem
        error.write, error.target = write, target
        return error

    def blamed_on(self, place: str) -> "SpaceError":
        """The same error at another place."""
        return SpaceError.at(place, self.key, self.problem, write=self.write, target=self.target)


class FieldError(HedgesweepError, ValueError):
    """Mistake without its place.

    Args:
        problem: condition and value.
        advice: the cure in words, used without ``write``.
        write: the value to write instead, or ``Cure.REMOVE``.
        target: key of the cure, next to the wrong one; "" for the wrong key itself.
    """

    def __init__(
        self, problem: str, advice: str = "", *, write: object = Cure.UNKNOWN, target: str = ""
    ) -> None:
        self.problem, self.advice, self.write, self.target = problem, advice, write, target
        cure = advice
        if not cure and write is Cure.REMOVE:
            cure = "remove it"
        elif not cure and write is not Cure.UNKNOWN:
            text = as_yaml(write, plain=True)
            cure = f"write {target}: {text}" if target else f"write {text}"
        super().__init__(f"{problem}; {cure}" if cure else problem)


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Places of keys: "tickets.yaml:14", or "--set" for an override.

    Args:
        origin: place of keys without a place that have no parent with one.
        marks: places by dotted key.
        overrides: values of the overrides by dotted key.
    """

    origin: str = ""
    marks: Mapping[str, str] = field(default_factory=dict)
    overrides: Mapping[str, object] = field(default_factory=dict)

    def where(self, key: str) -> str:
        """Place of ``key`` and the key itself, such as "tickets.yaml:14 space.lr"."""
        return f"{self.place(key)} {key}".strip()

    def error(
        self, key: str, message: str, *, write: object = Cure.UNKNOWN, target: str | None = None
    ) -> SpaceError:
        """See :meth:`SpaceError.at`, at the place of ``key``."""
        target = key if target is None else target
        if key.startswith("space.") and target == key and isinstance(write, Mapping):
            # The cure of an override of space.lr.grid is one of space.lr.grid.
            kinds = [kind for kind in write if f"{key}.{kind}" in self.marks and kind != "when"]
            if kinds and self.overridden(f"{key}.{kinds[0]}"):
                target, write = f"{key}.{kinds[0]}", write[kinds[0]]
        place = self.place(key)
        parent = max((k for k in self.overrides if key.startswith(f"{k}.")), key=len, default=None)
        if self.overridden(key) and parent and key not in self.overrides:
            # The mistake is inside the value of an override, which is rewritten.
            if write is Cure.REMOVE:
                target, write = parent, without(self.overrides[parent], key[len(parent) + 1 :])
            elif target.startswith(f"{parent}.") and write is not Cure.UNKNOWN:
                whole = self.overrides[parent]
                if target != key:
                    whole = without(whole, key[len(parent) + 1 :])
                write = including(whole, _parts(target, parent), write)
                target = parent
        return SpaceError.at(place, key, message, write=write, target=target)

    def field_error(self, key: str, error: ValueError, *, below: str = "") -> SpaceError:
        """``error`` as an error on ``key``.

        Args:
            key: dotted.
            error: a ``FieldError`` brings its cure.
            below: dotted parent of the cure's target; that of ``key`` if "".
        """
        if not isinstance(error, FieldError):
            return self.error(key, str(error))
        problem, write = error.problem, error.write
        if write is Cure.UNKNOWN and error.advice:
            problem += f"; {error.advice}"
        target = f"{below or key.rpartition('.')[0]}.{error.target}" if error.target else None
        return self.error(key, problem, write=write, target=target)

    def overridden(self, key: str) -> bool:
        """True if ``key``, or its nearest parent with a place, comes from an override."""
        return self.place(key).startswith((SET, OVERRIDES))

    def place(self, key: str) -> str:
        """Place of ``key`` or of its nearest parent with one."""
        parent = key
        while parent:
            if parent in self.marks:
                return self.marks[parent]
            parent = parent.rpartition(".")[0]
        return self.origin


def written_cure(place: str, key: str, target: str, write: object) -> str:
    """End of a message: "write lr: {grid: [1e-3]}", or "" without an exact cure."""
    if write is Cure.UNKNOWN:
        return ""
    if write is Cure.REMOVE:
        return "remove it"
    text = as_yaml(write, plain=True)
    if len(text) > _LONGEST_CURE:
        return "write it as a list or mapping of plain values"
    if not place:
        return f"write {write!r} for {target}"
    if place.startswith(SET):
        return f"write --set {shlex.quote(f'{target}={text}')}"
    if place.startswith(OVERRIDES):
        return f"write {target!r}: {write!r}"
    parent, leaf = _parent(target)
    if parent in ("", _parent(key)[0]):
        return f"write {leaf}: {text}"
    return f"write {leaf}: {text} below {parent}:"


def without(value: object, key: str) -> dict[str, object]:
    """Copy of a nested mapping without its dotted ``key``; a part of it may contain dots."""
    items = dict(value) if isinstance(value, Mapping) else {}
    if key in items:
        del items[key]
        return items
    for name in items:
        if key.startswith(f"{name}."):
            items[name] = without(items[name], key[len(name) + 1 :])
    return items


def including(value: object, path: Sequence[str], item: object) -> dict[str, object]:
    """Copy of a nested mapping with ``item`` at ``path``, in the same position if present."""
    items = dict(value) if isinstance(value, Mapping) else {}
    first, *tail = path
    items[first] = including(items.get(first), tail, item) if tail else item
    return items


def _parent(key: str) -> tuple[str, str]:
    """Parent of a dotted key and its last part; an axis may contain dots."""
    if key.startswith("space."):
        return "space", key[len("space.") :]
    parent, _, leaf = key.rpartition(".")
    return parent, leaf


def _parts(key: str, parent: str) -> list[str]:
    """Parts of ``key`` below ``parent``; an axis may contain dots."""
    inner = key[len(parent) + 1 :]
    if parent != "space":
        return inner.split(".")
    axis, dot, last = inner.rpartition(".")
    return [axis, last] if dot and last == "when" else [inner]
