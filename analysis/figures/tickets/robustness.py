"""CVaR against the attack budget, and the cost of robustness on clean paths."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from analysis.attacks import (
    Attack,
    attacks,
    by_name,
    clean_column,
    on_attacked_paths,
    spoken,
)
from analysis.contrast import bars
from analysis.figures.palette import INK, MARKERS, MUTED
from analysis.figures.problem import problem_of
from analysis.figures.rendering import Plan, alone
from analysis.figures.style import NothingToDraw, caption, framed, legend_beside
from analysis.figures.tickets.panels import colors
from analysis.metric_names import cvar_name
from analysis.sweep import Sweep, Trials
from analysis.tickets.baselines import DENSE
from analysis.tickets.networks import STANDARD, choose
from analysis.tickets.robustness import RUNAWAY, robustness_table
from analysis.wording import percent, seed_range

_MOST_PANELS = 3
_COLLAPSE = 0.3
_FIRST = "path_pgd"
_DODGE = 0.015  # of the largest budget, so that intervals do not overlap
_UNITS = {"observation": "sd of each feature"}


def robustness_plans(trials: Trials, *, tolerance: float, confidence: float) -> list[Plan]:
    """Plans of the figures: name, size in inches, drawing; empty without training under attack.

    Budgets are drawn at the sparsity that :func:`analysis.tickets.networks.choose` recommends.

    Args:
        trials: the frame from :func:`analysis.load_trials`, of one problem.
    """
    tickets = Sweep.of(trials).tickets
    if not tickets["config/epsilon"].gt(0.0).any() or not attacks(tickets):
        return []
    table = robustness_table(trials)
    chosen = choose(trials, tolerance=tolerance, confidence=confidence)
    sparsity = chosen.sparsity if chosen else 0.0
    size = (3.2 + 4.6 * max(1, len(_panels(table))), 5.4)
    return [
        ("cvar_against_budget", size, partial(cvar_against_budget, table, sparsity=sparsity)),
        alone("price_of_robustness", partial(price_of_robustness, table), size=(9.0, 5.4)),
    ]


def cvar_against_budget(table: pd.DataFrame, figure: Figure, *, sparsity: float) -> None:
    """A panel per attack: CVaR against its budget, a line per training epsilon, dense dashed.

    Bars are Student intervals over seeds; budget 0 is clean CVaR. A panel with runaway hedges
    shows medians over the seeds, without bars.

    Args:
        table: the frame from :func:`analysis.robustness_table`, of one problem.
        sparsity: of the tickets.
    Raises:
        NothingToDraw: no attack, no ticket of the sparsity, more epsilons than line styles, or
            rows of several problems.
    """
    problem = problem_of(table)
    panels = _panels(table)
    if not panels:
        raise NothingToDraw("no network was attacked")
    where = f" at sparsity {percent(sparsity)}"
    tickets = _tickets(table)
    tickets = tickets[tickets["sparsity"].eq(sparsity)]
    if tickets.empty:
        raise NothingToDraw(f"no ticket has completed{where}")
    shades = _shades(tickets["epsilon"])
    axes = figure.subplots(1, len(panels), squeeze=False)[0]
    dense, wild = table[table["network"].eq(DENSE)], []
    for ax, (name, budgets) in zip(axes, panels.items(), strict=True):
        line = _line
        if _run_away(pd.concat([tickets, dense]), budgets).any(axis=None):
            line = _median_line
            wild.append(name)
        dodge = _DODGE * budgets[-1].budget
        look: dict[str, Any]
        for i, (_, row) in enumerate(tickets.iterrows()):
            shift = dodge * (i - (len(tickets) - 1) / 2)
            look = {
                "shift": shift,
                "color": shades[row["epsilon"]],
                "marker": MARKERS[i],
                "linewidth": 1.8,
            }
            line(ax, row, budgets, label=_name(row["epsilon"]), **look)
        for _, row in dense.iterrows():
            look = {"shift": 0.0, "color": INK, "linestyle": "--", "linewidth": 1.3, "zorder": 3}
            line(ax, row, budgets, label="dense network", **look)
        ax.set_title(spoken(name), fontsize=10.0)
        unit = _UNITS.get(budgets[0].model, "price units, S0 = 100")
        ax.set_xlabel(f"budget of the attack in the test\n({unit})")
        ax.grid(True, axis="y")
    cvar = cvar_name(clean_column(attacks(table)))
    axes[0].set_ylabel(f"test {cvar} (currency per option, S0 = 100)")
    legend_beside(axes[-1], axes[0].get_legend_handles_labels()[0])
    framed(
        figure,
        f"CVaR as the attack grows,{where}{problem}",
        [
            f"{_seeds(tickets)}. Larger is better. ε: attack budget in training; standard: 0.",
            "Budget 0: clean CVaR on the paths that are attacked.",
            *(
                f"{spoken(name)}: medians, because hedges run away; arrows where the median does."
                for name in wild
            ),
        ],
    )


def price_of_robustness(table: pd.DataFrame, ax: Axes) -> None:
    """CVaR under attack against clean CVaR, a point per configuration and for the dense network.

    The attack is the strongest search on the path at its largest budget, else that of another
    threat model. Colours are training epsilons, markers sparsities; thin lines connect a sparsity.

    Args:
        table: the frame from :func:`analysis.robustness_table`, of one problem.
    Raises:
        NothingToDraw: no attack, more epsilons or sparsities than colours and markers, or rows of
            several problems.
    """
    problem = problem_of(table)
    panels = _panels(table)
    if not panels:
        raise NothingToDraw("no network was attacked")
    attack = next(iter(panels.values()))[-1]
    clean, cvar = attack.measure, cvar_name(attack.measure)
    rows = table[table[attack.column].notna() & table[clean].notna()]
    tickets, collapsed = _standing(rows, clean)
    shades, markers = _shades(tickets["epsilon"]), _markers(tickets["sparsity"])
    for marker, (_, line) in zip(markers.values(), tickets.groupby("sparsity"), strict=True):
        ax.plot(line[clean], line[attack.column], color=MUTED, linewidth=0.8, alpha=0.6, zorder=1)
        for _, row in line.iterrows():
            _point(ax, row, attack, shades[row["epsilon"]], marker)
    for _, row in rows[rows["network"].eq(DENSE)].iterrows():
        _point(ax, row, attack, INK, "*", size=13.0)
    _keys(ax, shades, markers, dense=bool(rows["network"].eq(DENSE).any()))
    ax.grid(True)
    ax.set_xlabel(f"clean test {cvar} (currency per option, S0 = 100)")
    ax.set_ylabel(f"{cvar} under attack (currency per option):\n{attack.words}")
    ax.set_title(f"What robustness costs on clean paths, and buys under attack{problem}")
    caption(
        ax,
        [
            f"{_seeds(tickets)}. Right and up are better. ε: attack budget in "
            "training; standard: 0.",
            "Thin lines join the tickets of one sparsity in the order of ε.",
            *collapsed,
        ],
    )


def _panels(table: pd.DataFrame) -> dict[str, list[Attack]]:
    """Attacks with a panel, at most 3: on the path, then those of two budgets."""
    families = by_name(attack for attack in attacks(table) if attack.hardness)
    first = {name: budgets for name, budgets in families.items() if name == _FIRST}
    several = {name: budgets for name, budgets in families.items() if len(budgets) > 1}
    return dict(list((first | several or families).items())[:_MOST_PANELS])


def _tickets(table: pd.DataFrame) -> pd.DataFrame:
    """Rows of tickets by ascending epsilon."""
    tickets = table[table["network"].ne(DENSE)].dropna(subset=["sparsity", "epsilon"])
    return tickets.sort_values("epsilon")


def _standing(rows: pd.DataFrame, clean: str) -> tuple[pd.DataFrame, list[str]]:
    """Tickets that still hedge, and a line on collapsed ones, which would dominate the scale.

    If all have collapsed, all are drawn.
    """
    tickets, dense = _tickets(rows), rows.loc[rows["network"].eq(DENSE), clean]
    fallen = tickets[clean].lt(dense.min() * (1 + _COLLAPSE))
    if fallen.all() or not fallen.any():
        return tickets, []
    sparsities = ", ".join(percent(s) for s in sorted(tickets.loc[fallen, "sparsity"].unique()))
    return tickets[~fallen], [
        f"Not drawn: tickets over {percent(_COLLAPSE)} below the dense network's clean CVaR "
        f"(sparsity {sparsities})."
    ]


def _run_away(rows: pd.DataFrame, budgets: Sequence[Attack], end: str = "") -> pd.DataFrame:
    """True where CVaR at a budget, by its mean or another ``end``, is that of a runaway hedge."""
    clean = rows[f"{on_attacked_paths(budgets[0].measure)}{end}"]
    return rows[[f"{a.column}{end}" for a in budgets]].lt(RUNAWAY * clean, axis=0)


def _median_line(
    ax: Axes, row: pd.Series, budgets: Sequence[Attack], *, shift: float, **look: Any
) -> None:
    at, columns = _curve(budgets, shift)
    away = [False, *_run_away(row.to_frame().T, budgets, "_median").iloc[0]]
    points = [(x, row[f"{c}_median"]) for x, c, a in zip(at, columns, away, strict=True) if not a]
    ax.plot(*zip(*points, strict=True), markersize=6, **({"zorder": 4} | look))
    for x in (x for x, a in zip(at, away, strict=True) if a):
        # In axes coordinates: at the lower edge of the panel, whatever its limits.
        edge = ax.get_xaxis_transform()
        ax.plot(x, 0.0, "v", color=look["color"], markersize=7, transform=edge, clip_on=False)


def _line(
    ax: Axes, row: pd.Series, budgets: Sequence[Attack], *, shift: float, **look: Any
) -> None:
    at, columns = _curve(budgets, shift)
    means = [row[column] for column in columns]
    ax.plot(at, means, markersize=6, **({"zorder": 4} | look))
    reach = np.column_stack([_reach(row, column) for column in columns])
    if np.isfinite(reach).any():
        ax.errorbar(at, means, yerr=reach, fmt="none", ecolor=look["color"], elinewidth=1.3)


def _curve(budgets: Sequence[Attack], shift: float) -> tuple[list[float], list[str]]:
    """Budgets from 0 upwards, moved by ``shift``, and the column of CVaR at each."""
    at = [budget + shift for budget in (0.0, *(attack.budget for attack in budgets))]
    unattacked = on_attacked_paths(budgets[0].measure)
    return at, [unattacked, *(attack.column for attack in budgets)]


def _point(
    ax: Axes, row: pd.Series, attack: Attack, color: str, marker: str, *, size: float = 8.0
) -> None:
    x, y = row[attack.measure], row[attack.column]
    ax.plot(x, y, marker, color=color, markersize=size, mec="white", mew=0.8, zorder=4)
    across, along = (_reach(row, column)[:, None] for column in (attack.measure, attack.column))
    if np.isfinite(across).all() and np.isfinite(along).all():
        ax.errorbar(
            x, y, xerr=across, yerr=along, fmt="none", ecolor=color, elinewidth=1.2, zorder=3
        )


def _reach(row: pd.Series, column: str) -> npt.NDArray[np.float64]:
    """Distances from the mean to the ends of its interval; NaN without an interval."""
    mean, low, high = (row[f"{column}{end}"] for end in ("", "_low", "_high"))
    return np.asarray([mean - low, high - mean], dtype=float).clip(min=0.0)


def _shades(epsilons: pd.Series) -> dict[float, str]:
    levels = sorted(epsilons.unique())
    return dict(zip(levels, colors([_name(e) for e in levels]).values(), strict=True))


def _markers(sparsities: pd.Series) -> dict[float, str]:
    levels = sorted(sparsities.unique())
    if len(levels) > len(MARKERS):
        raise NothingToDraw(
            f"{len(levels)} sparsities are more than {len(MARKERS)} markers can tell apart; draw "
            "a part of the trials"
        )
    return dict(zip(levels, MARKERS, strict=False))


def _keys(
    ax: Axes, shades: Mapping[float, str], markers: Mapping[float, str], *, dense: bool
) -> None:
    look: Any = {"linestyle": "none", "markersize": 7.0, "mec": "white"}
    keys = [
        Line2D([], [], marker="o", color=color, label=_name(epsilon), **look)
        for epsilon, color in shades.items()
    ]
    keys += [
        Line2D([], [], marker=marker, color=MUTED, label=f"sparsity {percent(sparsity)}", **look)
        for sparsity, marker in markers.items()
    ]
    if dense:
        look |= {"marker": "*", "markersize": 12.0}
        keys.append(Line2D([], [], color=INK, label="dense network", **look))
    legend_beside(ax, keys)


def _name(epsilon: float) -> str:
    return f"robust (ε = {epsilon:g})" if epsilon else STANDARD


def _seeds(rows: pd.DataFrame) -> str:
    most = int(rows["seeds"].max())
    lows = rows.filter(regex="_low$").melt()["value"]
    return f"Means over {seed_range(rows['seeds'])}; {bars(most, lows)}"
