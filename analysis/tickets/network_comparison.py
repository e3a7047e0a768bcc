"""Comparison of dense networks, standard and robust tickets: tables and sentences of a report."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import pandas as pd

from analysis.sweep import Sweep, Trials
from analysis.tensors import SweepFiles
from analysis.tickets import importance, masks
from analysis.tickets.networks import DENSE, STANDARD, Chosen, Model, choose, kinds, load_models
from analysis.wording import first_of, percent, plural

_MOST_PROBLEMS = 6
_NO_INTERPRETATION = (
    "no interpretation in the models of this sweep; run it again with this version"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tickets:
    """Networks compared for one problem, their measures, and those that are ``missing``.

    ``problem`` is empty if the space does not vary it.
    """

    problem: str
    chosen: Chosen
    models: list[Model]
    missing: list[str]
    importances: pd.DataFrame
    means: pd.DataFrame
    shifts: pd.DataFrame
    overlaps: pd.DataFrame
    weights: pd.DataFrame

    def pair(self) -> list[Model]:
        """A standard ticket and one of the largest epsilon, of the first seed that has both.

        Only the first ticket if no seed has both; empty without tickets.
        """
        tickets = [model for model in self.models if model.kind != DENSE]
        for standard in tickets:
            rivals = [m for m in tickets if m.seed == standard.seed and m.kind != standard.kind]
            if standard.kind == STANDARD and rivals:
                return [standard, rivals[-1]]
        return tickets[:1]


def tickets(
    files: SweepFiles, trials: Trials, *, tolerance: float = 0.05, confidence: float = 0.95
) -> list[Tickets]:
    """Comparisons, one per problem, at most 6; empty if no ticket has completed."""
    comparisons = []
    for problem in Sweep.of(trials).problems[:_MOST_PROBLEMS]:
        chosen = choose(problem, tolerance=tolerance, confidence=confidence)
        if chosen is None:
            continue
        models, missing = load_models(files, chosen.kinds)
        values_of = importance.importances(models)
        comparisons.append(
            Tickets(
                problem=problem.title,
                chosen=chosen,
                models=models,
                missing=missing,
                importances=values_of,
                means=importance.means(values_of),
                shifts=importance.shifts(
                    values_of, {kind.name: kind.seeds for kind in chosen.kinds}
                ),
                overlaps=masks.overlaps(models),
                weights=masks.weights(models),
            )
        )
    judged = importance.of_one_page([one.shifts for one in comparisons])
    return [replace(one, shifts=table) for one, table in zip(comparisons, judged, strict=True)]


def tables(comparisons: Sequence[Tickets]) -> dict[str, pd.DataFrame]:
    """Tables of all problems by name, with a column ``problem`` if there are several."""
    fields = {"importance": "means", "importance_shift": "shifts"}
    fields |= {"mask_overlap": "overlaps", "ticket_weights": "weights"}
    frames = {}
    for name, field in fields.items():
        parts = [
            frame.assign(problem=one.problem) if one.problem else frame
            for one in comparisons
            if len(frame := getattr(one, field))
        ]
        if parts:
            frames[name] = pd.concat(parts, ignore_index=True)
    return frames


def sentences(comparisons: Sequence[Tickets]) -> list[str]:
    """Sentences by problem: the networks compared, those missing, and the findings."""
    lines = []
    family = sum(int(one.shifts["p"].notna().sum()) for one in comparisons)
    chances = sum(len(list(masks.pairs(one.overlaps))) for one in comparisons)
    for one in comparisons:
        findings = [_opening(one), *first_of(one.missing)]
        complete = not one.missing and all(
            len(kind.trials) == len(kind.seeds) for kind in one.chosen.kinds
        )
        findings += masks.sentences(one.overlaps, chances, complete=complete)
        findings += importance.sentences(one.shifts, family)
        if one.models and one.importances.empty:
            findings.append(_NO_INTERPRETATION[0].upper() + _NO_INTERPRETATION[1:] + ".")
        lines += [f"{one.problem}: {line}" if one.problem else line for line in findings]
    return lines


def _opening(one: Tickets) -> str:
    why = "max efficient" if one.chosen.recommended else "of the lowest validation risk"
    parts = [
        f"{kind} ({plural(sum(m.kind == kind for m in one.models), 'seed')})"
        for kind in kinds(one.models)
    ]
    return (
        f"Networks at sparsity {percent(one.chosen.sparsity)}, {why}: "
        f"{'; '.join(parts) or 'none to be read'}."
    )
