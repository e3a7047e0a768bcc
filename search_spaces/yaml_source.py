"""Strict YAML 1.2 with the line of every key.

Bounds on texts ensure that any text is read or rejected within a second.
"""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass

import yaml

from search_spaces import characters
from search_spaces.core_schema import CoreLoader, plain_scalar
from search_spaces.messages import SET, FieldError, SpaceError
from search_spaces.yaml_text import quoted, show

MOST_BYTES = 256 * 1024
"""Maximum size of a file or of the value of an override."""
MOST_LEVELS = 40
"""Maximum nesting of lists and mappings."""
MOST_VALUES = 10_000
"""Maximum number of scalars, lists and mappings, including those of aliases."""
MOST_CHARACTERS = 10_000
"""Maximum length of a scalar."""

_CURES = {
    r"\t": "indent with spaces, not tabs",
    "mapping values are not allowed": "put text that holds ': ' in quotes, or check indentation",
    "undefined alias": "define it with & above, or put text that begins with * in quotes",
    "cannot start any token": "put text that begins with @, ` or % in quotes",
}


@dataclass(frozen=True, slots=True)
class Source:
    """Parsed text: nested dicts, lists and scalars, and the place of every dotted key."""

    tree: object
    places: Mapping[str, str]


def parse(text: str, *, file: str | None, key: tuple[str, ...] = ()) -> Source:
    """Tree of ``text``, with places such as "tickets.yaml:14".

    Args:
        text: one YAML document.
        file: name of the file, for the places; None for the value of an override.
        key: path of the key with the value ``text``.
    Raises:
        SpaceError: invalid YAML, more than one document, an exceeded bound, a tag, a duplicate
            key, or a value that :func:`plain_scalar` rejects.
    """
    reader = _Reader(text, file, key)
    return Source(reader.tree(), reader.places)


class _Reader:
    """Single pass over a text that builds the tree and collects places."""

    def __init__(self, text: str, file: str | None, key: tuple[str, ...]) -> None:
        self.places: dict[str, str] = {}
        self._text = text
        self._file = file
        self._key = key
        self._values = 0
        self._open: list[yaml.Node] = []

    def tree(self) -> object:
        self._check_text()
        try:
            self._check_events()
            node = yaml.compose(self._text, Loader=CoreLoader)
        except yaml.reader.ReaderError as error:
            problem = f"character {error.character:#06x} is not allowed"
            line, column = self._line(error.position), self._column(error.position)
            raise self._error(line, self._key, f"{problem}, column {column}; delete it") from None
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            end = mark.index if mark else len(self._text)
            raise (
                self._pasted(self._text, 0, end + 1, self._key, comments=True)
                or self._not_yaml(mark.line + 1 if mark else 1, error.problem or "")
            ) from None
        return None if node is None else self._value(node, self._key)

    def _check_text(self) -> None:
        size = len(self._text)
        if size > MOST_BYTES:
            message = f"{size:,} characters are more than {MOST_BYTES:,}; write it shorter"
            raise self._error(1, self._key, message)
        if (at := characters.hidden(self._text)) is not None:
            name, column = characters.named(self._text[at]), self._column(at)
            cure = f"{name} at column {column} hides part of the text; delete it"
            raise self._error(self._line(at), self._key, cure)

    def _check_events(self) -> None:
        """Reject text unsafe to compose: too deep, too many nodes, a second document."""
        depth = documents = values = 0
        loader = CoreLoader(self._text)
        while True:
            try:
                event = loader.get_event()
            # PyYAML does not catch these, for instance on the escape "\UFFFFFFFF".
            except (ValueError, OverflowError) as error:
                raise self._not_yaml(loader.line + 1, str(error)) from None
            if event is None:
                return
            depth += isinstance(event, yaml.CollectionStartEvent)
            depth -= isinstance(event, yaml.CollectionEndEvent)
            documents += isinstance(event, yaml.DocumentStartEvent)
            values += isinstance(event, yaml.NodeEvent)
            line = event.start_mark.line + 1
            if depth > MOST_LEVELS:
                raise self._error(line, self._key, f"nested deeper than {MOST_LEVELS} levels")
            if documents > 1:
                message = "a second document begins; keep one document per file"
                raise self._error(line, self._key, message)
            if values > MOST_VALUES:
                cure = "write fewer, or draw them from a range"
                raise self._error(line, self._key, f"more than {MOST_VALUES} values; {cure}")
            if isinstance(event, yaml.ScalarEvent) and len(event.value) > MOST_CHARACTERS:
                size = f"{len(event.value):,} characters, at most {MOST_CHARACTERS:,}"
                raise self._error(line, self._key, f"a value of {size}; write it shorter")

    def _value(self, node: yaml.Node, path: tuple[str, ...]) -> object:
        line = node.start_mark.line + 1
        self._values += 1
        if self._values > MOST_VALUES:
            raise self._error(line, path, f"more than {MOST_VALUES} values; write fewer aliases")
        self._check_tag(node, path)
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, path)
        if node in self._open:
            cure = "the alias stands for a value that contains it; write the value out"
            raise self._error(line, path, cure)
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
                raise self._error(line, inner, f"{show(key)} is written twice{where}; keep one")
            lines[key] = line
            # Lists share the path of their key; the first occurrence is the place to report.
            self.places.setdefault(".".join(inner), self._place(line))
            items[key] = self._value(value_node, inner)
        return items

    def _name(self, node: yaml.Node, path: tuple[str, ...]) -> str:
        line = node.start_mark.line + 1
        if not isinstance(node, yaml.ScalarNode):
            problem = "a key must be text, got a list or mapping; write a name"
            raise self._error(line, path, problem)
        if node.style is None and node.value == "<<":
            cure = "write the keys out, or alias the whole mapping"
            raise self._error(line, path, f"merge keys (<<) are not supported; {cure}")
        self._check_tag(node, path)
        key = self._scalar(node, path)
        if not isinstance(key, str):
            problem = f"a key must be text, got {node.value or 'null'}"
            if node.value:
                token = quoted(node.value)
                cure = f"; write {token} in quotes" if self._file else ""
                raise self._token(node, path, f"{problem}{cure}", token)
            raise self._error(line, path, f"{problem}; write a name")
        if not key.strip():
            raise self._error(line, path, "a key is empty; write a name")
        return key

    def _check_tag(self, node: yaml.Node, path: tuple[str, ...]) -> None:
        plain = isinstance(node, yaml.ScalarNode) and node.style is None
        if node.tag != CoreLoader("").resolve(type(node), node.value, (plain, not plain)):
            tag = node.tag.replace("tag:yaml.org,2002:", "!!")
            problem = (
                f"tag {show(tag)[1:-1]} is not supported; remove it and write the value plainly"
            )
            raise self._error(node.start_mark.line + 1, path, problem)

    def _scalar(self, node: yaml.ScalarNode, path: tuple[str, ...]) -> object:
        if node.style is None:
            start, end = node.start_mark.index, node.end_mark.index
            if pasted := self._pasted(self._text, start, end, path):
                raise pasted
        try:
            node.value.encode()
            return node.value if node.style else plain_scalar(node.value, node.tag)
        except UnicodeEncodeError:
            problem = "text holds half a surrogate pair; write the character itself"
            raise self._error(node.start_mark.line + 1, path, problem) from None
        except FieldError as error:
            problem = str(error) if self._file else error.problem
            raise self._token(node, path, problem, str(error.write)) from None

    def _token(
        self, node: yaml.Node, path: tuple[str, ...], problem: str, token: str
    ) -> SpaceError:
        """Error on a scalar; the cure of an override is its text with ``token`` instead."""
        if self._file:
            return self._error(node.start_mark.line + 1, path, problem)
        start, end = node.start_mark.index, node.end_mark.index
        return self._override(path, problem, self._text[:start] + token + self._text[end:])

    def _pasted(
        self, text: str, start: int, end: int, path: tuple[str, ...], *, comments: bool = False
    ) -> SpaceError | None:
        """Error on the first character of a range that only looks like ASCII."""
        for at in characters.unlike_ascii(text[start:end]):
            index = start + at
            before = text[text.rfind("\n", 0, index) + 1 : index]
            if comments and (before.lstrip().startswith("#") or " #" in before):
                continue
            character = text[index]
            problem = f"{characters.named(character)} at column {self._column(index)}"
            cure = characters.cure(character)
            if self._file:
                message = f"{problem}; quote text that contains it; {cure}"
                return self._error(self._line(index), path, message)
            clean = "".join(map(characters.meant, text))
            return self._override(path, problem, clean)
        return None

    def _override(self, path: tuple[str, ...], problem: str, text: str) -> SpaceError:
        cure = shlex.quote(f"{'.'.join(self._key)}={text}")
        return self._error(1, path, f"{problem}; write {SET} {cure}")

    def _line(self, index: int) -> int:
        return self._text.count("\n", 0, index) + 1

    def _column(self, index: int) -> int:
        return index - self._text.rfind("\n", 0, index)

    def _place(self, line: int) -> str:
        return f"{self._file}:{line}" if self._file else SET

    def _error(self, line: int, path: tuple[str, ...], message: str) -> SpaceError:
        # Within an axis, report the axis, as in "tickets.yaml:14 space.lr".
        key = path[:2] if path[:1] == ("space",) and self._file else path
        return SpaceError.at(self._place(line), ".".join(key), message)

    def _not_yaml(self, line: int, problem: str) -> SpaceError:
        cures = (cure for part, cure in _CURES.items() if part in problem)
        cure = next(cures, "check brackets, quotes and indentation")
        return self._error(line, self._key, f"not YAML: {problem}; {cure}")
