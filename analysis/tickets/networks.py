"""Trained networks of a sweep as NumPy arrays: choice of those to compare, and their files.

Standard tickets were trained on clean paths (epsilon 0), robust ones under attack; the dense
network is that of their seed. All are compared at one sparsity, every kind with all its seeds.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from analysis.sweep import SPEED, Candidate, Sweep, Trials, by_epsilon
from analysis.tensors import SweepFiles, TensorFile, UnreadError
from analysis.tickets.efficiency import max_efficient_sparsity

DENSE, STANDARD, TICKET = "dense", "standard", "ticket"
FEATURES = (
    "log_moneyness",
    "return",
    "volatility",
    "variance_change",
    "time_to_maturity",
    "previous_position",
    "cumulative_pnl",
    "trading_volume",
)
"""Names of the inputs of a network in order, unless its file has others."""

_WEIGHT = re.compile(r"layers\.(\d+)\.weight")
_MASK, _INTERPRETATION, _MEASURE = "mask.", "interpretation.", "importance_"

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """Tickets that differ only in their seed; ``trials`` has the trial_id of each.

    ``epsilon`` is the attack budget of their training, NaN if the space has no such axis.
    ``seeds`` are all of the sweep, also those without a completed ticket.
    """

    name: str
    epsilon: float
    seeds: tuple[int, ...]
    trials: Mapping[int, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """Kinds of ticket at one sparsity, by ascending epsilon.

    ``recommended``: the sparsity is the max efficient one of some epsilon.
    """

    sparsity: float
    recommended: bool
    kinds: tuple[Kind, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A trained network.

    ``weights`` and ``masks`` are [outputs, inputs] by the name of the layer, in the order of the
    network; only prunable layers have a mask, which is True where a weight is kept.
    ``importance`` has one number per feature in ``features``, by measure.
    """

    kind: str
    seed: int
    weights: Mapping[str, Floats]
    masks: Mapping[str, Bools]
    importance: Mapping[str, Floats]
    features: tuple[str, ...] = FEATURES

    def mask(self, layer: str) -> Bools:
        """Mask of ``layer``: True for kept weights; all True if the layer is not prunable."""
        return self.masks.get(layer, np.ones(self.weights[layer].shape, dtype=bool))


def choose(trials: Trials, *, tolerance: float = 0.05, confidence: float = 0.95) -> Chosen | None:
    """Tickets to compare; None while none has completed.

    The sparsity is a max efficient one, of the smallest epsilon, at which both standard and robust
    tickets completed; without one, that of the lowest validation risk of standard tickets, as of
    :func:`analysis.recommendations.recommendations`. Of every epsilon there are the trials that
    :func:`analysis.selection.by_validation` selects. Controls are excluded.

    Args:
        trials: the frame from :func:`analysis.load_trials`, of one problem.
    Raises:
        schema.ColumnError: a column is missing although trials have completed.
    """
    sweep = Sweep.of(trials, needed=SPEED, purpose="the choice of models")
    (problem,) = sweep.problems
    budgets: dict[float, set[float]] = {}
    for one in problem.chosen():
        if one.sparsity > 0.0:
            budgets.setdefault(one.sparsity, set()).add(one.epsilon)
    if not budgets:
        return None
    both = [
        s for s, epsilons in budgets.items() if 0.0 in epsilons and any(e > 0.0 for e in epsilons)
    ]
    answers = max_efficient_sparsity(problem, tolerance=tolerance, confidence=confidence)
    recommended = [s for s in answers["max_efficient_sparsity"].dropna() if s in (both or budgets)]
    tickets = sorted(problem.chosen(), key=by_epsilon, reverse=True)
    risks = {one.sparsity: one.choice.val_loss for one in tickets if one.choice}
    likeliest = min(both or budgets, key=lambda s: (risks[s], -s))
    sparsity = float(recommended[0]) if recommended else likeliest
    tickets = [one for one in problem.chosen() if one.sparsity == sparsity]
    return Chosen(
        sparsity=sparsity, recommended=bool(recommended), kinds=tuple(map(kind_of, tickets))
    )


def load_models(files: SweepFiles, ticket_kinds: Iterable[Kind]) -> tuple[list[Model], list[str]]:
    """Networks of ``ticket_kinds``, dense first, and a line per network that cannot be read.

    Tickets are ``models/<trial_id>/ticket.safetensors``. Each names its preparation, whose
    ``study/<preparation>/theta_star.safetensors`` is the dense network of its seed.
    """
    dense: dict[int, Model] = {}
    tickets: list[Model] = []
    missing: list[str] = []
    for kind in ticket_kinds:
        for seed, trial_id in kind.trials.items():
            try:
                ticket, about = _read(files.model(trial_id, "ticket"), kind=kind.name, seed=seed)
                tickets.append(_alike(ticket, tickets))
                if seed not in dense and "preparation" in about:
                    dense_file = files.prepared(about["preparation"], "theta_star")
                    network, _ = _read(dense_file, kind=DENSE, seed=seed)
                    dense[seed] = _alike(network, dense.values())
            except UnreadError as error:
                missing.append(str(error))
    return [*dense.values(), *tickets], missing


def kinds(models: list[Model]) -> list[str]:
    """Distinct kinds of ``models``, in order."""
    return list(dict.fromkeys(model.kind for model in models))


def kind_of(ticket: Candidate) -> Kind:
    """Kind of the chosen trials of a candidate."""
    rows = ticket.chosen
    seeds = rows["config/seed"].fillna(0).astype(int)
    trials = dict(zip(seeds, rows["trial_id"].astype(str), strict=True))
    return Kind(
        name=_name(ticket.epsilon),
        epsilon=ticket.epsilon,
        seeds=tuple(map(int, ticket.seeds)),
        trials=trials,
    )


def _name(epsilon: float) -> str:
    if np.isnan(epsilon):
        return TICKET
    return f"robust (ε = {epsilon:g})" if epsilon else STANDARD


def _read(file: TensorFile, *, kind: str, seed: int) -> tuple[Model, Mapping[str, Any]]:
    """Network in ``file``, and its metadata of the trial.

    Raises:
        UnreadError: it cannot be read, or does not contain a complete network.
    """
    contents = file.load()
    layers = sorted(filter(_WEIGHT.fullmatch, contents.tensors), key=_place)
    weights = {name: contents.tensors[name].astype(np.float64) for name in layers}
    masks = {
        name: contents.tensors[_MASK + name].astype(bool)
        for name in layers
        if _MASK + name in contents.tensors
    }
    importance = {
        name.removeprefix(_INTERPRETATION): value.astype(np.float64)
        for name, value in contents.tensors.items()
        if name.startswith(_INTERPRETATION)
    }
    features = contents.about.get("features") or FEATURES
    if problem := _problem(weights, masks, importance, features):
        raise UnreadError(f"{file.path} cannot be read ({problem})")
    model = Model(
        kind=kind,
        seed=seed,
        weights=weights,
        masks=masks,
        importance=importance,
        features=tuple(features),
    )
    return model, contents.about


def _alike(model: Model, others: Iterable[Model]) -> Model:
    """``model`` after a check that it has the layers of the first of the ``others`` of its kind.

    Raises:
        UnreadError: its layers differ, so that the networks cannot be pooled.
    """
    first = next((other for other in others if other.kind == model.kind), model)
    if {n: w.shape for n, w in model.weights.items()} != {
        n: w.shape for n, w in first.weights.items()
    }:
        raise UnreadError(
            f"the {model.kind} network of seed {model.seed} has other layers than that of seed "
            f"{first.seed}"
        )
    return model


def _problem(
    weights: Mapping[str, Floats],
    masks: Mapping[str, Bools],
    importance: Mapping[str, Floats],
    features: object,
) -> str:
    """Reason why these are not the parts of one network; empty if they are."""
    if not weights or not all(w.ndim == 2 and w.size for w in weights.values()):
        return "it has no layers"
    pairs = pairwise(weights.values())
    if any(first.shape[0] != second.shape[1] for first, second in pairs):
        return "its layers do not fit one another"
    if any(masks[name].shape != weights[name].shape for name in masks):
        return "a mask does not fit its layer"
    if not all(np.isfinite(w).all() for w in weights.values()):
        return "a weight is not finite"
    if not (isinstance(features, list | tuple) and all(isinstance(f, str) for f in features)):
        return "it does not name its features"
    if len(set(features)) < len(features):
        return "two of its features have one name"
    measures = [value for name, value in importance.items() if name.startswith(_MEASURE)]
    if any(value.shape != (len(features),) for value in measures):
        return "an importance is not one number a feature"
    return ""


def _place(name: str) -> int:
    match = _WEIGHT.fullmatch(name)
    assert match is not None
    return int(match[1])
