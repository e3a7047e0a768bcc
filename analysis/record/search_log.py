"""Sections of a record on data and on the search: 5 and 6."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from analysis.audit import audit, soundness
from analysis.audit_findings import stopping
from analysis.configurations import counts
from analysis.record.document import (
    NOT_SHOWN,
    Entry,
    Question,
    RecordTable,
    Section,
    flat,
    named_files,
    not_shown,
    table_of,
)
from analysis.record.material import EPOCHS, MANIFEST, TRIALS, Material, mapping
from analysis.wording import data_warnings, plural
from analysis.xnn.origin import origin
from analysis.xnn.selection import held_out

_FIRST_LINE = 200  # characters of an error
_MOST_REASONS = 50
_WORDS = {
    "cvar_05_se": "Standard error of CVaR 5 %",
    "dense_cvar_05_se": "Standard error of CVaR 5 % of the dense network",
}


def data(material: Material, questions: list[Question]) -> Section:
    """Section 5: data of every seed, simulator, splits, faults."""
    manifest, trials = material.manifest, material.trials
    study = mapping(manifest, "study")
    entries: list[Entry] = []
    findings = data_warnings(manifest)
    if material.experiment == "xnn":
        findings = [*origin(trials, manifest), *findings]
        same = None if trials.empty else not held_out(trials, manifest)
        entries.append(
            Entry(
                name="Test rows apart from validation rows",
                value=None if same is None else not same,
                note="choices on test rows flatter" if same else "",
                source=f"{MANIFEST}: study.data.split",
            )
        )
        entries += [_range(material, name) for name in ("rare_levels", "rare_columns", "groups")]
    elif material.experiment == "tickets":
        findings = ["All paths are simulated from the market below; none was observed.", *findings]
        entries += [_range(material, name) for name in ("cvar_05_se", "dense_cvar_05_se")]
    settings = [
        [f"{part}.{name}", value]
        for part in ("market", "option", "cost", "data")
        if mapping(study, part)
        for name, value in named_files(flat(mapping(study, part)))
    ]
    prepared = [
        [
            key,
            one.get("seed"),
            one.get("data_sha256"),
            one.get("theta_0_sha256"),
            one.get("arithmetic"),
        ]
        for key, one in mapping(manifest, "preparations").items()
        if isinstance(one, Mapping)
    ]
    tables = [
        RecordTable(
            title="Settings of the data",
            columns=["setting", "value"],
            rows=settings,
            source=f"{MANIFEST}: study",
        ),
        RecordTable(
            title="Data by preparation",
            columns=["preparation", "seed", "data sha256", "theta_0 sha256", "arithmetic"],
            rows=[[_cell(value) for value in row] for row in prepared],
            source=f"{MANIFEST}: preparations",
            note="A preparation is what the trials of a seed share; data are split by its seed.",
        ),
    ]
    return Section(
        number="5",
        title="Data lineage",
        purpose="Origin, fingerprints and faults of the data, and the error of simulated paths.",
        entries=[one for one in entries if one.value is not None or one.note],
        tables=[one for one in tables if one.rows],
        findings=findings,
        questions=questions,
    )


def search(material: Material, questions: list[Question]) -> Section:
    """Section 6: trials by outcome, resources, stops, failures, and the cost of stopping."""
    trials, manifest = material.trials, material.manifest
    tally = counts(trials) if "status" in trials else {"trials": len(trials)}
    planned = manifest.get("trials")
    entries = [
        Entry(name="Trials planned", value=planned, source=f"{MANIFEST}: trials")
        if isinstance(planned, int)
        else not_shown("Trials planned", "the search adds trials as it goes", source=MANIFEST),
        *(
            Entry(
                name=f"Trials {name}".replace("Trials trials", "Trials recorded"),
                value=number,
                source=f"{TRIALS}: status",
            )
            for name, number in tally.items()
        ),
        *_sums(trials),
    ]
    tables = [
        _reasons(trials, "stopped", "reason", "Reasons of stops"),
        _reasons(trials, "failed", "error", "Errors of failed trials"),
    ]
    findings, sound = _stopping(material)
    if sound is not None:
        tables.append(sound)
    return Section(
        number="6",
        title="Search log",
        purpose="Every trial by outcome, the reasons of stops, resources, and what stopping may "
        "have cost.",
        entries=entries,
        tables=[one for one in tables if one.rows],
        findings=findings,
        questions=questions,
    )


def _stopping(material: Material) -> tuple[list[str], RecordTable | None]:
    """Sentences on the cost of early stopping, and the audit by rung."""
    trials, manifest = material.trials, material.manifest
    if "status" not in trials or not trials["status"].eq("stopped").any():
        return ["No trial was stopped early."], None
    audited = "audited" in trials and bool(trials["audited"].fillna(False).any())
    rows = audit(trials, material.sweep.epochs, manifest) if audited else pd.DataFrame()
    sound = soundness(rows) if len(rows) else pd.DataFrame()
    lines = stopping(sound, trials, manifest)
    if sound.empty or not int(sound.iloc[0]["audited"]):
        stopped = plural(int(trials["status"].eq("stopped").sum()), "stopped trial")
        reason = "the audit has no unit to judge" if manifest.get("audit") else "no audit"
        cure = "" if manifest.get("audit") else "; run with --audit 0.1"
        lines.append(
            f"What the {stopped} may have cost: {NOT_SHOWN}: {reason}{cure}. Stopped trials have "
            "no test metrics."
        )
        return lines, None
    names = {"rung": "rung", "audited": "audited", "false_stops": "false stops"}
    names |= {"false_stop_rate": "share", "false_stop_rate_low": "low"}
    names |= {"false_stop_rate_high": "high", "regret": "regret", "regret_low": "at least"}
    return lines, table_of(
        sound,
        names,
        title="Audited stops by rung, all rungs first",
        source=f"{TRIALS}: audit_val_loss; {EPOCHS}: val_loss",
        note="Clopper-Pearson intervals of 95 %, valid for all stopped units; regret in the unit "
        "of the validation risk.",
    )


def _sums(trials: pd.DataFrame) -> list[Entry]:
    """Epochs and hours of all trials, and their seeds."""
    entries = []
    if "epochs" in trials:
        number = int(trials["epochs"].fillna(0).sum())
        entries.append(Entry(name="Epochs trained", value=number, source=f"{TRIALS}: epochs"))
    if "seconds" in trials:
        hours = float(trials["seconds"].dropna().astype("float64").sum()) / 3600.0
        entries.append(
            Entry(name="Trial time", value=hours, unit="h", source=f"{TRIALS}: seconds")
        )
    if "config/seed" in trials:
        seeds = int(trials["config/seed"].nunique())
        entries.append(Entry(name="Seeds", value=seeds, source=f"{TRIALS}: config/seed"))
    return entries


def _reasons(trials: pd.DataFrame, status: str, column: str, title: str) -> RecordTable:
    """Number of trials of a ``status`` by the first line of ``column``, and their share."""
    rows: list[list[Any]] = []
    if "status" in trials and column in trials:
        texts = trials.loc[trials["status"].eq(status), column].fillna("not recorded")
        lines = texts.map(lambda text: (str(text).splitlines() or [""])[0][:_FIRST_LINE])
        tally = lines.groupby(lines).size().sort_values(ascending=False, kind="stable")
        rows = [[str(text), int(number)] for text, number in tally.items()]
    more = len(rows) - _MOST_REASONS
    return RecordTable(
        title=title,
        columns=[column, "trials"],
        rows=rows[:_MOST_REASONS],
        source=f"{TRIALS}: {column}",
        note=f"{more:,} more kinds in {TRIALS}." if more > 0 else "",
    )


def _range(material: Material, name: str) -> Entry:
    """Range of a column over the completed trials; its ``source`` has the name of the column."""
    values = material.completed.get(name, pd.Series(dtype="float64")).dropna().astype("float64")
    source, words = f"{TRIALS}: {name}", _WORDS.get(name, name.replace("_", " "))
    if values.empty:
        return not_shown(words, "no completed trial has it", source=source)
    low, high = float(values.min()), float(values.max())
    text = f"{low:.4g}" if low == high else f"{low:.4g} to {high:.4g}"
    return Entry(name=words, value=text, source=source, note="range over completed trials")


def _cell(value: Any) -> Any:
    return value if isinstance(value, str | int | float) or value is None else str(value)
