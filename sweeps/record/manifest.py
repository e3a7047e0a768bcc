"""What a sweep was made with: enough to know later what its numbers mean."""

import hashlib
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
from typing import Any

import hedgecore
from hedgecore.config import digest, fingerprint, to_mapping
from sweeps.errors import UsageError
from sweeps.planning.plan import Plan, TrialPlan
from sweeps.record import bounds
from sweeps.record.files import read_json
from sweeps.record.filing import Facts
from sweeps.record.storage import replace

_PACKAGES = (
    "hedgesweep",
    "torch",
    "numpy",
    "scipy",
    "scikit-learn",
    "fairlearn",
    "ray",
    "pandas",
    "pyarrow",
    "safetensors",
)
# The same library under two names: one build knows no GPU.
_BOOSTING = ("xgboost-cpu", "xgboost")


@cache
def core_version() -> str:
    """sha256 (hex) over the sources of hedgecore: only equal code gives equal results.

    The tables that the code reads are part of it.
    """
    root = Path(hedgecore.__file__).parent
    sources = sorted([*root.rglob("*.py"), *root.rglob("*.csv")])
    named = [[path.relative_to(root).as_posix(), path.read_text()] for path in sources]
    return hashlib.sha256(json.dumps(named).encode()).hexdigest()


def trial_id(trial: TrialPlan, facts: Facts, *, gpu: bool) -> str:
    """The content address of a trial: the hash of study, seed, what was prepared, and code."""
    parts = [fingerprint(trial.study), trial.seed, sorted(facts.sha256.items()), facts.data_sha256]
    return digest([*parts, facts.core, version("torch"), gpu])[:16]


def check(storage: Path, plan: Plan) -> None:
    """Refuse to mix two studies in one storage.

    Raises:
        UsageError: ``storage`` is not a directory, or holds a sweep of another study.
    """
    try:
        written = read_json(storage / "manifest.json", most=bounds.JSON)
        before = {"study": written["study"], "scheduler": _rule(written["scheduler"])}
    except FileNotFoundError:
        return
    except OSError as error:
        raise UsageError(
            f"storage {storage} cannot be read ({error.strerror}); give another --storage"
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(
            f"{storage}/manifest.json is damaged; remove it (rows lie in log/), or give another "
            "--storage"
        ) from error
    now = {"study": to_mapping(plan.study), "scheduler": _rule(_scheduler(plan))}
    changed = sorted(_differences(before, json.loads(json.dumps(now))))
    if changed:
        shown = ", ".join(changed[:3]) + (", .." if len(changed) > 3 else "")
        raise UsageError(
            f"storage {storage} holds a sweep of another study or rule ({shown}); "
            "give another --storage, or undo the change"
        )
    was, is_now = _most_epochs(written["scheduler"]), _most_epochs(_scheduler(plan))
    if is_now < was:
        raise UsageError(
            f"storage {storage} was judged up to max_t {was:g}, now {is_now:g}; a larger one "
            "continues its trials, a smaller one needs another --storage"
        )


def write(
    storage: Path, plan: Plan, preparations: Mapping[str, Facts], *, audit: float = 0.0
) -> None:
    """``manifest.json`` and ``space.yaml``."""
    space = plan.space
    content = {
        "name": space.name,
        "experiment": space.experiment,
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "trials": None if plan.adaptive else len(plan.trials),
        "space": {name: {_kind(d): d.ends()} for name, d in space.space.items()},
        "when": {name: dict(values) for name, values in space.when.items()},
        "study": to_mapping(plan.study),
        "search": asdict(space.search),
        "scheduler": _scheduler(plan),
        "rungs": plan.rungs,
        "audit": audit,
        "resources": asdict(space.resources),
        "seeds": plan.seeds,
        "preparations": {
            key: {
                "seed": facts.seed,
                "theta_0_sha256": facts.theta_0_sha256,
                "data_sha256": facts.data_sha256,
                "baselines": facts.baselines,
            }
            for key, facts in sorted(preparations.items())
        },
        "core_sha256": core_version(),
        "git": git_state(),
        "versions": _versions(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "device": "gpu" if space.resources.gpu else "cpu",
    }
    replace(storage / "manifest.json", json.dumps(content, indent=1).encode())
    replace(storage / "space.yaml", space.text.encode())


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


def _versions() -> dict[str, str]:
    found = {name: version(name) for name in _PACKAGES}
    for name in _BOOSTING:
        try:
            return {**found, name: version(name)}
        except PackageNotFoundError:
            continue
    return found


def _differences(before: Any, now: Any, prefix: str = "") -> list[str]:
    if not (isinstance(before, dict) and isinstance(now, dict)):
        return [] if before == now else [f"{prefix} {before} -> {now}"]
    found = []
    for name in before.keys() | now.keys():
        inner = f"{prefix}.{name}" if prefix else name
        found += _differences(before.get(name), now.get(name), inner)
    return found


def _kind(domain: Any) -> str:
    return type(domain).__name__.lower()


def _scheduler(plan: Plan) -> dict[str, Any] | None:
    rule = plan.space.scheduler
    return {rule.kind: asdict(rule)} if rule else None


def _most_epochs(scheduler: dict[str, Any] | None) -> float:
    limits = [fields["max_t"] for fields in (scheduler or {}).values()]
    return min((limit for limit in limits if limit is not None), default=math.inf)


def _rule(scheduler: dict[str, Any] | None) -> dict[str, Any] | None:
    """``scheduler`` without ``max_t``, which may grow."""
    if scheduler is None:
        return None
    return {kind: {**fields, "max_t": None} for kind, fields in scheduler.items()}
