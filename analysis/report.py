"""The report in the terminal, and the tables it leaves under ``<storage>/report``."""

import math
import os
from collections import Counter
from pathlib import Path
from typing import Any

import pandas as pd
from rich import box
from rich.console import Console
from rich.table import Table

from analysis import findings, words
from analysis.audit import audit, soundness
from analysis.baselines import baselines
from analysis.comparison import compare
from analysis.configurations import problem_axes, seed_count
from analysis.efficiency import max_efficient_sparsity, sparsity_passes
from analysis.load import load_epochs, load_manifest, load_trials
from analysis.tables import best_lr, summary

_MOST_ROWS = 40
_MOST_COMPARED = 12
_MOST_ATTACKS = 2
_WIDE = 110  # columns; a narrower terminal gets the columns that matter most
_A_PARAMETER = 18  # columns that one more parameter may take
_OUTCOMES = ("completed", "stopped", "failed", "unfinished")


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
        for line in words.selections(rows):
            say(console, line)
    manifest = load_manifest(storage)
    hedges = baselines(trials, manifest)
    if len(hedges):
        console.print()
        console.print(untrained(hedges.head(_MOST_ROWS)))
        if len(hedges) > _MOST_ROWS:
            more = words.plural(len(hedges) - _MOST_ROWS, "more row")
            say(console, f"{more} in baselines.csv")
    if (trials["status"] == "completed").any():
        section(
            console,
            "Best learning rate (fewest epochs to 95 % of dense)",
            words.learning_rates(best),
        )
        sentences = words.efficient(answer, tolerance=tolerance, confidence=confidence)
        section(console, "Max efficient sparsity", sentences)
    tables = {"summary": rows, "best_lr": best, "sparsity_passes": passes}
    tables |= {"baselines": hedges} if len(hedges) else {}
    if seed_count(trials) > 1:
        tables["seeds"] = compare(trials)
        section(console, f"Seeds ({seed_count(trials)})", findings.seeds(tables["seeds"]))
        if tables["seeds"]["difference"].notna().any():
            console.print(compared(tables["seeds"]))
    ends = audited(storage, trials, manifest)
    sound = soundness(ends) if len(ends) else ends
    section(console, "Early stopping, audited", findings.stopping(sound, trials, manifest))
    tables |= {"audit": ends, "early_stopping": sound} if len(ends) else {}

    folder = storage / "report"
    written = [write_csv(folder / f"{name}.csv", frame) for name, frame in tables.items()]
    from analysis import figures  # matplotlib takes a second to load: not for status

    saved = figures.save(storage, trials, audited=ends, tolerance=tolerance, confidence=confidence)
    section(console, "Skipped figures", list(saved.skipped))
    drawn = [p for p in saved.written if p.suffix == ".png"]
    pictures = [str(p) for p in drawn if p.parent.name != "convergence_speed"]
    beside = Counter(p.parent for p in drawn if p.parent.name == "convergence_speed")
    for where, number in beside.items():
        pairs = words.plural(number, "other pair")
        pictures.append(f"{where}/ ({pairs} of sparsity and epsilon)")
    section(console, "Files", [str(p) for p in written])
    if pictures:
        section(console, "Figures (PNG, and PDF of the same name)", pictures)


def overview(rows: pd.DataFrame, *, width: int) -> Table:
    """The best configuration of every (sparsity, epsilon), for a terminal of ``width`` columns."""
    table = _table(
        title="Best configuration by validation risk, means over seeds",
        caption="CVaR 5 % in currency per option (S0 = 100), ± one standard error; larger is "
        "better. Trials: completed/stopped/failed/unfinished.",
    )
    records = [row for _, row in rows.iterrows()]
    cells = _problem(rows) | {
        "sparsity": [_or_dash(v, words.percent(v)) for v in rows["sparsity"]],
        "epsilon": [_or_dash(v, f"{v:g}") for v in rows["epsilon"]],
        "lr": [words.rate(r, absent="–") for r in records],
    }
    shown = {n for n in cells if rows[n].notna().any()}
    shown |= {"lr"} if "per seed" in cells["lr"] else set()
    cells = {name: column for name, column in cells.items() if name in shown}
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
    if width >= _WIDE + _A_PARAMETER * len(_problem(rows)):
        cells["weights\nkept"] = [_or_dash(v, f"{v:,.0f}") for v in rows["weights_kept"]]
    return _filled(table, cells)


def untrained(hedges: pd.DataFrame) -> Table:
    """Hedges without training and the dense network, for the terminal; best CVaR first."""
    table = _table(
        title="Hedges that need no training, and the dense network; means over preparations",
        caption="In currency per option (S0 = 100), turnover in shares; CVaR 5 % ± one standard "
        "error.",
    )
    cells = _problem(hedges) | {"hedge": hedges["name"].tolist()}
    cells["CVaR 5 %"] = [
        _with_error(v, se, ".3f")
        for v, se in zip(hedges["cvar_05"], hedges["cvar_05_se"], strict=True)
    ]
    headings = {"pnl_std": "P&L sd", "turnover": "turnover", "cost_paid": "cost paid"}
    for metric, heading in headings.items():
        cells[heading] = [_or_dash(v, f"{v:.3f}") for v in hedges[metric]]
    return _filled(table, cells)


def compared(rows: pd.DataFrame) -> Table:
    """The best of :func:`analysis.compare` and its reference, for the terminal."""
    rows = rows[rows["left_out"].isna()]
    shown = rows[rows["reference"] | (pd.Series(range(len(rows)), rows.index) < _MOST_COMPARED)]
    left = len(rows) - len(shown)
    more = f" {words.plural(left, 'more row')} in seeds.csv." if left else ""
    table = _table(
        title="Configurations on the same seeds, against the best by validation risk",
        caption="CVaR 5 % in currency per option (S0 = 100), mean over seeds; 95 % bootstrap "
        f"interval of the difference; p by Wilcoxon, corrected by Holm.{more}",
    )
    records = [row for _, row in shown.iterrows()]
    cells = {
        n: [_or_dash(v, words.percent(v) if n == "sparsity" else words.value(v)) for v in shown[n]]
        for n in findings.compared_parameters(rows)
    }
    cells["CVaR 5 %"] = [f"{v:.3f}" for v in shown["mean"]]
    cells["less best"] = [_or_dash(v, f"{v:+.3f}") for v in shown["difference"]]
    cells["interval"] = [
        _or_dash(r["difference_low"], f"{r['difference_low']:+.3f} to {r['difference_high']:+.3f}")
        for r in records
    ]
    cells["p"] = [_or_dash(v, f"{v:.2g}") for v in shown["p_holm"]]
    cells["verdict"] = ["reference" if r["reference"] else r["verdict"] for r in records]
    cells["more seeds"] = [
        "–" if pd.isna(n) else findings.seeds_needed(int(n)) for n in shown["more_seeds"]
    ]
    return _filled(table, cells)


def audited(storage: Path, trials: pd.DataFrame, manifest: dict[str, Any]) -> pd.DataFrame:
    """The frame of :func:`analysis.audit`; the epochs are read only where a trial was audited."""
    if "audited" not in trials.columns or not trials["audited"].fillna(False).any():
        return pd.DataFrame()
    return audit(trials, load_epochs(storage), manifest)


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


def _table(*, title: str, caption: str) -> Table:
    return Table(
        title=title,
        caption=caption,
        title_justify="left",
        caption_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        collapse_padding=True,
    )


def _filled(table: Table, cells: dict[str, list[str]]) -> Table:
    for heading in cells:
        table.add_column(heading, justify="left" if heading == "hedge" else "right", no_wrap=True)
    for texts in zip(*cells.values(), strict=True):
        table.add_row(*texts)
    return table


def _problem(rows: pd.DataFrame) -> dict[str, list[str]]:
    axes = problem_axes(map(str, rows.columns))
    return {n: [_or_dash(v, words.value(v)) for v in rows[n]] for n in axes}


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
