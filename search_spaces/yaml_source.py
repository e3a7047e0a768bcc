"""Strict YAML with the line of every key: what YAML 1.1 would silently misread is refused."""

from collections.abc import Mapping
from dataclasses import dataclass

import yaml

from .messages import SpaceError, show
from .scalars import implied_tag, plain_scalar

_DEEPEST = 40
_MOST_VALUES = 100_000
_CURES = {
    r"\t": "indent with spaces, not tabs",
    "mapping values are not allowed": "put text that holds ': ' in quotes, or check indentation",
    "undefined alias": "define it with & above, or put text that begins with * in quotes",
}


@dataclass(frozen=True, slots=True)
class Source:
    """What a text says: nested dicts, lists and scalars, and the place of every dotted key."""

    tree: object
    places: Mapping[str, str]


def parse(text: str, *, file: str | None, key: tuple[str, ...] = ()) -> Source:
    """The tree that ``text`` stands for, with places such as "tickets.yaml:14".

    Args:
        text: one YAML document.
        file: name of the file, for the places; None for the value of an override.
        key: path of the key whose value ``text`` is.
    Raises:
        SpaceError: no YAML, more than one document, or a spelling that YAML 1.1 misreads.
    """
    reader = _Reader(text, file, key)
    return Source(reader.tree(), reader.places)


class _Reader:
    """One pass over one text; it collects places while it builds the tree."""

    def __init__(self, text: str, file: str | None, key: tuple[str, ...]) -> None:
        self.places: dict[str, str] = {}
        self._text = text
        self._file = file
        self._key = key
        self._values = 0
        self._open: list[yaml.Node] = []

    def tree(self) -> object:
        try:
            self._check_events()
            node = yaml.compose(self._text, Loader=yaml.SafeLoader)
        except yaml.reader.ReaderError as error:
            line = self._text.count("\n", 0, error.position) + 1
            raise self._not_yaml(
                line, f"character {error.character:#06x} is not allowed"
            ) from None
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            raise self._not_yaml(mark.line + 1 if mark else 1, error.problem or "") from None
        return None if node is None else self._value(node, self._key)

    def _check_events(self) -> None:
        """Refuses what composing could not survive: deep nesting, and a second document."""
        depth = documents = 0
        loader = yaml.SafeLoader(self._text)
        while True:
            try:
                event = loader.get_event()
            # PyYAML lets these escape, for instance on the escape "\UFFFFFFFF".
            except (ValueError, OverflowError) as error:
                raise self._not_yaml(loader.line + 1, str(error)) from None
            if event is None:
                return
            depth += isinstance(event, yaml.CollectionStartEvent)
            depth -= isinstance(event, yaml.CollectionEndEvent)
            documents += isinstance(event, yaml.DocumentStartEvent)
            line = event.start_mark.line + 1
            if depth > _DEEPEST:
                raise self._error(line, self._key, f"nested deeper than {_DEEPEST} levels")
            if documents > 1:
                raise self._error(line, self._key, "a second document begins; keep one a file")

    def _value(self, node: yaml.Node, path: tuple[str, ...]) -> object:
        line = node.start_mark.line + 1
        self._values += 1
        if self._values > _MOST_VALUES:
            raise self._error(line, path, f"more than {_MOST_VALUES} values; write fewer aliases")
        self._check_tag(node, path)
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, path)
        if node in self._open:
            raise self._error(line, path, "the alias stands for a value that contains it")
        self._open.append(node)
        if isinstance(node, yaml.SequenceNode):
            value: object = [self._value(item, path) for item in node.value]
        else:
            value = self._mapping(node, path)
        self._open.pop()
        return value

    def _mapping(self, node: yaml.Node, path: tuple[str, ...]) -> dict[str, object]:
        items: dict[str, object] = {}
        lines: dict[str, int] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            key = self._name(key_node, path)
            inner = (*path, key)
            if key in items:
                where = f", on lines {lines[key]} and {line}" if self._file else ""
                raise self._error(line, inner, f"{key!r} is written twice{where}; keep one")
            lines[key] = line
            # Lists share the path of their key; the first occurrence is where a reader looks.
            self.places.setdefault(".".join(inner), self._place(line))
            items[key] = self._value(value_node, inner)
        return items

    def _name(self, node: yaml.Node, path: tuple[str, ...]) -> str:
        line = node.start_mark.line + 1
        if not isinstance(node, yaml.ScalarNode):
            raise self._error(
                line, path, "a key must be text, got a list or mapping; write a name"
            )
        if node.style is None and node.value == "<<":
            cure = "write the keys out, or alias the whole mapping"
            raise self._error(line, path, f"merge keys (<<) are not read; {cure}")
        self._check_tag(node, path)
        key = self._scalar(node, path)
        if not isinstance(key, str):
            quoted = f"put it in quotes: {node.value!r}" if node.value else "write a name"
            raise self._error(line, path, f"a key must be text, got {show(key)}; {quoted}")
        if not key.strip():
            raise self._error(line, path, "a key is empty; write a name")
        return key

    def _check_tag(self, node: yaml.Node, path: tuple[str, ...]) -> None:
        plain = isinstance(node, yaml.ScalarNode) and node.style is None
        if node.tag != implied_tag(type(node), node.value, plain=plain):
            tag = node.tag.replace("tag:yaml.org,2002:", "!!")
            cure = "remove it and write the value plainly"
            raise self._error(node.start_mark.line + 1, path, f"tag {tag} is not read; {cure}")

    def _scalar(self, node: yaml.ScalarNode, path: tuple[str, ...]) -> object:
        try:
            node.value.encode()
            return node.value if node.style is not None else plain_scalar(node.value)
        except UnicodeEncodeError:
            problem = "text holds half a surrogate pair; write the character itself"
        except ValueError as error:
            problem = str(error)
        raise self._error(node.start_mark.line + 1, path, problem)

    def _place(self, line: int) -> str:
        return f"{self._file}:{line}" if self._file else "--set"

    def _error(self, line: int, path: tuple[str, ...], message: str) -> SpaceError:
        # Within an axis the axis is what the reader looks for, as in "tickets.yaml:14 space.lr".
        shown = path[:2] if path[:1] == ("space",) and self._file else path
        return SpaceError(f"{self._place(line)} {'.'.join(shown)}".strip() + f": {message}")

    def _not_yaml(self, line: int, problem: str) -> SpaceError:
        known = (cure for part, cure in _CURES.items() if part in problem)
        cure = next(known, "check brackets, quotes and indentation")
        return self._error(line, self._key, f"not YAML: {problem}; {cure}")
