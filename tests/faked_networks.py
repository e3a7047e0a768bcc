"""Networks in a storage as a sweep files them, with masks and importances that a test chooses."""

import json
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from analysis.tickets.importance import MEASURES
from analysis.tickets.networks import DENSE, FEATURES, STANDARD, Model

ROBUST = "robust (ε = 0.1)"


def weights(
    generator: np.random.Generator, hidden: tuple[int, ...] = (16, 16)
) -> dict[str, np.ndarray]:
    """Xavier-like weights by layer, [outputs, inputs], from the 8 features to the position."""
    widths = (8, *hidden, 1)
    return {
        f"layers.{i}.weight": generator.uniform(-1.0, 1.0, (b, a)) * np.sqrt(6 / (a + b))
        for i, (a, b) in enumerate(pairwise(widths))
    }


def largest(of: Mapping[str, np.ndarray], *, keep: float) -> dict[str, np.ndarray]:
    """Masks that keep the largest weights of all layers together but the last."""
    names = list(of)[:-1]
    least = np.quantile(np.concatenate([np.abs(of[n]).ravel() for n in names]), 1.0 - keep)
    return {n: np.abs(of[n]) >= least for n in names}


def network(
    kind: str,
    seed: int,
    *,
    shift: float = 0.0,
    measures: Sequence[str] = tuple(MEASURES),
    keep: float = 0.3,
) -> Model:
    """A network whose luck is its seed's; ``shift`` is added to volatility in every measure."""
    draw = np.random.default_rng((seed, kind != DENSE))
    of = weights(draw)
    values = draw.uniform(0.1, 0.3, 8) + 0.002 * np.random.default_rng(len(kind)).normal(size=8)
    values[FEATURES.index("volatility")] += shift * (1.0 + 0.05 * seed)
    return Model(
        kind=kind,
        seed=seed,
        weights=of,
        masks={} if kind == DENSE else largest(of, keep=keep),
        importance=dict.fromkeys(measures, values),
    )


def networks(*, seeds: int = 3, shift: float = 0.1) -> list[Model]:
    """Dense networks, standard and robust tickets; only the robust ones are shifted."""
    return [
        network(kind, seed, shift=shift * (kind == ROBUST))
        for kind in (DENSE, STANDARD, ROBUST)
        for seed in range(seeds)
    ]


def file_ticket(
    storage: Path,
    trial_id: str,
    of: Mapping[str, np.ndarray],
    masks: Mapping[str, np.ndarray],
    *,
    importance: Mapping[str, np.ndarray] | None = None,
    preparation: str | None = None,
    features: list[str] | None = None,
) -> None:
    """The model file of a trial."""
    tensors = {n: w * masks.get(n, True) for n, w in of.items()}
    tensors |= {n.replace("weight", "bias"): np.zeros(w.shape[0]) for n, w in of.items()}
    tensors |= {f"mask.{n}": m for n, m in masks.items()}
    tensors |= {f"standardisation.{n}": np.ones(8) for n in ("mean", "sd")}
    trial = {"trial_id": trial_id, **_named(preparation)}
    trial |= {"features": features} if features else {}
    about = {"trial": json.dumps(trial)}
    folder = storage / "models" / trial_id
    folder.mkdir(parents=True, exist_ok=True)
    save_file(_single(tensors | _filed(importance)), folder / "ticket.safetensors", about)


def file_dense(
    storage: Path,
    preparation: str,
    of: Mapping[str, np.ndarray],
    *,
    importance: Mapping[str, np.ndarray] | None = None,
) -> None:
    """The dense network of a preparation."""
    folder = storage / "study" / preparation
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {**of, "y": np.array(2.7)} | _filed(importance)
    save_file(_single(tensors), folder / "theta_star.safetensors")


def _named(preparation: str | None) -> dict[str, str]:
    return {"preparation": preparation} if preparation else {}


def _filed(importance: Mapping[str, np.ndarray] | None) -> dict[str, np.ndarray]:
    return {f"interpretation.importance_{n}": v for n, v in (importance or {}).items()}


def _single(tensors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    # As torch saves them; safetensors writes the memory as it lies, so it must lie in order.
    return {
        name: np.ascontiguousarray(t if t.dtype == bool else t.astype(np.float32))
        for name, t in tensors.items()
    }
