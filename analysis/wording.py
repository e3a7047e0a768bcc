"""Wording of values, settings and headlines."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from analysis.configurations import counts, problem_axes

_MOST_GROUPS = 12
_PARAMETERS = {"lr": "learning rate", "epsilon": "ε"}
_LONGEST = 80  # characters of a value


def amount(value: float, *, signed: bool = False) -> str:
    """``value`` with three decimals and no negative zero; scientific notation from 1e4.

    "undefined" for NaN, which a mean is where a seed has an infinite value.
    """
    if math.isnan(value):
        return "undefined"
    digits = "z.3f" if not abs(value) >= 1e4 else ".1e"
    return f"{value:{'+' if signed else ''}{digits}}"


def plural(number: int, noun: str, many: str | None = None) -> str:
    """ "1 trial", "2,000 trials"; ``many`` is an irregular plural."""
    return f"{number:,} {noun if number == 1 else many or noun + 's'}"


def thousands(content: object) -> str:
    """Number of things with separators of thousands, "59,381"; other content as a value."""
    number = isinstance(content, int | float) and not isinstance(content, bool)
    return f"{content:,.0f}" if number else value(content)


def seed_range(seeds: pd.Series) -> str:
    """Numbers of seeds of the rows of a table: "5 seeds", or "2 to 5 seeds"."""
    fewest, most = int(seeds.min()), int(seeds.max())
    return plural(most, "seed") if fewest == most else f"{fewest} to {most} seeds"


def duration(seconds: float) -> str:
    """``seconds`` in three digits of the unit that suits: "1.54 s", "4.65 min", "12.3 h"."""
    for scale, unit in ((1.0, "s"), (60.0, "min")):
        if seconds < 60.0 * scale:
            return f"{seconds / scale:.3g} {unit}"
    return f"{seconds / 3600.0:.3g} h"


def first_of(lines: Sequence[str]) -> list[str]:
    """First of ``lines`` and the number of the others; empty without lines."""
    more = f", and {len(lines) - 1} more" if len(lines) > 1 else ""
    return [f"{lines[0]}{more}."] if lines else []


def corrected_p(p: float, *, symmetric: bool = False) -> str:
    """p of a test after Holm, which also holds for skewed noise unless the noise is symmetric."""
    return f"p = {p:.2g}, corrected{'' if symmetric else ' and for skewed noise as well'}"


def percent(share: float) -> str:
    """Share as a percentage without trailing zeros: 0.95 as 95 %."""
    return f"{100 * share:.4g} %"


def setting(values: Mapping[str, Any]) -> str:
    """Parameters and their values without nulls: "market.xi 0.1, cost.proportional 0.001".

    If all are null, as in trials that do not meet the condition of an axis: "market.xi unset".
    """
    text = ", ".join(f"{n} {value(v)}" for n, v in values.items() if pd.notna(v))
    return text or (f"{', '.join(values)} unset" if values else "")


def parameter(name: str) -> str:
    """Name of a parameter in words: "learning rate" of ``lr``, "batch size" of a dotted path."""
    return _PARAMETERS.get(name) or name.rpartition(".")[2].replace("_", " ")


def value(content: object) -> str:
    """Value of a parameter: a number without trailing zeros, or its text, shortened if long."""
    number = isinstance(content, int | float) and not isinstance(content, bool)
    return f"{content:g}" if number else _whole(str(content))


def _whole(text: str) -> str:
    """``text``, without its middle if it is long, because paths often differ at their ends."""
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST // 2]}…{text[-_LONGEST // 2 :]}"


def rate(row: pd.Series, *, absent: str) -> str:
    """Learning rate of a row; "per seed" if it differs between seeds, ``absent`` without one."""
    if not math.isnan(row["lr"]):
        return f"{row['lr']:.3g}"
    return "per seed" if _per_seed(row) else absent


def selections(rows: pd.DataFrame) -> list[str]:
    """Sentence on the groups of :func:`analysis.summary` that were chosen seed by seed."""
    number = int(rows["selection"].eq("per seed").sum())
    if not number:
        return []
    return [
        f"{plural(number, 'row')} per seed: no configuration completed at every seed, so each "
        "seed gives its own best by validation risk."
    ]


def headline(trials: pd.DataFrame, manifest: Mapping[str, Any], *, fallback: str) -> str:
    """One line: name of the sweep, number of trials by outcome, and number of seeds."""
    name = next((str(manifest[k]) for k in ("name", "sweep") if manifest.get(k)), fallback)
    if trials.empty:
        return f"{name}: no trials yet"
    status = trials["status"].value_counts()
    parts = [f"{int(n):,} {outcome}" for outcome, n in status.sort_index().items() if n]
    line = f"{name}: {plural(len(trials), 'trial')} ({', '.join(parts)})"
    if "config/seed" in trials.columns and trials["config/seed"].notna().any():
        line += f", {plural(int(trials['config/seed'].nunique()), 'seed')}"
    return line


def data_warnings(manifest: Mapping[str, Any]) -> list[str]:
    """Faults of the data of a sweep, as its preparations found them, once each with its seed."""
    lines: dict[str, None] = {}
    for prepared in (manifest.get("preparations") or {}).values():
        seed, warnings = prepared.get("seed"), prepared.get("warnings") or []
        lines |= dict.fromkeys(f"Data of seed {seed}: {warning}." for warning in warnings)
    return list(lines)


def provisional(trials: pd.DataFrame, manifest: Mapping[str, Any]) -> list[str]:
    """Sentences on trials that have not started or not ended; empty once all have."""
    lines = []
    planned = manifest.get("trials")
    if isinstance(planned, int) and (n := planned - len(trials)) > 0:
        has = "has" if n == 1 else "have"
        lines.append(f"{n:,} of {planned:,} planned trials {has} not started: all is provisional.")
    if n := counts(trials)["unfinished"]:
        total, verb = plural(len(trials), "trial"), "is" if n == 1 else "are"
        lines.append(f"{n:,} of {total} {verb} unfinished: all is provisional.")
    return lines


def cautions(trials: pd.DataFrame, manifest: Mapping[str, Any]) -> list[str]:
    """Sentences on the limits of the tables: trials that are missing from them, and why."""
    if trials.empty:
        return ["No trial has been recorded yet; run this again in a while."]
    tally, lines = counts(trials), data_warnings(manifest)
    lines += provisional(trials, manifest)
    if n := tally["stopped"]:
        singular = ("was", "is", "it has", "enters")
        was, are, it, enter = singular if n == 1 else ("were", "are", "they have", "enter")
        lines.append(
            f"{plural(n, 'trial')} {was} stopped early and {are} censored: {it} no test metrics "
            f"and {enter} no mean."
        )
    if n := tally["failed"]:
        line = f"{plural(n, 'trial')} failed"
        errors = trials["error"].dropna() if "error" in trials.columns else pd.Series(dtype=str)
        if len(errors):
            first = (str(errors.iloc[0]).splitlines() or [""])[0]
            line += f"; the first error: {first}"
        lines.append(line + ("" if line.endswith(".") else "."))
    mixed = trials["arithmetic"].dropna() if "arithmetic" in trials.columns else pd.Series()
    if (n := len({one for several in mixed for one in str(several).split("+")})) > 1:
        lines.append(
            f"Trials ran on {n} kinds of arithmetic (column arithmetic), which round otherwise: "
            "differences as small as rounding mean nothing."
        )
    if n := trials.attrs.get("infinite", 0):
        lines.append(
            f"{plural(n, 'number')} in the table of trials {'is' if n == 1 else 'are'} infinite "
            "or beyond 1e100, and taken as missing."
        )
    if not tally["completed"]:
        lines.append("No trial has completed, so there is nothing to compare yet.")
    return lines


def learning_rates(best: pd.DataFrame) -> list[str]:
    """A sentence per group of :func:`analysis.best_lr`, for the groups that have a result."""
    lines = []
    rows = best[best["converged"].notna()]
    for _, row in rows.head(_MOST_GROUPS).iterrows():
        lr = rate(row, absent="the study's own")
        seeds, dense = int(row["seeds"]), row["dense_epochs_to_95pct"]
        if row["converged"]:
            notes = [f"mean of {seeds} seeds"] if seeds > 1 else []
            notes += [] if math.isnan(dense) else [f"dense network: {dense:.3g}"]
            epochs = row["epochs_to_95pct"]
            text = f"{lr}, {'1 epoch' if epochs == 1 else f'{epochs:.3g} epochs'}"
            text += f" ({'; '.join(notes)})" if notes else ""
        elif _per_seed(row):
            text = "no configuration completed at every seed, so none can be called the fastest"
            if not math.isnan(row["lr"]):
                which = "the one seed" if seeds == 1 else f"each of the {seeds} seeds"
                text += f"; {lr} has the lowest validation risk at {which} with a result"
        else:
            where = "" if seeds == 1 else " at every seed"
            text = f"none meets the criterion{where}; {lr} has the lowest validation risk"
        lines.append(f"{place(row)}: {text}{_provisional(row)}.")
    if (remainder := len(rows) - _MOST_GROUPS) > 0:
        lines.append(f"{plural(remainder, 'more group')}: see best_lr.csv.")
    if (empty := len(best) - len(rows)) > 0:
        lines.append(f"No completed trial yet in {plural(empty, 'group')}.")
    return lines


def place(row: pd.Series) -> str:
    """Group of a row: "sparsity 80 %, epsilon 0.1, market.xi 0.5"."""
    parts = []
    if not math.isnan(row.get("sparsity", math.nan)):
        parts.append(f"sparsity {percent(row['sparsity'])}")
    if not math.isnan(row.get("epsilon", math.nan)):
        parts.append(f"epsilon {row['epsilon']:g}")
    parts.append(setting({n: row[n] for n in problem_axes(map(str, row.index))}))
    return ", ".join(filter(None, parts)) or "all trials"


def _per_seed(row: pd.Series) -> bool:
    return bool(pd.notna(row["selection"]) and row["selection"] == "per seed")


def _provisional(row: pd.Series) -> str:
    return " (provisional)" if row["provisional"] else ""
