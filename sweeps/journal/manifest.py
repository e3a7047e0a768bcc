"""Manifest of a sweep: everything that determines its numbers."""

import json
import math
import platform
import subprocess
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeAlias

import hedgecore
from hedgecore.config import digest, fingerprint, to_mapping
from sweeps.errors import UsageError
from sweeps.journal.code_identity import code_identity
from sweeps.journal.preparations import Facts
from sweeps.journal.records import ManifestRecord, PreparationRecord
from sweeps.planning.plan import Plan, TrialPlan

Baselines: TypeAlias = dict[str, dict[str, float | None]]
"""Metrics by name of the baseline; null for what is not finite."""

_PACKAGES = (
    *("hedgesweep", "torch", "numpy", "scipy", "scikit-learn", "fairlearn"),
    *("ray", "pandas", "pyarrow", "safetensors"),
)
_TENSORS = ".safetensors"
# The same library under two names: one build has no GPU support.
_BOOSTING = ("xgboost-cpu", "xgboost")


def trial_id(trial: TrialPlan, facts: Facts, *, gpu: bool) -> str:
    """Content address of a trial: hash of study, seed, preparation and code."""
    parts = [fingerprint(trial.study), trial.seed, sorted(facts.sha256.items()), facts.data_sha256]
    return digest([*parts, facts.core, torch_version(), gpu])[:16]


def check(storage: str | Path, plan: Plan, before: Mapping[str, Any]) -> None:
    """Refuse to run ``plan`` in a ``storage`` whose log has the manifest ``before``.

    Raises:
        UsageError: the study or rule differs, or ``max_t`` is smaller.
    """
    now = {
        "experiment": plan.space.experiment,
        "study": to_mapping(plan.study),
        "scheduler": _rule(scheduler_of(plan)),
    }
    then = {**{name: before[name] for name in now}, "scheduler": _rule(before["scheduler"])}
    changed = sorted(_differences(then, json.loads(json.dumps(now))))
    if changed:
        changes = ", ".join(changed[:3]) + (", .." if len(changed) > 3 else "")
        raise UsageError(
            f"storage {storage} holds a sweep of another study or rule ({changes}); "
            "give another --storage, or undo the change"
        )
    was, is_now = _most_epochs(before["scheduler"]), _most_epochs(scheduler_of(plan))
    if is_now < was:
        raise UsageError(
            f"storage {storage} was judged up to max_t {was:g}, now {is_now:g}; a larger one "
            "continues its trials, a smaller one needs another --storage"
        )


def content(
    plan: Plan,
    preparations: Mapping[str, Facts],
    prepared: Mapping[str, PreparationRecord],
    *,
    baselines: Mapping[str, Baselines] = MappingProxyType({}),
    audit: float = 0.0,
) -> dict[str, Any]:
    """Manifest of a run of ``plan`` here and now, as plain data.

    ``preparations``, their records in the log, ``prepared``, and the ``baselines`` that were
    computed beside the trials are by key.
    """
    space = plan.space
    plain = {
        "name": space.name,
        "experiment": space.experiment,
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "trials": None if plan.adaptive else len(plan.trials),
        "space": {name: {type(d).__name__.lower(): d.ends()} for name, d in space.space.items()},
        "when": {name: dict(values) for name, values in space.when.items()},
        "study": to_mapping(plan.study),
        "search": asdict(space.search),
        "scheduler": scheduler_of(plan),
        "rungs": plan.rungs,
        "audit": audit,
        "until_decided": plan.until_decided,
        "resources": asdict(space.resources),
        "seeds": plan.seeds,
        "preparations": {
            key: {
                "seed": facts.seed,
                "theta_0_sha256": facts.theta_0_sha256,
                "data_sha256": facts.data_sha256,
                "arithmetic": facts.arithmetic["id"],
                "files": _networks(prepared[key]) if key in prepared else {},
                "baselines": facts.baselines or baselines.get(key, {}),
                **_warnings(plan, facts),
            }
            for key, facts in sorted(preparations.items())
        },
        "arithmetic": {
            facts.arithmetic["id"]: facts.arithmetic for facts in preparations.values()
        },
        "core_sha256": code_identity(space.experiment),
        "git": git_state(),
        "versions": _versions(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "device": "gpu" if space.resources.gpu else "cpu",
    }
    # Through JSON, so that it compares with what was read from the log.
    return dict(json.loads(json.dumps(plain)))


def baselines_of(content: Mapping[str, Any]) -> dict[str, Baselines]:
    """Metrics of the baselines in the manifest ``content``, by key of the preparation."""
    preparations = content.get("preparations", {}).items()
    return {key: entry["baselines"] for key, entry in preparations if entry.get("baselines")}


def with_baselines(
    content: Mapping[str, Any], baselines: Mapping[str, Baselines]
) -> dict[str, Any]:
    """``content`` with ``baselines`` in addition, by key of the preparation."""
    preparations = {
        key: {**entry, "baselines": baselines.get(key, entry["baselines"])}
        for key, entry in content["preparations"].items()
    }
    return {**content, "preparations": preparations}


def scheduler_of(plan: Plan) -> dict[str, Any] | None:
    """Fields of the plan's scheduler by its name in YAML; None without one."""
    rule = plan.space.scheduler
    return {rule.kind: asdict(rule)} if rule else None


def copies(record: ManifestRecord) -> dict[str, bytes]:
    """Content of the human-readable copies of a manifest record, by file name."""
    return {
        "manifest.json": json.dumps(record.content, indent=1).encode(),
        "space.yaml": record.space.encode(),
    }


def _warnings(plan: Plan, facts: Facts) -> dict[str, list[str]]:
    """Faults of the data, for the report; empty without any."""
    lines = list(plan.experiment.wording.warnings(facts.about))
    return {"warnings": lines} if lines else {}


def _networks(record: PreparationRecord) -> dict[str, str]:
    """sha256 (hex) of the safetensors files of a preparation, by name without suffix."""
    files = record.files.items()
    return {n.removesuffix(_TENSORS): sha for n, sha in files if n.endswith(_TENSORS)}


def git_state() -> dict[str, Any] | None:
    """Commit of the checkout this package runs from, and whether it has uncommitted changes.

    None outside one.
    """
    root = Path(hedgecore.__file__).parent.parent
    try:
        commit = _git(root, "rev-parse", "HEAD")
        return {"commit": commit, "dirty": bool(_git(root, "status", "--porcelain"))}
    except (OSError, subprocess.CalledProcessError):
        return None


def _git(root: Path, *arguments: str) -> str:
    command = ["git", "-C", str(root), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@cache
def torch_version() -> str:
    """The version of torch, which is looked up in the files of its distribution."""
    return version("torch")


def _versions() -> dict[str, str]:
    versions = {name: version(name) for name in _PACKAGES}
    for name in _BOOSTING:
        try:
            return {**versions, name: version(name)}
        except PackageNotFoundError:
            continue
    return versions


def _differences(before: Any, now: Any, prefix: str = "") -> list[str]:
    if not (isinstance(before, dict) and isinstance(now, dict)):
        return [] if before == now else [f"{prefix} {before} -> {now}"]
    differences = []
    for name in before.keys() | now.keys():
        inner = f"{prefix}.{name}" if prefix else name
        differences += _differences(before.get(name), now.get(name), inner)
    return differences


def _most_epochs(scheduler: dict[str, Any] | None) -> float:
    limits = [fields.get("max_t") for fields in (scheduler or {}).values()]
    return min((limit for limit in limits if limit is not None), default=math.inf)


def _rule(scheduler: dict[str, Any] | None) -> dict[str, Any] | None:
    """``scheduler`` without ``max_t``, which may grow."""
    if scheduler is None:
        return None
    return {kind: {**fields, "max_t": None} for kind, fields in scheduler.items()}
