"""Heat maps of CVaR by sparsity and training epsilon, on clean paths and under attack."""

from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from analysis.attacks import attacks, clean_column, nearest
from analysis.contrast import no_interval
from analysis.figures.cells import cells, chosen_cell
from analysis.figures.problem import problem_of
from analysis.figures.style import NothingToDraw, framed, number
from analysis.metric_names import cvar_name
from analysis.tickets.baselines import DENSE
from analysis.wording import percent, seed_range

_MOST = 12
_NARROWEST, _LOWEST = 4.2, 4.0  # inches, for the name of an attack and of the axis
_COLLAPSE = 0.3  # below the best mean, as a share of it: one colour from there on


def size_of_map(table: pd.DataFrame) -> tuple[float, float]:
    """Width and height of :func:`sparsity_and_epsilon`, in inches."""
    tickets = _tickets(table)
    across, down = tickets["sparsity"].nunique(), tickets["epsilon"].nunique()
    panels = 2 if attacks(table) else 1
    width, height = 0.9 + 0.72 * min(across, _MOST), 2.4 + 0.62 * min(max(down, 2), _MOST)
    return 2.6 + panels * max(width, _NARROWEST), max(height, _LOWEST)


def sparsity_and_epsilon(
    table: pd.DataFrame, figure: Figure, *, recommended: Sequence[tuple[float, float]]
) -> None:
    """Sparsity across and training epsilon down: mean CVaR on clean paths, and under attack.

    The attack is the search nearest to the largest training epsilon. Below each mean is half the
    width of its 95 % interval over seeds.

    Args:
        table: the frame from :func:`analysis.robustness_table`, of one problem.
        figure: an empty figure of :func:`size_of_map`.
        recommended: sparsity and epsilon of the framed cells.
    Raises:
        NothingToDraw: sparsity and epsilon do not both vary, one has more than 12 values, or rows
            are of several problems.
    """
    problem = problem_of(table)
    tickets = _tickets(table)
    sides = [sorted(tickets[name].unique()) for name in ("sparsity", "epsilon")]
    if min(map(len, sides)) < 2:
        raise NothingToDraw("sparsity and epsilon do not both vary")
    if (many := max(map(len, sides))) > _MOST:
        raise NothingToDraw(f"{many} values of an axis are more than the {_MOST} of a legible map")
    listed = attacks(table)
    clean = clean_column(listed)
    columns = {clean: "clean test paths"}
    attack = nearest(listed, trained=None, epsilon=max(sides[1]))
    if attack is not None:
        columns[attack.column] = attack.words
    values = tickets[list(columns)].astype("float64")
    best = float(values.max().max())
    low = max(float(values.min().min()), best - _COLLAPSE * abs(best))
    norm = Normalize(low, best if best > low else low + 1.0, clip=True)
    axes = figure.subplots(1, len(columns), squeeze=False, sharey=True)[0]
    for ax, (column, name) in zip(axes, columns.items(), strict=True):
        image = _panel(ax, tickets, column, sides, norm)
        ax.set_title(name, fontsize=10.0)
        ax.set_xlabel("sparsity (share of weights removed)")
        for sparsity, epsilon in recommended:
            if sparsity in sides[0] and epsilon in sides[1]:
                chosen_cell(ax, sides[0].index(sparsity), sides[1].index(epsilon))
    axes[0].set_ylabel("attack budget ε in training\n(price units, S0 = 100)")
    ends = "min" if values.min().min() < low else "neither"
    bar = figure.colorbar(image, ax=list(axes), extend=ends, pad=0.02)
    bar.set_label(f"test {cvar_name(clean)}\n(currency per option)")
    bar.outline.set_visible(False)
    seeds = int(tickets["seeds"].max())
    interval = tickets[f"{clean}_low"].notna().any()
    notes = [
        f"Mean over {seed_range(tickets['seeds'])} "
        + ("± half its 95 % Student interval." if interval else f"({no_interval(seeds)}).")
        + " Larger (darker) is better.",
    ]
    if ends == "min":
        notes.append(f"All cells below {number(low)} have the colour of {number(low)}.")
    if recommended:
        notes.append("Framed: the recommended tickets.")
    framed(figure, f"{cvar_name(clean)} by sparsity and attack budget{problem}", notes)


def _tickets(table: pd.DataFrame) -> pd.DataFrame:
    rows = table[table["network"].ne(DENSE)]
    return rows.dropna(subset=["sparsity", "epsilon"])


def _panel(
    ax: Axes,
    tickets: pd.DataFrame,
    column: str,
    sides: Sequence[Sequence[float]],
    norm: Normalize,
) -> AxesImage:
    across, down = sides
    grid = tickets.pivot_table(index="epsilon", columns="sparsity", values=column)
    texts = {
        (down.index(row["epsilon"]), across.index(row["sparsity"])): _text(row, column)
        for _, row in tickets.iterrows()
    }
    values = grid.reindex(index=list(down), columns=list(across)).to_numpy(dtype=float)
    image = cells(ax, values, texts, colours="Blues", norm=norm)
    ax.set_xticks(range(len(across)), [percent(s) for s in across])
    ax.set_yticks(range(len(down)), [f"{e:g}" for e in down])
    return image


def _text(row: pd.Series, column: str) -> str:
    half = (row[f"{column}_high"] - row[f"{column}_low"]) / 2
    text = number(float(row[column]))
    return text + ("" if pd.isna(half) else f"\n± {number(float(half))}")
