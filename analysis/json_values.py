"""Values of tables as JSON has them, and objects in JSON files."""

import json
import math
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd


def plain_value(value: Any) -> Any:
    """``value`` as plain Python; None if null, NaN or infinite."""
    plain = value.item() if hasattr(value, "item") else value
    if plain is None or plain is pd.NA:
        return None
    return None if isinstance(plain, float) and not math.isfinite(plain) else plain


class JsonFile(Mapping[str, Any]):
    """Object in a JSON file, which is read at the first look at it.

    Of a pipe, that look waits until the object is complete.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def __getitem__(self, key: str) -> Any:
        return self._content[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._content)

    def __len__(self) -> int:
        return len(self._content)

    @cached_property
    def _content(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads(self._path.read_bytes())
        return content
