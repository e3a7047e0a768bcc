"""Sweep that adds seeds until a claim is decided.

The evidence is read after every seed, so it has to be valid at any time: an e-value, see
``analysis.sequential``. Intervals and p-values assume a number of seeds fixed in advance.
"""

import json
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hedgecore.registry import unknown
from search_spaces import SearchSpace
from search_spaces.domains import Grid
from search_spaces.overrides import listed
from sweeps import origin
from sweeps.driver import run
from sweeps.errors import UsageError
from sweeps.journal.opening import local_folder, storage_name
from sweeps.journal.stored_sweep import StoredSweep
from sweeps.outcome import Sweep
from sweeps.planning.plan import Plan
from sweeps.planning.plan import plan as plan_of
from sweeps.text import plural

FEWEST = 3
"""Seeds of the first run, below which no claim has evidence."""
DECISIVE = 40.0
"""E-value that decides, in either direction: 5 % for both."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Verdict on a ``claim`` after a number of ``seeds``; None if the seeds do not decide it."""

    claim: str
    verdict: str | None
    seeds: int
    e_supported: float
    e_contradicted: float
    sweep: Sweep

    def __str__(self) -> str:
        return (
            f"claim {self.claim}: {self.verdict or 'undecided'} after "
            f"{plural(self.seeds, 'seed')} (e-value {self.e_supported:.3g} for, "
            f"{self.e_contradicted:.3g} against; {DECISIVE:g} decides)"
        )


def run_until(
    claim: str,
    space: str | Path | Mapping[str, Any] | SearchSpace,
    *,
    storage: str | Path,
    max_seeds: int = 40,
    overrides: Mapping[str, Any] | Iterable[str] | None = None,
    **arguments: Any,
) -> Iterator[Decision]:
    """Run ``space`` with more and more seeds; yields the decision after each number of seeds.

    Ends when the e-value of ``claim`` or of its opposite reaches :data:`DECISIVE`, at
    ``max_seeds``, or when the budget is used up. Calling it again continues with the seeds that
    the storage has.

    Args:
        claim: a name of the catalogue, see ``analysis.claims``.
        space: as for :func:`sweeps.run`; a grid without a scheduler, since a stopped seed is no
            evidence.
        max_seeds: at least 3.
        overrides: as for :func:`sweeps.run`, as are the other ``arguments``.
    Raises:
        UsageError: the claim is unknown, the space has a scheduler or no grid of seeds, or its
            trials do not ask the claim.
    """
    settings = listed(overrides)
    plan = plan_of(space, overrides=settings)
    check(claim, plan, max_seeds=max_seeds)
    storage = storage_name(storage)
    number = max(FEWEST, len(plan.seeds), _stored_seeds(storage))
    while True:
        seeds = _extended(plan.seeds, min(number, max_seeds))
        wider = (
            settings | {"space.seed.grid": seeds}
            if isinstance(settings, dict)
            else [*settings, f"space.seed.grid={seeds}"]
        )
        grown = replace(plan_of(space, overrides=wider), until_decided=claim)
        sweep = run(grown, storage=storage, **arguments)
        yield (decision := _decision(claim, sweep, len(seeds)))
        if decision.verdict or number >= max_seeds or not sweep.within_budget:
            return
        number += 1


def check(claim: str, plan: Plan, *, max_seeds: int) -> None:
    """Check that seeds can be added to ``plan`` until ``claim`` is decided.

    Raises:
        UsageError: see :func:`run_until`.
    """
    if claim not in (names := _claims("--names")):
        raise UsageError(unknown(claim, names, kind="claim"))
    if plan.space.scheduler is not None or plan.adaptive:
        what = "a search that learns" if plan.adaptive else "a scheduler"
        raise UsageError(
            f"the space has {what}, which stops or chooses trials, and a stopped seed is no "
            "evidence; to add seeds until a claim is decided, give scheduler: null and "
            "search.algorithm: grid"
        )
    if not isinstance(plan.space.space.get("seed"), Grid):
        raise UsageError(
            "the space has no grid of seeds to extend; give space.seed: {grid: [0, 1, 2]}"
        )
    if max_seeds < max(FEWEST, len(plan.seeds)):
        raise UsageError(
            f"max_seeds must be at least {max(FEWEST, len(plan.seeds))}, the seeds of the first "
            f"run, got {max_seeds}"
        )


def _decision(claim: str, sweep: Sweep, seeds: int) -> Decision:
    rows = [row for row in _claims("--json", "--", str(sweep.storage)) if row["claim"] == claim]
    if all(row["verdict"] == "not asked" for row in rows):
        needs = rows[0]["reason"] if rows else "another experiment"
        raise UsageError(f"the space does not ask the claim {claim}: it needs {needs}")
    # Of several problems each is judged; all of them have to hold.
    support = min(row["e_supported"] or 1.0 for row in rows)
    against = sum(row["e_contradicted"] or 1.0 for row in rows) / len(rows)
    verdict = "supported" if support >= DECISIVE else None
    return Decision(
        claim=claim,
        verdict="contradicted" if against >= DECISIVE else verdict,
        seeds=seeds,
        e_supported=support,
        e_contradicted=against,
        sweep=sweep,
    )


def _claims(*arguments: str) -> Any:
    """Output of the analysis, which is a process of its own without Ray and torch."""
    try:
        origin.check("analysis")
    except ImportError as error:
        raise UsageError(str(error)) from error
    command = [*origin.PYTHON, "-m", "analysis", "claims", *arguments]
    process = subprocess.run(command, capture_output=True, text=True)
    if process.returncode:
        raise UsageError(process.stderr.strip().removeprefix("error: "))
    return json.loads(process.stdout)


def _extended(seeds: Iterable[int], number: int) -> list[int]:
    """The ``seeds`` and the smallest others, ``number`` in all."""
    extended = list(seeds)
    candidate = 0
    while len(extended) < number:
        if candidate not in extended:
            extended.append(candidate)
        candidate += 1
    return extended


def _stored_seeds(storage: str | Path) -> int:
    """Number of seeds of the last run in ``storage``; 0 without one."""
    if not (local_folder(storage) / "log").is_dir():
        return 0
    manifest = StoredSweep.read(storage).state.manifest
    return len(manifest.content["seeds"]) if manifest else 0
