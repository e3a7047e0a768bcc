"""The dictionary of columns that ``analysis`` ships, from the definitions in ``hedgecore``.

``make columns`` writes ``analysis/columns.json`` again after a column has changed.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import get_args

from hedgecore.columns import Column, Columns
from hedgecore.hedging.columns import COLUMNS as TICKETS
from hedgecore.insurance.columns import COLUMNS as XNN

FILE = Path(__file__).resolve().parents[1] / "analysis" / "columns.json"
EXPERIMENTS = {"tickets": TICKETS, "xnn": XNN}


def text() -> str:
    """The file: JSON with a column a line."""
    content = {name: _experiment(columns) for name, columns in EXPERIMENTS.items()}
    return _lines(content) + "\n"


def _lines(value: object) -> str:
    """``value`` as JSON, in which every row of a table is a line."""
    if isinstance(value, dict):
        items = (f"{json.dumps(key)}: {_lines(item)}" for key, item in value.items())
        return "{\n" + ",\n".join(items) + "\n}"
    if isinstance(value, list) and isinstance(value[0], list | dict):
        return "[\n" + ",\n".join(map(_lines, value)) + "\n]"
    return json.dumps(value)


def _experiment(columns: Columns) -> dict[str, object]:
    return {
        "trials": _rows(columns.trials()),
        "epochs": _rows(columns.epochs()),
        "families": [
            {"places": dict(family.places), "bases": _rows(family.bases)}
            for family in columns.families
        ],
    }


def _rows(columns: Iterable[Column]) -> list[object]:
    return [[c.name, _kind(c), c.unit, c.better, c.meaning] for c in columns]


def _kind(column: Column) -> object:
    return list(get_args(column.type)) or column.type.__name__


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
