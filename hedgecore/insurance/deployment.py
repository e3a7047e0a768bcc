"""Deployed part of a trained X-NN: weights, encoding of its inputs, and centroids."""

from collections.abc import Mapping
from itertools import pairwise

from hedgecore.errors import HedgesweepError
from hedgecore.experiment import Deployed, Json, Tensors
from hedgecore.insurance.config import MIN_ROWS, XnnStudy

_PREFIXES = ("layers.", "encoding.", "centroids.")


class DisclosureError(HedgesweepError, ValueError):
    """A model that would reveal single training rows; the cure trains another."""


def deployed(study: XnnStudy, tensors: Tensors, trial: Json) -> Deployed:
    """Weights of a trained model; see :class:`hedgecore.experiment.Experiment`.

    Raises:
        DisclosureError: a centroid is the mean of fewer than ``MIN_ROWS`` training rows, or of an
            unknown number. That of a single row is that row, standardised.
    """
    if "centroid_rows" not in trial:  # of a sweep before they were counted
        raise DisclosureError(
            "the model does not say how many training rows each centroid is the mean of; run the "
            "space again, and seal that trial"
        )
    fewest = min(trial["centroid_rows"])
    if fewest < MIN_ROWS:
        raise DisclosureError(
            f"a centroid is the mean of {fewest} training rows, and of fewer than {MIN_ROWS} a "
            f"bundle could reveal single rows; set study.clustering.min_rows to {MIN_ROWS}, run "
            "again, and seal that trial"
        )
    selection = {name: value for name, value in tensors.items() if name.startswith(_PREFIXES)}
    weights = (selection[f"layers.{i}.weight"] for i in range(len(study.network.hidden) + 1))
    axes, columns = selection["encoding.axes"].shape
    return Deployed(
        architecture="explained_classifier",
        sizes={
            "widths": [selection["layers.0.weight"].shape[1], *(len(w) for w in weights)],
            "columns": columns,
            "axes": axes,
            "centroids": len(selection["centroids.points"]),
            "distance_axes": len(selection["centroids.inverse_root"]),
        },
        tensors=selection,
        facts={name: trial[name] for name in ("inputs", "encoding", "centroid_rows")},
    )


def explained_classifier(
    *, widths: list[int], columns: int, axes: int, centroids: int, distance_axes: int
) -> Mapping[str, tuple[str, tuple[int, ...]]]:
    """Type and shape of every deployed tensor.

    Args:
        widths: inputs, hidden units of every layer, classes.
        columns: number of encoded columns, before any projection.
        axes: number of axes that the columns are projected onto; 0 for no projection.
        centroids: number of centroids.
        distance_axes: number of axes of the distances.
    """
    layout: dict[str, tuple[str, tuple[int, ...]]] = {
        "encoding.mean": ("float64", (columns,)),
        "encoding.sd": ("float64", (columns,)),
        "encoding.axes": ("float64", (axes, columns)),
        "centroids.points": ("float32", (centroids, widths[0])),
        "centroids.mean": ("float32", (widths[0],)),
        "centroids.inverse_root": ("float32", (distance_axes, widths[0])),
    }
    for i, (inputs, outputs) in enumerate(pairwise(widths)):
        layout[f"layers.{i}.weight"] = "float32", (outputs, inputs)
        layout[f"layers.{i}.bias"] = "float32", (outputs,)
    return layout
