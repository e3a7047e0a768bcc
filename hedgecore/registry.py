"""Lookup of named choices, with errors that suggest the nearest one."""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import TypeVar

T = TypeVar("T")


def lookup(registry: Mapping[str, T], name: str, *, kind: str) -> T:
    """Entry of ``registry`` called ``name``.

    Args:
        registry: choices by their name in a YAML space.
        name: the requested name.
        kind: kind of choice, for the message ("attack", "scheme").
    Raises:
        ValueError: unknown ``name``; the message lists the nearest and all known names.
    """
    if name in registry:
        return registry[name]
    raise ValueError(unknown(name, registry, kind=kind))


def suggestion(name: object, choices: Iterable[str]) -> str | None:
    """Choice closest to ``name``; None if none is close."""
    return next(iter(get_close_matches(str(name)[:60], list(choices), n=1)), None)


def nearest(name: object, choices: Iterable[str]) -> str:
    """End of a message on an unknown ``name``: "did you mean 'pgd'? known: fgsm, pgd"."""
    names = sorted(choices)
    hint = f"did you mean {closest!r}? " if (closest := suggestion(name, names)) else ""
    return f"{hint}known: {', '.join(names)}"


def unknown(name: str, choices: Iterable[str], *, kind: str) -> str:
    """Message for an unknown ``name``: its kind, the nearest known name, all known names."""
    return f"unknown {kind} {name!r}; {nearest(name, choices)}"
