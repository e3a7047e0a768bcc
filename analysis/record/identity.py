"""Sections of a record on identity, use and choices: 1 to 4."""

import json
from collections.abc import Mapping
from typing import Any

import yaml

from analysis import bounds, checksums
from analysis.errors import AnalysisError
from analysis.recommendations import heading, sentence
from analysis.record.document import (
    Entry,
    Question,
    RecordTable,
    Section,
    flat,
    named_files,
    not_shown,
    table_of,
)
from analysis.record.material import MANIFEST, TRIALS, Material, mapping
from analysis.record.yaml_nodes import composed
from analysis.stopped_units import scheduler, scheduler_kind
from analysis.xnn.cells import COST, GAIN, axes, cells, of_problem
from analysis.xnn.fixed_settings import spelled_out
from analysis.xnn.pareto import pareto

_SPACE = "space.yaml"
_PATHS = {
    "lr": "training.lr",
    "sparsity": "pruning.sparsity",
    "epsilon": "attack.epsilon",
    "method": "explanation.method",
    "adj_weight": "explanation.adj_weight",
    "clusters": "clustering.clusters",
}
"""Settings of axes with short names."""


def identity(material: Material, questions: list[Question]) -> Section:
    """Section 1: which sweep, code, libraries and machine."""
    manifest = material.manifest
    git, versions = mapping(manifest, "git"), mapping(manifest, "versions")
    values = {
        "Name": ("name", manifest.get("name")),
        "Experiment": ("experiment", material.experiment),
        "Started": ("started", manifest.get("started")),
        "Code identity (sha256)": ("core_sha256", manifest.get("core_sha256")),
        "Git commit": ("git.commit", git.get("commit")),
        "Uncommitted changes": ("git.dirty", git.get("dirty")),
        "Python": ("python", manifest.get("python")),
        "Platform": ("platform", manifest.get("platform")),
        "Device": ("device", manifest.get("device")),
    }
    entries = [
        Entry(name=name, value=value, source=f"{MANIFEST}: {key}")
        if isinstance(value, str | bool)
        else not_shown(name, "not in the manifest", source=f"{MANIFEST}: {key}")
        for name, (key, value) in values.items()
    ]
    rows = [[str(name), str(number)] for name, number in versions.items()]
    libraries = RecordTable(
        title="Libraries",
        columns=["library", "version"],
        rows=rows,
        source=f"{MANIFEST}: versions",
    )
    return Section(
        number="1",
        title="Identity",
        purpose="Which sweep, code, libraries and machine the numbers come from.",
        entries=entries,
        tables=[libraries] if rows else [],
        questions=questions,
    )


def use(material: Material, questions: list[Question]) -> Section:
    """Section 2: what the model is for."""
    return Section(
        number="2",
        title="Intended use and out-of-scope use",
        purpose="What the model is for, and what it is not for. Only its owner can say.",
        questions=questions,
    )


def choices(material: Material, questions: list[Question]) -> Section:
    """Section 3: every searched axis and every fixed choice."""
    space = mapping(material.manifest, "space")
    reasons = {one.key: one.answer for one in questions}
    axis_rows: list[list[Any]] = []
    for name in material.axes:
        domain = space.get(name)
        column = f"config/{name}"
        distinct = int(material.trials[column].nunique()) if column in material.trials else 0
        kind, ends = (
            next(iter(domain.items())) if isinstance(domain, Mapping) and domain else ("", None)
        )
        values = None if ends is None else json.dumps(ends, ensure_ascii=False)
        axis_rows.append([name, str(kind) or None, values, distinct, reasons.get(f"why_{name}")])
    study = dict(named_files(flat(mapping(material.manifest, "study"))))
    written, searched = _written(material), _searched(material.axes)
    fixed: list[list[Any]] = [
        [path, value, None if written is None else _is_written(path, written)]
        for path, value in study.items()
        if path not in searched
    ]
    tables = [
        RecordTable(
            title="Searched axes",
            columns=["axis", "domain", "values", "values tried", "reason"],
            rows=axis_rows,
            source=f"{MANIFEST}: space; {TRIALS}: config/ columns",
        ),
        RecordTable(
            title="Fixed choices",
            columns=["setting", "value", f"in {_SPACE}"],
            rows=fixed,
            source=f"{MANIFEST}: study; {_SPACE}",
            note=f"A setting not in {_SPACE} is a default, or was set on the command line.",
        ),
    ]
    return Section(
        number="3",
        title="Inventory of choices",
        purpose="Every searched axis with its alternatives, and every fixed choice.",
        tables=[one for one in tables if one.rows],
        questions=questions,
    )


def objective(material: Material, questions: list[Question]) -> Section:
    """Section 4: what was optimised, and the trade-offs."""
    manifest = material.manifest
    search, rule = mapping(manifest, "search"), scheduler(manifest)
    risk = mapping(mapping(manifest, "study"), "risk")
    goals = search.get("objectives") or ["val_loss, to be small"]
    entries = [
        Entry(
            name="Objective of the search",
            value=", ".join(map(str, goals)),
            source=f"{MANIFEST}: search.objectives",
        ),
        Entry(
            name="Search",
            value=str(search.get("algorithm") or "grid"),
            source=f"{MANIFEST}: search.algorithm",
        ),
        Entry(
            name="Early stopping",
            value=scheduler_kind(manifest) or "none",
            note=f"by {rule['metric']}" if rule.get("metric") else "",
            source=f"{MANIFEST}: scheduler",
        ),
    ]
    if risk:
        words = ", ".join(f"{name} {value}" for name, value in flat(risk))
        entries.append(Entry(name="Training loss", value=words, source=f"{MANIFEST}: study.risk"))
    findings = [f"{heading(one)}: {sentence(one)}" for one in material.recommended]
    return Section(
        number="4",
        title="What was optimised, and trade-offs",
        purpose="Objective and rule of choice, and what a better value of it costs elsewhere.",
        entries=entries,
        findings=findings,
        tables=_fronts(material),
        questions=questions,
    )


def _fronts(material: Material) -> list[RecordTable]:
    """Pareto fronts of an X-NN sweep, one per problem."""
    if material.experiment != "xnn" or material.completed.empty:
        return []
    trials = spelled_out(material.sweep)
    table = cells(material.sweep)
    tables = []
    for problem in material.sweep.problems:
        front = pareto(of_problem(table, problem.values)).rows
        if front.empty:
            continue
        names = {**{n: n for n in axes(trials)}, "seeds": "seeds"}
        names |= {COST: "cost, nat", f"{COST}_low": "cost low", f"{COST}_high": "cost high"}
        names |= {GAIN: "gain, R2", f"{GAIN}_low": "gain low", f"{GAIN}_high": "gain high"}
        title = "Pareto front of cost and explanation gain"
        tables.append(
            table_of(
                front,
                names,
                title=f"{title} ({problem.title})" if problem.title else title,
                source=f"{TRIALS}: cross_entropy, plain_cross_entropy, explanation_gain",
                note="Means over seeds with 95 % intervals each; that no other cell beats a row "
                "in both is a description of these means, not tested.",
            )
        )
    return tables


def _searched(names: list[str]) -> set[str]:
    """Paths of the study that the axes ``names`` replace."""
    return {_PATHS.get(name, name) for name in names}


def _written(material: Material) -> set[str] | None:
    """Dotted keys below ``study`` of the space file; None if it cannot be read."""
    assert material.sweep.files is not None
    try:
        content = checksums.genuine(
            material.sweep.files.storage, _SPACE, most=bounds.ANSWERS_BYTES
        )
        node = composed(content)
    except (AnalysisError, OSError, ValueError):
        return None
    return set(_paths(_below(node, "study"), ""))


def _below(node: Any, name: str) -> Any:
    pairs = node.value if isinstance(node, yaml.MappingNode) else []
    return next((value for key, value in pairs if key.value == name), None)


def _paths(node: Any, path: str) -> list[str]:
    if not isinstance(node, yaml.MappingNode):
        return [path]
    return [
        inner
        for key, value in node.value
        for inner in _paths(value, f"{path}.{key.value}".strip("."))
    ]


def _is_written(path: str, written: set[str]) -> bool:
    return any(path == one or path.startswith(f"{one}.") for one in written if one)
