"""Lookup of named choices with an error that carries the cure."""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import TypeVar

T = TypeVar("T")


def lookup(registry: Mapping[str, T], name: str, *, kind: str) -> T:
    """The entry of ``registry`` called ``name``.

    Args:
        registry: choices by the name they have in a YAML space.
        name: the name asked for.
        kind: what is being chosen, for the message ("attack", "scheme").
    Raises:
        ValueError: unknown ``name``; the message gives the nearest and all known names.
    """
    if name in registry:
        return registry[name]
    raise ValueError(unknown(name, registry, kind=kind))


def unknown(name: str, choices: Iterable[str], *, kind: str) -> str:
    """The message for an unknown ``name``: what it is, the nearest known one, all known ones."""
    names = sorted(choices)
    near = get_close_matches(str(name), names, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"unknown {kind} {name!r}; {hint}known: {', '.join(names)}"
