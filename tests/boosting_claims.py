"""Verdicts of simulated boosting sweeps: the lead on the shortest budget, and enough epochs."""

import pandas as pd

import analysis
from analysis.tickets.boosting_findings import claim
from analysis.tickets.boosting_leads import enough, judged_races
from analysis.tickets.controls import RETRAINED
from tests.simulated_tickets import DENSE, MARGIN, SPREAD, Rng, World, frame, noise
from tests.ticket_claims import Outcome, trials

_LEVEL = 0.05
_KINDS = (("lottery", 0.8), ("random_reinit", 0.8), (None, 0.0))


def boosting(world: World, rng: Rng) -> Outcome:
    """Boosting ticket: ahead of every rival on the shortest budget by ``effect``.

    Claims: "boosting" (wrong unless positive), "behind" (wrong unless negative).
    """
    verdict = claim(judged_races(curves(world, rng, lead=world.effect * SPREAD, loss=0.0)))
    name = verdict[0] if verdict else ""
    if world.effect == 0.0:
        return Outcome(wrong=name in ("boosting", "behind"), found=False)
    right, wrong = ("boosting", "behind") if world.effect > 0.0 else ("behind", "boosting")
    return Outcome(wrong=name == wrong, found=name == right)


def budgets(world: World, rng: Rng) -> Outcome:
    """Budgets that are enough: every ticket loses the margin but for ``effect``."""
    null = world.effect == 0.0
    contests = judged_races(curves(world, rng, lead=0.0, loss=MARGIN - world.effect * SPREAD))
    level = _LEVEL / max(1, sum(len(race.field) for race in contests))
    claims = [
        enough(curve, level) is not None
        for race in contests
        for kind, curve in race.field.items()
        if kind != RETRAINED
    ]
    return Outcome(wrong=null and any(claims), found=not null and any(claims))


def curves(world: World, rng: Rng, *, lead: float, loss: float, luck: float = 1.0) -> pd.DataFrame:
    """Budget curves whose tickets are behind by ``loss``, the boosting one ahead by ``lead``."""
    rows = []
    shared = luck * rng.normal(size=world.seeds)
    drawn = iter(noise(world, rng, 12))
    for mask_rate in (2e-3, 1e-2):
        for kind, sparsity in _KINDS:
            for budget in (5, 10):
                ahead = lead * (kind == "lottery" and mask_rate == 2e-3)
                values = DENSE + shared + next(drawn) + ahead - loss * (kind is not None)
                rates = {"dense__lr": mask_rate, "lr": 1e-2, "training__epochs": budget}
                own = trials(values, sparsity=sparsity, ticket=kind, **rates)
                rows += [
                    row | {"dense_cvar_05": DENSE + one}
                    for row, one in zip(own, shared, strict=True)
                ]
    manifest = {"study": {"dense": {"epochs": 10}}}
    return analysis.budget_curves(frame(rows, world, rng), manifest)
