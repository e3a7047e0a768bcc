"""The networks of a faked X-NN sweep as files, and what each of its preparations leaves."""

import json
import math
import zlib
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

INPUTS = ("Ht", "Wt", "BMI", "Ins_Age", "Product_Info_4", "Employment_Info_1", "mh_4", "mh_15")
WIDTHS = (8, 6, 5, 8)
CLASSES, TEST_ROWS, SAMPLE, EPOCHS = 8, 120, 60, 6


def file_model(path: Path, trial: Mapping[str, Any], tensors: Mapping[str, Any] = {}) -> None:
    """The model of a completed trial; ``tensors`` replace those of the formulas."""
    seed, count = int(trial["config/seed"]), int(trial["config/clusters"])
    about = {"trial_id": trial["trial_id"], "seed": seed, "inputs": list(INPUTS)}
    about |= {"config": {n[7:]: v for n, v in trial.items() if str(n).startswith("config/")}}
    about |= {"study": study(), "preparation": preparation(seed, count)}
    about["theta_0_sha256"] = trial["theta_0_sha256"]
    about["importance"] = {"columns": list(INPUTS), "boosted": [*INPUTS, "BMI_Age"]}
    mean, draw = float(trial["r2_mean"]), np.random.default_rng((seed, count))
    nodes, features = WIDTHS[2], len(INPUTS)
    own = np.arange(nodes) % count
    beta = draw.normal(scale=0.15, size=(nodes, count))
    beta[np.arange(nodes), own] -= mean
    rho = beta / max(1.0, float(np.abs(beta).max()))
    net = _network(draw)
    held = {
        "encoding.mean": np.zeros(features),
        "encoding.sd": np.ones(features),
        "encoding.axes": np.zeros((0, features)),
        "centroids.points": points(count),
        "centroids.mean": np.zeros(features),
        "centroids.inverse_root": np.eye(features),
        "explanation.beta": beta,
        "explanation.coefficients": beta.T / 2.0,
        "explanation.intercept": np.full(nodes, 0.2),
        "explanation.r2": np.linspace(0.8, 1.2, nodes).clip(max=1.0 / mean) * mean,
        "explanation.rho": rho,
        "explanation.information": np.full(nodes, 0.1),
        "explanation.dead": np.zeros(nodes, dtype=bool),
        "explanation.members": _members(count, TEST_ROWS),
        "explanation.inflation": np.full(count, 1.0 + count / 10.0),
        "explanation.plain_coefficients": draw.normal(scale=0.1, size=(count, nodes)),
        "explanation.plain_beta": draw.normal(scale=0.2, size=(nodes, count)),
        "explanation.plain_r2": np.full(nodes, float(trial["r2_plain"])),
        "test.confusion": _confusion(float(trial["accuracy"])),
        "ablation.own": np.full(count, 0.03),
        "ablation.others": np.full(count, 0.01),
        "concepts.score": np.full(count, 0.5),
        "concepts.p_value": np.full(count, 0.04 / count),
        "importance.rise": np.linspace(0.08, -0.005, features),
        "importance.se": np.full(features, 0.004),
        "dependence.distance": np.tile(np.linspace(0.5, 3.0, 20), (count, 1)),
        "excitation.point": draw.normal(size=(nodes, features)),
        "excitation.value": np.linspace(1.0, 3.0, nodes),
    }
    falling = (
        np.linspace(1.0, 0.0, 20)[None, :, None] * (own == np.arange(count)[:, None])[:, None]
    )
    held["dependence.mean"] = 0.2 + mean * falling
    folder = path / "models" / str(trial["trial_id"])
    folder.mkdir(parents=True, exist_ok=True)
    about_it = {"trial": json.dumps(about, default=float)}
    _save(folder / "xnn.safetensors", net | held | dict(tensors), about_it)


def study(method: str = "alignment", clusters: int = 6) -> dict[str, Any]:
    """What the manifest says of the study, where no axis says otherwise."""
    return {
        "explanation": {"method": method, "adj_weight": 0.3},
        "clustering": {"method": "k_means", "clusters": clusters, "axes": None},
        "training": {"lr": 1e-3, "epochs": EPOCHS, "batch_size": 40, "patience": 3},
        "network": {"hidden": list(WIDTHS[1:-1])},
        "data": {"path": None, "rows": 4000, "encoding": "sound", "split": "held_out"},
        "evaluation": {"layer": None, "group": "InsuredInfo_6", "bins": None},
    }


def preparation(seed: int, clusters: int) -> str:
    """The key of a seed's preparation."""
    return f"seed-{seed}-{zlib.crc32(str(clusters).encode()):08x}"


def points(clusters: int) -> np.ndarray:
    """The centroids, the same for all seeds."""
    return np.random.default_rng(clusters).normal(size=(clusters, len(INPUTS)))


def file_study(folder: Path, seed: int, count: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    draw = np.random.default_rng((seed, count, 1))
    (folder / "facts.json").write_text(json.dumps({"seed": seed}), encoding="utf-8")
    for name in ("theta_0", "theta_star"):
        _save(folder / f"{name}.safetensors", _network(draw))
    label = np.repeat(np.arange(CLASSES), TEST_ROWS // CLASSES)
    shares = draw.dirichlet(np.ones(CLASSES), size=(2, TEST_ROWS))
    held = {"label": label, "boosted": 1.0 + 0.6 * label + draw.normal(size=TEST_ROWS)}
    held |= {"shifted": 1.0 + 0.9 * label + draw.normal(size=TEST_ROWS)}
    held |= {"classes": shares[0], "plain": shares[1]}
    _save(folder / "predictions.safetensors", held)
    gain = np.arange(len(INPUTS) + 1.0)
    _save(folder / "importance.safetensors", {"boosted_gain": gain / gain.sum()})
    centres = points(count)
    nearest = np.arange(SAMPLE) % count
    held = {"points": centres, "inverse_root": np.eye(len(INPUTS)), "mean": np.zeros(len(INPUTS))}
    held |= {"members": _members(count, 600), "sample_class": np.arange(SAMPLE) % CLASSES}
    held |= {"sample_nearest": nearest, "points_projection": centres[:, :3]}
    near = centres[nearest, :3] + 0.4 * draw.normal(size=(SAMPLE, 3))
    for view in (2, 3):
        held |= {
            f"view_{view}.sample_projection": near + view,
            f"view_{view}.points_projection": near[:count],
        }
        held[f"view_{view}.sample_class"] = held["sample_class"]
    held |= {"sample_projection": near, "random_points": draw.normal(size=centres.shape)}
    _save(folder / "clusters.safetensors", held)


def _network(draw: np.random.Generator) -> dict[str, np.ndarray]:
    net = {}
    for i, (a, b) in enumerate(pairwise(WIDTHS)):
        net[f"layers.{i}.weight"] = draw.uniform(-1.0, 1.0, (b, a)) * math.sqrt(6.0 / (a + b))
        net[f"layers.{i}.bias"] = np.zeros(b)
    return net


def _members(clusters: int, rows: int) -> np.ndarray:
    shares = np.arange(clusters, 0, -1) / (clusters * (clusters + 1) / 2)
    counts = np.floor(shares * rows).astype(np.int64)
    counts[0] += rows - counts.sum()
    return counts


def _confusion(accuracy: float) -> np.ndarray:
    rows = TEST_ROWS // CLASSES
    wrong = int(rows * (1.0 - accuracy))
    return np.diag(np.full(CLASSES, rows - wrong)) + wrong * np.roll(
        np.eye(CLASSES, dtype=int), 1, 1
    )


def _save(path: Path, tensors: Mapping[str, Any], about: dict[str, str] | None = None) -> None:
    whole = {n: np.asarray(t) for n, t in tensors.items()}
    kept = {n: t if t.dtype.kind in "bi" else t.astype(np.float32) for n, t in whole.items()}
    save_file({n: np.ascontiguousarray(t) for n, t in kept.items()}, path, about)
