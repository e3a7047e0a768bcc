"""What explaining a network costs and gains, and whether the network uses it, in sentences."""

from collections.abc import Iterator, Sequence

import pandas as pd

from analysis.columns_xnn import CONTROLS
from analysis.robust_findings import FEWEST
from analysis.seeds import interval
from analysis.words import amount, percent, plural
from analysis.xnn.cells import COST, GAIN, WITHIN, axes, completed, gain, whole
from analysis.xnn.pareto import HORIZON, Front
from analysis.xnn.wording import cell_name, estimate, telling, verdict

_DOUBLE = "double_step"
_LEVEL = 0.05


def choice(
    table: pd.DataFrame, cell: pd.Series | None, names: Sequence[str], *, within: float = WITHIN
) -> list[str]:
    """What the chosen ``cell`` costs and gains, or why none was chosen.

    Args:
        table: from :func:`analysis.xnn.cells.cells`, of one problem.
        cell: from :func:`analysis.xnn.cells.best`.
        names: the axes of the table.
        within: what it was allowed to cost, in nats.
    """
    if cell is None:
        return list(_none(table, names, within))
    lines = [
        f"At a cost of at most {within:g} nat by validation loss, "
        f"{cell_name(cell, telling(table, names))} explains most: {_price(cell)}, "
        f"{_gained(cell)}, {_over(cell)}."
    ]
    if {"accuracy_minus_plain", "kappa_minus_plain"} <= set(cell.index):
        change = ", ".join(
            f"{name} {_change(cell, f'{name}_minus_plain')}" for name in ("accuracy", "kappa")
        )
        lines.append(f"Against the plain network of the same seed: {change}.")
    if gain(table) == GAIN:
        lines.append(
            "It was chosen by its gain on test rows, which is therefore a little too good; a "
            f"search with the objective val_{GAIN} would choose on validation rows."
        )
    return lines


def front(found: Front, table: pd.DataFrame, names: Sequence[str]) -> list[str]:
    """How many bargains there are, and which is the knee; nothing where there is one at most."""
    if len(found.rows) < 2:
        return []
    lines = [
        f"{len(found.rows)} of {plural(len(whole(table)), 'cell')} cannot be beaten in both cost "
        f"and gain; they hold {found.hypervolume:.4f} nat of the area above gain 0 and below a "
        f"cost of {HORIZON:g} nat."
    ]
    if found.knee is not None:
        knee = found.rows.loc[[found.knee]].iloc[0]
        lines.append(
            f"Their knee is {cell_name(knee, telling(table, names))}: "
            f"{estimate(knee, COST, signed=True)} nat, gain {estimate(knee, GAIN, signed=True)}."
        )
    return lines


def methods(trials: pd.DataFrame) -> list[str]:
    """Whether each method gains more than its control; nothing where no method was swept.

    The control of a method is ``double_step`` where the sweep has it, for the multipliers take
    such a step too, and else "none". They are paired at the same seed and all else, weight
    included, and averaged within a seed.
    """
    if "config/method" not in trials or trials["config/method"].nunique() < 2:
        return []
    done = completed(trials)
    names = [str(name) for name in done["config/method"].dropna().unique()]
    lines = []
    for name in sorted(set(names) - {"none"}):
        rival = _DOUBLE if _DOUBLE in names and name != _DOUBLE else "none"
        found = _against(done, name, rival)
        if found is not None:
            who = "the plain network" if rival == "none" else rival
            lines.append(f"{name} against {who} at the same seed and K: {found}.")
    return lines


def growth(table: pd.DataFrame) -> list[str]:
    """That raw R2 rises with the centroids whatever was learnt, and what chance alone gives."""
    known = table[table["seeds"].gt(0)]
    if "clusters" not in table or known["clusters"].nunique() < 2 or "r2_untrained" not in known:
        return []
    by = known.groupby("clusters")[["r2_untrained", "r2_permuted"]].mean().dropna()
    if len(by) < 2:
        return []
    (few, first), (many, last) = ((by.index[i], by.iloc[i]) for i in (0, -1))
    reached = (
        f"the untrained network reaches {amount(first['r2_untrained'])} at K = {few} and "
        f"{amount(last['r2_untrained'])} at K = {many}"
    )
    lines = [f"Raw R2 does not rise with the number of centroids here: {reached}."]
    if last["r2_untrained"] > first["r2_untrained"]:
        lines = [
            f"Raw R2 rises with the number of centroids whatever was learnt: {reached}; only the "
            "gain over controls says something."
        ]
    chance = by["r2_permuted"].abs().max()
    lines.append(f"With permuted rows it is {amount(chance)} at most, in absolute value.")
    return lines


def faithfulness(cell: pd.Series, done: pd.DataFrame) -> list[str]:
    """Whether the network uses what its nodes are said to mean.

    Args:
        cell: the row of :func:`analysis.xnn.cells.cells`.
        done: its trials, from :func:`analysis.xnn.cells.members`.
    """
    lines = []
    if pd.notna(cell.get("specificity")):
        clear = verdict(cell, "specificity") == 0
        lines.append(
            "On distances to as many random rows its nodes have an R2 of "
            f"{amount(cell['r2_random_points'])}: of these centroids they tell "
            f"{estimate(cell, 'specificity', signed=True)} more"
            f"{', which cannot be told apart from 0' if clear else ''}."
        )
    if pd.notna(cell.get("selectivity")):
        clear = verdict(cell, "selectivity") == 0
        lines.append(
            "Without the nodes of a centroid, cross-entropy on its own rows rises by "
            f"{estimate(cell, 'selectivity')} nat more than on others"
            f"{', which cannot be told apart from 0' if clear else ''}."
        )
    if pd.notna(cell.get("surrogate_agreement")):
        rise = cell["surrogate_cross_entropy"] - cell["cross_entropy"]
        lines.append(
            "With its nodes replaced by what distances imply, "
            f"{percent(round(cell['surrogate_agreement'], 3))} of rows keep their likeliest class "
            f"and cross-entropy changes by {amount(rise, signed=True)} nat."
        )
    p = done["concept_p"].astype("float64").dropna() if "concept_p" in done else pd.Series()
    if len(p):
        lines.append(
            "A centroid's direction moves class 8 more than random directions do at "
            f"{int(p.le(_LEVEL).sum())} of {plural(len(p), 'seed')} (TCAV, 5 % after Bonferroni)."
        )
    return lines


def duration(epochs: pd.DataFrame, done: pd.DataFrame, plain: pd.DataFrame) -> list[str]:
    """How long an epoch takes beside one of the plain network, by the median trial.

    Args:
        epochs: the frame from :func:`analysis.load_epochs`.
        done: the trials of a cell, from :func:`analysis.xnn.cells.members`.
        plain: those of the plain network.
    """
    if not {"trial_id", "seconds"} <= set(epochs.columns):
        return []
    by = epochs.groupby("trial_id")["seconds"].median()
    own, held = (by.reindex(frame["trial_id"]).dropna().median() for frame in (done, plain))
    if not (own > 0.0 and held > 0.0):
        return []
    return [
        f"An epoch of it takes {own / held:.2f} times as long as one of the plain network "
        f"({own:.3g} s against {held:.3g} s; this depends on the machine)."
    ]


def _none(table: pd.DataFrame, names: Sequence[str], within: float) -> Iterator[str]:
    rivals = whole(table)
    rivals = rivals[~rivals["reference"].fillna(False).astype(bool)]
    if rivals.empty or COST not in rivals or rivals[COST].isna().all():
        return
    cheapest = rivals.loc[[rivals[COST].idxmin()]].iloc[0]
    yield (
        f"No cell costs at most {within:g} nat by validation loss; the cheapest is "
        f"{cell_name(cheapest, telling(table, names))}: {_price(cheapest)}, {_gained(cheapest)}, "
        f"{_over(cheapest)}."
    )


def _price(cell: pd.Series) -> str:
    level = verdict(cell, COST) == 0
    clear = ", which cannot be told apart from 0," if level else ""
    return f"it costs {estimate(cell, COST, signed=True)} nat of test cross-entropy{clear}"


def _gained(cell: pd.Series) -> str:
    level: dict[int | None, str]
    level = {0: ", which cannot be told apart from 0", -1: ", so controls explain more"}
    rivals = {name: cell.get(f"r2_{name}") for name in CONTROLS}
    known = {name: float(r2) for name, r2 in rivals.items() if r2 is not None and pd.notna(r2)}
    over = "its best control"
    if known:
        name = max(known, key=known.__getitem__)
        over += f", {CONTROLS[name]} ({amount(known[name])})"
    return (
        f"and its nodes' R2 of {amount(cell['r2_mean'])} is {estimate(cell, GAIN, signed=True)} "
        f"above that of {over}{level.get(verdict(cell, GAIN), '')}"
    )


def _over(cell: pd.Series) -> str:
    seeds = int(cell["seeds"])
    few = f"; with fewer than {FEWEST} seeds no interval is claimed" if seeds < FEWEST else ""
    return f"over {plural(seeds, 'seed')}{few}"


def _change(cell: pd.Series, metric: str) -> str:
    level = verdict(cell, metric) == 0
    return estimate(cell, metric, signed=True) + (" (cannot be told apart)" if level else "")


def _against(done: pd.DataFrame, name: str, rival: str) -> str | None:
    """The paired difference of gains of ``name`` and ``rival``, in words."""
    others = [n for n in axes(done) if n != "method" and (n != "adj_weight" or rival == _DOUBLE)]
    keys = [f"config/{n}" for n in ("seed", *others)]
    own, held = (
        done[done["config/method"].eq(kind)].groupby(keys, dropna=False)[GAIN].mean()
        for kind in (name, rival)
    )
    ahead = (own - held).dropna().groupby("config/seed").mean().astype("float64")
    if ahead.empty:
        return None
    ends = interval(ahead, rng=0)
    row = pd.Series(
        {"seeds": len(ahead), "gain": ahead.mean(), "gain_low": ends.low, "gain_high": ends.high}
    )
    said = {
        1: "it explains more",
        0: "they cannot be told apart",
        -1: "it explains less",
        None: f"with fewer than {FEWEST} seeds no interval is claimed",
    }
    return f"{estimate(row, 'gain', signed=True)} of R2 gain: {said[verdict(row, 'gain')]}"
