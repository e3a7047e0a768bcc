"""Budget curves: CVaR by epochs of training, for tickets, controls and the dense network.

A boosting ticket takes its mask from a network trained at a small learning rate, is trained at a
larger one, and is good sooner than the dense network and other tickets. A truncated long schedule
does not represent a short one, so every budget of epochs is a separate training.

Source: Li et al. (2020), Towards practical lottery ticket hypothesis for adversarial training.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from analysis.arguments import checked
from analysis.attacks import CLEAN, setting
from analysis.configurations import LOTTERY, groups, parameter_dtypes, typed
from analysis.contrast import bounded, contrast, estimate
from analysis.sweep import Problem, Sweep, Trials
from analysis.tickets.controls import RETRAINED, rank
from analysis.tickets.opponents import stronger_by_row
from analysis.wording import percent, plural, value
from analysis.wording import setting as in_words

BUDGET, MASK_RATE, RATE = "training.epochs", "dense.lr", "lr"

_SPARSITY = ("sparsity", "pruning.sparsity")
_NO_MASK = (RETRAINED, "small_dense", "random_mask")
# Criteria that score theta_0, without training a network for the mask.
_AT_INIT = ("snip", "grasp", "synflow", "random")
_DENSE = ("dense", "retrained", "retrained_as_long")
_RIVALS = (*_DENSE, "lottery", "same_rate")
_TESTS = ("p", "p_equivalent", "p_inferior")
Field = Mapping[str, pd.DataFrame]  # trials or curves by kind


@checked
def budget_curves(
    trials: Trials,
    manifest: Mapping[str, Any] | None = None,
    *,
    confidence: float = 0.95,
    tolerance: float = 0.05,
) -> pd.DataFrame:
    """One row per configuration of a sweep of ``training.epochs``; empty if it has one value.

    ``kind`` is the ticket or its control, and "dense retrained" at sparsity 0: the dense network
    trained again on the schedule of the tickets. ``share`` is the budget over ``dense_epochs``,
    the epochs of the dense network; if these follow the budget, those of the longest.
    ``total_epochs`` adds the networks that the mask was found on. All three are null if unknown
    from the manifest. ``whole``: it completed at every seed of the sweep.

    ``cvar_05`` is the mean over the ``seeds``, ``less_*`` the mean of its differences to a rival
    at the same seed, in currency per option; positive if ahead. ``_low`` and ``_high`` are the
    ends of their Student intervals, ``_p`` the p of no difference, ``_p_equivalent`` of one beyond
    ``tolerance`` times the CVaR of the dense network, and ``_p_inferior`` of a loss beyond it; all
    uncorrected, and those of ``dense`` hold for skewed noise. There is none against dense networks
    where they are shown to be worse than a hedge without training, ``not_judged``. The rivals:

    - ``dense``: the dense network that the mask was found on, at the end of its training;
    - ``retrained``: the dense network trained again at the same rates, on the longest budget;
    - ``retrained_as_long``: the same, on this budget;
    - ``lottery``: for a control, the lottery ticket of the same budget;
    - ``same_rate``: the same kind with the mask found at the rate ``lr`` of its training.

    Args:
        manifest: from :func:`analysis.load_manifest`; has the settings that are not swept.
    Raises:
        schema.ColumnError: a column is missing although trials have completed.
    """
    sweep = Sweep.of(trials, manifest, needed=("status",), purpose="budget curves")
    names = sweep.names
    rows: list[dict[str, Any]] = []
    if BUDGET in names and sweep.trials[f"config/{BUDGET}"].nunique() > 1:
        frame = _raced(sweep)
        # A seed without a completed trial has a value of NaN, and so no interval or test.
        frame[CLEAN] = frame[CLEAN].where(frame["status"].eq("completed"))
        by_kind = {str(kind): part for kind, part in frame.groupby("kind", sort=False)}
        seeds = _by_seed(frame).index  # one without a trial here is lacking as well
        for values, group in groups(frame, names):
            for kind, runs in group.groupby("kind", sort=False):
                row: dict[str, Any] = {**values, "kind": kind}
                row |= {name: runs[name].iloc[0] for name in _EPOCHS}
                cvar = _by_seed(runs).reindex(seeds)
                row |= {"seeds": cvar.count(), "whole": cvar.count() == len(seeds)}
                row[f"dense_{CLEAN}"] = runs[f"dense_{CLEAN}"].mean()
                row |= estimate(cvar, bounded(CLEAN), confidence=confidence)
                for rival, their in _rivals(by_kind, str(kind), values, runs).items():
                    less = contrast(
                        cvar,
                        their.reindex(seeds if len(their) else their.index),
                        confidence=confidence,
                        margin=tolerance * abs(row[f"dense_{CLEAN}"]),
                        symmetric=rival != "dense",
                    )
                    row |= less.columns(bounded(f"less_{rival}"))
                    row |= {f"less_{rival}_{name}": row.pop(name) for name in _TESTS[:2]}
                    # The longest training of the dense network is its own rival.
                    itself = rival == "retrained" and cvar.equals(their)
                    row[f"less_{rival}_p_inferior"] = 0.0 if itself else less.p_inferior
                rows.append(row)
    curves = typed(rows, {**parameter_dtypes(names), **_DTYPES})
    curves["not_judged"] = stronger_by_row(sweep, curves)
    tests = [f"less_{rival}_{name}" for rival in _DENSE for name in _TESTS]
    curves[tests] = curves[tests].where(curves["not_judged"].isna())
    return curves


def races(curves: pd.DataFrame) -> Iterator[tuple[dict[str, Any], dict[str, pd.DataFrame]]]:
    """Groups of competing curves by kind, shortest budget first: lottery, its controls, dense.

    Each has the values of its rates and of the other parameters that vary. The dense network is
    in the group of every sparsity; configurations without a completed trial are in none.

    Args:
        curves: from :func:`budget_curves`.
    """
    names = [n for n in map(str, curves.columns[: curves.columns.get_loc("kind")]) if n != BUDGET]
    rows = curves[curves["seeds"].gt(0)]
    dense = rows[rows["kind"].eq(RETRAINED)]
    # A grid without conditions has controls of the dense network too, which are not tickets.
    tickets = rows[rows["kind"].ne(RETRAINED) & rows["sparsity"].ne(0.0).fillna(True)]
    field = dense if tickets.empty else tickets
    axes = [n for n in names if field[n].nunique() > 1 or n in (MASK_RATE, RATE)]
    for key, race_rows in field.groupby(names, dropna=False, sort=True):
        values: dict[str, Any] = dict(zip(names, key, strict=True))
        anywhere = {n: v for n, v in values.items() if n not in _SPARSITY}
        race_rows = pd.concat(
            [race_rows[race_rows["kind"].ne(RETRAINED)], matching(dense, anywhere)]
        )
        runners = sorted(race_rows["kind"].unique(), key=rank)
        curve = {
            kind: race_rows[race_rows["kind"].eq(kind)].sort_values(BUDGET) for kind in runners
        }
        yield {n: values[n] for n in axes if pd.notna(values[n])}, curve


@dataclass(frozen=True, slots=True, kw_only=True)
class Race:
    """CVaR by seed of a boosting ticket on one budget, and that of each rival by its name.

    NaN at a seed without a completed trial. ``subject`` has its rates and its budget in words;
    validation selected it from ``competitors``.
    """

    cvar: pd.Series
    rivals: Mapping[str, pd.Series]
    subject: str
    competitors: int


def race(problem: Problem, *, speed: float) -> Race | None:
    """Race of the boosting ticket with the lowest validation risk, on its largest budget of at
    most ``1 / speed`` of the dense network's epochs; None if the space has no such ticket.
    """
    names = problem.names
    if not {BUDGET, MASK_RATE, RATE} <= set(names):
        return None
    frame = _raced(Sweep.of(problem, needed=("val_loss",), purpose="budget curves"))
    frame[CLEAN] = frame[CLEAN].where(frame["status"].eq("completed"))
    rows = frame[frame["kind"].eq(LOTTERY) & frame["share"].le(1.0 / speed)]
    rows = rows[rows[f"config/{MASK_RATE}"].lt(rows[f"config/{RATE}"]).fillna(False)]
    rows = rows[rows[f"config/{BUDGET}"].eq(rows[f"config/{BUDGET}"].max())]
    tickets = list(groups(rows, names))
    if rows.empty or not tickets:
        return None
    values, runs = min(tickets, key=lambda one: (one[1]["val_loss"].mean(), repr(one[0])))
    by_kind = {str(kind): part for kind, part in frame.groupby("kind", sort=False)}
    rivals = _rivals(by_kind, LOTTERY, values, runs)
    axes = {f"config/{n}": v for n, v in values.items()}
    for control in ("random_reinit", "random_mask"):
        rivals[control] = _by_seed(matching(by_kind.get(control, frame.iloc[:0]), axes))
    others = {n: values[n] for n in names if n != BUDGET and frame[f"config/{n}"].nunique() > 1}
    budget = plural(int(values[BUDGET]), "epoch")
    return Race(
        cvar=_by_seed(runs).reindex(_by_seed(frame).index),
        rivals={name: cvar for name, cvar in rivals.items() if cvar.notna().any()},
        subject=f"{rates(others)}, {budget}",
        competitors=len(tickets),
    )


def matching(frame: pd.DataFrame, values: Mapping[str, Any]) -> pd.DataFrame:
    """Rows of ``frame`` with these ``values``; null on either side matches anything.

    A parameter whose condition is not met is null.
    """
    fits = np.ones(len(frame), dtype=bool)
    for column, target in values.items():
        if pd.notna(target):
            equal = frame[column].isna() | frame[column].eq(target).fillna(False)
            fits &= equal.to_numpy(dtype=bool)
    return frame[fits]


def rates(values: Mapping[str, Any], *, spoken: Callable[[str], str] = str) -> str:
    """Values of a race by ``spoken`` names: "mask found at lr 0.002, trained at 0.01"."""
    parameters, parts = dict(values), []
    if MASK_RATE in parameters and RATE in parameters:
        mask_rate, trained = parameters.pop(MASK_RATE), parameters.pop(RATE)
        parts = [f"mask found at {spoken(RATE)} {value(mask_rate)}, trained at {value(trained)}"]
    parts += [f"sparsity {percent(parameters.pop(n))}" for n in _SPARSITY if n in parameters]
    others = {spoken(name): content for name, content in parameters.items()}
    return ", ".join(filter(None, (*parts, in_words(others))))


def in_name(kind: str) -> str:
    """A kind in words: "random reinit", "dense retrained"."""
    return kind.replace("_", " ")


def _raced(sweep: Sweep) -> pd.DataFrame:
    """Trials with their kind, their epochs, and dense CVaR of the whole training."""
    columns = (CLEAN, f"dense_{CLEAN}")
    sweep, manifest = Sweep.of(sweep, needed=columns, purpose="budget curves"), sweep.manifest
    # Only the needed columns, because every selection of rows copies them.
    kept = ("status", "val_loss", *columns)
    frame = pd.concat(
        trials[[c for c in trials if c in kept or str(c).startswith("config/")]].assign(kind=kind)
        for kind, trials in sweep.by_kind.items()
        if len(trials)
    )

    def pruning(option: str) -> pd.Series:
        fixed = setting(frame, manifest, f"pruning.{option}")
        axis = frame.get(f"config/{option}", fixed).astype("object")
        return axis.where(axis.notna(), fixed)

    unpruned = frame["kind"].eq(LOTTERY) & pd.to_numeric(pruning("sparsity")).eq(0.0)
    kind = frame["kind"].mask(unpruned, RETRAINED)
    scored = ~kind.isin(_NO_MASK) & ~pruning("criterion").isin(_AT_INIT)
    rounds = pd.to_numeric(pruning("rounds")).where(pruning("schedule").eq("iterative"), 1)
    budget = frame[f"config/{BUDGET}"].astype("float64")
    epochs = pd.to_numeric(setting(frame, manifest, "dense.epochs")).astype("float64")
    # Without a setting, the dense network's epochs follow the budget, if that is known.
    base_epochs, longest = epochs.fillna(budget), epochs.fillna(budget.max())
    if not manifest.get("study"):
        base_epochs = longest = epochs
    same = ["kind", "config/seed", *(f"config/{n}" for n in sweep.names if n != BUDGET)]
    last = frame.sort_values(f"config/{BUDGET}").groupby(same, dropna=False)
    return frame.assign(
        kind=kind,
        dense_epochs=longest,
        share=budget / longest,
        total_epochs=budget + base_epochs * rounds.where(scored, 0).astype("float64"),
        **{f"dense_{CLEAN}": last[f"dense_{CLEAN}"].transform("last")},
    )


def _rivals(
    by_kind: Field, kind: str, values: Mapping[str, Any], runs: pd.DataFrame
) -> dict[str, pd.Series]:
    """CVaR by seed of each rival of ``runs``, the trials of a kind and ``values``."""

    def of(rival: str, like: Mapping[str, Any]) -> pd.Series:
        axes = {f"config/{n}": v for n, v in like.items()}
        return _by_seed(matching(by_kind.get(rival, runs.iloc[:0]), axes))

    anywhere = {n: v for n, v in values.items() if n not in _SPARSITY}
    longest = max(frame[f"config/{BUDGET}"].max() for frame in by_kind.values())
    rivals = {
        "dense": _by_seed(runs, f"dense_{CLEAN}"),
        "retrained": of(RETRAINED, {**anywhere, BUDGET: longest}),
    }
    if kind != RETRAINED:
        rivals["retrained_as_long"] = of(RETRAINED, anywhere)
    if kind not in (LOTTERY, RETRAINED):
        rivals["lottery"] = of(LOTTERY, values)
    mask_rate, trained = values.get(MASK_RATE), values[RATE]
    if pd.notna(mask_rate) and pd.notna(trained) and mask_rate != trained:
        rivals["same_rate"] = of(kind, {**values, MASK_RATE: trained})
    return rivals


def _by_seed(trials: pd.DataFrame, metric: str = CLEAN) -> pd.Series:
    # A space without seeds has one trial of each kind, which form a pair.
    return trials.groupby(trials["config/seed"].fillna(0))[metric].mean()


_EPOCHS = ("dense_epochs", "share", "total_epochs")
_DTYPES = {
    "kind": "string",
    **dict.fromkeys(_EPOCHS, "float64"),
    "seeds": "Int64",
    "whole": "boolean",
    **dict.fromkeys(bounded(CLEAN), "float64"),
    f"dense_{CLEAN}": "float64",
    **dict.fromkeys(
        (
            end
            for rival in _RIVALS
            for end in (*bounded(f"less_{rival}"), *(f"less_{rival}_{name}" for name in _TESTS))
        ),
        "float64",
    ),
    "not_judged": "string",
}
