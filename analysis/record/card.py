"""Model card of one trial: Markdown with the front matter of Hugging Face."""

import json
import shlex
from collections.abc import Mapping
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from analysis import schema
from analysis.contrast import bounded, estimate
from analysis.escapes import printable
from analysis.json_values import plain_value
from analysis.recommendations import use, weakest_place, weakest_share
from analysis.record.document import NO_COMPLIANCE, NOT_SHOWN, shown
from analysis.record.limits import rules, siblings
from analysis.record.markdown import escaped, paragraphs
from analysis.record.material import Material, mapping
from analysis.tickets.decisions import standings
from analysis.tickets.opponents import dense_against_hedges
from analysis.tickets.robustness import metrics as threats
from analysis.wording import setting
from analysis.xnn.cells import axes, cells, members, of_problem
from analysis.xnn.fixed_settings import spelled_out

_GAP = "Not written: the owner of the model has to say it (key {key} in record.yaml)."
_METRICS: Mapping[str, tuple[str, ...]] = {
    "tickets": ("cvar_05", "cvar_01", "pnl_mean", "pnl_std", "turnover", "sparsity_achieved"),
    "xnn": (
        *("cross_entropy", "cross_entropy_minus_plain", "accuracy", "kappa", "ece"),
        *("explanation_gain", "r2_mean", "surrogate_agreement", "cluster_stability"),
    ),
}
_TASKS = {
    "tickets": ("hedging", ["deep-hedging", "sparse"]),
    "xnn": ("tabular-classification", ["underwriting", "explainable"]),
}
_BUNDLE = (
    "BUNDLE is the folder of this card, public.pem the key of its maker, received from them. The "
    "signature is checked before anything is loaded."
)
_C_SOURCE = "The comment in the file describes the features of hedge_position, in their order."


def model_card(material: Material, row: pd.Series, *, source: str | None = None) -> str:
    """Card of the trial in ``row`` of the trials. Equal arguments give equal texts.

    Args:
        source: C file that the card lies beside; None for that of a bundle.
    Raises:
        schema.ColumnError: a column is missing although trials have completed.
    """
    manifest, trial_id = material.manifest, str(row["trial_id"])
    name = str(manifest.get("name") or "sweep")
    configuration = {
        str(n).removeprefix("config/"): plain_value(row[n])
        for n in row.index
        if str(n).startswith("config/") and pd.notna(row[n])
    }
    frame, estimates = _estimates(material, row, configuration)
    table = _table(material, row, frame, estimates)
    task, tags = _TASKS.get(material.experiment, (material.experiment, []))
    texts = material.answers.texts
    code, language, hint = _loading(material.experiment, source)
    return (
        _environment()
        .get_template("card.md.j2")
        .render(
            tags=_quoted([*tags, "hedgesweep"]),
            quoted_name=_quoted(f"{name}: {trial_id}"),
            task=_quoted(task),
            dataset=_quoted(_data(material)),
            dataset_type=_quoted(material.experiment),
            results=[
                {"type": _quoted(metric), "value": Markup(repr(float(value)))}  # noqa: S704
                for metric, value in _values(material, row)
            ],
            name=name,
            trial_id=trial_id,
            notice=f"This card lists facts of a trial and texts of its owner. {NO_COMPLIANCE}",
            status=f"Experiment {material.experiment}, {row['status']}: {setting(configuration)}.",
            **{
                key: Markup(paragraphs(texts.get(key) or _GAP.format(key=key)))  # noqa: S704
                for key in ("intended_use", "out_of_scope_use")
            },
            metrics=table,
            standing=_standing(material),
            weakness=_weakness(material, frame, estimates),
            language=Markup(language),  # noqa: S704 - one of two words
            code=Markup(code),  # noqa: S704 - of our own, with quoted names
            hint=hint,
            limits=list(rules(material)),
            provenance=_provenance(material, row),
        )
    )


def _environment() -> Environment:
    def finalize(value: Any) -> Any:
        return value if isinstance(value, Markup) else escaped(str(value))

    return Environment(  # noqa: S701 - every value is escaped for Markdown
        loader=PackageLoader("analysis.record", "."),
        undefined=StrictUndefined,
        finalize=finalize,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def _quoted(value: Any) -> Markup:
    """``value`` as JSON, which is YAML."""
    clean = [printable(one) for one in value] if isinstance(value, list) else printable(value)
    return Markup(json.dumps(clean, ensure_ascii=False))  # noqa: S704 - quoted


def _values(material: Material, row: pd.Series) -> list[tuple[str, float]]:
    """Metrics of the trial itself that are not null."""
    names = (*_METRICS.get(material.experiment, ()), *_threats(material), "val_loss")
    values = [(name, plain_value(row.get(name))) for name in dict.fromkeys(names)]
    return [(name, value) for name, value in values if value is not None]


def _threats(material: Material) -> list[str]:
    tickets = material.experiment == "tickets" and len(material.completed)
    return threats(material.trials)[1:] if tickets else []


def _estimates(
    material: Material, row: pd.Series, configuration: Mapping[str, Any]
) -> tuple[pd.DataFrame, pd.Series]:
    """Trials of the configuration, one per seed, and the means of their metrics with intervals."""
    if material.experiment == "xnn":
        return _cell(material, row)
    frame = siblings(material, configuration)
    if "config/seed" not in frame or frame.empty:
        return frame, pd.Series(dtype="float64")
    trials = material.trials
    seeds = trials["config/seed"].dropna().unique()
    by_seed = frame.set_index("config/seed").reindex(seeds)
    values: dict[str, float] = {}
    for name, _ in _values(material, row):
        values |= estimate(by_seed[name].astype("float64"), bounded(name))
    return frame, pd.Series(values)


def _cell(material: Material, row: pd.Series) -> tuple[pd.DataFrame, pd.Series]:
    """Trials of the cell of an X-NN, and its row of the table of cells."""
    none = material.trials.iloc[:0], pd.Series(dtype="float64")
    if material.completed.empty:
        return none
    trials = spelled_out(material.sweep)
    rows = trials[trials["trial_id"].eq(row["trial_id"])]
    if rows.empty:
        return none
    names = [name for name in axes(trials) if name != "method"]
    values = {name: rows.iloc[0][f"config/{name}"] for name in names}
    for _, cell in of_problem(cells(material.sweep), values).iterrows():
        frame = members(trials, cell)
        if frame["trial_id"].eq(row["trial_id"]).any():
            return frame, cell
    return none


def _table(
    material: Material, row: pd.Series, frame: pd.DataFrame, estimates: pd.Series
) -> list[tuple[str, ...]]:
    """Metric, value, mean, interval, seeds and unit, as texts."""
    rows: list[tuple[str, ...]] = []
    values = dict(_values(material, row))
    paired = [name for name in _METRICS.get(material.experiment, ()) if name in estimates]
    for name in dict.fromkeys((*values, *paired)):
        mean, low, high = (plain_value(estimates.get(column)) for column in bounded(name))
        ends = NOT_SHOWN if low is None or high is None else f"[{shown(low)}, {shown(high)}]"
        average = NOT_SHOWN if mean is None else shown(mean)
        unit = schema.column(name.removesuffix("_minus_plain"), frame=material.trials).unit
        value = shown(values[name]) if name in values else "–"
        rows.append((name, value, average, ends, str(len(frame)), unit))
    return rows


def _standing(material: Material) -> list[str]:
    if material.experiment != "tickets" or material.completed.empty:
        return []
    return standings(dense_against_hedges(material.sweep))


def _weakness(material: Material, frame: pd.DataFrame, estimates: pd.Series) -> str:
    if frame.empty or estimates.empty:
        return f"{NOT_SHOWN.capitalize()}: no trial of this configuration has completed."
    if material.experiment == "xnn":
        return weakest_share(estimates)
    if material.experiment == "tickets":
        clean, *places = threats(material.trials)
        return weakest_place(estimates, clean, places, frame)
    return f"{NOT_SHOWN.capitalize()}: this experiment tests for none."


def _loading(experiment: str, source: str | None) -> tuple[str, str, str]:
    """Code that loads the model, its language, and a hint."""
    if source is None:
        lines = use('sweeps.load_bundle("BUNDLE", key="public.pem")', experiment)
        return "\n".join(lines), "python", _BUNDLE
    file = printable(source)
    target = f"{file.rpartition('.')[0] or file}.o"
    return f"cc -std=c99 -O3 -c {shlex.quote(file)} -o {shlex.quote(target)}", "sh", _C_SOURCE


def _data(material: Material) -> str:
    study = mapping(material.manifest, "study")
    if material.experiment == "xnn":
        generated = mapping(study, "data").get("path") is None
        return "generated applicants" if generated else "table of applicants"
    return "simulated paths" if material.experiment == "tickets" else material.experiment


def _provenance(material: Material, row: pd.Series) -> list[tuple[str, str]]:
    manifest = material.manifest
    git, versions = mapping(manifest, "git"), mapping(manifest, "versions")
    dirty = ", with uncommitted changes" if git.get("dirty") else ""
    terms = {
        "Sweep": manifest.get("name"),
        "Trial": row["trial_id"],
        "Started": manifest.get("started"),
        "Code": manifest.get("core_sha256"),
        "Commit": f"{git['commit']}{dirty}" if git.get("commit") else None,
        "Device": manifest.get("device"),
        "Versions": ", ".join(f"{name} {number}" for name, number in versions.items()),
        **{n: plain_value(row.get(n)) for n in ("theta_0_sha256", "data_sha256", "model_sha256")},
        "Arithmetic": plain_value(row.get("arithmetic")),
    }
    return [(term, str(text)) for term, text in terms.items() if text]
