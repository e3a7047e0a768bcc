"""A study of the X-NN in words, and settings that are probably a slip."""

from collections.abc import Mapping, Sequence
from pathlib import PurePath

from hedgecore.insurance.config import XnnStudy
from hedgecore.insurance.cost_model import rows
from hedgecore.insurance.data.schema import CLASSES

_LARGEST_LR = 0.1
_STRONGEST = 10.0
_MOST_CLUSTERS = 200


def describe(study: XnnStudy) -> Mapping[str, Sequence[str]]:
    """Phrases on ``study`` by heading: data, training and nodes."""
    data, training, clustering = study.data, study.training, study.clustering
    train, validation, test = rows(data)
    about, source = "", f"{data.rows:,} generated applicants"
    if data.path is not None:
        about, source = "about ", f"the applicants of {PurePath(data.path).name}"
    split = f"{about}{train:,} training, {validation:,} validation and {test:,} test rows"
    if data.split == "published":
        split = f"{about}{train:,} training and {validation:,} validation rows, also tested on"
    axes = "all inputs" if clustering.axes is None else f"{clustering.axes} principal axes"
    layer = study.explanation.layer
    return {
        "data": [source, f"{CLASSES} classes", f"encoding {data.encoding}", split],
        "training": [
            f"network {'-'.join(map(str, study.network.hidden))}",
            f"batches of {training.batch_size} rows",
            f"at most {training.epochs} epochs",
            f"learning rate {training.lr:g}",
        ],
        "nodes": [
            f"{clustering.clusters} clusters",
            f"method {clustering.method}",
            f"distances along {axes}",
            f"explanation {study.explanation.method}",
            *([] if layer is None else [f"of layer {layer}"]),
        ],
    }


def improbable(study: XnnStudy) -> Mapping[str, str]:
    """Settings that are probably a slip: one line by dotted key."""
    lines: dict[str, str] = {}
    for key, rate in (("training.lr", study.training.lr), ("baseline.lr", study.baseline.lr)):
        if rate > _LARGEST_LR:
            lines[key] = f"a learning rate of {rate:g}, above {_LARGEST_LR:g}"
    if (weight := study.explanation.adj_weight) > _STRONGEST:
        lines["explanation.adj_weight"] = f"a strength of {weight:g}; the published one is 3"
    if (clusters := study.clustering.clusters) > _MOST_CLUSTERS:
        lines["clustering.clusters"] = f"{clusters} clusters, above {_MOST_CLUSTERS}"
    if (rare := study.data.rare) > 0.1:
        lines["data.rare"] = f"levels of fewer than {100 * rare:.4g} % of the rows have no input"
    if (widest := max(study.network.hidden)) > 4096:
        lines["network.hidden"] = f"a layer of {widest:,} nodes"
    return lines
