"""Lineage of a space: the file itself and those that it extends.

``extends: tickets.yaml`` gives a file the keys of another, which it changes. Every key of the file
is an :class:`.edits.Edit` of what it inherits.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import reduce
from pathlib import Path

from search_spaces import foreign_files, space_files
from search_spaces.edits import BLOCKS, EXTENDS, Edit, edits_of
from search_spaces.messages import Cure, Places, SpaceError
from search_spaces.plain_data import plain
from search_spaces.written import written
from search_spaces.yaml_source import MOST_BYTES, MOST_VALUES, parse
from search_spaces.yaml_text import show

MOST_FILES = 10
"""Files of a lineage."""
SHIPPED = "search_spaces"
"""Folder of the shipped spaces, in the places of their keys."""
_REMOVABLE = ("space", "search", "scheduler", "resources")
"""Blocks in which null removes an inherited key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One file of a lineage: its blocks, and the places of their keys.

    The label is the file's name, or its path from the file at the end of the lineage; "" for a
    mapping of Python.
    """

    label: str
    tree: Mapping[str, object]
    marks: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lineage:
    """A space with those that it extends.

    Args:
        root: the space that extends no other.
        edits: changes of the others to it, in order.
        label: label of the space itself.
        name: its name without suffix.
        text: its YAML with everything inherited; as read where it extends no other.
    """

    root: Layer
    edits: tuple[Edit, ...]
    label: str
    name: str
    text: str

    def merged(self, count: int | None = None) -> tuple[dict[str, object], Places]:
        """Blocks and places after the first ``count`` edits; after all by default."""
        start = dict(self.root.tree), dict(self.root.marks)
        tree, marks = reduce(lambda state, edit: edit.apply(*state), self.edits[:count], start)
        origin = f"{self.label}:1" if self.label else ""
        return tree, Places(origin=origin, marks=marks)

    def blamed(self, error: SpaceError, attempt: Callable[[int], object]) -> SpaceError:
        """``error``, at the line of the space that causes it in a line that is inherited.

        Args:
            error: what ``attempt`` raised with all edits.
            attempt: loads the space after the first few edits.
        """
        inherited = error.place.rpartition(":")[0] not in ("", self.label)
        if not (self.edits and inherited and error.key):
            return error
        low, high = 0, len(self.edits)  # edits without and with the error
        if _fails_alike(error, attempt, low):
            return error  # an error of the file that is extended
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if _fails_alike(error, attempt, middle) else (middle, high)
        place = self.edits[high - 1].place
        if place == error.place:
            return error
        write = error.write
        if write is Cure.REMOVE:
            removable = error.key.partition(".")[0] in _REMOVABLE
            write = None if removable else Cure.UNKNOWN
        is_inherited = error.key in self.merged()[1].marks
        origin = f" (inherited from {error.place})" if is_inherited else ""
        problem = f"{error.problem}{origin}"
        return SpaceError.at(place, error.key, problem, write=write, target=error.target)


def of_file(path: str | os.PathLike[str]) -> Lineage:
    """Lineage of the space file at ``path``; see :func:`.space_files.read`.

    Raises:
        SpaceError: a file cannot be read, is not YAML, or is not a space; the files form a circle.
    """
    file, text = space_files.read(path)
    layer = _layer(file.name, text)
    return _lineage(layer, file=file, name=file.stem, text=text)


def of_mapping(blocks: Mapping[str, object], *, name: str) -> Lineage:
    """Lineage of the space in ``blocks``; what it extends is relative to the current directory.

    Raises:
        SpaceError: the blocks contain what a space file may not.
    """
    tree = plain("", "", blocks)
    assert isinstance(tree, dict)
    foreign_files.refuse(tree, "space")
    layer = Layer(label="", tree=tree, marks={})
    lineage = _lineage(layer, file=None, name=name, text=written(tree))
    try:
        parse(lineage.text, file="")
    except SpaceError as error:
        raise SpaceError.at("", error.key, error.problem) from None
    return lineage


def _lineage(layer: Layer, *, file: Path | None, name: str, text: str) -> Lineage:
    layers = [layer]
    files = [] if file is None else [_real(file)]
    folder = Path() if file is None else file.parent
    while EXTENDS in layers[-1].tree:
        layer, path = _base(layers[-1], folder, files)
        layers, files, folder = [*layers, layer], [*files, _real(path)], path.parent
        if len(layers) > MOST_FILES:
            place = _place(layers[-2])
            problem = f"more than {MOST_FILES} files extend one another; write fewer"
            raise SpaceError.at(place, EXTENDS, problem)
    root, *others = reversed(layers)
    edits = tuple(edit for one in others for edit in edits_of(one.tree, one.marks, one.label))
    lineage = Lineage(root=root, edits=edits, label=layers[0].label, name=name, text=text)
    return lineage if not others else _resolved(lineage, [one.label for one in layers])


def _base(layer: Layer, folder: Path, files: list[Path]) -> tuple[Layer, Path]:
    """Layer that ``layer`` extends, and its file.

    Args:
        layer: the last of the lineage so far.
        folder: folder of its file.
        files: real paths of all files of the lineage so far.
    """
    place, name = _place(layer), layer.tree[EXTENDS]
    if not isinstance(name, str) or not name.strip():
        problem = f"expected the path of one space, or the name of a shipped one, got {show(name)}"
        first = name[0] if isinstance(name, list) and name else None
        write = first if isinstance(first, str) and first.strip() else Cure.REMOVE
        raise SpaceError.at(place, EXTENDS, problem, write=write)
    parent, bare = os.path.split(name)
    by_name = parent in ("", SHIPPED)
    path = folder / name
    try:
        # A file that extends its own name means the shipped space of that name.
        if by_name and files and _real(path) == files[-1]:
            path = space_files.shipped_path(Path(bare))
        found, text = space_files.read(path, by_name=by_name)
    except SpaceError as error:
        raise SpaceError.at(place, EXTENDS, str(error)) from None
    real = _real(found)
    if real in files:
        names = [one.name for one in (*files[files.index(real) :], real)]
        circle = f"the files extend one another in a circle ({' -> '.join(names)})"
        raise SpaceError.at(place, EXTENDS, circle, write=Cure.REMOVE)
    label = os.path.normpath(os.path.join(os.path.dirname(layer.label), name))
    if real.parent == _real(space_files.FOLDER):
        label = f"{SHIPPED}/{found.name}"
    return _layer(label, text), found


def _layer(label: str, text: str) -> Layer:
    source = parse(text, file=label)
    tree = source.tree
    if tree is None:
        raise SpaceError(f"{label}:1: the file is empty; it needs the blocks experiment and space")
    if not isinstance(tree, Mapping):
        cure = f"write the blocks {', '.join(BLOCKS)}"
        raise SpaceError(f"{label}:1: expected a mapping, got {show(tree)}; {cure}")
    foreign_files.refuse(tree, f"{label}:1")
    return Layer(label=label, tree=tree, marks=source.places)


def _resolved(lineage: Lineage, labels: list[str]) -> Lineage:
    """``lineage`` with the text of a file that says the same without extending another."""
    tree, places = lineage.merged()
    comment = f"{labels[0] or 'a mapping'}, with what it extends: {', '.join(labels[1:])}"
    text = written(tree, comment=comment)
    place, label = places.place(EXTENDS), lineage.label
    if len(text.encode()) > MOST_BYTES or _count(tree) > MOST_VALUES:
        problem = f"with what it extends the space has more than {MOST_VALUES:,} values or "
        problem += f"{MOST_BYTES:,} bytes; write it shorter"
        raise SpaceError.at(place, EXTENDS, problem)
    return Lineage(
        root=lineage.root, edits=lineage.edits, label=label, name=lineage.name, text=text
    )


def _count(value: object) -> int:
    """Number of values in nested mappings and lists."""
    if isinstance(value, Mapping):
        return 1 + sum(1 + _count(item) for item in value.values())
    return 1 + sum(map(_count, value)) if isinstance(value, list) else 1


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))


def _place(layer: Layer) -> str:
    return layer.marks.get(EXTENDS, "")


def _fails_alike(error: SpaceError, attempt: Callable[[int], object], count: int) -> bool:
    try:
        attempt(count)
    except SpaceError as other:
        return (other.key, other.problem) == (error.key, error.problem)
    return False
