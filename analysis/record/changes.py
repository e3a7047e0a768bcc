"""Sections of a record on changes, the artefact and words: 15, 16 and the glossary."""

from collections.abc import Mapping
from typing import Any

from analysis import schema
from analysis.record.document import (
    Entry,
    Question,
    RecordTable,
    Section,
    flat,
    named_files,
    not_shown,
)
from analysis.record.material import EPOCHS, MANIFEST, TRIALS, Material, mapping

_COMPARED = ("experiment", "space", "study", "search", "scheduler", "seeds", "core_sha256", "git",
             "versions", "python", "platform", "device", "resources")  # fmt: skip
_MOST_CHANGES = 200


def changes(material: Material, questions: list[Question]) -> Section:
    """Section 15: differences to an earlier sweep."""
    tables, entries = [], []
    if material.previous is None:
        reason = "no earlier sweep is given; add --previous STORAGE"
        entries.append(not_shown("Changes", reason, source=MANIFEST))
    else:
        rows = differences(material.previous, material.manifest)
        name = str(material.previous.get("name") or "not named")
        entries.append(
            Entry(name="Earlier sweep", value=name, source=f"{MANIFEST} of the earlier sweep")
        )
        entries.append(Entry(name="Changes", value=len(rows), source=f"both {MANIFEST}"))
        more = len(rows) - _MOST_CHANGES
        tables.append(
            RecordTable(
                title="Changes since the earlier sweep",
                columns=["setting", "before", "now"],
                rows=rows[:_MOST_CHANGES],
                source=f"both {MANIFEST}",
                note=f"{more:,} more." if more > 0 else "",
            )
        )
    return Section(
        number="15",
        title="Change log",
        purpose="Differences of space, study, data and code to an earlier sweep.",
        entries=entries,
        tables=[one for one in tables if one.rows],
        questions=questions,
    )


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[list[Any]]:
    """Setting, value before and value now, of all that differ; None where one lacks it."""
    old, new = (_settings(manifest) for manifest in (before, now))
    return [
        [name, old.get(name), new.get(name)]
        for name in sorted(old.keys() | new.keys())
        if old.get(name) != new.get(name)
    ]


def _settings(manifest: Mapping[str, Any]) -> dict[str, Any]:
    compared = {name: manifest.get(name) for name in _COMPARED if name in manifest}
    settings = dict(named_files(flat(compared)))
    for one in mapping(manifest, "preparations").values():
        if isinstance(one, Mapping) and one.get("data_sha256"):
            settings[f"data.seed {one.get('seed')}.sha256"] = str(one["data_sha256"])
    return settings


def artefact(material: Material, questions: list[Question]) -> Section:
    """Section 16: formats, digests and signature of the files."""
    entries = [
        Entry(
            name="Format of models",
            value="safetensors",
            source="models/",
            note="tensors only; loading runs no code",
        ),
        Entry(
            name="Recorded digests of files of preparations",
            value=len(material.sweep.files.study) if material.sweep.files else 0,
            source=f"{MANIFEST}: preparations.*.files",
        ),
        not_shown(
            "Signature of a model",
            "a storage has none; hedgesweep seal signs a model with its card",
            source="models/",
        ),
        not_shown("Software bill of materials", "a storage has none", source=MANIFEST),
    ]
    return Section(
        number="16",
        title="Security of the artefact",
        purpose="How the files can be checked, and what is known against them.",
        entries=entries,
        questions=questions,
    )


GLOSSARY: Mapping[str, str] = {
    "claim": "sentence of a catalogue that a sweep supports, contradicts or leaves undecided",
    "CVaR": "mean P&L of the worst share of paths; larger is better",
    "censored": "stopped early, so without test results",
    "configuration": "values of all axes but the seed",
    "epsilon": "budget of an attack, in price units",
    "interval": "95 % interval; of a mean over seeds Student's, unless another is named",
    "nat": "unit of cross-entropy with natural logarithms",
    "not shown": "no test or interval supports the sentence, which does not make it false",
    "p after Holm": "p of a test, corrected for all tests of its table",
    "seed": "number that fixes data, initial weights and batches of a trial",
    "stratum": "trials that early stopping compares with each other",
    "ticket": "sparse network, trained again from its initial weights",
    "trial": "one training, identified by a hash of everything that its numbers depend on",
    "X-NN": "network trained to be explained by distances to centroids of clusters",
}


def glossary(material: Material) -> Section:
    """Appendix A: terms, and every column of the tables of this sweep."""
    tables = [
        RecordTable(
            title="Terms",
            columns=["term", "meaning"],
            rows=[list(pair) for pair in GLOSSARY.items()],
            source="hedgesweep",
        ),
        RecordTable(
            title=f"Columns of {TRIALS}",
            columns=["column", "type", "unit", "better", "meaning"],
            rows=[_column(str(name), material) for name in material.trials],
            source=TRIALS,
        ),
    ]
    if material.experiment in schema.EXPERIMENTS:
        columns = schema.tables(material.experiment)["epochs"]
        tables.append(
            RecordTable(
                title=f"Columns of {EPOCHS}",
                columns=["column", "type", "unit", "better", "meaning"],
                rows=[_described(column) for column in columns.values()],
                source=EPOCHS,
            )
        )
    return Section(
        number="A",
        title="Glossary and column dictionary",
        purpose="Words of this record, and unit and meaning of every column.",
        tables=[one for one in tables if one.rows],
    )


def _column(name: str, material: Material) -> list[Any]:
    try:
        return _described(schema.column(name, frame=material.trials))
    except schema.ColumnError:
        return [name, str(material.trials[name].dtype), None, None, None]


def _described(column: schema.Column) -> list[Any]:
    return [
        column.name,
        column.dtype,
        column.unit or None,
        column.direction,
        column.meaning,
    ]
