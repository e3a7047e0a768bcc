"""Conversion of axes and their values to Optuna's distributions and labels, and back."""

import json
from typing import Any

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from search_spaces import Choice, Domain, Grid, LogUniform, RandInt


def distribution(domain: Domain) -> BaseDistribution:
    """The distribution of the labels of ``domain``."""
    if isinstance(domain, Grid | Choice):
        return CategoricalDistribution([to_label(value) for value in domain.values])
    if isinstance(domain, RandInt):
        return IntDistribution(domain.low, domain.high - 1)
    return FloatDistribution(domain.low, domain.high, log=isinstance(domain, LogUniform))


def suggest(trial: optuna.Trial, axis: str, distribution: BaseDistribution) -> Any:
    """The label that ``trial`` gets on ``axis``."""
    if isinstance(distribution, CategoricalDistribution):
        return trial.suggest_categorical(axis, distribution.choices)
    if isinstance(distribution, IntDistribution):
        return trial.suggest_int(axis, distribution.low, distribution.high)
    assert isinstance(distribution, FloatDistribution)
    return trial.suggest_float(axis, distribution.low, distribution.high, log=distribution.log)


def to_label(value: Any) -> Any:
    """``value`` as an Optuna label; Optuna has no lists."""
    return json.dumps(value) if isinstance(value, list | tuple) else value


def from_label(domain: Domain, label: Any) -> Any:
    """The value of ``domain`` with this ``label``."""
    if isinstance(domain, Grid | Choice):
        return next(value for value in domain.values if to_label(value) == label)
    return label
