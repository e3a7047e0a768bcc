"""Records as a log holds them, for tests that write one by hand."""

from typing import Any

MANIFEST: dict[str, Any] = {
    "name": "tickets",
    "experiment": "tickets",
    "started": "2026-01-01T00:00:00+00:00",
    "trials": 4,
    "space": {"lr": {"grid": [0.1]}},
    "when": {},
    "study": {"training": {"epochs": 9}},
    "search": {"algorithm": "grid", "num_samples": None, "seed": 0},
    "scheduler": {
        "asha": {
            "metric": "val_loss",
            "mode": "min",
            "max_t": None,
            "grace_period": 1,
            "reduction_factor": 3,
            "block": 27,
            "lag": 27,
        }
    },
    "rungs": [1, 3],
    "audit": 0.0,
    "resources": {"cpu": 1.0, "gpu": 0.0},
    "seeds": [0],
    "preparations": {},
    "arithmetic": {},
    "core_sha256": "c",
    "git": None,
    "versions": {"torch": "2.13.0"},
    "python": "3.11.0",
    "platform": "Linux",
    "device": "cpu",
}


def manifest(**changes: Any) -> dict[str, Any]:
    """The record of what a small sweep was made with, but for ``changes``."""
    return {"type": "manifest", "content": {**MANIFEST, **changes}, "space": "experiment: tickets"}
