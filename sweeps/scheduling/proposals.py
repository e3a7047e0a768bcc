"""Records of proposals, with which a search resumes without sampling them again.

A proposal is a function of its number and of its basis: the space, the search and the outcomes
that it was made from. A record holds a digest of the basis, the configuration, and the attributes
set by Optuna's sampler; equal number and basis give an equal proposal.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from optuna import Study
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, NSGAIISampler
from optuna.trial import FrozenTrial

from hedgecore.config import digest
from sweeps.journal.records import Proposal


def proposal(
    number: int, basis: str, config: Mapping[str, Any], attributes: Mapping[str, Any]
) -> Proposal:
    """The record of a proposal; ``config`` has values by axis, without the seed."""
    # Through JSON, so that it compares with what was read from the log.
    plain = json.loads(json.dumps({"config": {**config}, "attributes": {**attributes}}))
    return Proposal(number=number, basis=basis, **plain)


def next_basis(
    basis: str, state: str, values: Sequence[float] | None, steps: Mapping[int, float]
) -> str:
    """``basis`` with one more outcome."""
    # As text, since JSON has no nan.
    numbers = [[step, repr(float(steps[step]))] for step in sorted(steps)]
    return digest([basis, state, [repr(float(value)) for value in values or ()], numbers])


class RecordSampler(BaseSampler):
    """Sampler that repeats a recorded proposal and leaves the study as ``sampler`` did.

    Args:
        labels: the Optuna label of every axis.
        attributes: those that the sampler set on the proposal.
        sampler: the original; used only for the parents of a new generation.
    """

    def __init__(
        self, labels: Mapping[str, Any], attributes: Mapping[str, Any], sampler: BaseSampler
    ) -> None:
        self._labels, self._attributes, self._sampler = labels, attributes, sampler

    def infer_relative_search_space(
        self, study: Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """Empty: every axis is sampled separately."""
        return {}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Empty, after setting the attributes that later proposals depend on."""
        for name, value in self._attributes.items():
            study._storage.set_trial_system_attr(trial._trial_id, name, value)
        if isinstance(self._sampler, NSGAIISampler) and self._attributes:
            current = study._storage.get_trial(trial._trial_id)
            generation = self._sampler.get_trial_generation(study, current)
            # Chosen with the first of a generation; later completions are excluded.
            attributes = study._storage.get_study_system_attrs(study._study_id)
            if f"{self._sampler._get_parent_cache_key_prefix()}{generation}" not in attributes:
                self._sampler.get_parent_population(study, generation)
        return {}

    def sample_independent(
        self,
        study: Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """The recorded value."""
        return self._labels[param_name]
