"""The page ``report.html``: claims, recommended networks, trials, figures, tables, provenance."""

import re
import shlex
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
from markupsafe import Markup

from analysis import schema
from analysis.attacks import attacks_in_words
from analysis.errors import AnalysisError
from analysis.figures.rendering import Picture
from analysis.files import write
from analysis.html import fronts, importances, progress, spread
from analysis.html.document import environment, policy, resource
from analysis.html.figure_tables import csv_file
from analysis.html.first_screen import summary
from analysis.html.provenance import commands, provenance, space_text
from analysis.html.stopping import AUDIT, stopping
from analysis.html.svg_file import inline
from analysis.html.trial_table import SHOWN, table_of
from analysis.load import load_epochs
from analysis.page import Block
from analysis.recommendations import Recommendation, heading, loading, sentence
from analysis.record.document import NOTICE, Record
from analysis.sweep import Sweep
from analysis.text_table import TextTable
from analysis.wording import plural

NAME = "report.html"
_CLAIMS = "Claims"
_PATHS = ("Files", "Figures (PNG, and PDF of the same name)")
"""Sections of the terminal that list paths."""
_CLAIMS_NOTE = (
    "Verdicts at 5 % for all claims of this table together (Holm); intervals are 95 % each, not "
    "corrected."
)
_VERDICTS = ("supported", "contradicted", "undecided")


@dataclass(slots=True)
class _Group:
    """Section of the page."""

    id: str
    title: str
    lines: list[str] = field(default_factory=list)
    tables: list[TextTable] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Drawing:
    drawing: Markup
    caption: str
    style: str = "wide"


def write_page(
    folder: Path,
    sweep: Sweep,
    *,
    blocks: Sequence[Block],
    claims: pd.DataFrame,
    recommended: Sequence[Recommendation],
    pictures: Iterable[Picture],
    tables: Collection[str] = (),
    record: Record | None = None,
    state: str | None = None,
) -> Path:
    """Write :data:`NAME` to ``folder``; its path. Equal arguments give equal bytes.

    Args:
        sweep: with its files.
        blocks: of the report, see :class:`analysis.page.Page`.
        claims: from :func:`analysis.claims`; empty for an experiment without any.
        recommended: from :func:`analysis.recommendations`.
        pictures: figures of the report.
        tables: file names of the CSV tables beside the page.
        record: second half of the page; None to leave it out.
        state: of a running sweep in words, for the page that follows it; see :mod:`.live`.
    Raises:
        StorageError: ``folder`` cannot be written.
    """
    assert sweep.files is not None
    trials, manifest, storage = sweep.trials, sweep.manifest, sweep.files.storage
    experiment = str(manifest.get("experiment") or schema.experiment_of(trials))
    opening, groups = _grouped(blocks)
    audit = next((list(group.lines) for group in groups if group.title == AUDIT), [])
    groups = [group for group in groups if group.title != AUDIT]
    stopped = stopping(trials, manifest, audit)
    table = table_of(trials, experiment)
    drawings = list(_drawings(sweep, experiment))
    figures = [
        {
            "svg": inline(one.svg, f"p{i}"),
            "caption": _caption(one.name),
            "table": csv_file(one.name, tables, experiment=experiment),
        }
        for i, one in enumerate(pictures)
    ]
    contents = [("claims", _CLAIMS), ("recommended", "Recommended networks"), ("trials", "Trials")]
    contents += [("spread", "Parameters and results")] if drawings else []
    contents += [("stopping", "What was stopped")] if stopped else []
    contents += [("findings", "Findings and tables")] if groups else []
    contents += [("figures", "Figures")] if figures else []
    contents += [("provenance", "Provenance"), ("reproduction", "Commands")]
    contents += [("record", "Model-risk record")] if record else []
    scripts = [resource("script.js"), *([] if state is None else [resource("live.js")])]
    text = (
        environment()
        .get_template("report.html.j2")
        .render(
            name=str(manifest.get("name") or storage.resolve().name),
            policy=policy(scripts, live=state is not None),
            style=resource("style.css"),
            scripts=scripts,
            state=state,
            headline=opening[0] if opening else "",
            cautions=opening[1:],
            summary=summary(trials, experiment, claims=claims, recommended=recommended),
            contents=contents,
            claims=[_claim(row) for _, row in _asked(claims).iterrows()],
            claims_note=_CLAIMS_NOTE,
            recommended=[_card(one, experiment, str(storage)) for one in recommended],
            table=table,
            hidden_rows=len(table.rows) > SHOWN,
            drawings=drawings,
            groups=groups,
            pictures=figures,
            provenance=provenance(manifest, trials),
            commands=commands(manifest, str(storage)),
            space=space_text(storage),
            stopping=stopped,
            data=Markup(table.json()),  # noqa: S704 - without < > &
            record=record,
            notice=NOTICE,
            check=f"hedgesweep record {shlex.quote(str(storage))} --check",
        )
    )
    # The name of a folder may have bytes that are no text.
    return write(folder, NAME, text.encode("utf-8", "backslashreplace"))


def _grouped(blocks: Sequence[Block]) -> tuple[list[str], list[_Group]]:
    """Lines before the first section, and sections with their lines and tables."""
    opening: list[str] = []
    groups: list[_Group] = []
    for block in blocks:
        if isinstance(block, TextTable):
            if not groups or block.title:
                groups.append(_Group(f"s{len(groups)}", block.title))
                block = TextTable(cells=block.cells, caption=block.caption)
            groups[-1].tables.append(block)
        elif block.title:
            lines = list(map(attacks_in_words, block.lines))
            groups.append(_Group(f"s{len(groups)}", block.title, lines))
        elif groups:
            groups[-1].lines += map(attacks_in_words, block.lines)
        else:
            opening += block.lines
    aside = (_CLAIMS, *_PATHS)
    return opening, [group for group in groups if group.title not in aside]


def _asked(claims: pd.DataFrame) -> pd.DataFrame:
    if claims.empty:
        return claims
    rows = claims[claims["verdict"].isin(_VERDICTS)]
    return rows.sort_values("verdict", key=lambda v: v.map(_VERDICTS.index), kind="stable")


def _claim(row: pd.Series) -> dict[str, str]:
    effect = "–"
    if pd.notna(row["effect"]):
        ends = f" [{row['low']:+.3f}, {row['high']:+.3f}]" if pd.notna(row["low"]) else ""
        effect = f"{row['effect']:+.3f}{ends} {row['unit']}, {plural(int(row['seeds']), 'seed')}"
    reason = f" ({row['reason']})" if row["reason"] else ""
    problem = f"{row['problem']}: " if row["problem"] else ""
    return {
        "verdict": f"{row['verdict']}{reason}",
        "style": str(row["verdict"]),
        "statement": f"{problem}{row['statement']}",
        "effect": re.sub(r"-(?=\d)", "−", effect),
        "subject": attacks_in_words(_or_dash(row["subject"])),
        "against": _or_dash(row["controls"]),
    }


def _or_dash(text: Any) -> str:
    return "–" if pd.isna(text) or not text else str(text)


def _card(one: Recommendation, experiment: str, storage: str) -> dict[str, str]:
    seed = one.configuration.get("seed")
    which = f", seed {seed}: the lowest validation loss of {one.seeds} seeds"
    return {
        "heading": heading(one),
        "sentence": sentence(one),
        "weakness": one.weakness,
        "trial_id": one.trial_id,
        "which": which if one.seeds > 1 else "",
        "code": "\n".join(loading(one.trial_id, experiment, storage)),
    }


def _drawings(sweep: Sweep, experiment: str) -> Iterator[_Drawing]:
    trials, manifest = sweep.trials, sweep.manifest
    note = f" {spread.MOST} of {len(trials):,} trials: the best, and others evenly."
    note = note if len(trials) > spread.MOST else ""
    looks = "Dashed and hollow: stopped early. Select a trial to mark it everywhere."
    if drawing := spread.parallel_coordinates(trials, experiment):
        yield _Drawing(
            drawing=drawing,
            caption=" ".join(
                [
                    f"Parallel coordinates; results within their middle 90 %. {looks}{note}",
                    *spread.unlabelled(trials),
                ]
            ),
        )
    assert sweep.files is not None
    try:
        epochs = load_epochs(sweep.files.storage, columns=progress.COLUMNS)
    except AnalysisError as error:
        yield _Drawing(drawing=Markup(), caption=f"No learning curves: {error}.")
    else:
        if drawing := progress.learning_curves(trials, epochs, manifest):
            rungs = "; dashed uprights: rungs" if progress.rungs_of(manifest) else ""
            caption = f"Learning curves{rungs}.{note}"
            yield _Drawing(drawing=drawing, caption=caption)
    for front in fronts.fronts(trials, experiment):
        yield _Drawing(drawing=front.drawing, caption=fronts.note(front), style="half")
    if shares := importances.importances(trials):
        yield _Drawing(
            drawing=importances.bars(shares),
            caption="Importance of hyper-parameters by PED-ANOVA: shares of what separates the "
            "best tenth by validation loss from all trials. A description; differences are not "
            "tested.",
        )
    for drawing in spread.slices(trials):
        yield _Drawing(
            drawing=drawing,
            caption=f"A point per trial; losses within their middle 90 %.{note}",
            style="small",
        )


def _caption(name: str) -> str:
    return f"figures/{name}.png"
