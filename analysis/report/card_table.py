"""Metrics card of a trial, for the terminal."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console

from analysis import wording
from analysis.escapes import shortened
from analysis.recommendations import loading
from analysis.report.card import Card, read_card
from analysis.sparkline import sparkline
from analysis.terminal import say, section
from analysis.terminal import show as show_table
from analysis.text_table import TextTable, breadth
from analysis.tickets.baselines import NAMES as HEDGES
from analysis.xnn.baselines import NAMES as MODELS

_NAMES = {**HEDGES, **{key: name for key, (name, _) in MODELS.items()}}
_CELL = 24
"""Characters of a text in a table that is too wide."""
_NAMED = 6
_CELLS = {"tickets": ("cvar_05", "cvar_01", "pnl_mean", "pnl_std", "turnover", "cost_paid")}


def show(storage: Path, prefix: str, console: Console, *, as_json: bool = False) -> None:
    """Print the card of the trial of ``storage`` whose id begins with ``prefix``.

    Raises:
        StorageError: the storage cannot be read.
        TrialError: no trial or several trials have such an id.
    """
    card = read_card(storage, prefix)
    if as_json:
        console.file.write(card.json() + "\n")
    else:
        _print(card, console, storage=str(storage))


def _print(card: Card, console: Console, *, storage: str) -> None:
    """Print every part of ``card`` that it has."""
    say(console, f"trial {card.trial_id}: {card.status}")
    section(console, "Configuration", _lines(card.configuration))
    section(console, "Outcome", [*_lines(card.outcome), *_curve(card.curve)])
    for group, rows in card.metrics.groupby("group", sort=False):
        console.print()
        show_table(console, _metrics(rows, title=str(group)))
    if len(card.attacks):
        console.print()
        show_table(console, _attacks(card.attacks, width=console.width))
    if len(card.baselines):
        console.print()
        show_table(console, _baselines(card, width=console.width))
    elif card.note and len(card.metrics):
        section(console, "Baselines of its preparation", [f"None: {card.note}."])
    section(console, "Provenance", _lines(card.provenance))
    if card.model is not None:
        section(console, "Model", [str(card.model)])
        section(console, "Load it", loading(card.trial_id, card.experiment, storage))


def _lines(values: Mapping[str, Any]) -> list[str]:
    return [f"{name}: {text(value)}" for name, value in values.items()]


def _curve(curve: Mapping[int, float | None]) -> list[str]:
    """Line with the validation loss by epoch as a row of bars; empty without a loss."""
    losses = {epoch: loss for epoch, loss in curve.items() if loss is not None}
    if not losses:
        return []
    best = min(losses, key=losses.__getitem__)
    ends = f"{text(next(iter(losses.values())))} at epoch {min(losses)}"
    lowest = f"lowest {text(losses[best])} at epoch {best}"
    return [f"validation loss: {sparkline(list(losses.values()))}  {ends}, {lowest}"]


def _metrics(rows: pd.DataFrame, *, title: str) -> TextTable:
    cells = {"metric": rows["name"].tolist(), "value": list(map(text, rows["value"]))}
    cells["± se"] = ["" if pd.isna(error) else text(error) for error in rows["se"]]
    cells["95 % interval"] = [
        "" if pd.isna(low) else f"{text(low)} to {text(high)}"
        for low, high in zip(rows["low"], rows["high"], strict=True)
    ]
    cells |= {"unit": rows["unit"].tolist(), "better": rows["better"].tolist()}
    return TextTable(cells={h: texts for h, texts in cells.items() if any(texts)}, title=title)


def _attacks(rows: pd.DataFrame, *, width: int) -> TextTable:
    cells = {"attack": rows["attack"].tolist(), "budget": list(map(text, rows["budget"]))}
    cells |= {
        _NAMES.get(str(name), str(name)): list(map(text, rows[name])) for name in rows.columns[3:]
    }
    measure = str(rows["metric"].iloc[0]).partition("@")[0]
    return TextTable(
        cells=fitted(cells, width, fixed=3),
        title="under attack",
        caption=f"{measure}, in currency per option (S0 = 100); larger is better. Budget: price "
        "units on paths, standard deviations on observations.",
    )


def _baselines(card: Card, *, width: int) -> TextTable:
    rows = card.baselines
    wanted = [n for n in _CELLS.get(card.experiment, ()) if n in rows] or list(rows.columns[1:])
    cells = {"model": [_NAMES.get(key, key) for key in rows["baseline"]]}
    cells |= {name: list(map(text, rows[name])) for name in wanted}
    return TextTable(
        cells=fitted(cells, width, fixed=2),
        title="beside the baselines of its preparation",
        caption="One seed: differences are not tested. --json has every metric.",
    )


def fitted(cells: dict[str, list[str]], width: int, *, fixed: int) -> dict[str, list[str]]:
    """``cells`` without their last columns until they fit ``width``; the ``fixed`` first stay."""
    names = list(cells)
    while breadth({n: cells[n] for n in names}) > width and len(names) > fixed:
        names.pop()
    return {name: cells[name] for name in names}


def narrowed(
    cells: dict[str, list[str]], width: int, *, fixed: int
) -> tuple[dict[str, list[str]], str]:
    """``cells`` that fit ``width``, long texts cut, and a sentence on those that do not fit."""
    if breadth(cells) <= width:
        return cells, ""
    cut = {name: [shortened(one, most=_CELL) for one in texts] for name, texts in cells.items()}
    fit = fitted(cut, width, fixed=fixed)
    names = [shortened(name, most=_CELL) for name in cells if name not in fit]
    if not names:
        return fit, ""
    first = ", ".join(names[:_NAMED]) + (", .." if len(names) > _NAMED else "")
    columns = wording.plural(len(names), "more column")
    return fit, f"{columns} than fit here: {first}; --format csv has all."


def text(value: Any) -> str:
    """Cell of a ``value``: five digits of a number, a dash for none."""
    if value is None or value is pd.NA:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return "–" if pd.isna(value) else f"{value:.5g}"
    return wording.value(value) if not isinstance(value, str) else value
