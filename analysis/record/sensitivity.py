"""Section of a record on sensitivity: seeds, axes, importance."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from analysis.contrast import contrast, corrected, verdict
from analysis.intervals import MIN_SEEDS
from analysis.json_values import plain_value
from analysis.record.document import (
    NOT_SHOWN,
    Entry,
    Question,
    RecordTable,
    Section,
    not_shown,
    table_of,
)
from analysis.record.material import MANIFEST, TRIALS, Material, mapping
from analysis.sweep import Problem
from analysis.tickets.comparison import compare

LOSS = "val_loss"
_DESIGNED = ("grid", "random", "quasirandom")
"""Searches whose trials do not depend on results."""
_NO_PAIRS = f"no two configurations differ in one axis alone at {MIN_SEEDS} seeds or more"

Losses = list[tuple[str, pd.DataFrame]]
"""Title of every problem, and its losses: a row per seed, a column per configuration."""


def sensitivity(material: Material, questions: list[Question]) -> Section:
    """Section 7: what the result depends on."""
    losses = [(problem.title, _by_seed(problem)) for problem in material.sweep.problems]
    effects, neighbours = _effects(material, losses), _neighbours(material)
    tables = [_importance(material), effects, neighbours]
    return Section(
        number="7",
        title="Sensitivity",
        purpose="How much the result depends on the seed and on every axis.",
        entries=[
            _seed_share([frame for _, frame in losses]),
            *_reasons(material, effects=effects, neighbours=neighbours),
        ],
        tables=[one for one in tables if one.rows],
        questions=questions,
    )


def _reasons(
    material: Material, *, effects: RecordTable, neighbours: RecordTable
) -> Iterator[Entry]:
    """Entries in place of tables that the sweep does not support."""
    source = f"{TRIALS}: {LOSS}"
    if not material.importance:
        reason = "20 trials with a loss and two parameters are the fewest"
        yield not_shown("Importance of hyper-parameters", reason, source=source)
    else:
        reason = "PED-ANOVA has none here; differences between shares are not tested"
        yield not_shown("Interval of the importance", reason, source=source)
    if not effects.rows:
        reason = _obstacle(material) or _NO_PAIRS
        yield not_shown("Effect of every axis", reason, source=f"{source}; {MANIFEST}: search")
    if not neighbours.rows:
        reason = "no neighbour of a recommended ticket completed at every seed"
        reason = reason if material.experiment == "tickets" else "it is measured for tickets only"
        yield not_shown("Local slope around the recommended network", reason, source=TRIALS)


def _obstacle(material: Material) -> str:
    """Reason why marginal means of axes would mislead; empty if they do not."""
    trials = material.trials
    if "status" not in trials or material.completed.empty:
        return "no trial has completed"
    if trials["status"].eq("stopped").any():
        return "early stopping decided which configurations completed"
    algorithm = mapping(material.manifest, "search").get("algorithm") or "grid"
    if algorithm not in _DESIGNED:
        return f"the search ({algorithm}) chose configurations by their results"
    return ""


def _seed_share(problems: list[pd.DataFrame]) -> Entry:
    """Share of the variance of the validation loss that is within configurations."""
    name, source = "Share of the variance of val_loss between seeds", f"{TRIALS}: {LOSS}"
    groups = [part for part in problems if part.shape[0] > 1 and part.shape[1] > 1]
    if len(groups) != 1:
        why = "the space has several problems" if len(groups) > 1 else ""
        why = why or "it needs two configurations that completed at two seeds or more"
        return not_shown(name, why, source=source)
    values = groups[0].to_numpy()
    total = float(((values - values.mean()) ** 2).sum())
    if not total > 0.0:
        return not_shown(name, "all losses are equal", source=source)
    within = float(((values - values.mean(axis=0)) ** 2).sum())
    seeds, configurations = values.shape
    return Entry(
        name=name,
        value=within / total,
        source=source,
        note=f"sum of squares within the {configurations} configurations that completed at all "
        f"{seeds} seeds, over all; a description, without an interval",
    )


def _by_seed(problem: Problem) -> pd.DataFrame:
    """Losses of the configurations that completed at every seed: a row per seed."""
    trials = problem.trials
    if not {"config/seed", "status", LOSS} <= set(trials.columns) or trials.empty:
        return pd.DataFrame()
    names = [str(n) for n in trials if str(n).startswith("config/") and n != "config/seed"]
    seeds = sorted(trials["config/seed"].dropna().unique())
    completed = trials[trials["status"].eq("completed")]
    grouped = completed.groupby(names, dropna=False, sort=False) if names else None
    places = completed[names].assign(
        configuration=grouped.ngroup() if grouped else 0,
        seed=completed["config/seed"],
        loss=completed[LOSS].astype("float64"),
    )
    places = places.drop_duplicates(["configuration", "seed"])
    frame = places.pivot(index="seed", columns="configuration", values="loss").reindex(seeds)
    frame = frame[[name for name in frame if np.isfinite(frame[name]).all()]]
    keys = places.drop_duplicates("configuration").set_index("configuration")[names]
    frame.attrs["keys"] = [
        tuple(None if pd.isna(value) else value for value in key)
        for key in keys.loc[frame.columns].itertuples(index=False)
    ]
    frame.attrs["names"] = [name.removeprefix("config/") for name in names]
    return frame.set_axis(range(frame.shape[1]), axis=1)


def _effects(material: Material, losses: Losses) -> RecordTable:
    """Loss at the largest value of an axis less that at the smallest, others equal."""
    rows: list[dict[str, Any]] = []
    if not _obstacle(material):
        rows = [{"problem": title, **row} for title, frame in losses for row in _ends(frame)]
    rows = corrected(rows)
    for row in rows:
        row["verdict"] = verdict(row, larger_is_better=False)
    names = {"problem": "problem", "axis": "axis", "smallest": "from", "largest": "to"}
    names |= {"pairs": "pairs", "seeds": "seeds", "difference": "mean difference"}
    names |= {"difference_low": "low", "difference_high": "high", "p_holm": "p after Holm"}
    return table_of(
        pd.DataFrame(rows),
        {**names, "verdict": "verdict on the largest"},
        title="Effect of every axis on val_loss",
        source=f"{TRIALS}: {LOSS}",
        note="Largest value less smallest, mean over pairs of configurations that differ in this "
        "axis alone; 95 % intervals over seeds, verdicts at 5 % for the table. A lower loss is "
        "better.",
    )


def _ends(losses: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """Contrast of the ends of every numeric axis over the seeds of ``losses``."""
    if len(losses) < MIN_SEEDS or losses.shape[1] < 2:
        return
    keys, names = losses.attrs["keys"], losses.attrs["names"]
    places = {key: place for place, key in enumerate(keys)}
    for i, axis in enumerate(names):
        values = {key[i] for key in keys}
        if len(values) < 2 or not all(isinstance(v, int | float) for v in values):
            continue
        low, high = min(values), max(values)
        pairs = [
            (place, places[other])
            for key, place in places.items()
            if key[i] == high and (other := (*key[:i], low, *key[i + 1 :])) in places
        ]
        if not pairs:
            continue
        upper, lower = (losses[[pair[side] for pair in pairs]].mean(axis=1) for side in (0, 1))
        paired = contrast(upper, lower)
        if math.isnan(paired.p):
            continue
        yield {
            "axis": axis,
            "smallest": plain_value(low),
            "largest": plain_value(high),
            "seeds": paired.pairs,
            "pairs": len(pairs),
            **paired.columns(),
        }


def _importance(material: Material) -> RecordTable:
    shares = sorted(material.importance.items(), key=lambda item: -item[1])
    return RecordTable(
        title="Importance of hyper-parameters (PED-ANOVA)",
        columns=["parameter", "share"],
        rows=[[name, float(value)] for name, value in shares],
        source=f"{TRIALS}: {LOSS}",
        note="Shares of what separates the best tenth by val_loss from all trials; a description.",
    )


def _neighbours(material: Material) -> RecordTable:
    """Configurations that differ from a recommended ticket in one axis alone."""
    rows = pd.DataFrame()
    names = [name for name in material.axes if name != "seed"]
    if material.experiment == "tickets" and len(material.recommended):
        table = compare(material.sweep)
        table = table[table["left_out"].isna()] if "left_out" in table else table
        names = [name for name in names if name in table.columns]
        kept = [i for i, (_, row) in enumerate(table.iterrows()) if _is_near(row, material, names)]
        rows = table.iloc[kept]
    heads = {**{name: name for name in names}, "seeds": "seeds", "mean": "CVaR 5 %"}
    heads |= {"difference": "less the reference", "difference_low": "low"}
    heads |= {"difference_high": "high", "p_holm": "p after Holm", "verdict": "verdict"}
    return table_of(
        rows,
        heads,
        title="Neighbours of the recommended tickets",
        source=f"{TRIALS}: cvar_05",
        note="Against the configuration with the lowest validation risk; intervals of 95 % each, "
        f'p for all pairs of the sweep. "{NOT_SHOWN}" is no equality.',
    )


def _is_near(row: pd.Series, material: Material, names: list[str]) -> bool:
    """True if ``row`` differs from a recommended configuration in one of the ``names``."""
    return any(
        sum(not _same(row[name], one.configuration.get(name)) for name in names) == 1
        for one in material.recommended
    )


def _same(one: Any, other: Any) -> bool:
    if pd.isna(one) or other is None:
        return bool(pd.isna(one)) and other is None
    return bool(one == other)
