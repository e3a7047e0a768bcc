"""Questions of a record that no storage can answer."""

from collections.abc import Iterator, Sequence

from analysis.record.document import Question

_ALL: dict[str, dict[str, str]] = {
    "1": {
        "owner": "Who owns the model?",
        "developer": "Who ran the sweep and chose its settings?",
        "approval": "Who approved the model, when, and under which conditions?",
    },
    "2": {
        "intended_use": "What is the model for: decisions, products, markets, amounts?",
        "out_of_scope_use": "What must it not be used for?",
        "users": "Who uses its results, and who can overrule them?",
        "materiality": "How large is the exposure, and how much depends on the model?",
    },
    "3": {"why_fixed": "Why are the fixed choices as they are, and which matter most?"},
    "4": {
        "why_objective": "Why is this the quantity to optimise, and which trade-off is accepted?"
    },
    "5": {"data_suitability": "Why do the data represent the use? Who supplies and owns them?"},
    "6": {"energy_and_cost": "How much energy and money did the sweep take?"},
    "8": {"other_challengers": "Which other models were considered, and why not these?"},
    "9": {
        "stress_scenarios": "Which stresses of the business are not among the attacks and markets?"
    },
    "11": {"holdout_use": "How often were test results looked at before the final choice?"},
    "12": {"limitations": "Which limitations and assumptions are not in the table?"},
    "13": {
        "tests": "Which tests of the software ran, when, and with which result?",
        "independent_validation": "Who validated it independently, when, with which findings?",
    },
    "14": {
        "monitoring_owner": "Who watches the model, and how often?",
        "retraining_trigger": "What triggers a retraining?",
        "fallback": "Which model or procedure replaces it when it fails?",
    },
    "15": {
        "reason_for_change": "Why does this version replace the previous one, or is it the first?"
    },
    "16": {"advisories": "Which security advisories on the libraries were known and accepted?"},
}
_XNN: dict[str, dict[str, str]] = {
    "10": {
        "protected_attributes": "Which attributes may not affect a decision, and which proxies of "
        "them were tested?",
        "complaints": "How does an insured learn the reasons of a decision and object?",
    },
}
_TICKETS: dict[str, dict[str, str]] = {
    "5": {
        "market_calibration": "From which market data and date do the simulator's parameters come?"
    },
}
_MORE = {"xnn": _XNN, "tickets": _TICKETS}
WHY = "why_"


def questions(experiment: str, axes: Sequence[str]) -> dict[str, list[Question]]:
    """Questions without answers by number of their section.

    Args:
        axes: of the space; the reason of each but the seed is asked in section 3.
    """
    by_section: dict[str, list[Question]] = {}
    for number, key, text in _every(experiment, axes):
        by_section.setdefault(number, []).append(Question(key=key, text=text))
    return by_section


def _every(experiment: str, axes: Sequence[str]) -> Iterator[tuple[str, str, str]]:
    more = _MORE.get(experiment, {})
    for number in (*_ALL, *(n for n in more if n not in _ALL)):
        if number == "3":
            for axis in axes:
                if axis != "seed":
                    yield number, f"{WHY}{axis}", f"Why were these values of {axis} searched?"
        for part in (_ALL, more):
            yield from ((number, key, text) for key, text in part.get(number, {}).items())
