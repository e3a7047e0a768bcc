"""Changes of a space to the one that it extends."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

BLOCKS = ("experiment", "space", "study", "search", "scheduler", "resources")
EXTENDS = "extends"
"""Key of a file with the path of the space whose keys it inherits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """A value that a space writes for one key.

    A whole axis and a whole scheduler are one value; in all other places mappings are merged key
    by key. Null removes an inherited axis, group of a study, or setting of a search, scheduler or
    resources, so that its default applies; in place of a value of a study it is a value.

    Args:
        path: keys from the block on.
        value: what is written there.
        place: where, such as "mine.yaml:5".
        marks: places of the keys at and below ``path``, by dotted key.
    """

    path: tuple[str, ...]
    value: object
    place: str
    marks: Mapping[str, str]

    def apply(
        self, tree: Mapping[str, object], marks: Mapping[str, str]
    ) -> tuple[dict[str, object], dict[str, str]]:
        """Blocks and places of keys after this edit."""
        before = _at(tree, self.path)
        if self.value == {} and isinstance(before, Mapping) and not self._is_axis:
            return dict(tree), dict(marks)
        value, removed = self.value, False
        if self.path == ("scheduler",) and isinstance(value, Mapping):
            inherited = before if isinstance(before, Mapping) else {}
            value = {rule: _merged(inherited.get(rule), s) for rule, s in value.items()}
        elif value is None and _exists(tree, self.path):
            removed = len(self.path) > 1
            if self.path[0] == "study":
                removed = removed and isinstance(before, Mapping)
        kept = {name: at for name, at in marks.items() if not self._replaces(name)}
        for outer in _outer(self.path):
            kept.setdefault(outer, self.place)
        edited = _edited(tree, self.path, value, removed=removed)
        return edited, kept if removed else kept | dict(self.marks)

    @property
    def _is_axis(self) -> bool:
        return self.path[0] == "space" and len(self.path) == 2

    def _replaces(self, name: str) -> bool:
        """True if the edit replaces the inherited key ``name``."""
        key = ".".join(self.path)
        if self.path == ("scheduler",) and isinstance(self.value, Mapping):
            # The settings of a rule are merged, another rule is replaced.
            block, *inner = name.split(".")
            return block == key and not (inner and inner[0] in self.value)
        return f"{name}.".startswith(f"{key}.")


def edits_of(tree: Mapping[str, object], marks: Mapping[str, str], label: str) -> Iterator[Edit]:
    """Edits that turn the space that ``tree`` extends into the space.

    Args:
        tree: blocks of the file.
        marks: places of their keys.
        label: label of the file.
    """
    for block, value in tree.items():
        if block != EXTENDS:
            for path, item in _leaves((block,), value):
                key = ".".join(path)
                inner = {n: at for n, at in marks.items() if f"{n}.".startswith(f"{key}.")}
                place = next((marks[k] for k in (key, *_outer(path)) if k in marks), label)
                yield Edit(path=path, value=item, place=place, marks=inner)


def _leaves(path: tuple[str, ...], value: object) -> Iterator[tuple[tuple[str, ...], object]]:
    axis = path[0] == "space" and len(path) == 2
    if path == ("scheduler",) or axis or not isinstance(value, Mapping) or not value:
        yield path, value
        return
    for name, item in value.items():
        yield from _leaves((*path, name), item)


def _outer(path: tuple[str, ...]) -> Iterator[str]:
    """Dotted keys that ``path`` lies below, the nearest first."""
    for end in range(len(path) - 1, 0, -1):
        yield ".".join(path[:end])


def _at(tree: object, path: tuple[str, ...]) -> object:
    for name in path:
        tree = tree.get(name) if isinstance(tree, Mapping) else None
    return tree


def _exists(tree: Mapping[str, object], path: tuple[str, ...]) -> bool:
    outer = _at(tree, path[:-1])
    return isinstance(outer, Mapping) and path[-1] in outer


def _edited(
    tree: object, path: tuple[str, ...], value: object, *, removed: bool
) -> dict[str, object]:
    """Copy of ``tree`` with ``value`` at ``path``, or without that key."""
    first, *inner = path
    result = dict(tree) if isinstance(tree, Mapping) else {}
    if inner:
        result[first] = _edited(result.get(first), tuple(inner), value, removed=removed)
    elif removed:
        del result[first]
    else:
        result[first] = value
    return result


def _merged(before: object, settings: object) -> object:
    """Settings of a rule in place of those ``before``; null removes an inherited one."""
    if not isinstance(before, Mapping) or not isinstance(settings, Mapping):
        return settings
    merged = {**before, **settings}
    return {n: v for n, v in merged.items() if v is not None or n not in before}
