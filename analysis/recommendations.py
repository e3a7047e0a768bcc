"""Networks that a sweep recommends: one per problem and budget of training attacks."""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from analysis import schema
from analysis.arguments import checked
from analysis.attacks import PARAMETER, attacks, clean_column, lost, spoken
from analysis.configurations import counts
from analysis.intervals import NONE, Interval
from analysis.json_values import plain_value
from analysis.metric_names import cvar_name, metric_name
from analysis.sweep import Candidate, Problem, Sweep, Trials
from analysis.tickets.efficiency import max_efficient_sparsity
from analysis.tickets.robustness import TICKET, metrics, robustness_table
from analysis.wording import amount, percent, plural, setting

_LOWEST = "lowest validation risk of all tickets"
_SHARES = {
    "cluster_stability": "Agreement of its clusters with those of resampled rows (Rand index)",
    "surrogate_agreement": "Share of rows that keep their class from distances alone",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Recommendation:
    """A configuration, and the trial of it to load: the seed with the lowest validation loss.

    Args:
        criterion: of the choice of the configuration, in words.
        problem: values of the parameters that define the problem; empty if the space varies none.
        trial_id: of the trial to load.
        configuration: parameters of that trial, with its seed.
        seeds: number of seeds that completed.
        measured: of those, the number at which the ``metric`` is finite.
        metric: column of the test metric.
        unit: of the metric.
        mean: of the ``metric`` over the ``measured`` seeds; NaN without one.
        interval: 95 % Student interval of that mean, not corrected; NaN ends without one.
        weakness: what is worst of the configuration among what was measured, in a sentence.
    """

    criterion: str
    problem: Mapping[str, Any]
    trial_id: str
    configuration: Mapping[str, Any]
    seeds: int
    measured: int
    metric: str
    unit: str
    mean: float
    interval: Interval
    weakness: str


@checked
def recommendations(
    trials: Trials,
    manifest: Mapping[str, Any] | None = None,
    *,
    tolerance: float = 0.05,
    confidence: float = 0.95,
) -> list[Recommendation]:
    """Recommended networks, empty while no configuration has completed at every seed.

    Of tickets, for every problem and training epsilon: the sparsest that is shown to lose at most
    ``tolerance`` of the dense network's CVaR (:func:`analysis.max_efficient_sparsity`); if none
    is, the one with the lowest validation risk. Of X-NNs, for every problem: the configuration of
    :func:`analysis.xnn.selection.choose`. Of other experiments, the trial with the lowest
    ``val_loss``. Test metrics play no part in the choice, except in the test of the sparsity.

    Args:
        confidence: of the test of the sparsity, one-sided.
    Raises:
        schema.ColumnError: a column is missing although trials have completed.
    """
    sweep = Sweep.of(trials, manifest, needed=("status",), purpose="recommendations")
    if sweep.trials.empty or not counts(sweep.trials)["completed"]:
        return []
    experiment = sweep.manifest.get("experiment") or schema.experiment_of(sweep.trials)
    if experiment == "xnn":
        return list(_explained(sweep))
    if experiment == "tickets":
        return list(_tickets(sweep, tolerance=tolerance, confidence=confidence))
    return [_lowest(sweep.trials)]


def _tickets(sweep: Sweep, *, tolerance: float, confidence: float) -> Iterator[Recommendation]:
    efficient = max_efficient_sparsity(sweep, tolerance=tolerance, confidence=confidence)
    table = robustness_table(sweep)
    passes = f"sparsest ticket shown to lose at most {percent(tolerance)} of the dense network's"
    for problem in sweep.problems:
        candidates = [one for one in problem.chosen() if not one.is_per_seed]
        answers = _rows(efficient, problem.values)
        for epsilon in dict.fromkeys(_key(one.epsilon) for one in candidates):
            rivals = [one for one in candidates if _key(one.epsilon) == epsilon]
            largest = max(
                (
                    float(row["max_efficient_sparsity"])
                    for _, row in answers.iterrows()
                    if _key(row["epsilon"]) == epsilon and pd.notna(row["max_efficient_sparsity"])
                ),
                default=math.nan,
            )
            passing = [one for one in rivals if one.sparsity == largest]
            best = passing[0] if passing else min(rivals, key=_risk)
            criterion = f"{passes} CVaR" if passing else _lowest_of(epsilon)
            yield _ticket(problem, best, table, criterion=criterion)


def _ticket(
    problem: Problem, one: Candidate, table: pd.DataFrame, *, criterion: str
) -> Recommendation:
    rows = _rows(table[table["network"].eq(TICKET)], {**problem.values, **one.values})
    row, metric = rows.iloc[0], clean_column(attacks(problem.trials))
    return Recommendation(
        criterion=criterion,
        problem=problem.values,
        **_loaded(one.chosen, measured=_finite(one.chosen, metric)),
        metric=metric,
        unit=schema.column(metric, frame=problem.trials).unit,
        mean=float(row[metric]),
        interval=_ends(row, metric),
        weakness=weakest_place(row, metric, metrics(problem.trials)[1:], one.chosen),
    )


def _explained(sweep: Sweep) -> Iterator[Recommendation]:
    from analysis.xnn.cells import COST, cells, differences, members, of_problem
    from analysis.xnn.fixed_settings import spelled_out
    from analysis.xnn.selection import choose, held_out

    table = cells(sweep)
    for problem in sweep.problems:
        frame = spelled_out(problem)
        choice = choose(of_problem(table, problem.values), holdout=held_out(frame, sweep.manifest))
        if choice is None:
            continue
        cell, costs = choice.cell, differences(frame)
        chosen = members(frame, cell)
        costs = costs[costs["trial_id"].isin(chosen["trial_id"])]
        yield Recommendation(
            criterion=choice.criterion.removeprefix("the "),
            problem=problem.values,
            **_loaded(chosen, measured=_finite(costs, COST)),
            metric=COST,
            unit="nat",
            mean=float(cell[COST]),
            interval=_ends(cell, COST),
            weakness=weakest_share(cell),
        )


def weakest_share(cell: pd.Series) -> str:
    """Sentence on the lowest of the shares that judge the explanation of an X-NN."""
    shares = {name: float(cell[name]) for name in _SHARES if pd.notna(cell.get(name))}
    if not shares:
        return "Its explanation was not judged."
    name = min(shares, key=shares.__getitem__)
    return f"{_SHARES[name]}: {amount(shares[name])}{_bracket(_ends(cell, name))} of 1."


def _ends(row: pd.Series, name: str) -> Interval:
    return Interval(low=float(row[f"{name}_low"]), high=float(row[f"{name}_high"]))


def _loaded(chosen: pd.DataFrame, *, measured: int) -> dict[str, Any]:
    """Trial to load of ``chosen``, one per seed, with its configuration and their numbers."""
    (row,) = (row for _, row in chosen.loc[[schema.best(chosen, "val_loss")]].iterrows())
    names = [name for name in map(str, chosen.columns) if name.startswith("config/")]
    return {
        "trial_id": str(row["trial_id"]),
        "configuration": {
            n.removeprefix("config/"): plain_value(row[n]) for n in names if pd.notna(row[n])
        },
        "seeds": len(chosen),
        "measured": measured,
    }


def _finite(frame: pd.DataFrame, metric: str) -> int:
    return int(np.isfinite(frame[metric].astype("float64")).sum()) if metric in frame else 0


def weakest_place(
    row: pd.Series, metric: str, measured: Iterable[str], chosen: pd.DataFrame
) -> str:
    """Sentence on the lowest mean of ``metric`` under attacks and in markets, ``measured``.

    An attack under which a network of ``chosen``, one per seed, has no finite value is lower.
    """
    measured = list(measured)
    gaps = {name: count for name in measured if (count := lost(chosen, name))}
    if gaps:
        name = max(gaps, key=gaps.__getitem__)
        seeds = f"{gaps[name]} of {plural(len(chosen), 'seed')}"
        return f"{cvar_name(metric)} is not finite under {_place(name)} at {seeds}."
    places = {name: float(row[name]) for name in measured if pd.notna(row.get(name))}
    if not places:
        return "It was not tested under attacks or in other markets."
    name = min(places, key=places.__getitem__)
    others = "" if len(places) == 1 else f", the lowest of {len(places)} attacks and markets"
    value = f"{amount(places[name])}{_bracket(_ends(row, name))}"
    return f"{cvar_name(metric)} {value} under {_place(name)}{others}."


def _place(column: str) -> str:
    """Attack or market of a ``column`` in words, those of the figures for an attack."""
    return metric_name(column).partition(" under ")[2]


def _lowest(trials: pd.DataFrame) -> Recommendation:
    chosen = trials[trials["status"].eq("completed")]
    one = chosen.loc[[schema.best(chosen, "val_loss")]]
    return Recommendation(
        criterion="lowest val_loss of all trials",
        problem={},
        **_loaded(one, measured=_finite(one, "val_loss")),
        metric="val_loss",
        unit=schema.column("val_loss", frame=trials).unit,
        mean=float(one["val_loss"].iloc[0]),
        interval=NONE,
        weakness="It is one trial, chosen by the metric that is printed, which flatters it.",
    )


def heading(one: Recommendation) -> str:
    """Criterion of a recommendation, with its problem if there are several."""
    problem = setting(one.problem)
    text = f"{one.criterion[:1].upper()}{one.criterion[1:]}"
    return f"{text} ({problem})" if problem else text


def sentence(one: Recommendation) -> str:
    """Configuration of a recommendation with its metric: "sparsity 0.9, lr 0.005: ..."."""
    name = metric_name(one.metric)
    values = {n: v for n, v in one.configuration.items() if n != "seed"}
    words = setting({n: spoken(str(v)) if n == PARAMETER else v for n, v in values.items()})
    if not one.measured:
        return f"{words}: {name} not shown, as it is finite at no seed."
    seeds = f"mean of {one.seeds} seeds" if one.seeds > 1 else "one seed"
    if one.measured < one.seeds:
        seeds = f"mean of the {one.measured} of {one.seeds} seeds at which it is finite"
    ends = _bracket(one.interval)
    without = "" if ends else ", without an interval"
    return f"{words}: {name} {amount(one.mean)}{ends} {one.unit}, {seeds}{without}."


def loading(trial_id: str, experiment: str, storage: str) -> list[str]:
    """Lines of Python that load the network of a completed trial and use it once."""
    return use(f"sweeps.load_model({storage!r}, {trial_id!r})", experiment)


def use(load: str, experiment: str) -> list[str]:
    """Lines of Python that load a network by the expression ``load``, and use it once."""
    lines = ["import sweeps"]
    if experiment == "tickets":
        paths = "[[100, 101, 99.5]], [[0.0175, 0.02, 0.021]]"
        return [
            *lines,
            f"hedge = {load}",
            f"print(hedge.positions({paths}))  # shares on three dates, from prices and variances",
        ]
    if experiment == "xnn":
        rows = 'print(classifier.predict("applicants.csv"))  # class probabilities of every row'
        return [*lines, f"classifier = {load}", rows]
    return [*lines, f"model = {load}"]


def _bracket(ends: Interval) -> str:
    return "" if math.isnan(ends.low) else f" [{amount(ends.low)}, {amount(ends.high)}]"


def _rows(table: pd.DataFrame, values: Mapping[str, Any]) -> pd.DataFrame:
    """Rows of a ``table`` that have all ``values``; nulls are equal."""
    for name, value in values.items():
        column = table[name]
        same = column.isna() if pd.isna(value) else column.eq(value).fillna(False).astype(bool)
        table = table[same]
    return table


def _risk(one: Candidate) -> float:
    assert one.choice is not None
    return one.choice.val_loss


def _key(epsilon: float) -> float | None:
    """A budget that equals itself, also where none is swept."""
    return None if math.isnan(epsilon) else epsilon


def _lowest_of(epsilon: float | None) -> str:
    return _LOWEST if epsilon is None else f"{_LOWEST} trained at epsilon {epsilon:g}"
