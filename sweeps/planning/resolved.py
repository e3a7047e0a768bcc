"""A plan as a space file in which every setting is written out."""

from dataclasses import asdict

from hedgecore.config import to_mapping
from search_spaces.domains import as_written
from search_spaces.written import written
from sweeps.planning.cures import condition
from sweeps.planning.plan import Plan


def resolved(plan: Plan) -> str:
    """Space file of the trials of ``plan``: after everything inherited, overrides and defaults."""
    space, rule = plan.space, plan.space.scheduler
    axes = {
        axis: {**as_written(domain), **condition(space, axis)}
        for axis, domain in space.space.items()
    }
    tree = {
        "experiment": space.experiment,
        "space": axes,
        "study": to_mapping(plan.study),
        "search": asdict(space.search),
        "scheduler": {rule.kind: asdict(rule)} if rule else None,
        "resources": asdict(space.resources),
    }
    return written(tree, comment=f"{space.name}, with every setting")
