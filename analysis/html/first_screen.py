"""First screen of the page: the question, the answer, its cost, and what would change it."""

from collections.abc import Sequence

import pandas as pd

from analysis.html.provenance import trial_time
from analysis.recommendations import Recommendation, sentence
from analysis.wording import plural

_QUESTIONS = {
    "tickets": "Which small network hedges as well as the dense one, and what does it cost?",
    "xnn": "Which network can be explained, and what does the explanation cost in accuracy?",
}
_OTHER = "Which configuration has the lowest validation loss?"


def summary(
    trials: pd.DataFrame,
    experiment: str,
    *,
    claims: pd.DataFrame,
    recommended: Sequence[Recommendation],
) -> list[tuple[str, str]]:
    """Terms and texts; the answer has the interval of its recommendation.

    Args: see :func:`analysis.html.report_page.write_page`.
    """
    terms = [("Question", _QUESTIONS.get(experiment, _OTHER))]
    if recommended:
        terms.append(("Answer", sentence(recommended[0])))
        terms.append(("Its weak point", recommended[0].weakness))
    elif experiment in _QUESTIONS:
        terms.append(("Answer", "None yet: no configuration has completed at every seed."))
    else:
        terms.append(("Answer", "The first row of the trials; differences are not tested."))
    terms.append(("Cost of the answer", trial_time(trials)))
    if change := _change(trials, claims):
        terms.append(("What would change it", change))
    return terms


def _change(trials: pd.DataFrame, claims: pd.DataFrame) -> str:
    parts = []
    if len(claims):
        open_claims = claims[claims["verdict"].eq("undecided")]
        if len(open_claims):
            seeds = open_claims["more_seeds"].dropna()
            few = (
                f"; at its present effect, the nearest needs about "
                f"{plural(int(seeds.min()), 'more seed')}"
                if len(seeds)
                else ""
            )
            parts.append(f"{plural(len(open_claims), 'claim')} undecided{few}")
    unfinished = ~trials["status"].isin(("completed", "stopped", "failed"))
    if unfinished.any():
        parts.append(f"{plural(int(unfinished.sum()), 'trial')} without an end")
    if failed := int(trials["status"].eq("failed").sum()):
        parts.append(f"{plural(failed, 'failed trial')}")
    return "; ".join(parts) + "." if parts else ""
