"""Checks of the attacks: conditions to meet before robustness is read as real.

A network with masked gradients looks robust to every gradient attack. The symptoms: noise is as
harmful as the search, more budget is not more harmful, a search no stronger than that of training
finds nothing, and paths found on another network are more harmful than those found on the ticket.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from analysis.arguments import checked
from analysis.attacks import (
    TRANSFER,
    Attack,
    attacks,
    by_name,
    clean_column,
    gradients,
    lost,
    model,
    on_attacked_paths,
    setting,
)
from analysis.sweep import Sweep, Trials
from analysis.tickets.robustness import measured_sweep
from analysis.wording import amount, place, plural

_SLACK = 1e-3  # share of CVaR
_MOST_PLACES = 3
_CONTROLLED = ("path", "observation")
_KIND = (
    "Each check counts trials of this sweep, and passes if none of them fails it: a description "
    "of these trials, not a test."
)
_LOUD = "do not read the robustness of such tickets as real"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """Result of a check, described by ``line``; ``passed`` is None if it could not be made."""

    passed: bool | None
    line: str

    def __str__(self) -> str:
        if self.passed is None:
            return f"not checked: {self.line}."
        return f"passed: {self.line}." if self.passed else f"FAILED: {self.line}."


def check_lines(sweep: Sweep) -> list[str]:
    """Lines of :func:`attack_checks`, and a line on their kind; empty without attacks."""
    checks = [str(check) for check in attack_checks(sweep, sweep.manifest)]
    return [*checks, _KIND] if checks else []


@checked
def attack_checks(trials: Trials, manifest: Mapping[str, Any] | None = None) -> list[Check]:
    """Checks of the attacks on the chosen tickets; empty without attacks.

    A check fails if a single trial fails it.

    Args:
        manifest: from :func:`analysis.load_manifest`; its ``study`` holds the steps of attacks.
    """
    checks = []
    sweep = measured_sweep(trials, manifest, purpose="the attack checks")
    manifest = sweep.manifest if manifest is None else manifest
    for problem in sweep.problems:
        tickets = [
            one.chosen.assign(at=place(pd.Series(one.description))) for one in problem.chosen()
        ]
        if not tickets:
            continue
        rows = pd.concat(tickets)
        opening = f"{problem.title}: " if problem.title else ""
        for check in _checks(rows, attacks(rows), manifest):
            checks.append(Check(passed=check.passed, line=opening + check.line))
    return checks


def _checks(
    rows: pd.DataFrame, attack_list: Sequence[Attack], manifest: Mapping[str, Any]
) -> Iterator[Check]:
    searches = [attack for attack in attack_list if attack.seeks]
    if not searches:
        return
    for threat in _CONTROLLED:
        yield from _noise(rows, [attack for attack in attack_list if attack.model == threat])
    yield from _growing(rows, searches)
    yield from _harder(rows, searches, manifest)
    yield from _transfer(rows, attack_list)


def _noise(rows: pd.DataFrame, attack_list: Sequence[Attack]) -> Iterator[Check]:
    """Noise of the same size is less harmful than the search, for the attacks of one model."""
    searches = [attack for attack in attack_list if attack.seeks]
    if not searches:
        return
    # Sorted by strength: the last of a budget is the strongest.
    hardest = {attack.budget: attack for attack in searches}
    pairs = [(a, hardest[a.budget]) for a in attack_list if not a.seeks and a.budget in hardest]
    for noise, search in pairs:
        claim = f"{noise} does less harm than {search}"
        if unmade := _unmade(rows, (noise, search), f"whether {claim}"):
            yield unmade
            continue
        both = _both(rows, noise, search)
        less = both[noise.column] > both[search.column]
        yield _judged(both, less, claim=claim, otherwise="the search finds nothing")
    if not pairs:
        last = searches[-1]
        yield Check(
            passed=None,
            line=f"whether noise does less harm than {last}; add study.evaluation."
            f"{last.model}_noise: [{last.size}]",
        )


def _transfer(rows: pd.DataFrame, attack_list: Sequence[Attack]) -> Iterator[Check]:
    """Paths found on the dense network are not more harmful than those found on the ticket."""
    searches = {attack.budget: attack for attack in attack_list if attack.name == "path_pgd"}
    transfers = [attack for attack in attack_list if attack.model == TRANSFER]
    for attack in transfers:
        if attack.budget not in searches:
            yield Check(
                passed=None,
                line=f"whether {attack} does less harm than an attack on the ticket itself; add "
                f"study.evaluation.path_pgd: [{attack.size}]",
            )
            continue
        search = searches[attack.budget]
        claim = f"{attack}, found on the dense network, does no more harm than {search}"
        if unmade := _unmade(rows, (attack, search), f"whether {claim}"):
            yield unmade
            continue
        both = _both(rows, attack, search)
        # A local search ends slightly short of the optimum: on similar networks, either wins.
        no_more = both[attack.column] >= both[search.column] - _SLACK * both[search.column].abs()
        yield _judged(both, no_more, claim=claim, otherwise="their gradients are masked")
    if searches and not transfers:
        size = searches[max(searches)].size
        yield Check(
            passed=None,
            line="whether paths found on the dense network do less harm than those found on the "
            f"ticket; add study.evaluation.transfer: [{size}]",
        )


def _growing(rows: pd.DataFrame, searches: Sequence[Attack]) -> Iterator[Check]:
    """CVaR falls as the budget grows, from the clean CVaR of the attacked paths if it is known."""
    unattacked = on_attacked_paths(clean_column(searches))
    whole = unattacked in rows.columns and bool(rows[unattacked].notna().all())
    singles = []
    for name, budgets in by_name(searches).items():
        clean = [unattacked] if whole else []
        columns = [*clean, *(attack.column for attack in budgets)]
        if len(columns) < 2:
            singles.append(budgets[0])
            continue
        if unmade := _unmade(rows, budgets, f"whether CVaR falls as {name} grows"):
            yield unmade
            continue
        complete_rows = rows[["at", *columns]].dropna()
        falls = (
            complete_rows[columns].astype("float64").diff(axis=1).iloc[:, 1:].lt(0.0).all(axis=1)
        )
        sizes = ", ".join([*(["0"] if whole else []), *(attack.size for attack in budgets)])
        claim = f"CVaR falls as {name} grows ({sizes})"
        yield _judged(complete_rows, falls, claim=claim, otherwise="the search finds nothing")
    if singles:
        names = ", ".join(attack.name for attack in singles)
        first = singles[0]
        yield Check(
            passed=None,
            line=f"whether CVaR falls as the budget grows: one budget of {names}; add another, "
            f"study.evaluation.{first.name}: [{first.budget / 2:g}, {first.size}]",
        )


def _harder(
    rows: pd.DataFrame, searches: Sequence[Attack], manifest: Mapping[str, Any]
) -> Iterator[Check]:
    """The attack of the test is stronger than that of training: more gradients per path."""
    robust = rows[rows["config/epsilon"].gt(0.0)]
    names = ("attack.name", "attack.steps", "attack.restarts")
    settings = pd.DataFrame({n: setting(robust, manifest, n) for n in names}).drop_duplicates()
    test = [setting(rows, manifest, f"evaluation.{n}").iloc[0] for n in ("steps", "restarts")]
    for row in settings.dropna().itertuples(index=False, name=None):
        name, trained = str(row[0]), gradients(*row)
        efforts = {a.name: gradients(a.name, *test) for a in searches if a.model == model(name)}
        finite_efforts = {search: effort for search, effort in efforts.items() if effort == effort}
        add = f"add study.evaluation.{model(name)}_pgd: [{robust['config/epsilon'].max():g}]"
        if not finite_efforts:
            yield Check(
                passed=None,
                line=f"whether the test looks harder than {name} did in training; {add}",
            )
            continue
        hardest = max(finite_efforts, key=finite_efforts.__getitem__)
        line = (
            f"{hardest} takes {plural(int(finite_efforts[hardest]), 'gradient')} a path in the "
            f"test, {name} {plural(int(trained), 'gradient')} in training"
        )
        if not (passed := finite_efforts[hardest] > trained):
            # FGSM takes one gradient for any number of steps.
            cure = add if hardest.endswith("_fgsm") else "raise study.evaluation.steps"
            line += f"; {cure}, and until then {_LOUD}"
        yield Check(passed=passed, line=line)
    if len(robust) and settings.dropna().empty:
        yield Check(
            passed=None,
            line="whether the test looks harder than the attack of training; manifest.json lacks "
            "the name, steps or restarts of study.attack",
        )


def _unmade(rows: pd.DataFrame, attack_list: Sequence[Attack], claim: str) -> Check | None:
    """Check that is not made because CVaR under an attack is not finite; None if all are."""
    counts = {str(attack): lost(rows, attack.column) for attack in attack_list}
    phrases = [
        f"{name} in {n:,} of {plural(len(rows), 'trial')}" for name, n in counts.items() if n
    ]
    if not phrases:
        return None
    return Check(passed=None, line=f"{claim}; CVaR is not finite under {', '.join(phrases)}")


def _both(rows: pd.DataFrame, one: Attack, other: Attack) -> pd.DataFrame:
    return rows[["at", one.column, other.column]].dropna()


def _judged(rows: pd.DataFrame, successes: pd.Series, *, claim: str, otherwise: str) -> Check:
    """Check that the ``claim`` holds in every trial; a failure names the tickets."""
    if rows.empty:
        return Check(passed=None, line=f"whether {claim}; no trial has all that it needs")
    means = ", ".join(amount(float(value)) for value in rows.drop(columns="at").mean())
    total = plural(len(successes), "trial")
    line = f"{claim}: in {int(successes.sum()):,} of {total}, mean CVaR {means}"
    if successes.all():
        return Check(passed=True, line=line)
    broken = list(dict.fromkeys(rows.loc[~successes, "at"]))
    more = len(broken) - _MOST_PLACES
    where = "; ".join(broken[:_MOST_PLACES]) + (f"; {more} more" if more > 0 else "")
    return Check(passed=False, line=f"{line}; {otherwise} at {where}: {_LOUD}")
