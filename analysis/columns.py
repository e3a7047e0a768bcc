"""Dictionary of the columns of all experiments, read from ``columns.json``.

``make columns`` generates that file from the definitions used to write the tables. It describes
frames that were not loaded from a file, and tables without column metadata.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, cast

Dtype = Literal["string", "category", "Int64", "float64", "boolean", "any"]
Direction = Literal["higher", "lower"]

_DTYPES: Mapping[str, Dtype] = {
    "str": "string",
    "int": "Int64",
    "float": "float64",
    "bool": "boolean",
    "object": "any",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """Description of a column; ``direction`` is the better end, None if there is not one."""

    name: str
    dtype: Dtype
    unit: str
    direction: Direction | None
    meaning: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """Columns ``<base>@<place>``; the pattern of the place adds words to the base's meaning."""

    bases: Mapping[str, Column]
    places: Mapping[str, str]

    def column(self, name: str) -> Column | None:
        """The column ``name``; None if it does not belong to the family."""
        head, _, place = name.partition("@")
        base = self.bases.get(head)
        for pattern, words in self.places.items():
            if base and (match := re.fullmatch(pattern, place)):
                return replace(base, name=name, meaning=base.meaning + match.expand(words))
        return None


def _columns(rows: list[Any]) -> dict[str, Column]:
    return {
        name: Column(
            name=name,
            dtype="category" if isinstance(kind, list) else _DTYPES[kind],
            unit=unit,
            direction=cast(Direction | None, direction),
            meaning=meaning,
        )
        for name, kind, unit, direction, meaning in rows
    }


_CONTENT = json.loads(Path(__file__).with_suffix(".json").read_text(encoding="utf-8"))

EXPERIMENTS: Mapping[str, Mapping[str, Mapping[str, Column]]] = {
    experiment: {table: _columns(content[table]) for table in ("trials", "epochs")}
    for experiment, content in _CONTENT.items()
}
"""Columns by experiment, table and name."""

FAMILIES: Mapping[str, tuple[Family, ...]] = {
    experiment: tuple(
        Family(bases=_columns(family["bases"]), places=family["places"])
        for family in content["families"]
    )
    for experiment, content in _CONTENT.items()
}

STATUSES: tuple[str, ...] = tuple(
    next(kind for name, kind, *_ in _CONTENT["tickets"]["trials"] if name == "status")
)
