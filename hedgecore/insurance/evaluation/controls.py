"""Controls of an explanation: the same measure for nodes that were not aligned with centroids.

=================== ==============================================================
untrained           theta_0's nodes
plain               the nodes of the plain network
plain_random_points the plain network's nodes, on distances to as many random rows
permuted            the nodes of other rows of this network
=================== ==============================================================

Each has the same number of centroids, seed and layer. In addition, "random_points" and "rotated"
are this network's own nodes on the distances to random rows, and to the centroids after a random
rotation about the mean: not controls, as the network is aligned, but they show if the nodes are
specific to these centroids. Random rows lie farther out than centroids, which are means; rotated
centroids have the same radii and mutual distances, so that only directions differ.
"""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float
from torch import Tensor

from hedgecore.insurance.evaluation.node_regression import Regression, explanation_gain, regress
from hedgecore.insurance.preparation import XnnPreparation
from hedgecore.insurance.xnn.network import divided, pre_activations
from hedgecore.rng import numpy_stream

CONTROLS = ("untrained", "plain", "plain_random_points", "permuted")
ELSEWHERE = ("random_points", "rotated")

Pair = tuple[Float[np.ndarray, "train nodes"], Float[np.ndarray, "rows nodes"]]


def node_pair(
    preparation: XnnPreparation, theta: Mapping[str, Tensor], *, layer: int, split: str
) -> Pair:
    """Nodes of ``layer`` on the training rows, and on those of ``split``."""
    below, _ = divided(theta, layer)
    train, held_out = (
        pre_activations(below, preparation.rows(name).x)[-1].numpy(force=True)
        for name in ("train", split)
    )
    return train, held_out


def regressions(
    preparation: XnnPreparation, nodes: Pair, *, layer: int, split: str
) -> dict[str, Regression]:
    """Regressions on distances of every control's nodes, and of ``nodes`` on other points.

    Held-out rows are those of ``split``, "val" or "test".
    """
    untrained, plain = (
        node_pair(preparation, theta, layer=layer, split=split)
        for theta in (preparation.theta_0, preparation.theta_star)
    )
    # Permuting nodes equals permuting distances, so the system is not solved again.
    order = (
        numpy_stream(preparation.seed, "permuted", name).permutation(len(part))
        for name, part in zip(("train", split), nodes, strict=True)
    )
    permuted = nodes[0][next(order)], nodes[1][next(order)]
    on_centroids = {"untrained": untrained, "plain": plain, "permuted": permuted}
    on_random_points = {"random_points": nodes, "plain_random_points": plain}
    fits = _together(preparation, on_centroids, split=split, to="distances")
    fits |= _together(preparation, on_random_points, split=split, to="random_distances")
    fits |= _together(preparation, {"rotated": nodes}, split=split, to="rotated_distances")
    return {name: fits[name] for name in (*CONTROLS, *ELSEWHERE)}


def gains(regression: Regression, controls: Mapping[str, Regression]) -> dict[str, float]:
    """R^2 of every control, and the gain of ``regression`` over the best of them, by column.

    "specificity" is its gain over its own nodes on random points, "specificity_rotated" that over
    its own nodes on rotated centroids.
    """
    r2 = {name: float(controls[name].r2.mean()) for name in CONTROLS}
    elsewhere = {name: float(controls[name].r2.mean()) for name in ELSEWHERE}
    rho = {name: float(controls[name].top.mean()) for name in CONTROLS}
    mean = float(regression.r2.mean())
    best = max(r2, key=r2.__getitem__)
    return {
        **{f"r2_{name}": value for name, value in (r2 | elsewhere).items()},
        "explanation_gain": explanation_gain(mean, r2),
        "explanation_gain_se": regression.less_error(controls[best]),
        "r2_mean_minus_plain_se": regression.less_error(controls["plain"]),
        "specificity": mean - elsewhere["random_points"],
        "specificity_se": regression.less_error(controls["random_points"]),
        "specificity_rotated": mean - elsewhere["rotated"],
        "rho_control": max(rho.values()),
        "rho_gain": explanation_gain(float(regression.top.mean()), rho),
    }


def _together(
    preparation: XnnPreparation, nodes: Mapping[str, Pair], *, split: str, to: str
) -> dict[str, Regression]:
    """Regressions on the same distances, solved together."""
    train, held_out = (np.hstack(parts) for parts in zip(*nodes.values(), strict=True))
    whole = regress(
        train, preparation.distances("train", to=to), held_out, preparation.distances(split, to=to)
    )
    width = len(whole.r2) // len(nodes)
    return {name: whole.part(slice(i * width, (i + 1) * width)) for i, name in enumerate(nodes)}
