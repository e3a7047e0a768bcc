"""A plan in a few lines of text, with values as in YAML."""

from typing import Any

from search_spaces import Asha, Domain, IEpoch, StockAsha
from search_spaces.yaml_text import printable
from sweeps.planning.plan import Plan
from sweeps.text import plural, value_text

_NAMES = {
    "asha": "ASHA",
    "i_epoch": "i-Epoch",
    "stock_asha": "Ray's ASHA",
    "median": "median rule",
    "hyperband": "HyperBand",
    "pbt": "population based training",
}


def lines(plan: Plan) -> list[str]:
    """The plan in a few lines."""
    wording = plan.experiment.wording
    megabytes = plan.experiment.cost.data_bytes(plan.study) / 1e6
    added = sum(plan.base(key) is not None for key in plan.preparations)
    bases = len(plan.preparations) - added
    count = f"{bases} and {added} upon them" if added else f"{bases}"
    share = f"each of the {bases}" if added else "each"
    return [
        f"{printable(plan.space.name)}: {_extent(plan)}",
        f"prepared once each: {count} ({wording.prepared}), "
        f"{megabytes:.0f} MB of {wording.data} in the object store for {share}",
        f"at most {plural(_most_epochs(plan), 'epoch')} over {wording.describe_epoch(plan.study)}",
        _judgement(plan),
    ]


def _extent(plan: Plan) -> str:
    search = plan.space.search
    if plan.adaptive:
        axes = [_span(name, domain) for name, domain in plan.space.space.items()]
        aims = " and ".join(f"{better} {name}" for name, better in plan.objectives.items())
        proposals = plural(search.num_samples or 0, "proposal")
        count = f"{proposals} x {plural(len(plan.seeds), 'seed')}"
        return f"{count} by {search.algorithm} for {aims}, {'; '.join(axes)}"
    values: dict[str, dict[Any, None]] = {}
    for trial in plan.trials:
        for name, value in trial.config.items():
            values.setdefault(name, {})[value] = None
    axes = [f"{name} {_listed(list(choices))}" for name, choices in values.items()]
    return f"{plural(len(plan.trials), 'trial')}, {'; '.join(axes)}"


def _most_epochs(plan: Plan) -> int:
    proposed = (plan.space.search.num_samples or 0) * len(plan.seeds) * plan.limit
    return proposed if plan.adaptive else sum(trial.limit for trial in plan.trials)


def _judgement(plan: Plan) -> str:
    rule = plan.space.scheduler
    if rule is None:
        return "no early stopping"
    if not isinstance(rule, Asha | IEpoch | StockAsha):
        return f"{_NAMES[rule.kind]} by {rule.metric}"
    if not plan.rungs:
        return f"no early stopping by {_NAMES[rule.kind]}: every trial ends before a rung"
    where = ""
    if rule.stratify_by and plan.adaptive:
        where = f" within strata of {', '.join(rule.stratify_by)}"
    elif rule.stratify_by:
        where = f" within {len({plan.stratum(t.config) for t in plan.trials})} strata"
    together = ", seeds together" if getattr(rule, "replicates", None) else ""
    epochs = ", ".join(map(str, plan.rungs))
    if isinstance(rule, IEpoch):
        best = f"the best {rule.finish} trained to the end"
        return f"i-Epoch after {plural(rule.epochs, 'epoch')}, {best}{where}{together}"
    return f"{_NAMES[rule.kind]} after epochs {epochs}{where}{together}"


def _span(name: str, domain: Domain) -> str:
    ends = list(domain.ends())
    if domain.enumerable:
        return f"{name} {_listed(ends)}"
    return f"{name} {value_text(ends[0])} to {value_text(ends[1])}"


def _listed(values: list[Any]) -> str:
    texts = [value_text(v) for v in values]
    return ", ".join(texts) if len(texts) <= 9 else f"{texts[0]} .. {texts[-1]} ({len(texts)})"
