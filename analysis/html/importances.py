"""Importance of hyper-parameters, by the PED-ANOVA of Optuna."""

import warnings

import numpy as np
import pandas as pd
from markupsafe import Markup

from analysis.html.spread import dimensions
from analysis.html.svg import Scale, drawing, element, number, text

FEWEST = 20
"""Trials below which no importance is computed."""
_LOSS = "val_loss"
_BAR = 24.0
_MOST_CHARACTERS = 22  # left of the bars


def importances(trials: pd.DataFrame) -> dict[str, float]:
    """Share of every parameter in what separates the best tenth of the trials from all.

    Empty below :data:`FEWEST` trials, without two parameters, or if all losses are equal. It is a
    description, without an error: no difference between two of the shares is tested.

    Source: Watanabe et al., "PED-ANOVA" (2023), as implemented in Optuna.
    """
    if _LOSS not in trials:
        return {}
    rows = trials[np.isfinite(trials[_LOSS].astype("float64"))]
    columns = [one for one in dimensions(rows) if one.name != "seed"]
    complete = [one for one in columns if one.values.notna().all()]
    if len(rows) < FEWEST or len(complete) < 2 or rows[_LOSS].nunique() < 2:
        return {}
    import optuna  # takes a second

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    distributions = {
        one.name: optuna.distributions.FloatDistribution(*_ends(one.values)) for one in complete
    }
    study = optuna.create_study()
    study.add_trials(
        [
            optuna.trial.create_trial(
                params={one.name: float(one.values.iloc[i]) for one in complete},
                distributions=dict(distributions),
                value=float(loss),
            )
            for i, loss in enumerate(rows[_LOSS])
        ]
    )
    evaluator = optuna.importance.PedAnovaImportanceEvaluator()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        raw_shares = optuna.importance.get_param_importances(study, evaluator=evaluator)
    total = sum(raw_shares.values())
    return {name: share / total for name, share in raw_shares.items()} if total > 0.0 else {}


def bars(shares: dict[str, float]) -> Markup:
    """A bar per parameter, the largest first."""
    across = Scale(0.0, max(shares.values()), 170.0, 480.0)
    parts = []
    for i, (name, share) in enumerate(sorted(shares.items(), key=lambda item: -item[1])):
        y, width = 10.0 + _BAR * i, across(share) - across.start
        parts += [
            text(name, across.start - 8, y + 12, anchor="end", most=_MOST_CHARACTERS),
            element("rect", x=across.start, y=y, width=width, height=_BAR - 8, class_="bar"),
            text(number(share), across.start + width + 8, y + 12, anchor="start"),
        ]
    return drawing(
        parts, size=(560.0, 20.0 + _BAR * len(shares)), title="Importance of hyper-parameters"
    )


def _ends(values: pd.Series) -> tuple[float, float]:
    return float(values.min()), float(values.max())
