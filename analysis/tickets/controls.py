"""A lottery ticket beside its controls: is it the mask, the weights under it, or would any do?

Every control lacks one thing that the ticket has. All of one seed share their paths, so they are
compared by paired differences over the seeds.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from analysis.arguments import checked
from analysis.attacks import attacks, clean_column, nearest
from analysis.configurations import (
    LOTTERY,
    groups,
    kinds,
    of_kind,
    parameter_dtypes,
    parameters,
    prepared,
    problem_axes,
    typed,
)
from analysis.seeds import Rng, holm, interval, signed_rank
from analysis.tickets.robustness import chosen
from analysis.tickets.robustness_findings import trained_under
from analysis.tickets.summary import GROUP

RETRAINED = "dense retrained"
"""The dense network trained again on the ticket's budget: what sparsity 0 gives."""
KINDS = (LOTTERY, "shuffled_mask", "random_mask", "random_reinit", "small_dense", RETRAINED)
"""The ticket and its controls in the order of tables and figures."""

_NEEDED = ("val_loss", "converged", "epochs_to_95pct")


@checked
def controls(
    trials: pd.DataFrame,
    manifest: Mapping[str, Any] | None = None,
    *,
    confidence: float = 0.95,
    rng: Rng = 0,
) -> pd.DataFrame:
    """One row a sparsity above 0, training epsilon, metric and kind: the ticket and its controls.

    ``kind`` is "lottery" for the ticket, the name of a control, or "dense retrained" for sparsity
    0 at the same epsilon. Each is the configuration that
    :func:`analysis.selection.by_validation` selects among its own kind, with the parameters and
    ``selection`` beside it. There are rows only where a control has completed. ``metric`` is
    clean CVaR and, where a search attacked, CVaR under the one nearest to the attack of training.

    ``mean`` is over the ``seeds`` of the kind, with its bootstrap interval ``low`` to ``high``.
    ``difference`` is the ticket less the control over the ``pairs``, the seeds that have both,
    with an interval of its own: above 0 the ticket is ahead. All are in currency per option. ``p``
    is of Wilcoxon's signed-rank test, ``p_holm`` corrected for all rows of the problem. The ticket
    itself has neither difference nor p. ``weights_kept`` is a mean too. It counts the weights that
    the kind's mask covers: all of ``small_dense``, but no output layer that is never pruned.

    Args:
        trials: the frame from :func:`analysis.load_trials`.
        manifest: from :func:`analysis.load_manifest`; names the attack of training where no axis
            does. An unknown one is taken as one on the path.
        confidence: of the intervals.
        rng: of the bootstrap; a whole number gives every interval the same draws.
    Raises:
        schema.ColumnError: a column is missing although trials have completed.
    """
    names = parameters(trials)
    problem = problem_axes(names)
    rows: list[dict[str, Any]] = []
    for values, part in groups(trials, problem):
        comparisons = list(_compared(part, manifest or {}, confidence=confidence, rng=rng))
        paired = [row for row in comparisons if "p" in row]
        for row, p in zip(paired, holm([row["p"] for row in paired]), strict=True):
            row["p_holm"] = p
        rows += [values | row for row in comparisons]
    other_names = [name for name in names if name not in (*GROUP, *problem)]
    return typed(
        rows, {**parameter_dtypes([*problem, *GROUP]), **_DTYPES, **parameter_dtypes(other_names)}
    )


def rank(kind: str) -> int:
    """The place of ``kind`` among :data:`KINDS`, behind them all where it is none of them."""
    return KINDS.index(kind) if kind in KINDS else len(KINDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Network:
    """The chosen trials of a kind, one a seed, and what is said ``about`` their choice."""

    about: Mapping[str, Any]
    trials: pd.DataFrame

    def by_seed(self, metric: str) -> pd.Series:
        # A space without seeds has one of each kind, and they are a pair.
        seeds = self.trials["config/seed"].fillna(0).astype(int)
        return self.trials.set_index(seeds)[metric].astype("float64").dropna()


def _compared(
    part: pd.DataFrame, manifest: Mapping[str, Any], *, confidence: float, rng: Rng
) -> Iterator[dict[str, Any]]:
    measured = attacks(part)
    clean = clean_column(measured)
    cells = _networks(part, clean)
    for sparsity, epsilon in sorted(cells, key=lambda key: (key[1] or 0.0, key[0])):
        networks = cells[sparsity, epsilon]
        if not sparsity > 0.0 or networks.keys() <= {LOTTERY}:
            continue
        if LOTTERY in (dense := cells.get((0.0, epsilon), {})):
            networks[RETRAINED] = dense[LOTTERY]
        trained = trained_under(part, manifest, epsilon) if epsilon else None
        attack = nearest(measured, trained=trained, epsilon=epsilon or 0.0)
        for metric in (clean, *([attack.column] if attack else [])):
            for kind in sorted(networks, key=rank):
                network = networks[kind]
                values = network.by_seed(metric)
                ends = interval(values, confidence=confidence, rng=rng)
                row = {**network.about, "sparsity": sparsity, "metric": metric, "kind": kind}
                row |= {"seeds": len(values), "weights_kept": _weights(network.trials)}
                row |= {"mean": values.mean(), "low": ends.low, "high": ends.high}
                if kind != LOTTERY and LOTTERY in networks:
                    ahead = (networks[LOTTERY].by_seed(metric) - values).dropna()
                    row |= _difference(ahead, confidence=confidence, rng=rng)
                yield row


def _networks(
    part: pd.DataFrame, clean: str
) -> dict[tuple[float, float | None], dict[str, _Network]]:
    """What was chosen of every kind, by sparsity and epsilon."""
    networks: dict[tuple[float, float | None], dict[str, _Network]] = {}
    for kind in kinds(part).unique():
        frame = prepared(of_kind(part, kind), (*_NEEDED, clean), purpose="the controls")
        for about, rows in chosen(frame):
            # None rather than NaN for "no such axis": a key must equal itself.
            epsilon = None if pd.isna(about["epsilon"]) else float(about["epsilon"])
            own_kind = networks.setdefault((float(about["sparsity"]), epsilon), {})
            own_kind[str(kind)] = _Network(about=about, trials=rows)
    return networks


def _weights(rows: pd.DataFrame) -> float:
    if "weights_kept" not in rows.columns:
        return float("nan")
    return float(rows["weights_kept"].astype("float64").mean())


def _difference(ahead: pd.Series, *, confidence: float, rng: Rng) -> dict[str, Any]:
    if ahead.empty:
        return {"pairs": 0}
    ends = interval(ahead, confidence=confidence, rng=rng)
    return {
        "pairs": len(ahead),
        "difference": ahead.mean(),
        "difference_low": ends.low,
        "difference_high": ends.high,
        "p": signed_rank(ahead),
    }


_DTYPES = {
    "metric": "string",
    "kind": "string",
    "seeds": "Int64",
    "weights_kept": "float64",
    **dict.fromkeys(("mean", "low", "high"), "float64"),
    "pairs": "Int64",
    **dict.fromkeys(("difference", "difference_low", "difference_high"), "float64"),
    **dict.fromkeys(("p", "p_holm"), "float64"),
    "selection": "string",
}
