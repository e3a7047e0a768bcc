"""Checks of single fields; every message begins with the field: "seed: must be at least 0"."""

from collections.abc import Iterable

from hedgecore.registry import nearest
from search_spaces import synonyms
from search_spaces.messages import Cure, FieldError
from search_spaces.yaml_text import show, too_large


def one_of(name: str, value: object, options: Iterable[str]) -> None:
    """Reject a value that is not in ``options``."""
    if value not in (choices := tuple(options)):
        problem = f"{name}: unknown {name} {show(value)}; {nearest(str(value), choices)}"
        choice = synonyms.choice(name, value, choices)
        raise FieldError(problem, write=choice if choice else Cure.UNKNOWN)


def whole(name: str, value: object, *, at_least: int, or_null: bool = False) -> None:
    """Reject a value that is not a whole number of at least ``at_least``."""
    if or_null and value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int):
        expected = "a whole number or null" if or_null else "a whole number"
        raise ValueError(f"{name}: expected {expected}, got {show(value)}")
    if value < at_least:
        raise ValueError(f"{name}: must be at least {at_least}, got {value}")
    if too_large(value):
        raise ValueError(f"{name}: must lie below 2**63, got {show(value)}")


def number(name: str, value: object) -> float:
    """``value`` as a float; rejects a value that is not a finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float) or too_large(value):
        raise ValueError(f"{name}: expected a number, got {show(value)}")
    return float(value)


def names(name: str, value: object, *, of: str) -> tuple[str, ...]:
    """``value`` as a tuple; rejects a value that is not a list of distinct names of ``of``."""
    if not isinstance(value, list | tuple):
        raise ValueError(f"{name}: expected a list of {of}, got {show(value)}")
    for i, item in enumerate(value):
        if not isinstance(item, str) or not item.strip():
            raise ValueError(f"{name}: expected names of {of}, got {show(item)}")
        if item in value[:i]:
            raise FieldError(f"{name}: {show(item)} appears twice", "keep one")
    return tuple(value)
