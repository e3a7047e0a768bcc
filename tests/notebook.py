"""A notebook run as Jupyter would: its code cells in turn, in one namespace of this process.

``python -m tests.notebook docs/tour.ipynb`` stores the outputs in the file.
"""

import ast
import base64
import contextlib
import io
import json
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure


def outputs(notebook: Mapping[str, Any]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Id and outputs of every code cell, in the format of a notebook; cells run when asked for."""
    names: dict[str, Any] = {"__name__": "__main__"}
    for number, cell in enumerate(_code_cells(notebook), start=1):
        tree = ast.parse("".join(cell["source"]))
        last = tree.body[-1]
        shown = ast.Expression(tree.body.pop().value) if isinstance(last, ast.Expr) else None
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(tree, cell["id"], "exec"), names)
            value = eval(compile(shown, cell["id"], "eval"), names) if shown else None
        text = printed.getvalue()
        streams = [{"output_type": "stream", "name": "stdout", "text": _lines(text)}]
        results = [
            {
                "output_type": "execute_result",
                "execution_count": number,
                "metadata": {},
                "data": _data(value),
            }
        ]
        yield cell["id"], [*(streams if text else []), *(results if value is not None else [])]


def _code_cells(notebook: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def _data(value: object) -> dict[str, Any]:
    if not isinstance(value, Figure):
        with pd.option_context("display.width", 110, "display.max_columns", 20):
            return {"text/plain": _lines(repr(value))}
    picture = io.BytesIO()
    options: dict[str, Any] = {"bbox_inches": "tight", "metadata": {"Software": None}}
    value.savefig(picture, format="png", dpi=70, **options)
    encoded = base64.b64encode(picture.getvalue()).decode()
    return {"image/png": encoded, "text/plain": ["<Figure>"]}


def _lines(text: str) -> list[str]:
    return text.splitlines(keepends=True)


def main(path: Path) -> None:
    """Run the notebook in a temporary folder, and store its outputs."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    cells = {cell["id"]: (n, cell) for n, cell in enumerate(_code_cells(notebook), start=1)}
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        for cell_id, results in outputs(notebook):
            number, cell = cells[cell_id]
            cell |= {"execution_count": number, "outputs": results}
    path.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    os.environ.setdefault("MPLBACKEND", "agg")
    main(Path(sys.argv[1]).resolve())
