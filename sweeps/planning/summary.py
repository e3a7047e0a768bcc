"""A plan in a few lines of text, with values as in YAML."""

from collections.abc import Iterable
from itertools import takewhile, zip_longest
from typing import Any

from hedgecore.experiment import Study
from search_spaces import Asha, Domain, IEpoch, StockAsha
from search_spaces.yaml_text import printable
from sweeps.planning.plan import Plan
from sweeps.planning.validation import first_with, trial_study
from sweeps.text import plural, value_text

_NAMES = {
    "asha": "ASHA",
    "i_epoch": "i-Epoch",
    "stock_asha": "Ray's ASHA",
    "median": "median rule",
    "hyperband": "HyperBand",
    "pbt": "population based training",
}

_MOST_FORMS = 5


def lines(plan: Plan) -> list[str]:
    """The plan in a few lines."""
    wording = plan.experiment.wording
    megabytes = plan.experiment.cost.data_bytes(plan.study) / 1e6
    added = sum(plan.base(key) is not None for key in plan.preparations)
    bases = len(plan.preparations) - added
    them = "it" if bases == 1 else "them"
    count = f"{bases}, and {added} derived from {them}" if added else f"{bases}"
    share = f"each of the {bases}" if added else "each"
    return [
        f"{printable(plan.space.name)}: {_extent(plan)}",
        f"prepared once each: {count} ({wording.prepared}), "
        f"{megabytes:.0f} MB of {wording.data} in the object store for {share}",
        f"at most {plural(_most_epochs(plan), 'epoch')} over {wording.describe_epoch(plan.study)}",
        _judgement(plan),
    ]


def study_lines(plan: Plan) -> list[str]:
    """The study in the units of its user; a phrase that an axis changes has all its forms."""
    described = [plan.experiment.wording.describe_study(study) for study in _studies(plan)]
    headings = dict.fromkeys(heading for one in described for heading in one)
    lines = []
    for heading in headings:
        forms = zip_longest(*(one.get(heading, ()) for one in described), fillvalue="")
        phrases = (_alternatives(dict.fromkeys(filter(None, form))) for form in forms)
        lines.append(f"{heading:<11}{', '.join(phrases)}")
    return [printable(line) for line in lines]


def unusual(plan: Plan) -> list[str]:
    """One line for each setting that is probably a slip, with its place."""
    axes = {path: name for name, path in plan.experiment.search.axes.items()}
    faults: dict[str, dict[str, None]] = {}
    for study in _studies(plan):
        for path, text in plan.experiment.wording.improbable(study).items():
            faults.setdefault(path, {})[text] = None
    lines = []
    for path, texts in faults.items():
        axis = axes.get(path, path)
        key = f"space.{axis}" if axis in plan.space.space else f"study.{path}"
        more = f" (and {plural(len(texts) - 1, 'value')} more)" if len(texts) > 1 else ""
        lines.append(f"unusual    {plan.space.where(key)}: {next(iter(texts))}{more}")
    return [printable(line) for line in lines]


def _studies(plan: Plan) -> list[Study]:
    """A study for every value or end of every axis, the others at their first."""
    space = plan.space
    values = [{axis: end} for axis, domain in space.space.items() for end in domain.ends()]
    configs = (first_with(space, value) for value in values if "seed" not in value)
    studies = [trial_study(plan.study, config) for config in configs]
    return studies or [trial_study(plan.study, first_with(space, {}))]


def _alternatives(forms: Iterable[str]) -> str:
    """Forms of one phrase as "network 8-8 or 16", without the words that all share."""
    words = [form.split() for form in forms]
    if len(words) == 1:
        return " ".join(words[0])
    before = _shared(words)
    after = _shared([form[before:][::-1] for form in words])
    texts = [" ".join(form[before : len(form) - after]) for form in words]
    if len(texts) > _MOST_FORMS:
        texts = [f"{texts[0]} .. {texts[-1]}"]
    shared = words[0][:before], words[0][len(words[0]) - after :]
    return " ".join([*shared[0], " or ".join(texts), *shared[1]])


def _shared(forms: list[list[str]]) -> int:
    """Number of words that all forms begin with, short of a whole form."""
    most = min(map(len, forms)) - 1
    same = (len({form[i] for form in forms}) == 1 for i in range(max(most, 0)))
    return sum(takewhile(bool, same))


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
