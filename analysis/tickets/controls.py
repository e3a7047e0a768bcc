"""Lottery tickets compared with controls, to separate the effects of mask and weights.

Every control lacks one property of the ticket. Networks of one seed share their paths, so they are
compared by paired differences over the seeds.
"""

import math
from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from analysis.arguments import checked
from analysis.attacks import attacks, clean_column, lost, nearest
from analysis.configurations import LOTTERY, parameter_dtypes, typed
from analysis.contrast import MEAN, TESTED, contrast, corrected, estimate, verdict
from analysis.sweep import GROUP, Candidate, Problem, Trials, selections
from analysis.tickets.opponents import problem_key, stronger_hedges
from analysis.tickets.robustness import measured_sweep
from analysis.tickets.robustness_findings import trained_under

RETRAINED = "dense retrained"
"""The dense network trained again on the ticket's budget, which is sparsity 0."""
KINDS = (LOTTERY, "shuffled_mask", "random_mask", "random_reinit", "small_dense", RETRAINED)
"""The ticket and its controls in the order of tables and figures."""


@checked
def controls(
    trials: Trials,
    manifest: Mapping[str, Any] | None = None,
    *,
    confidence: float = 0.95,
    tolerance: float = 0.05,
) -> pd.DataFrame:
    """One row per sparsity above 0, training epsilon, metric and kind of network.

    ``kind`` is "lottery" for the ticket, the name of a control, or "dense retrained" for sparsity
    0 at the same epsilon. Each is the configuration that
    :func:`analysis.selection.by_validation` selects among its kind, with its parameters and
    ``selection``. There are rows only if a control has completed. ``metric`` is clean CVaR and, if
    there was an attack by search, CVaR under the one nearest to the attack of training.

    ``mean`` is over the ``seeds`` of the kind, with its Student interval ``low`` to ``high``.
    ``difference`` is the ticket less the control over the ``pairs``, the seeds that have both,
    with its own interval: positive if the ticket is ahead. All are in currency per option. ``p``
    is of no difference, ``p_equivalent`` of one beyond ``margin``, ``tolerance`` times its CVaR,
    ``p_holm`` and ``p_equivalent_holm`` corrected for all rows of the table. ``verdict`` on the
    ticket is that of :func:`analysis.contrast.verdict`. Without a result at one of the seeds of
    either (``lacking``) there is no interval, p or verdict. The ticket itself has no difference.
    There is no p or verdict against the dense network retrained where the dense network is shown
    to be worse than a hedge without training, named by ``not_judged``.
    ``weights_kept``, also a mean, counts the weights that the kind's mask covers: all of
    ``small_dense``, but not an output layer that is never pruned.

    Args:
        manifest: from :func:`analysis.load_manifest`; names the attack of training if it is not an
            axis. An unknown one is treated as one on the path.
    Raises:
        schema.ColumnError: a column is missing although trials have completed.
    """
    sweep = measured_sweep(trials, manifest, purpose="the controls")
    rows: list[dict[str, Any]] = []
    for problem in sweep.problems:
        comparisons = _compared(problem, confidence=confidence, tolerance=tolerance)
        rows += [{**problem.values, **row} for row in comparisons]
    hedges = stronger_hedges(sweep)
    for row in rows:
        hedge = hedges.get(problem_key({n: row[n] for n in sweep.problem_axes}))
        if hedge and row["kind"] == RETRAINED:
            row |= {"not_judged": hedge, "p": math.nan, "p_equivalent": math.nan}
    rows = corrected(rows)
    for row in rows:
        if "difference" in row and "not_judged" not in row:
            row["verdict"] = verdict(row, level=1.0 - confidence)
    other_names = [name for name in sweep.other_names if name in sweep.parameters]
    return typed(
        rows,
        {
            **parameter_dtypes([*sweep.problem_axes, *GROUP]),
            **_DTYPES,
            **parameter_dtypes(other_names),
        },
    )


def rank(kind: str) -> int:
    """Index of ``kind`` in :data:`KINDS`; after all of them if it is not among them."""
    return KINDS.index(kind) if kind in KINDS else len(KINDS)


def _compared(
    problem: Problem, *, confidence: float, tolerance: float
) -> Iterator[dict[str, Any]]:
    measured = attacks(problem.trials)
    clean = clean_column(measured)
    cells = _networks(problem)
    for sparsity, epsilon in sorted(cells, key=lambda key: (key[1] or 0.0, key[0])):
        networks = cells[sparsity, epsilon]
        if not sparsity > 0.0 or networks.keys() <= {LOTTERY}:
            continue
        if LOTTERY in (dense := cells.get((0.0, epsilon), {})):
            networks[RETRAINED] = dense[LOTTERY]
        trained = trained_under(problem.trials, problem.manifest, epsilon) if epsilon else None
        attack = nearest(measured, trained=trained, epsilon=epsilon or 0.0)
        for metric in (clean, *([attack.column] if attack else [])):
            for kind in sorted(networks, key=rank):
                network = networks[kind]
                values = network.by_seed(metric)
                row = {**network.description, "metric": metric, "kind": kind}
                row |= {"sparsity": sparsity, "seeds": int(values.count())}
                row |= {"weights_kept": _weights(network.chosen)}
                row |= estimate(values, confidence=confidence)
                ticket_rows = networks[LOTTERY].chosen if LOTTERY in networks else None
                if lost(network.chosen, metric):
                    row |= dict.fromkeys(MEAN, float("nan"))
                elif kind != LOTTERY and ticket_rows is not None and not lost(ticket_rows, metric):
                    ticket = networks[LOTTERY].by_seed(metric)
                    margin = tolerance * abs(ticket.mean())
                    ahead = contrast(
                        ticket,
                        values,
                        confidence=confidence,
                        margin=margin,
                        selections=selections(networks[LOTTERY], network),
                    )
                    row |= {"pairs": ahead.pairs, "lacking": ahead.gaps, **ahead.columns()}
                    row |= {"margin": margin}
                yield row


def _networks(problem: Problem) -> dict[tuple[float, float | None], dict[str, Candidate]]:
    """Chosen candidate of every kind, by sparsity and epsilon."""
    networks: dict[tuple[float, float | None], dict[str, Candidate]] = {}
    for kind in problem.kinds:
        for one in problem.chosen(kind):
            # None, not NaN, for a missing axis, because a key must equal itself.
            epsilon = None if pd.isna(one.epsilon) else one.epsilon
            networks.setdefault((one.sparsity, epsilon), {})[kind] = one
    return networks


def _weights(rows: pd.DataFrame) -> float:
    if "weights_kept" not in rows.columns:
        return float("nan")
    return float(rows["weights_kept"].astype("float64").mean())


_DTYPES = {
    "metric": "string",
    "kind": "string",
    "seeds": "Int64",
    "weights_kept": "float64",
    **dict.fromkeys(MEAN, "float64"),
    **dict.fromkeys(("pairs", "lacking"), "Int64"),
    **dict.fromkeys((*TESTED, "margin"), "float64"),
    **dict.fromkeys(("verdict", "not_judged"), "string"),
    "selection": "string",
}
