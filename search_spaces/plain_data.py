"""Python values as plain data: what a space file may contain."""

from collections.abc import Mapping

import numpy as np

from search_spaces.messages import SpaceError
from search_spaces.yaml_source import MOST_LEVELS
from search_spaces.yaml_text import show, too_large


def plain(place: str, key: str, value: object, *, depth: int = 0) -> object:
    """``value`` as nested dicts, lists and Python scalars.

    Args:
        place: place of the value for messages, such as "overrides"; "" for the blocks of a space.
        key: its dotted key.
        value: mappings, sequences, NumPy scalars and Python scalars.
        depth: levels above the value.
    Raises:
        SpaceError: it holds something else, is nested too deeply, or contains itself.
    """
    if depth > MOST_LEVELS:
        raise SpaceError.at(place, key, f"nested deeper than {MOST_LEVELS} levels")
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int | float):
        if too_large(value):
            problem = f"numbers must be finite and below 2**63, got {show(value)}"
            raise SpaceError.at(place, key, problem)
        return value
    if isinstance(value, list | tuple):
        return [plain(place, key, item, depth=depth + 1) for item in value]
    if isinstance(value, Mapping):
        items = {}
        for name, item in value.items():
            if not isinstance(name, str) or not name.strip():
                raise SpaceError.at(place, key, f"a key must be text, got {show(name)}")
            inner = key if place else f"{key}.{name}".lstrip(".")
            items[name] = plain(place, inner, item, depth=depth + 1)
        return items
    cure = "; write .tolist() after it" if isinstance(value, np.ndarray) else ""
    problem = "expected numbers, text, booleans, None, lists and dicts"
    raise SpaceError.at(place, key, f"{problem}, got {type(value).__name__}{cure}")
