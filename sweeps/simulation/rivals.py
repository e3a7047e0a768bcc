"""Early stopping compared on the same curves: the rule, i-Epoch, and no stopping.

i-Epoch (Egele et al., 2024) trains all trials for one epoch and the best to the end. It has two
budgets here: as many finishers as the rule, and as many epochs.
"""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from sweeps.scheduling.rule import Rule
from sweeps.simulation.curves import Curve
from sweeps.simulation.simulate import Simulation, simulate
from sweeps.text import duration, plural


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """Best finishers of a rule against the best of all configurations, by stratum."""

    regret: float
    """Mean over strata of the loss of final value to the best configuration; at least 0."""
    found: int
    """Number of strata whose best configuration finishes."""
    strata: int


def rivals(curves: Sequence[Curve], rule: Rule) -> dict[str, Rule]:
    """Rules to compare on ``curves``, by their description; the first is ``rule``."""
    compared = {description(rule): rule}
    if rule.rungs and not rule.finish:
        run = simulate(curves, rule, workers=1)
        for finish in sorted({_as_many_finishers(curves, run), _as_many_epochs(curves, run)}):
            rival = replace(rule, rungs=(1,), finish=finish)
            compared[description(rival)] = rival
    if rule.rungs:
        everything = replace(rule, rungs=(), finish=None)
        compared[description(everything)] = everything
    return compared


def description(rule: Rule) -> str:
    """The rule in a few words."""
    epochs = ", ".join(map(str, rule.rungs))
    if not rule.rungs:
        return "no early stopping"
    noun = "epoch" if len(rule.rungs) == 1 else "epochs"
    if rule.finish:
        return f"best {rule.finish} promoted after {noun} {epochs}"
    return f"1 in {rule.reduction_factor} promoted after {noun} {epochs}"


def quality(curves: Sequence[Curve], run: Simulation, rule: Rule) -> Quality | None:
    """Quality of the finishers of ``run``; None if the end of a curve is not recorded.

    A configuration has the mean final value of its trials. Those of which one failed, or whose
    value is not finite, count as the worst; a stratum without a finisher is left out.
    """
    if any(curve.end is None for curve in curves):
        return None
    finished = {curve.group for curve in curves if curve.trial_id in run.finishers}
    regrets = []
    for values in _final_values(curves, rule).values():
        best = min(values.values())
        reached = [value for group, value in values.items() if group in finished]
        if reached and math.isfinite(min(reached)):
            regrets.append(min(reached) - best)
    if not regrets:
        return None
    found = sum(regret == 0.0 for regret in regrets)
    return Quality(regret=fmean(regrets), found=found, strata=len(regrets))


def table(curves: Sequence[Curve], rule: Rule, workers: Sequence[int]) -> list[str]:
    """Lines of text: epochs, finishers, regret and makespans of the rule and of its rivals."""
    rows = [["rule", "epochs", "finish", "regret", "best found", *(f"on {n:,}" for n in workers)]]
    for label, rival in rivals(curves, rule).items():
        runs = [simulate(curves, rival, workers=count) for count in workers]
        found = quality(curves, runs[0], rival)
        rows.append(
            [
                label,
                *(f"{count:,}" for count in (runs[0].epochs, len(runs[0].finishers))),
                f"{found.regret:.4f}" if found else "-",
                f"{found.found} of {found.strata}" if found else "-",
                *(duration(run.makespan) for run in runs),
            ]
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    cut = sum(curve.end is None for curve in curves)
    note = f"regret is not shown: {plural(cut, 'curve')} cut off before the end; audit them all"
    return [
        *(
            "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])])
            for row in rows
        ),
        *([note] if cut else []),
    ]


def _final_values(curves: Sequence[Curve], rule: Rule) -> Mapping[str, Mapping[str, float]]:
    """Final value of every configuration, less being better, by stratum and group."""
    sign = 1.0 if rule.mode == "min" else -1.0
    ends: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for curve in curves:
        value = math.nan if curve.end == "failed" else sign * curve.value(curve.limit)
        ends[curve.stratum][curve.group].append(value)
    return {
        stratum: {
            group: fmean(values) if all(map(math.isfinite, values)) else math.inf
            for group, values in groups.items()
        }
        for stratum, groups in ends.items()
    }


def _as_many_finishers(curves: Sequence[Curve], run: Simulation) -> int:
    """Finishing configurations of a stratum, in the mean and at least one."""
    groups = {curve.group for curve in curves if curve.trial_id in run.finishers}
    return max(1, round(len(groups) / len({curve.stratum for curve in curves})))


def _as_many_epochs(curves: Sequence[Curve], run: Simulation) -> int:
    """Configurations of a stratum that the epochs of ``run`` pay for, at least one."""
    beyond = run.epochs - len(curves)
    strata = len({curve.stratum for curve in curves})
    groups = len({curve.group for curve in curves})
    cost = sum(curve.limit - 1 for curve in curves) / groups
    return max(1, math.floor(beyond / (cost * strata))) if cost else 1
