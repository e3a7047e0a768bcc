"""Learning rates of every sparsity and epsilon, for the terminal."""

import pandas as pd

from analysis import wording
from analysis.contrast import WITH_INTERVAL, bounded
from analysis.text_table import TextTable, breadth, or_dash, outcomes
from analysis.tickets.learning_rates import MARKS, METRICS

_HEADINGS = dict(zip(METRICS, ("to 95 %", "CVaR 5 %", "Sharpe"), strict=True))


def learning_rates(rows: pd.DataFrame, *, width: int) -> TextTable:
    """Rows of :func:`analysis.learning_rates`, for a terminal of ``width`` columns.

    A narrow terminal gets outcomes only as marks, a narrower one means without intervals.
    """
    parameters = [str(name) for name in rows.columns[: rows.columns.get_loc("mark")]]
    words = {"sparsity": wording.percent}
    cells = {
        name: [or_dash(v, words.get(name, wording.value)(v)) for v in rows[name]]
        for name in parameters
        if rows[name].notna().any()
    }
    cells["trials"] = outcomes(rows)
    cells |= {heading: _means(rows, name) for name, heading in _HEADINGS.items()}
    cells["mark"] = [
        f"{mark} ({met} of {seeds})" if mark == "NC" and seeds > 1 else str(mark)
        for mark, met, seeds in zip(rows["mark"], rows["converged"], rows["seeds"], strict=True)
    ]
    if breadth(cells) > width:
        del cells["trials"]
    if breadth(cells) > width:
        cells |= {h: [text.partition(" ")[0] for text in cells[h]] for h in _HEADINGS.values()}
    legend = "; ".join(f"{m}: {text}" for m, text in MARKS.items() if rows["mark"].eq(m).any())
    several = any(text.startswith("NC (") for text in cells["mark"])
    counted = "NC (1 of 3): met at one of three seeds. " if several else ""
    return TextTable(
        cells=cells,
        title="Every learning rate, means over seeds",
        caption="Epochs to 95 % of the dense network; CVaR 5 % in currency per option (S0 = 100); "
        f"Sharpe ratio. [{WITH_INTERVAL}.] {legend}. {counted}"
        "Trials: completed/stopped/failed/unfinished.",
    )


def _means(rows: pd.DataFrame, name: str) -> list[str]:
    columns = bounded(name)
    spec = ".1f" if name == METRICS[0] else ".3f"
    texts = []
    for values in rows[list(columns)].to_numpy(dtype=float):
        mean, low, high = (f"{value:{spec}}" for value in values)
        texts.append("–" if pd.isna(values[0]) else mean)
        texts[-1] += "" if pd.isna(values[1]) else f" [{low}, {high}]"
    return texts
