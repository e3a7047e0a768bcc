"""Tables of an X-NN report for the terminal."""

from collections.abc import Sequence

import pandas as pd

from analysis.contrast import WITH_INTERVAL, bracketed
from analysis.text_table import MOST_ROWS, TextTable, breadth, more_rows, or_dash, outcomes
from analysis.xnn.cells import COST, GAIN
from analysis.xnn.fairness import ENDS
from analysis.xnn.selection import pulled
from analysis.xnn.wording import number, over_rows, spelled, varied

Cells = dict[str, list[str]]

# Columns that a narrow terminal omits, in this order; then the intervals.
_SPARE = ("accuracy", "kappa", "R2", "trials", "CE")
_BOUNDED = ("cost", "gain")
_MOST_COLUMNS = 10


def overview(table: pd.DataFrame, names: Sequence[str], *, width: int) -> TextTable:
    """Cells with the largest gain, for a terminal of ``width`` columns.

    Args:
        table: from :func:`analysis.xnn.cells.cells`.
    """
    order = table.sort_values(GAIN, ascending=False, na_position="last", kind="stable")
    rows = order.head(MOST_ROWS)
    axes = varied(table, names)
    rivals = pulled(order)
    alike = spelled(rivals.iloc[0], [n for n in names if n not in axes]) if len(rivals) else ""
    which = f"Configurations ({alike})" if alike else "Configurations"
    records = [row for _, row in rows.iterrows()]
    cells = {n.replace("adj_", ""): [_axis(row, n) for row in records] for n in axes}
    cells["trials"] = outcomes(rows)
    cells["CE"] = _numbers(rows, "cross_entropy")
    cells["cost"] = [_estimate(row, COST) for row in records]
    cells["gain"] = [_estimate(row, GAIN) for row in records]
    cells |= {"R2": _numbers(rows, "r2_mean"), "accuracy": _numbers(rows, "accuracy")}
    cells["kappa"] = _numbers(rows, "kappa")
    cells = _fitted(cells, width, _SPARE)
    if breadth(cells) > width:
        cells |= {
            heading: [text.partition(" ")[0] for text in cells[heading]] for heading in _BOUNDED
        }
    return TextTable(
        cells=cells,
        title=f"{which} by explanation gain; means over seeds",
        caption="CE: test cross-entropy in nat; cost: less that of the plain network of the same "
        "seed. Gain: R2 of nodes on distances less that of the best of its controls. "
        f"[{WITH_INTERVAL}, cost and gain{over_rows(table)}.] "
        "Trials: completed/stopped/failed/unfinished."
        f"{more_rows(len(order) - len(rows), 'cells.csv')}",
    )


def baselines(rows: pd.DataFrame) -> TextTable:
    """:func:`analysis.xnn.baselines.baselines`, for the terminal."""
    cells = {"model": rows["name"].tolist(), "rows": rows["rows"].tolist()}
    headings = {"cross_entropy": "cross-entropy", "accuracy": "accuracy", "kappa": "kappa"}
    headings |= {"kappa_expected": "kappa,\nexpected", "macro_f1": "macro F1"}
    cells |= {heading: _numbers(rows, name) for name, heading in headings.items()}
    return TextTable(
        cells=cells,
        title="What an X-NN stands beside; means over seeds",
        caption="Of training rows where it says so: such figures flatter unless out of fold.",
    )


def columns(rows: pd.DataFrame) -> TextTable:
    """Most important columns of :func:`analysis.xnn.importance.column_importance`, by model."""
    cells: Cells = {"rank": list(map(str, range(1, _MOST_COLUMNS + 1)))}
    for model, part in rows.groupby("model", sort=False):
        first = [row for _, row in part.head(_MOST_COLUMNS).iterrows()]
        texts = [f"{row['column']} {_with_error(row)}" for row in first]
        cells[str(model)] = texts + [""] * (_MOST_COLUMNS - len(texts))
    return TextTable(
        cells=cells,
        title="Input columns by importance; means over seeds",
        caption="Networks: rise of test cross-entropy in nat when the column is permuted, ± one "
        "standard error over test rows. XGBoost: share of gain. Units differ; compare orders.",
    )


def groups(rows: pd.DataFrame, width: int) -> list[TextTable]:
    """The groups of :func:`analysis.xnn.fairness.by_group`, for the terminal."""
    visible_rows = rows[rows["group"].ne("all")].head(MOST_ROWS)
    cells = {"model": visible_rows["network"].tolist()}
    cells["group"] = [
        f"{c} {g}" for c, g in zip(visible_rows["column"], visible_rows["group"], strict=True)
    ]
    headings = {"selection_rate": "selected", "true_positive_rate": "true positives"}
    headings |= {"false_positive_rate": "false positives", "kappa": "kappa"}
    for rate, heading in headings.items():
        cells[heading] = [_with_ends(row, rate) for _, row in visible_rows.iterrows()]
    table = TextTable(
        cells=_fitted(cells, width, ("kappa", "false positives")),
        title="Decisions by group of insured; means over seeds",
        caption="Selected: predicted to be of class 8. [95 % intervals over seeds and test rows; "
        "with fewer than 3 seeds over test rows alone.]",
    )
    return [table]


def _fitted(cells: Cells, width: int, spare: Sequence[str]) -> Cells:
    """``cells`` without the first of the ``spare`` headings, until they fit ``width``."""
    for heading in spare:
        if breadth(cells) > width:
            cells = {name: texts for name, texts in cells.items() if name != heading}
    return cells


def _axis(row: pd.Series, name: str) -> str:
    if bool(row["reference"]) and name == "method":
        return "plain"
    return or_dash(row[name], number(row[name]))


def _numbers(rows: pd.DataFrame, name: str) -> list[str]:
    return [or_dash(v, f"{v:.3f}") for v in rows[name]] if name in rows else ["–"] * len(rows)


def _estimate(row: pd.Series, metric: str) -> str:
    # The plain network has no difference to itself.
    if metric not in row or pd.isna(row[metric]) or (row["reference"] and metric == COST):
        return "–"
    return bracketed(row, metric, signed=True)


def _with_error(row: pd.Series) -> str:
    error = "" if pd.isna(row["se"]) else f" ± {row['se']:.3f}"
    return f"{row['importance']:.3f}{error}"


def _with_ends(row: pd.Series, name: str) -> str:
    mean, low, high = (row[f"{name}{end}"] for end in ENDS)
    ends = f" [{low:.3f}, {high:.3f}]" if pd.notna(low) else ""
    return or_dash(mean, f"{mean:.3f}{ends}")
