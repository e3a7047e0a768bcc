"""i-Epoch on the trials of a sweep: its choice, its epochs and its cost against early stopping.

i-Epoch (Egele et al., 2024) trains all configurations for one epoch and the best to the end. Its
choice follows from the recorded first epochs of all configurations; the ends of the chosen ones
are recorded where they completed or were audited.
"""

from collections.abc import Mapping
from typing import Any

import pandas as pd
import scipy  # scipy.stats is loaded lazily on first use: it takes a second

from analysis import schema
from analysis.arguments import checked
from analysis.configurations import typed
from analysis.frames import Frame, of_storage
from analysis.stopped_units import scheduler, stopped_units


@checked
def i_epoch(
    trials: Frame,
    epochs: Frame | None = None,
    manifest: Mapping[str, Any] | None = None,
    *,
    first: int = 1,
) -> pd.DataFrame:
    """One row per stratum with a finisher: i-Epoch with as many finishers against its scheduler.

    ``finish`` units completed in the stratum, of ``units`` in all; i-Epoch would have trained to
    the end as many, the best after ``first`` epochs. ``winner_kept`` is True if the best completed
    unit is among them: then the best of them is at least as good. ``recorded`` counts those whose
    end is recorded; if all are, ``difference`` is the best final risk among them less that of the
    winner, positive where i-Epoch is worse, and null otherwise.

    ``epochs`` are those that the sweep trained, without audits; ``i_epoch_epochs`` are those of
    i-Epoch, a unit without a recorded end as long as the longest of its stratum.

    Empty without a completed unit, or where a unit that did not fail has no row at ``first``.

    Args:
        trials: from :func:`analysis.load_trials`, or a storage, which has the others too.
        epochs: from :func:`analysis.load_epochs`.
        manifest: from :func:`analysis.load_manifest`; its ``scheduler`` names strata, replicates,
            metric and mode.
    Raises:
        schema.ColumnError: an axis or the metric of the scheduler is not in the tables.
    """
    trials, epochs, manifest = of_storage(trials, epochs, manifest)
    units = stopped_units(trials, manifest)
    if units.empty:
        return typed([], _DTYPES)
    rule = scheduler(manifest)
    metric = rule.get("metric") or "val_loss"
    if metric not in epochs.columns:
        raise schema.ColumnError(
            f"epochs have no column {metric!r}, the scheduler's metric; pass the whole frame from "
            "analysis.load_epochs()"
        )
    early = epochs[epochs["epoch"].eq(first)].set_index("trial_id")[metric].astype("float64")
    sign = -1.0 if rule.get("mode") == "max" else 1.0
    lengths = trials.set_index("trial_id")["epochs"].astype("float64")
    longest = epochs.groupby("trial_id", observed=True)["epoch"].max()
    whole = longest.reindex(lengths.index).fillna(0.0)

    valid = units[units["outcome"].ne("failed")]
    if not valid.explode("trial_ids")["trial_ids"].isin(early.index).all():
        return typed([], _DTYPES)

    def total(ids: list[str], of: pd.Series) -> float:
        return float(of.reindex(ids).sum())

    units = units.assign(
        early=[sign * early.reindex(ids).mean(skipna=False) for ids in units["trial_ids"]],
        trained=[total(ids, lengths) for ids in units["trial_ids"]],
        started=[total(ids, lengths.clip(upper=first)) for ids in units["trial_ids"]],
        whole=[total(ids, whole) for ids in units["trial_ids"]],
    )
    rows = [
        _stratum(str(name), stratum)
        for name, stratum in units.groupby("stratum", sort=True)
        if stratum["outcome"].eq("completed").any()
    ]
    return typed(rows, _DTYPES)


def _stratum(name: str, units: pd.DataFrame) -> dict[str, Any]:
    completed = units[units["outcome"].eq("completed")]
    winner = completed["final"].idxmin()
    # Failed units are trained for the first epochs too, and are not chosen.
    candidates = units[units["outcome"].ne("failed")]
    # A tie goes to the earlier unit, as under the scheduler.
    ranked = candidates.sort_values("early", kind="stable", na_position="last")
    chosen = ranked.head(len(completed))
    recorded = chosen["final"].notna()
    end = chosen["whole"].where(recorded, units["whole"].max())
    others = units.drop(chosen.index)
    difference = chosen["final"].min() - completed["final"].min()
    return {
        "stratum": name,
        "units": len(units),
        "finish": len(completed),
        "winner_kept": winner in chosen.index,
        "recorded": int(recorded.sum()),
        "difference": float(difference) if recorded.all() else None,
        "epochs": round(units["trained"].sum()),
        "i_epoch_epochs": round(end.sum() + others["started"].sum()),
    }


def share(hits: pd.Series, confidence: float = 0.95) -> tuple[float, float]:
    """Clopper-Pearson interval of the share of strata that are a hit.

    Of the mean ``difference`` there is no interval: few strata of skewed differences are covered
    too rarely, Student's in 82 % of cases where they are lognormal.
    """
    ends = scipy.stats.binomtest(int(hits.sum()), len(hits)).proportion_ci(confidence)
    return float(ends.low), float(ends.high)


_DTYPES = {
    "stratum": "string",
    **dict.fromkeys(("units", "finish"), "Int64"),
    "winner_kept": "boolean",
    "recorded": "Int64",
    "difference": "float64",
    **dict.fromkeys(("epochs", "i_epoch_epochs"), "Int64"),
}
