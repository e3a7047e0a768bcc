"""Training steps of the alignment methods.

==================== ======================================================================
none                 one step of Adam on the cross-entropy
double_step          two on the same gradient, the cause of the notebook's improvement
multiplier_published two, the second on a gradient multiplied as the notebook does
multiplier           one, its gradient or its update multiplied by the repaired factors
alignment            one, on CE + adj_weight sum_l f(l) L_layer + beta sum_l L_contrastive
==================== ======================================================================

At ``adj_weight`` 0 every method is "none", without second step or contrastive term: weight 0 is
the plain network to the last bit, and so the control of all methods.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import repeat
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from hedgecore.insurance.config import ExplanationConfig, Method
from hedgecore.insurance.xnn.alignment import (
    Alignment,
    Landmarks,
    Multiplier,
    Outputs,
    depth_factor,
    multiplier_published,
    unit_distances,
)
from hedgecore.insurance.xnn.contrastive import contrastive
from hedgecore.insurance.xnn.network import matrices, pre_activations
from hedgecore.training import adam


class Batch(NamedTuple):
    """Batch of training rows.

    Args:
        x: batch x features.
        y: labels, from 0.
        geometry: the method's data on the rows' distances; see :class:`Rule`.
    """

    x: Tensor
    y: Tensor
    geometry: Tensor


class Outcome(NamedTuple):
    """Outputs and losses of a batch before the step.

    Args:
        outputs: z of every layer.
        added: loss added by the method to the mean cross-entropy.
    """

    outputs: Outputs
    added: Tensor | float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Alignment method.

    Args:
        step: function that takes a step on a batch.
        geometry: function of the distances that returns data per batch, for an order of the
            training rows and a batch size; None for a method without centroids.
    """

    step: Callable[["Descent", Batch], Outcome]
    geometry: Callable[[Landmarks, Tensor, int], Sequence[Tensor]] | None = None


class Descent:
    """Optimisation of the parameters; a call takes a step of the effective method.

    Args:
        start: initial parameters; "multiplier_published" takes its centroid outputs from them.
        explanation: the method and its settings.
        landmarks: centroids and distances; may be None for a method without them.
        lr: learning rate of Adam.
    Raises:
        ValueError: landmarks are missing.
    """

    def __init__(
        self,
        start: Mapping[str, Tensor],
        explanation: ExplanationConfig,
        landmarks: Landmarks | None,
        *,
        lr: float,
    ) -> None:
        self.start, self.explanation = start, explanation
        self.theta = {n: value.detach().clone().requires_grad_() for n, value in start.items()}
        self.moments, self._lr = adam.zero_moments(self.theta), lr
        self._landmarks = landmarks
        self._rule = METHODS[explanation.applied]
        if landmarks is None and self._rule.geometry is not None:
            raise ValueError(
                f"landmarks are required by {explanation.applied}, got None; "
                "give centroids and distances"
            )

    def __call__(self, batch: Batch) -> Outcome:
        """Take a step on ``batch``."""
        return self._rule.step(self, batch)

    def batches(self, x: Tensor, y: Tensor, order: Tensor, batch_size: int) -> Iterator[Batch]:
        """Training rows in ``order``, cut into batches; the last may be smaller."""
        geometry: Iterable[Tensor] = repeat(x.new_empty(0))
        if self._rule.geometry is not None:
            geometry = self._rule.geometry(self.landmarks, order, batch_size)
        return map(Batch, x[order].split(batch_size), y[order].split(batch_size), geometry)

    def forward(self, batch: Batch) -> tuple[Outputs, Tensor]:
        """z of every layer, and the mean cross-entropy."""
        outputs = pre_activations(self.theta, batch.x)
        return outputs, cross_entropy(outputs[-1], batch.y)

    def backward(
        self, loss: Tensor, outputs: Outputs = (), gradients: Sequence[Tensor] = ()
    ) -> None:
        """Set the gradient to that of ``loss`` plus given ``gradients`` of outputs."""
        for value in self.theta.values():
            value.grad = None
        torch.autograd.backward((loss, *outputs), (None, *gradients))

    def step(self) -> None:
        """Take a step of Adam."""
        adam.step(self.theta, self.moments, lr=self._lr)

    def multiply_gradient(self, factors: Mapping[int, Tensor]) -> None:
        """Multiply the gradients of weight matrices, by layer; biases stay as they are."""
        for layer, factor in factors.items():
            gradient = self.matrices[layer].grad
            assert gradient is not None, "backward() comes first"
            gradient.mul_(factor)

    @property
    def landmarks(self) -> Landmarks:
        """Centroids and distances, for methods that use them."""
        assert self._landmarks is not None, "checked when made"
        return self._landmarks

    @cached_property
    def matrices(self) -> list[Tensor]:
        """Weights of every layer."""
        return matrices(self.theta)

    @cached_property
    def untrained(self) -> Outputs:
        """z of every layer at the centroids, before training."""
        return pre_activations(self.start, self.landmarks.points)

    def depth_factors(self, depth: str, *, among: int) -> dict[int, float]:
        """f(l) of the aligned layers: the configured one, or the first ``among``."""
        one = self.explanation.layer
        return {
            layer: depth_factor(
                layer, len(self.matrices), depth=depth, alpha=self.explanation.alpha
            )
            for layer in (range(among) if one is None else (one,))
        }

    def strengths(self, depth: str) -> dict[int, float]:
        """adj_weight * intensity * f(l), by layer."""
        strength = self.explanation.adj_weight * self.explanation.intensity
        factors = self.depth_factors(depth, among=len(self.matrices))
        return {layer: strength * factor for layer, factor in factors.items()}

    @cached_property
    def multiplier(self) -> Multiplier:
        """Factors of the gradient, by layer."""
        strengths, clusters = self.strengths(self.explanation.depth), len(self.landmarks.points)
        return Multiplier(self.matrices, strengths, clusters=clusters)

    @cached_property
    def alignment(self) -> Alignment:
        """The added loss with its weight; of the logits only if requested."""
        hidden = len(self.matrices) - 1
        factors = self.depth_factors(self.explanation.depth, among=hidden)
        return Alignment(
            {layer: self.explanation.adj_weight * f for layer, f in factors.items()},
            widths=[len(w) for w in self.matrices],
            clusters=len(self.landmarks.points),
            like=self.landmarks.distances,
        )


def none(descent: Descent, batch: Batch) -> Outcome:
    """Plain step."""
    outputs, loss = descent.forward(batch)
    descent.backward(loss)
    descent.step()
    return Outcome(outputs)


def double_step(descent: Descent, batch: Batch) -> Outcome:
    """Plain step, and another on its gradient: the control of the published multiplier."""
    outcome = none(descent, batch)
    descent.step()
    return outcome


def published(descent: Descent, batch: Batch) -> Outcome:
    """Plain step, and another on its gradient multiplied, with the updated weights."""
    outcome = none(descent, batch)
    factors = multiplier_published(
        descent.matrices,
        batch.x,
        outcome.outputs,
        descent.untrained,
        batch.geometry,
        descent.strengths("peaked"),
    )
    descent.multiply_gradient(factors)
    descent.step()
    return outcome


def multiplied(descent: Descent, batch: Batch) -> Outcome:
    """Single step with multiplied gradient or update."""
    outputs, loss = descent.forward(batch)
    descent.backward(loss)
    with torch.no_grad():
        at_centroids = pre_activations(descent.theta, descent.landmarks.points)
        factors = descent.multiplier(
            descent.matrices, batch.x, outputs, at_centroids, batch.geometry
        )
        if descent.explanation.target == "gradient":
            descent.multiply_gradient(factors)
            descent.step()
        else:
            before = {layer: descent.matrices[layer].clone() for layer in factors}
            descent.step()
            for layer, factor in factors.items():
                w = descent.matrices[layer]
                w.copy_(before[layer].lerp(w, factor))
    return Outcome(outputs)


def aligned(descent: Descent, batch: Batch) -> Outcome:
    """Single step on the loss with the alignment terms."""
    explanation, alignment = descent.explanation, descent.alignment
    outputs, loss = descent.forward(batch)
    nodes = [outputs[layer] for layer in alignment.layers]
    added, gradients = alignment(outputs, batch.geometry)
    if explanation.beta:
        terms = [contrastive(z, batch.y, temperature=explanation.temperature) for z in nodes]
        contrast = explanation.beta * torch.stack(terms).sum()
        loss, added = loss + contrast, added + contrast.detach()
    descent.backward(loss, nodes, gradients)
    descent.step()
    return Outcome(outputs, added)


def _nearness(landmarks: Landmarks, order: Tensor, batch_size: int) -> Sequence[Tensor]:
    """Distances divided by the largest of all."""
    return (landmarks.distances / landmarks.distances.max())[order].split(batch_size)


def _quantiles(landmarks: Landmarks, order: Tensor, batch_size: int) -> Sequence[Tensor]:
    return landmarks.quantiles[order].split(batch_size)


def _units(landmarks: Landmarks, order: Tensor, batch_size: int) -> Sequence[Tensor]:
    return unit_distances(landmarks.distances[order], batch_size)


METHODS: Mapping[Method, Rule] = {
    "none": Rule(step=none),
    "double_step": Rule(step=double_step),
    "multiplier_published": Rule(step=published, geometry=_nearness),
    "multiplier": Rule(step=multiplied, geometry=_quantiles),
    "alignment": Rule(step=aligned, geometry=_units),
}
