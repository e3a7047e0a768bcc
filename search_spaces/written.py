"""Text of a space file with given blocks."""

from collections.abc import Iterator, Mapping

from search_spaces.yaml_text import as_yaml, printable

_LONGEST = 100
"""Characters of a line that holds a whole mapping."""


def written(tree: Mapping[str, object], *, comment: str = "") -> str:
    """YAML that :func:`.yaml_source.parse` reads as ``tree``; an axis has a line of its own.

    Args:
        tree: blocks by name, as plain data.
        comment: first line, in one line of any text; none if "".
    """
    lines = [f"# {printable(comment)}"] if comment else []
    spaced = False
    for block, value in tree.items():
        if isinstance(value, Mapping) and value and block in ("space", "study"):
            lines += ["", f"{_name(block)}:"] if lines else [f"{_name(block)}:"]
            lines += _inner(value, "  ", whole=block == "space")
            spaced = True
        else:
            lines += [""] if spaced else []
            lines += _entry(block, value, "", whole=False)
            spaced = False
    return "\n".join(lines) + "\n"


def _inner(items: Mapping[str, object], indent: str, *, whole: bool) -> Iterator[str]:
    for name, value in items.items():
        yield from _entry(name, value, indent, whole=whole)


def _entry(name: str, value: object, indent: str, *, whole: bool) -> Iterator[str]:
    line = f"{indent}{_name(name)}: {as_yaml(value, plain=True)}"
    if whole or len(line) <= _LONGEST or not isinstance(value, Mapping) or not value:
        yield line
        return
    yield f"{indent}{_name(name)}:"
    yield from _inner(value, f"{indent}  ", whole=False)


def _name(key: str) -> str:
    return as_yaml(key, plain=True)
