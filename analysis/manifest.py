"""Parsing and validation of the manifest of a sweep."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from analysis.escapes import within

NUMBER: tuple[type, ...] = (int, float)
OBJECT: tuple[type, ...] = (dict,)
TEXT: tuple[type, ...] = (str,)

SETTINGS: Mapping[str, tuple[type, ...]] = {
    "attack.epsilon": NUMBER,
    "attack.name": TEXT,
    "attack.restarts": NUMBER,
    "attack.steps": NUMBER,
    "clustering.clusters": NUMBER,
    "data.split": TEXT,
    "dense.epochs": NUMBER,
    "dense.lr": NUMBER,
    "evaluation.attacked_paths": NUMBER,
    "evaluation.group": TEXT,
    "evaluation.restarts": NUMBER,
    "evaluation.steps": NUMBER,
    "explanation.adj_weight": NUMBER,
    "explanation.method": TEXT,
    "market.test_paths": NUMBER,
    "pruning.criterion": TEXT,
    "pruning.rounds": NUMBER,
    "pruning.schedule": TEXT,
    "pruning.sparsity": NUMBER,
    "training.epochs": NUMBER,
}
"""Types of the study settings that are read, from the manifest or an axis of the same name."""

_KINDS: Mapping[str, tuple[type, ...]] = {
    "audit": NUMBER,
    "experiment": TEXT,
    "name": TEXT,
    "preparations": OBJECT,
    "preparations.*": OBJECT,
    "preparations.*.baselines": OBJECT,
    "preparations.*.baselines.*": OBJECT,
    "preparations.*.baselines.*.*": NUMBER,
    "preparations.*.data_sha256": TEXT,
    "preparations.*.files": OBJECT,
    "preparations.*.files.*": TEXT,
    "preparations.*.seed": (int,),
    "preparations.*.warnings": (list,),
    "preparations.*.warnings.*": TEXT,
    "scheduler": OBJECT,
    "scheduler.*.metric": TEXT,
    "scheduler.*.mode": TEXT,
    "scheduler.*.replicates": TEXT,
    "scheduler.*.stratify_by": (list,),
    "scheduler.*.stratify_by.*": TEXT,
    "until_decided": TEXT,
    "study": OBJECT,
    **{f"study.{path.partition('.')[0]}": OBJECT for path in SETTINGS},
    **{f"study.{path}": kinds for path, kinds in SETTINGS.items()},
    "sweep": TEXT,
    "trials": (int,),
}
"""Types of the values by path, if present; a star is any key or index."""

_WORDS = {NUMBER: "a number", OBJECT: "an object", TEXT: "text", (int,): "a whole number"}
_DEPTH = 40
_LARGEST = 1 << 63


def parsed(content: bytes) -> dict[str, Any]:
    """Manifest in ``content``, with printable texts.

    Raises:
        ValueError: it is not valid; the message continues a sentence that starts with the file.
    """
    try:
        manifest = json.loads(content.decode("utf-8"))
    except RecursionError as error:
        raise ValueError("is nested too deep") from error
    except ValueError as error:
        raise ValueError(f"is not valid JSON ({error})") from error
    if not isinstance(manifest, dict):
        raise ValueError("must hold a JSON object")
    _bounded(manifest, 0)
    manifest = within(manifest)
    if "preparations" in manifest:
        manifest["preparations"] = _without_nulls(manifest["preparations"])
    for path, kinds in _KINDS.items():
        for where, value in _matches(manifest, path.split("."), ()):
            if value is not None and (not isinstance(value, kinds) or isinstance(value, bool)):
                words = _WORDS.get(kinds, "a list")
                raise ValueError(f"has another {'.'.join(where)} than a sweep writes: not {words}")
    return manifest


def rungs_of(manifest: Mapping[str, Any]) -> list[int]:
    """Epochs of the rungs in the manifest, in ascending order."""
    rungs = manifest.get("rungs")
    if not isinstance(rungs, list):
        return []
    return sorted(r for r in rungs if isinstance(r, int) and not isinstance(r, bool) and r > 0)


def _without_nulls(value: Any) -> Any:
    """JSON ``value`` without keys whose value is null, such as unrecorded metrics."""
    if isinstance(value, dict):
        return {key: _without_nulls(one) for key, one in value.items() if one is not None}
    return value


def _matches(value: Any, path: list[str], where: tuple[str, ...]) -> Iterator[tuple[Any, Any]]:
    """Values that match ``path``, each after its actual path."""
    if not path:
        yield where, value
        return
    first, *remainder = path
    if isinstance(value, dict):
        for key in value if first == "*" else (first,):
            if key in value:
                yield from _matches(value[key], remainder, (*where, key))
    elif isinstance(value, list) and first == "*":
        for place, one in enumerate(value):
            yield from _matches(one, remainder, (*where, str(place)))


def _bounded(value: object, depth: int) -> None:
    if depth > _DEPTH:
        raise ValueError("is nested too deep")
    if isinstance(value, dict | list):
        for one in value.values() if isinstance(value, dict) else value:
            _bounded(one, depth + 1)
    elif isinstance(value, int) and abs(value) > _LARGEST:
        raise ValueError("has a whole number beyond 2^63")
