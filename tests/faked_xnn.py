"""The storage of an X-NN sweep whose numbers are formulas: tables, manifest, study and models."""

import json
import math
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any

import pandas as pd
from faked_xnn_files import EPOCHS, WIDTHS, file_model, file_study, preparation, study

BEST_EPOCH = 5
GROUPS = ("InsuredInfo_6:1", "InsuredInfo_6:2")
CONTROLS = ("untrained", "plain", "plain_random_points", "permuted")
STRENGTH = {"alignment": 1.0, "multiplier": 0.05, "multiplier_published": 0.02}
"""How much of the possible R2 a method gains; the others gain nothing."""

ROW_ERRORS = (
    *(f"{name}_minus_plain_se" for name in ("cross_entropy", "accuracy", "kappa", "r2_mean")),
    *("cross_entropy_minus_boosted_se", "explanation_gain_se", "specificity_se"),
)
"""Errors over test rows, all 0 unless a test changes them."""

_RATIOS = (
    "selection_rate_ratio",
    "selection_rate_difference",
    "true_positive_rate_difference",
    "false_positive_rate_difference",
    "kappa_difference",
)
_RATES = ("selection_rate", "true_positive_rate", "false_positive_rate", "accuracy", "kappa")


def storage(
    path: Path,
    *,
    weights: Sequence[float] = (0.0, 0.1, 0.3, 1.0, 3.0),
    clusters: Sequence[int] = (2, 6, 12),
    seeds: Sequence[int] = (0, 1, 2),
    method: str | Sequence[str] = "alignment",
    models: bool = True,
) -> Path:
    """A finished sweep at ``path``; several methods are an axis, one is the study's own."""
    frame = trials(weights=weights, clusters=clusters, seeds=seeds, method=method)
    (path / "study").mkdir(parents=True, exist_ok=True)
    _write(path / "trials.parquet", frame)
    _write(path / "epochs.parquet", epochs(frame))
    pairs = list(product(seeds, clusters))
    about = {
        "experiment": "xnn",
        "name": "xnn_test",
        "trials": len(frame),
        "study": study(method if isinstance(method, str) else "alignment", clusters[0]),
        "space": {
            **({} if isinstance(method, str) else {"method": {"grid": list(method)}}),
            "adj_weight": {"grid": list(weights)},
            "clusters": {"grid": list(clusters)},
            "seed": {"grid": list(seeds)},
        },
        "preparations": {preparation(s, k): _prepared(s) for s, k in pairs},
    }
    (path / "manifest.json").write_text(json.dumps(about), encoding="utf-8")
    for seed, count in pairs:
        file_study(path / "study" / preparation(seed, count), seed, count)
    if models:
        for row in frame.to_dict("records"):
            file_model(path, row)
    return path


def trials(
    *,
    weights: Sequence[float],
    clusters: Sequence[int],
    seeds: Sequence[int],
    method: str | Sequence[str] = "alignment",
) -> pd.DataFrame:
    """One row a trial, all completed, as a sweep writes them."""
    swept = not isinstance(method, str)
    grid = product([method] if isinstance(method, str) else method, weights, clusters, seeds)
    rows = []
    for index, (name, weight, count, seed) in enumerate(grid):
        row = {"trial_id": f"x{index:04d}", "index": index, "status": "completed"}
        row |= {"stopped_at": None, "reason": None, "error": None}
        row |= {"audited": False, "audit_val_loss": None}
        row |= {"config/method": name} if swept else {}
        row |= {"config/adj_weight": weight, "config/clusters": count, "config/seed": seed}
        rows.append(row | metrics(name, weight, count, seed))
    frame = pd.DataFrame(rows)
    texts = ("trial_id", "status", "reason", "error", "config/method", "theta_0_sha256")
    for name in (*texts, "data_sha256"):
        if name in frame:
            frame[name] = frame[name].astype("string")
    frame["stopped_at"] = frame["stopped_at"].astype("Int64")
    frame["audit_val_loss"] = frame["audit_val_loss"].astype("float64")
    return frame


def luck(seed: int) -> float:
    """What a seed adds to the cross-entropy of everything trained on it, in nat."""
    return 0.003 * (seed % 3 - 1)


def cost(method: str, weight: float, clusters: int, seed: int = 1) -> float:
    """Cross-entropy less that of the seed's plain network, in nat; that of seed 1 on average."""
    drawn = 0.001 * (seed % 3 - 1) if weight and method != "none" else 0.0
    return 0.02 * weight * (1.0 + clusters / 30.0) * (method != "none") + drawn


def r2(method: str, weight: float, clusters: int, seed: int = 1) -> float:
    """R2 of the nodes on the distances: rises with the clusters, whatever the weight."""
    plain = 1.0 - math.exp(-clusters / 8.0)
    share = 0.9 * weight / (weight + 0.1) * STRENGTH.get(method, 0.0) * (1.0 + 20.0 * luck(seed))
    return plain + (1.0 - plain) * share


def controls(method: str, weight: float, clusters: int, seed: int = 1) -> dict[str, float]:
    """The R2 of every control, and of the network itself on random points."""
    plain = r2("none", 0.0, clusters)
    points = plain + 0.04 * (1.0 - plain)
    return {
        "untrained": 0.95 * plain,
        "plain": plain,
        "random_points": points + 0.3 * (r2(method, weight, clusters, seed) - plain),
        "plain_random_points": points,
        "permuted": clusters / 1000.0,
    }


def metrics(method: str, weight: float, clusters: int, seed: int) -> dict[str, Any]:
    """Every column from ``epochs`` on."""
    dear, mean = cost(method, weight, clusters, seed), r2(method, weight, clusters, seed)
    held = controls(method, weight, clusters, seed)
    plain = {"val_loss": 1.50 + luck(seed), "cross_entropy": 1.48 + luck(seed)}
    plain |= {"accuracy": 0.45, "kappa": 0.42, "kappa_expected": 0.55, "macro_f1": 0.35}
    plain["ece"] = 0.01
    row: dict[str, Any] = {"epochs": EPOCHS, "best_epoch": BEST_EPOCH}
    row |= {"val_loss": plain["val_loss"] + dear, "centroids": clusters}
    row |= {"cross_entropy": plain["cross_entropy"] + dear, "accuracy": 0.45 - 0.2 * dear}
    row |= {"kappa": 0.42 - 0.3 * dear, "kappa_expected": 0.55 - 0.2 * dear}
    row |= {"macro_f1": 0.35 - 0.2 * dear, "ece": 0.01 + dear}
    row |= {"r2_mean": mean, "r2_median": mean, "r2_min": 0.8 * mean, "beta_max": 0.5 + mean / 2}
    row |= {"beta_gini": 0.4, "rho_top": 0.3 + 0.6 * mean, "rho_gap": 0.1, "mi_mean": 0.1}
    row |= {"mi_max": 0.3, "mig": 0.2, "disentanglement": 0.3, "completeness": 0.3}
    row |= {"coverage": float(min(clusters, WIDTHS[2])), "dead_nodes": 0.0}
    row |= {f"r2_{name}": value for name, value in held.items()}
    row["explanation_gain"] = mean - max(held[name] for name in CONTROLS)
    row |= {"specificity": mean - held["random_points"], "rho_control": 0.37}
    row["rho_gain"] = row["rho_top"] - row["rho_control"]
    row |= {"selectivity": 1.5 + weight, "surrogate_cross_entropy": row["cross_entropy"] + 0.05}
    row |= {"surrogate_accuracy": row["accuracy"] - 0.02, "surrogate_agreement": 0.7 + 0.2 * mean}
    row |= {"inflation_max": 1.0 + clusters / 10.0, "r2_rotated": 0.9 * held["random_points"]}
    row |= {"specificity_rotated": mean - row["r2_rotated"], "constant_agreement": 0.44}
    row |= {"plain_surrogate_cross_entropy": 1.62, "plain_surrogate_accuracy": 0.36}
    row |= {"plain_surrogate_agreement": 0.5, "logistic_cross_entropy": 1.6}
    row |= {"logistic_accuracy": 0.37, "logistic_agreement": 0.52}
    row |= {"prior_cross_entropy": 1.8, "prior_accuracy": 0.33}
    row |= {"rare_levels": 700, "rare_columns": 30}
    row |= {"cluster_rows_min": 600 // clusters, "clusters_undersized": 0}
    row |= {"concept_score": 0.5, "concept_p": 0.04, **_fairness(), "groups": len(GROUPS)}
    row |= {"val_explanation_gain": row["explanation_gain"] + 0.01, "val_r2_mean": mean + 0.01}
    row["cluster_stability"] = 0.9 - clusters / 40.0
    row |= dict.fromkeys(ROW_ERRORS, 0.0)
    row |= {f"plain_{name}": value for name, value in plain.items()}
    row |= {"theta_0_sha256": f"{seed:064x}", "data_sha256": "ab" * 32, "seconds": 8.0}
    return row


def epochs(frame: pd.DataFrame) -> pd.DataFrame:
    """Curves that fall to ``val_loss`` at the best epoch and rise a little behind it."""
    rows = []
    for trial in frame.to_dict("records"):
        own = {n: v for n, v in trial.items() if n == "trial_id" or str(n).startswith("config/")}
        best = trial["val_loss"] if pd.notna(trial["val_loss"]) else 1.6
        for epoch in range(1, EPOCHS + 1):
            above = 0.01 * abs(BEST_EPOCH - epoch)
            row = own | {"epoch": epoch, "train_loss": best - 0.01 + 0.01 * (BEST_EPOCH - epoch)}
            row |= {"val_loss": best + above, "train_accuracy": 0.45, "val_accuracy": 0.44}
            row |= {"added_loss": 0.1 * trial["config/adj_weight"] / epoch}
            row |= {"best": epoch <= BEST_EPOCH, "seconds": 1.3 * epoch, "audit": False}
            rows.append(row)
    return pd.DataFrame(rows)


def _fairness() -> dict[str, float]:
    chosen = {"selection_rate": (0.38, 0.55), "true_positive_rate": (0.90, 0.95)}
    chosen |= {"false_positive_rate": (0.20, 0.26), "accuracy": (0.43, 0.47)}
    chosen |= {"kappa": (0.40, 0.44)}
    middle = dict(zip(_RATIOS, (0.38 / 0.55, 0.17, 0.05, 0.06, 0.04), strict=True))
    named = {
        f"{rate}@{group}": chosen[rate][i] for rate in _RATES for i, group in enumerate(GROUPS)
    }
    row = {}
    for name, value in (middle | named).items():
        rate, at, group = name.partition("@")
        row |= {f"{rate}{end}{at}{group}": value + by for end, by in _ENDS.items()}
    return row


_ENDS = {"": 0.0, "_low": -0.02, "_high": 0.02}


def _prepared(seed: int) -> dict[str, Any]:
    own = metrics("none", 0.0, 2, seed)
    whole = ("cross_entropy", "accuracy", "kappa", "kappa_expected", "macro_f1", "ece")
    trees = {"kappa": 0.59, "accuracy": 0.28, "macro_f1": 0.2, "rmse": 1.87}
    baselines = {
        "plain": {name: own[f"plain_{name}"] for name in whole},
        "boosted": trees,
        "boosted_train": trees | {"kappa": 0.65},
        "boosted_offsets": trees | {"kappa": 0.64 + luck(seed), "kappa_minus_plain_se": 0.01},
        "boosted_offsets_out_of_fold": trees | {"kappa": 0.65},
        "boosted_offsets_in_sample": trees | {"kappa": 0.70},
        "boosted_classes": dict(zip(whole, (1.25, 0.54, 0.53, 0.61, 0.45, 0.02), strict=True)),
        "prior": {"cross_entropy": 1.8, "accuracy": 0.33},
    }
    return {
        "seed": seed,
        "theta_0_sha256": own["theta_0_sha256"],
        "data_sha256": own["data_sha256"],
        "baselines": baselines,
    }


def _write(path: Path, frame: pd.DataFrame) -> None:
    frame.to_parquet(path, index=False)
