"""Sources of a record: a sweep, results of its report, texts of humans, an earlier sweep."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import pandas as pd

from analysis import schema
from analysis.recommendations import Recommendation
from analysis.record.answers import Answers
from analysis.sweep import Sweep
from analysis.tickets.robustness import measured_sweep

TRIALS, EPOCHS, MANIFEST = "trials.parquet", "epochs.parquet", "manifest.json"


@dataclass(frozen=True, eq=False, kw_only=True)
class Material:
    """What a record is made of.

    Args:
        sweep: with its files.
        claims: from :func:`analysis.claims`; empty for an experiment without any.
        recommended: from :func:`analysis.recommendations`.
        importance: shares of hyper-parameters by name; empty if there are none.
        answers: texts of humans.
        previous: manifest of an earlier sweep to compare with.
    """

    sweep: Sweep
    claims: pd.DataFrame = field(default_factory=pd.DataFrame)
    recommended: Sequence[Recommendation] = ()
    importance: Mapping[str, float] = field(default_factory=dict)
    answers: Answers = field(default_factory=Answers)
    previous: Mapping[str, Any] | None = None

    @property
    def trials(self) -> pd.DataFrame:
        """Frame of all trials."""
        return self.sweep.trials

    @property
    def manifest(self) -> Mapping[str, Any]:
        """The manifest; empty if there is none."""
        return self.sweep.manifest

    @cached_property
    def experiment(self) -> str:
        """Name of the experiment."""
        return str(self.manifest.get("experiment") or schema.experiment_of(self.trials))

    @cached_property
    def measured(self) -> Sweep:
        """The sweep of tickets with their clean CVaR on the attacked paths."""
        return measured_sweep(self.sweep, purpose="the record")

    @cached_property
    def completed(self) -> pd.DataFrame:
        """Trials that have completed."""
        if "status" not in self.trials:
            return self.trials.iloc[:0]
        return self.trials[self.trials["status"].eq("completed")]

    @cached_property
    def axes(self) -> list[str]:
        """Names of the axes of the space, the seed last."""
        names = [
            str(n).removeprefix("config/") for n in self.trials if str(n).startswith("config/")
        ]
        swept = [n for n in mapping(self.manifest, "space") if n not in names]
        return sorted([*names, *swept], key=lambda name: name == "seed")


def mapping(content: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Object ``name`` of a manifest; empty if there is none."""
    value = content.get(name)
    return value if isinstance(value, Mapping) else {}
