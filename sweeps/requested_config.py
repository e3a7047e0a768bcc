"""Configuration that a user requests of a sweep, checked against its space and study."""

import json
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, cast

from hedgecore.config import ConfigError
from hedgecore.registry import nearest
from search_spaces import Domain, SearchSpace, SpaceError
from search_spaces.space import frozen
from search_spaces.yaml_source import parse
from sweeps.errors import UsageError
from sweeps.journal.stored_sweep import StoredSweep
from sweeps.planning.plan import TrialPlan
from sweeps.planning.validation import trial_study
from sweeps.text import value_text


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestedConfig:
    """A valid configuration.

    Args:
        values: by axis, without the seed, as plain data.
        note: further information, which begins with a comma; empty without any.
    """

    values: Mapping[str, Any]
    note: str

    @property
    def text(self) -> str:
        """The configuration for people."""
        return " ".join(f"{axis}={value_text(value)}" for axis, value in self.values.items())


def requested_config(
    space: SearchSpace, sweep: StoredSweep, written: Mapping[str, Any] | Iterable[str]
) -> RequestedConfig:
    """Configuration ``written`` by axis, or as texts KEY=VALUE, for a sweep of ``space``.

    Raises:
        UsageError: axes are missing, unknown or invalid, the configuration is in the sweep
            already, or needs data that were not prepared; or a text is not AXIS=VALUE.
    """
    given = frozen(written if isinstance(written, Mapping) else _parsed(written))
    _check_axes(space, given)
    values = {axis: given[axis] for axis in space.space if axis in given}
    try:
        study = trial_study(sweep.study, values)
    except ConfigError as error:
        axes = sweep.experiment.search.axes
        axis = next((a for a in values if axes.get(a, a) == error.key), error.key)
        raise UsageError(f"{axis}: {error.problem}") from error
    paths = sweep.experiment.search.axes
    # From the study, so that a 0 written for a real number is 0.0 in every table.
    typed = {axis: attrgetter(paths.get(axis, axis))(study) for axis in values}
    plain: dict[str, Any] = json.loads(json.dumps(typed))
    for trial_id, trial in sweep.state.trials.items():
        same = {n: v for n, v in trial.config.items() if n != "seed"} == plain
        if same and trial_id not in sweep.state.withdrawn:
            raise UsageError(
                f"this configuration is in the sweep already, as trial {trial_id} "
                f"({trial.ended or 'not ended'}); give another"
            )
    for seed in sweep.manifest["seeds"]:
        trial_plan = TrialPlan(index=0, config={"seed": seed}, study=study, limit=1)
        if trial_plan.preparation not in sweep.manifest["preparations"]:
            raise UsageError(
                f"this configuration needs {sweep.experiment.wording.prepared} that the sweep "
                "did not prepare; add its values to the space, and run that"
            )
    outside = [axis for axis, value in typed.items() if not _is_in(space.space[axis], value)]
    note = f", outside of the space in {', '.join(outside)}" if outside else ""
    if space.search.adaptive:
        note += ", from which the search does not learn"
    return RequestedConfig(values=plain, note=note)


def _parsed(texts: Iterable[str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for text in texts:
        axis, equals, value = (part.strip() for part in text.partition("="))
        if not (axis and equals and value):
            raise UsageError(f"{shlex.quote(text)} is not AXIS=VALUE, such as lr=2e-3")
        if axis in values:
            raise UsageError(f"{axis} is given twice; give one value")
        try:
            values[axis] = parse(value, file=None, key=(axis,)).tree
        except SpaceError as error:  # its cure is that of another command's option
            problem = error.problem.replace("write --set ", "write ")
            raise UsageError(f"{axis}: {problem}") from error
    return values


def _check_axes(space: SearchSpace, given: Mapping[str, Any]) -> None:
    """Refuse unknown axes, missing ones, and those that do not exist beside the others."""
    axes = [axis for axis in space.order if axis != "seed"]
    if "seed" in given:
        raise UsageError(
            "seed cannot be given, as a configuration is trained at every seed of the sweep; "
            "leave it out"
        )
    for axis in given:
        if axis not in axes:
            raise UsageError(f"{axis!r} is not an axis of the sweep; {nearest(axis, axes)}")
    # Any value stands for one that is missing, of which only the existence is asked.
    exist = space.present({axis: given.get(axis) for axis in axes})
    if missing := [axis for axis in axes if axis in exist and axis not in given]:
        raise UsageError(
            f"no value of {', '.join(missing)}; give all axes: "
            f"{' '.join(f'{axis}=VALUE' for axis in axes if axis in exist)}"
        )
    for axis in given:
        if axis not in exist:
            needed = ", ".join(
                f"{other} in {list(domain)}" for other, domain in space.when[axis].items()
            )
            raise UsageError(f"{axis} exists only for {needed}; leave it out")


def _is_in(domain: Domain, value: Any) -> bool:
    ends = domain.ends()
    if domain.enumerable:
        return value in ends
    low, high = cast(tuple[float, float], ends)
    return bool(type(value) in (int, float) and low <= value <= high)
