"""The report in the terminal, and the tables it leaves under ``<storage>/report``."""

import math
import os
from pathlib import Path

import pandas as pd
from rich import box
from rich.console import Console
from rich.table import Table

from analysis import words
from analysis.efficiency import max_efficient_sparsity, sparsity_passes
from analysis.load import load_manifest, load_trials
from analysis.tables import best_lr, summary

_MOST_ROWS = 40
_MOST_ATTACKS = 2
_WIDE = 110  # columns; a narrower terminal gets the columns that matter most
_OUTCOMES = ("completed", "stopped", "failed", "unfinished")


def status(storage: Path, console: Console) -> None:
    """Prints the headline and the cautions."""
    _opening(storage, load_trials(storage), console)


def report(storage: Path, console: Console, *, tolerance: float, confidence: float) -> None:
    """Prints the tables and sentences, and writes CSV tables and figures under ``report/``."""
    trials = load_trials(storage)
    rows = summary(trials)
    best = best_lr(trials)
    passes = sparsity_passes(trials, tolerance=tolerance, confidence=confidence)
    answer = max_efficient_sparsity(trials, tolerance=tolerance, confidence=confidence)

    _opening(storage, trials, console)
    if trials.empty:
        return
    if len(rows):
        console.print()
        console.print(overview(rows.head(_MOST_ROWS), width=console.width))
        if len(rows) > _MOST_ROWS:
            say(console, f"{words.plural(len(rows) - _MOST_ROWS, 'more row')} in summary.csv")
    if (trials["status"] == "completed").any():
        section(
            console,
            "Best learning rate (fewest epochs to 95 % of dense)",
            words.learning_rates(best),
        )
        sentences = words.efficient(answer, tolerance=tolerance, confidence=confidence)
        section(console, "Max efficient sparsity", sentences)

    folder = storage / "report"
    tables = {"summary": rows, "best_lr": best, "sparsity_passes": passes}
    written = [write_csv(folder / f"{name}.csv", frame) for name, frame in tables.items()]
    from analysis import figures  # matplotlib takes a second to load: not for status

    saved = figures.save(storage, trials, tolerance=tolerance, confidence=confidence)
    section(console, "Skipped figures", list(saved.skipped))
    drawn = [p for p in saved.written if p.suffix == ".png"]
    pictures = [str(p) for p in drawn if p.parent.name == "figures"]
    if more := [p for p in drawn if p.parent.name != "figures"]:
        beside = words.plural(len(more), "other pair")
        pictures.append(f"{more[0].parent}/ ({beside} of sparsity and epsilon)")
    section(console, "Files", [str(p) for p in written])
    if pictures:
        section(console, "Figures (PNG, and PDF of the same name)", pictures)


def overview(rows: pd.DataFrame, *, width: int) -> Table:
    """The best configuration of every (sparsity, epsilon), for a terminal of ``width`` columns."""
    table = Table(
        title="Best configuration by validation risk, means over seeds",
        caption="CVaR 5 % in currency per option (S0 = 100), ± one standard error; larger is "
        "better. Trials: completed/stopped/failed/unfinished.",
        title_justify="left",
        caption_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        collapse_padding=True,
    )
    cells = {
        "sparsity": [_or_dash(v, words.percent(v)) for v in rows["sparsity"]],
        "epsilon": [_or_dash(v, f"{v:g}") for v in rows["epsilon"]],
        "lr": [_or_dash(v, f"{v:.3g}") for v in rows["lr"]],
    }
    cells = {name: column for name, column in cells.items() if rows[name].notna().any()}
    records = [row for _, row in rows.iterrows()]
    cells["trials"] = ["/".join(str(int(r[n])) for n in _OUTCOMES) for r in records]
    if width >= _WIDE:
        cells["epochs"] = [_or_dash(v, f"{v:.3g}") for v in rows["epochs"]]
    cells["to 95 %"] = [_speed(r) for r in records]
    for heading, metric, spec in (
        ("CVaR 5 %", "cvar_05", ".3f"),
        ("less dense", "cvar_05_minus_dense", "+.3f"),
    ):
        cells[heading] = [_with_error(r[metric], r[f"{metric}_se"], spec) for r in records]
    if width >= _WIDE:
        attacks = [c for c in map(str, rows.columns) if c.startswith("attacked_cvar_05@")]
        for name in attacks[:_MOST_ATTACKS]:
            heading = f"CVaR 5 %\n{name.split('@')[1]}"
            cells[heading] = [_or_dash(v, f"{v:.3f}") for v in rows[name]]
        cells["weights\nkept"] = [_or_dash(v, f"{v:,.0f}") for v in rows["weights_kept"]]
    for heading in cells:
        table.add_column(heading, justify="right", no_wrap=True)
    for texts in zip(*cells.values(), strict=True):
        table.add_row(*texts)
    return table


def section(console: Console, title: str, lines: list[str]) -> None:
    """A heading and its lines; nothing at all where there are no lines."""
    if not lines:
        return
    console.print()
    console.print(title, style="bold", markup=False)
    for line in lines:
        say(console, f"  {line}")


def say(console: Console, line: str) -> None:
    """One plain line: paths are neither wrapped nor coloured, brackets are text."""
    console.print(line, markup=False, highlight=False, soft_wrap=True)


def write_csv(path: Path, frame: pd.DataFrame) -> Path:
    """``frame`` as CSV at ``path``, put in place in one step."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    frame.to_csv(partial, index=False, float_format="%.10g", lineterminator="\n")
    os.replace(partial, path)
    return path


def _opening(storage: Path, trials: pd.DataFrame, console: Console) -> None:
    manifest = load_manifest(storage)
    say(console, words.headline(trials, manifest, fallback=storage.resolve().name))
    for line in words.cautions(trials, manifest):
        say(console, line)


def _speed(row: pd.Series) -> str:
    if pd.isna(row["converged"]):
        return "–"
    return f"{row['epochs_to_95pct']:.3g}" if row["converged"] else "not met"


def _with_error(value: float, se: float, spec: str) -> str:
    if math.isnan(value):
        return "–"
    return f"{value:{spec}}" + ("" if math.isnan(se) else f" ± {se:.3f}")


def _or_dash(value: float, text: str) -> str:
    return "–" if pd.isna(value) else text
