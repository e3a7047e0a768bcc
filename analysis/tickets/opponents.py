"""Dense network against the hedges without training: is it an opponent worth beating?

A ticket that beats a dense network which loses to a formula has shown nothing, so no verdict is
given against a dense network that is shown to be worse than a hedge without training.
"""

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
import scipy  # scipy.stats is loaded lazily on first use: it takes a second

from analysis.arguments import checked
from analysis.attacks import CLEAN
from analysis.configurations import parameter_dtypes, problem_parts, seed_count, typed
from analysis.contrast import (
    BETTER,
    DIFFERENCE,
    OPEN,
    WORSE,
    Verdict,
    bracketed,
    contrast,
    corrected,
    verdict,
)
from analysis.intervals import MIN_SEEDS
from analysis.sweep import Problem, Sweep, Trials
from analysis.sweep_cache import once_per_sweep
from analysis.tickets.baselines import hedge_name, preparations
from analysis.wording import corrected_p, plural, setting

Values = tuple[Any, ...]


@checked
def dense_against_hedges(
    trials: Trials, manifest: Mapping[str, Any] | None = None, *, level: float = 0.05
) -> pd.DataFrame:
    """One row per problem and hedge without training: CVaR 5 % of the dense network less its own.

    ``difference`` is the mean over the ``seeds``, paired on the test paths of each preparation.
    From three seeds on, ``by`` is "seeds": Student's interval, and a p that holds for skewed
    noise, because a formula has no luck of training. Below, it is "paths": the claim is on these
    very networks, and p is that of the z-test with the standard errors of both CVaRs, as if they
    were independent, which is conservative on common paths. ``p_holm`` is corrected for all rows.
    Empty if the manifest has no baselines.

    Args:
        manifest: from :func:`analysis.load_manifest`.
    """
    sweep = Sweep.of(trials, manifest)
    rows: list[dict[str, Any]] = []
    if f"dense_{CLEAN}" in sweep.trials.columns:
        for problem in sweep.problems:
            rows += [
                {**problem.values, **row} for row in _compared(problem, sweep.trials, level=level)
            ]
    rows = corrected(rows)
    for row in rows:
        row["verdict"] = verdict(row, level=level)
    return typed(
        rows,
        {
            **parameter_dtypes(sweep.problem_axes),
            **dict.fromkeys(("hedge", "name"), "string"),
            **dict.fromkeys((CLEAN, f"dense_{CLEAN}"), "float64"),
            "by": "string",
            **dict.fromkeys(("seeds", "lacking"), "Int64"),
            **dict.fromkeys((*DIFFERENCE, "p", "p_holm"), "float64"),
            "verdict": "string",
        },
    )


def standing(rows: pd.DataFrame) -> tuple[Verdict, pd.Series]:
    """Verdict on the dense network of one problem, and the hedge that decides it.

    "worse" than the best of those that it is shown to be worse than; "better" if it is better
    than every hedge; else "not shown". The last two name the best hedge by its mean.

    Args:
        rows: of :func:`dense_against_hedges`, of one problem.
    """
    ranked = rows.sort_values(CLEAN, ascending=False, kind="stable")
    stronger = ranked[ranked["verdict"].eq(WORSE)]
    if len(stronger):
        return WORSE, stronger.iloc[0]
    return (BETTER if ranked["verdict"].eq(BETTER).all() else OPEN), ranked.iloc[0]


@once_per_sweep
def stronger_hedges(sweep: Sweep) -> dict[Values, str]:
    """Hedge without training that the dense network is shown to be worse than, by problem.

    Keys are the values of the parameters of the problem; other problems have no entry.
    """
    hedges = {}
    for values, rows in problem_parts(dense_against_hedges(sweep)):
        outcome, hedge = standing(rows) if len(rows) else (OPEN, pd.Series())
        if outcome == WORSE:
            hedges[problem_key(values)] = str(hedge["name"])
    return hedges


def problem_key(values: Mapping[Any, Any]) -> Values:
    """Key of a problem; None, not NaN, for a missing value, because a key must equal itself."""
    return tuple(None if pd.isna(v) else v for v in values.values())


def stronger_by_row(sweep: Sweep, frame: pd.DataFrame) -> pd.Series:
    """Hedge of :func:`stronger_hedges` of the problem of every row of ``frame``, or null."""
    hedges = stronger_hedges(sweep)
    names = [
        hedges.get(problem_key(dict(zip(sweep.problem_axes, row, strict=True))))
        for row in frame[sweep.problem_axes].itertuples(index=False, name=None)
    ]
    if not sweep.problem_axes:
        names = [hedges.get(())] * len(frame)
    return pd.Series(names, index=frame.index, dtype="string")


def sentences(rows: pd.DataFrame) -> list[str]:
    """A sentence per problem on the rows of :func:`dense_against_hedges`; empty without rows."""
    lines = []
    for values, part in problem_parts(rows):
        if part.empty:
            continue
        outcome, hedge = standing(part)
        opening = f"{setting(values)}: the" if values else "The"
        lines.append(f"{opening} dense network {_against(outcome, hedge)}.")
    return lines


def not_judged(hedge: str) -> str:
    """Reason for a verdict that is withheld."""
    return f"not judged: the dense network is worse than {hedge}"


def _against(outcome: Verdict, hedge: pd.Series) -> str:
    if math.isnan(hedge[f"dense_{CLEAN}"]):
        return f"has no result, so no hedge without training is compared with it: {_NO_VERDICT}"
    name, numbers = hedge["name"], _numbers(hedge)
    if outcome == WORSE:
        return f"is worse than a hedge without training, {name} ({numbers}): {_NO_VERDICT}"
    if outcome == BETTER:
        return f"is better than every hedge without training; the best, {name} ({numbers})"
    why = _undecided(hedge)
    return f"is not shown to beat the best hedge without training, {name} ({numbers}{why})"


def _numbers(hedge: pd.Series) -> str:
    ours, theirs = float(hedge[f"dense_{CLEAN}"]), float(hedge[CLEAN])
    text = f"CVaR 5 % {ours:.3f} against {theirs:.3f}, difference "
    text += bracketed(hedge, "difference", signed=True)
    number = int(hedge["seeds"])
    if hedge["by"] == "seeds":
        return f"{text} over {plural(number, 'seed')}"
    these = "this network" if number == 1 else f"these {number} networks"
    return f"{text}, by the noise of the test paths of {these}"


def _undecided(hedge: pd.Series) -> str:
    if hedge["lacking"]:
        return f"; {plural(int(hedge['lacking']), 'seed')} without a result"
    if pd.isna(hedge["p_holm"]):
        return ""
    return f"; {corrected_p(hedge['p_holm'])}"


def _compared(problem: Problem, trials: pd.DataFrame, *, level: float) -> Iterator[dict[str, Any]]:
    prepared = preparations(problem.manifest, trials, problem)
    if not prepared:
        return
    paths = "data_sha256" if "data_sha256" in trials.columns else "config/seed"
    networks = problem.trials[problem.trials[paths].notna()]
    dense = _by_paths(networks, paths, f"dense_{CLEAN}")
    errors = _by_paths(networks, paths, f"dense_{CLEAN}_se")
    name = paths.removeprefix("config/")
    seeds = min(len(dense), seed_count(networks))
    for hedge in dict.fromkeys(one for p in prepared for one in p["baselines"]):
        metrics = pd.DataFrame(
            [
                {"paths": p.get(name), **p["baselines"][hedge]}
                for p in prepared
                if hedge in p["baselines"]
            ]
        ).reindex(columns=["paths", CLEAN, f"{CLEAN}_se"])
        theirs = metrics.astype({CLEAN: "float64", f"{CLEAN}_se": "float64"})
        theirs = theirs.groupby("paths").mean().reindex(dense.index)
        row = {"hedge": hedge, "name": hedge_name(hedge), CLEAN: theirs[CLEAN].mean()}
        row |= {f"dense_{CLEAN}": dense.mean()}
        if math.isnan(row[CLEAN]):
            continue
        if seeds >= MIN_SEEDS:
            paired = contrast(dense, theirs[CLEAN], confidence=1.0 - level, symmetric=False)
            row |= {"by": "seeds", "seeds": paired.pairs, "lacking": paired.gaps}
            yield row | paired.columns()
        else:
            yield row | _by_path_noise(dense, theirs, errors, level=level)


def _by_path_noise(
    dense: pd.Series, theirs: pd.DataFrame, errors: pd.Series, *, level: float
) -> dict[str, Any]:
    """Difference of these very networks, tested against the noise of their test paths."""
    differences = dense - theirs[CLEAN]
    n = len(differences)
    error = math.sqrt(float((errors**2 + theirs[f"{CLEAN}_se"] ** 2).sum(skipna=False))) / n
    mean = float(differences.mean(skipna=False))
    row = {"by": "paths", "seeds": int(differences.count())}
    row |= {"lacking": n - int(differences.count()), "difference": float(differences.mean())}
    if not (math.isfinite(mean) and error > 0.0):
        return row
    reach = float(scipy.stats.norm.isf(level / 2)) * error
    p = 2.0 * float(scipy.stats.norm.sf(abs(mean) / error))
    return row | {"difference_low": mean - reach, "difference_high": mean + reach, "p": p}


def _by_paths(networks: pd.DataFrame, paths: str, column: str) -> pd.Series:
    """Mean of ``column`` of the dense networks on the same paths; NaN if one is infinite."""
    values = networks.reindex(columns=[paths, column]).astype({column: "float64"})
    # A seed has several dense networks if the space varies what they depend on.
    means = values.drop_duplicates().groupby(paths)[column].mean()
    return means.replace([np.inf, -np.inf], np.nan)


_NO_VERDICT = "no verdict against it is given; raise dense.epochs or widen network.hidden"
