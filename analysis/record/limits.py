"""Sections of a record on limits, evidence and monitoring: 12 to 14."""

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from analysis import checksums, schema
from analysis.configurations import counts, groups
from analysis.errors import AnalysisError
from analysis.intervals import MIN_SEEDS
from analysis.json_values import plain_value
from analysis.recommendations import Recommendation, heading
from analysis.record.document import (
    NOT_SHOWN,
    Entry,
    Question,
    RecordTable,
    Section,
    not_shown,
)
from analysis.record.material import MANIFEST, TRIALS, Material, mapping
from analysis.stopped_units import scheduler
from analysis.wording import cautions, plural, setting
from analysis.xnn.cells import cells, members, of_problem
from analysis.xnn.fixed_settings import spelled_out

LEVELS: Mapping[str, float] = {"amber": 0.05, "red": 0.01}
"""Shares of networks trained anew that lie beyond a threshold."""
_MOST_STRATA = 12


def limitations(material: Material, questions: list[Question]) -> Section:
    """Section 12: limitations that follow from the tables by rules."""
    rows: list[list[Any]] = [list(row) for row in rules(material)]
    return Section(
        number="12",
        title="Limitations and assumptions",
        purpose="Limits that follow from the tables by rules. A rule that finds nothing is no "
        "evidence of no limit.",
        findings=cautions(material.trials, material.manifest) if len(material.trials) else (),
        tables=[
            RecordTable(
                title="Limits by rule",
                columns=["rule", "finding"],
                rows=rows,
                source=f"{TRIALS}; {MANIFEST}",
            )
        ],
        questions=questions,
    )


def rules(material: Material) -> Iterator[tuple[str, str]]:
    """Limits that follow from the tables: rule and finding, both in words."""
    yield "Axes at the edge of their range", _edges(material)
    yield f"Strata with fewer than {MIN_SEEDS} seeds", _thin(material)
    tally = counts(material.trials) if "status" in material.trials else {}
    stopped, total = tally.get("stopped", 0), tally.get("trials", 0)
    text = f"{stopped} of {plural(total, 'trial')} stopped early, without test results"
    yield "Censored trials", text if stopped else "none"
    without = [one for one in material.recommended if pd.isna(one.interval.low)]
    text = f"{len(without)} of {plural(len(material.recommended), 'recommended network')}"
    yield "Recommended without an interval", text if without else "none"
    study = mapping(material.manifest, "study")
    if material.experiment == "tickets":
        market = mapping(study, "market")
        words = ", ".join(f"{n} {market[n]}" for n in ("scheme", "steps") if n in market)
        text = f"all evidence is on simulated paths{f' ({words})' if words else ''}"
        yield "Simulator only", f"{text}; nothing is shown on market prices"
        yield "Scope", "one asset, one call, one hedging instrument"
    elif material.experiment == "xnn":
        data = mapping(study, "data")
        if "data" in study and data.get("path") is None:
            text = "the applicants are generated; nothing is shown on insured persons"
            yield "Generated data", text
        else:
            yield "Generated data", "none: the table is a file"


def _edges(material: Material) -> str:
    """Axes at whose smallest or largest value a recommended configuration lies."""
    ends = []
    for name in material.axes:
        column = f"config/{name}"
        if name == "seed" or column not in material.trials:
            continue
        values = material.trials[column].dropna()
        if not pd.api.types.is_numeric_dtype(values) or values.nunique() < 2:
            continue
        ends_of = {values.min(), values.max()}
        chosen = {one.configuration.get(name) for one in material.recommended}
        if chosen >= set(values.unique()):
            continue  # every value has its own recommendation
        edges = sorted((value for value in ends_of if value in chosen), key=float)
        ends += [f"{name} {plain_value(value):g}" for value in edges]
    if not material.recommended:
        return "no network is recommended"
    return f"recommended at {', '.join(ends)}; nothing is shown beyond" if ends else "none"


def _thin(material: Material) -> str:
    """Strata of early stopping, or problems, with completed trials of few seeds."""
    completed = material.completed
    if "config/seed" not in completed:
        return "the space has no seeds: nothing is known of their spread"
    axes = scheduler(material.manifest).get("stratify_by") or ()
    names = [str(axis) for axis in axes if f"config/{axis}" in material.trials]
    names = names or material.sweep.problem_axes
    few = []
    for values, part in groups(material.trials, names):
        seeds = int(part.loc[part["status"].eq("completed"), "config/seed"].nunique())
        if seeds < MIN_SEEDS:
            few.append(f"{setting(values) or 'all trials'}: {plural(seeds, 'seed')}")
    more = f"; {len(few) - _MOST_STRATA} more" if len(few) > _MOST_STRATA else ""
    return "; ".join(few[:_MOST_STRATA]) + more if few else "none"


def verification(material: Material, questions: list[Question]) -> Section:
    """Section 13: evidence that the numbers are those of the log."""
    assert material.sweep.files is not None
    try:
        listed = checksums.listed(material.sweep.files.storage)
    except AnalysisError:
        listed = None
    arithmetic = mapping(material.manifest, "arithmetic")
    digests = material.trials.get("model_sha256", pd.Series(dtype="string")).dropna()
    entries = [
        Entry(
            name="Tables and manifest equal their digests",
            value=True,
            source=checksums.NAME,
            note="checked while they were read",
        )
        if listed
        else not_shown(
            "Tables and manifest equal their digests",
            f"there is no {checksums.NAME}",
            source=checksums.NAME,
        ),
        Entry(
            name="Models with a recorded digest",
            value=len(digests),
            source=f"{TRIALS}: model_sha256",
        ),
        Entry(
            name="Kinds of arithmetic",
            value=len(arithmetic),
            source=f"{MANIFEST}: arithmetic",
            note="numbers of one kind are equal to the last bit",
        ),
        not_shown(
            "Trials trained again with equal bits",
            "hedgesweep replay STORAGE TRIAL_ID compares one, and is not recorded",
            source="log",
        ),
        not_shown(
            "Log, tables and models agree",
            "hedgesweep verify STORAGE checks it, and is not recorded",
            source="log",
        ),
    ]
    return Section(
        number="13",
        title="Verification evidence",
        purpose="Evidence that the numbers are right, and what would add to it.",
        entries=entries,
        questions=questions,
    )


def monitoring(material: Material, questions: list[Question]) -> Section:
    """Section 14: thresholds from the distribution over seeds."""
    rows = [row for one in material.recommended for row in _thresholds(material, one)]
    entries = [
        not_shown(
            "Drift of each input (PSI)",
            "it needs data of the use, which a sweep does not see",
            source=TRIALS,
        )
    ]
    return Section(
        number="14",
        title="Monitoring plan",
        purpose="Thresholds for networks that are trained anew, and who watches.",
        entries=entries,
        tables=[
            RecordTable(
                title="Thresholds",
                columns=["network", "metric", "level", "quantile", "threshold", "seeds", "note"],
                rows=rows,
                source=f"{TRIALS}: the named columns",
                note="A network of the same configuration and another seed lies beyond the "
                "threshold with at most the given probability (order statistics, any "
                "distribution) if the configuration was fixed in advance; of one chosen on these "
                "seeds the threshold is optimistic. It is silent on drifts of markets or insured.",
            )
        ]
        if rows
        else [],
        questions=questions,
    )


def _thresholds(material: Material, one: Recommendation) -> Iterator[list[Any]]:
    """Rows of the thresholds of a recommended configuration, amber and red."""
    trials = siblings(material, one.configuration)
    metric = one.metric if one.metric in trials else "val_loss"
    if metric not in trials:
        return
    if one.metric == "cross_entropy_minus_plain" and "cross_entropy" in trials:
        metric = "cross_entropy"
    higher = schema.column(metric, frame=material.trials).direction == "higher"
    values = trials[metric].dropna().astype("float64").sort_values(ascending=higher)
    for level, share in LEVELS.items():
        # Of n seeds, a new one lies beyond the k-th worst with probability k / (n + 1).
        k = int(share * (len(values) + 1) + 1e-9)
        needed = round(1 / share) - 1
        reason = f"{NOT_SHOWN}: {plural(len(values), 'seed')}, {needed} needed"
        threshold = float(values.iloc[k - 1]) if k else None
        note = ("at least" if higher else "at most") if k else reason
        yield [heading(one), metric, level, share, threshold, len(values), note]


def siblings(material: Material, configuration: Mapping[str, Any]) -> pd.DataFrame:
    """Completed trials of a ``configuration``, one per seed."""
    if material.experiment == "xnn":
        trials = spelled_out(material.sweep)
        values = {n: v for n, v in configuration.items() if n != "seed"}
        cell = of_problem(cells(material.sweep), values)
        return members(trials, cell.iloc[0]) if len(cell) else trials.iloc[:0]
    trials = material.completed
    for name in material.axes:
        column, value = f"config/{name}", configuration.get(name)
        if name == "seed" or column not in trials:
            continue
        same = trials[column].isna() if value is None else trials[column].eq(value)
        trials = trials[same.fillna(False).astype(bool)]
    return trials.drop_duplicates("config/seed") if "config/seed" in trials else trials
