"""Heat map of explanation gain and cost in cross-entropy by weight and K."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import TwoSlopeNorm
from matplotlib.figure import Figure

from analysis.contrast import no_interval
from analysis.figures.cells import cells, chosen_cell
from analysis.figures.style import NothingToDraw, framed, number, short
from analysis.figures.xnn.featured import CLUSTERS, METHOD, WEIGHT, Subject, held_at
from analysis.wording import plural
from analysis.xnn.cells import COST, GAIN
from analysis.xnn.selection import WITHIN
from analysis.xnn.wording import over_rows

_MOST = 12
_PANELS = (
    (GAIN, "explanation gain (R² over the best control)", "RdBu", 2, 0.1),
    (COST, "test cross-entropy over the plain network (nat)", "RdBu_r", 3, WITHIN),
)


def of_method(table: pd.DataFrame, method: str) -> pd.DataFrame:
    """Cells of ``method``, and of weight 0, where all methods are the same network."""
    return table[table[METHOD].eq(method) | table["reference"].astype(bool)]


def size_of_heat_map(table: pd.DataFrame) -> tuple[float, float]:
    """Width and height of :func:`heat_map`, in inches."""
    across, down = table[WEIGHT].nunique(), table[CLUSTERS].nunique()
    return max(9.5, 3.4 + 1.62 * min(across, _MOST)), max(3.6, 2.3 + 0.62 * min(down, _MOST))


def heat_map(table: pd.DataFrame, figure: Figure, *, subject: Subject, method: str) -> None:
    """Two panels, weight across and K down: the mean explanation gain, and the mean cost.

    Blue is good, red is bad and white is zero. Below each mean is half the width of its 95 %
    interval over seeds. The featured configuration is framed.

    Args:
        table: from :func:`of_method`.
        figure: an empty figure of :func:`size_of_heat_map`.
        subject: the configuration to frame.
    Raises:
        NothingToDraw: more than 12 weights or numbers of centroids, as in a random search, or
            only one of each.
    """
    many = max(table[WEIGHT].nunique(), table[CLUSTERS].nunique())
    if many > _MOST:
        raise NothingToDraw(f"{many} values of an axis are more than the {_MOST} of a legible map")
    if many < 2:
        raise NothingToDraw("neither the weight nor K varies")
    for metric, name, *_ in _PANELS:
        if table[metric].isna().all():
            raise NothingToDraw(f"no cell has a value of its panel {name!r}")
    frame = subject.cell if method == subject.cell[METHOD] else None
    for ax, (metric, name, colours, digits, least) in zip(
        figure.subplots(1, 2), _PANELS, strict=True
    ):
        # One scale for all methods, so that their maps are comparable.
        reach = max(float(subject.table[metric].abs().max()), least)
        _panel(ax, table, metric, colours, digits, reach=reach)
        ax.set_title(name, fontsize=10.0)
        if frame is not None:
            _framed(ax, table, frame)
    seeds, fewest = int(table["seeds"].max()), int(table["seeds"].min())
    gaps = int(table["trials"].max()) - seeds
    notes = [
        f"Mean over {plural(seeds, 'seed')} ± half its 95 % Student interval"
        f"{over_rows(subject.table)}."
        if table[f"{_PANELS[0][0]}_low"].notna().any()
        else f"Mean over {plural(seeds, 'seed')}; {no_interval(seeds, gaps=gaps)}.",
        "Blue is better and red is worse, white is zero.",
    ]
    if fewest < seeds:
        notes[0] += " Italic: fewer seeds than elsewhere."
    if len(table) < table[WEIGHT].nunique() * table[CLUSTERS].nunique():
        notes[1] += " Hatched: no trial has completed."
    if frame is not None:
        notes[1] += f" Framed: {subject.chosen}."
    framed(figure, f"What explanation gains and costs: {method}", [*notes, *held_at(subject)])


def _panel(
    ax: Axes, table: pd.DataFrame, metric: str, colours: str, digits: int, *, reach: float
) -> None:
    weights, clusters = _sides(table)
    pivot = table.pivot(index=CLUSTERS, columns=WEIGHT, values=metric)
    values = pivot.reindex(index=clusters, columns=weights).to_numpy(dtype=float)
    texts: dict[tuple[int, int], str] = {}
    few: set[tuple[int, int]] = set()
    for _, cell in table.iterrows():
        place = clusters.index(cell[CLUSTERS]), weights.index(cell[WEIGHT])
        texts[place] = _text(cell, metric, digits)
        if cell["seeds"] < table["seeds"].max():
            few.add(place)
    norm = TwoSlopeNorm(0.0, -reach, reach)
    cells(ax, values, texts, colours=colours, norm=norm, italic=frozenset(few))
    ax.set_xticks(range(len(weights)), [short(w) for w in weights])
    ax.set_yticks(range(len(clusters)), [f"{k:g}" for k in clusters])
    ax.set_xlabel("weight of the explanation")
    ax.set_ylabel("centroids K")


def _text(cell: pd.Series, metric: str, digits: int) -> str:
    if metric == COST and bool(cell["reference"]):
        return "0\nby definition"  # the plain network less itself
    text = number(round(cell[metric], digits) + 0.0, digits=digits)  # no minus zero
    half = (cell[f"{metric}_high"] - cell[f"{metric}_low"]) / 2
    return text + (f"\n± {number(half, digits=digits)}" if pd.notna(half) else "")


def _framed(ax: Axes, table: pd.DataFrame, cell: pd.Series) -> None:
    weights, clusters = _sides(table)
    chosen_cell(ax, weights.index(cell[WEIGHT]), clusters.index(cell[CLUSTERS]))


def _sides(table: pd.DataFrame) -> tuple[list[float], list[float]]:
    """Weights and numbers of centroids, ascending."""
    weights, clusters = (sorted(table[name].astype(float).unique()) for name in (WEIGHT, CLUSTERS))
    return weights, clusters
