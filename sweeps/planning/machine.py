"""Machine requirements of a plan, compared with this machine and its disk."""

import os
from pathlib import Path

from hedgecore.config import ConfigError
from sweeps.errors import UsageError
from sweeps.planning.cures import data_error
from sweeps.planning.estimate import stored_bytes
from sweeps.planning.plan import Plan

_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


def memory() -> int:
    """Bytes of memory available to this process: of its container or of the machine."""
    limits = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for path in _LIMITS:
        try:
            limits.append(int(Path(path).read_text()))
        except (OSError, ValueError):  # another cgroup version, or "max"
            continue
    return min(limits)


def gpus() -> int:
    """Number of GPUs visible to torch."""
    import torch

    return torch.accelerator.device_count()


def check(plan: Plan, *, cluster: bool) -> None:
    """Refuse a plan without its data, or with preparations beyond the memory.

    The memory of a ``cluster`` is not checked.

    Raises:
        SpaceError: see :func:`check_data`.
        UsageError: the preparations fill more than the memory of this machine.
    """
    check_data(plan)
    if not cluster and (problem := too_large(plan, memory())):
        raise UsageError(
            f"{problem}; make data or network smaller, or join a cluster by --address"
        )


def check_data(plan: Plan) -> None:
    """Refuse a study whose data are unavailable, before Ray starts.

    Raises:
        SpaceError: a file is missing or of another kind.
    """
    for trial in plan.preparations.values():
        try:
            plan.experiment.trainer.check_data(trial.study)
        except ConfigError as error:
            raise data_error(plan.space, error) from error


def data_warnings(plan: Plan) -> list[str]:
    """One line per fault of the data of a study, read wholly; of the first seed of each.

    Raises:
        SpaceError: the data cannot be read.
    """
    wording, lines = plan.experiment.wording, dict[str, None]()
    for trial in {plan.base(key) or key: t for key, t in plan.preparations.items()}.values():
        try:
            warnings = wording.data_warnings(trial.study, trial.seed)
        except ConfigError as error:
            raise data_error(plan.space, error) from error
        lines |= dict.fromkeys(f"seed {trial.seed}     {warning}" for warning in warnings)
    return list(lines)


def slow(plan: Plan, *, gpus: int) -> list[str]:
    """One line for each reason why ``plan`` trains more slowly here than it could."""
    lines = list(plan.experiment.wording.machine_warnings())
    if gpus and plan.space.resources.gpu == 0:
        devices = "a GPU is" if gpus == 1 else f"{gpus} GPUs are"
        lines.append(
            f"{devices} unused, since resources.gpu is 0: --set resources.gpu=1 trains on it by "
            "autograd, which pays for large networks and batches"
        )
    return [f"here       {line}" for line in lines]


def lacking(plan: Plan, *, memory: int, gpus: int) -> list[str]:
    """One line per requirement of ``plan`` beyond ``memory`` bytes and ``gpus``."""
    lines = []
    if problem := too_large(plan, memory):
        lines.append(f"here       {problem}: only a cluster can run it (--address)")
    if (requested := plan.space.resources.gpu) > gpus:
        lines.append(
            f"here       a trial asks for {requested:g} GPU, and this machine has {gpus}: write "
            "--set resources.gpu=0, or join a cluster (--address)"
        )
    return lines


def too_large(plan: Plan, memory: int) -> str:
    """Problem of ``plan`` with ``memory`` bytes; "" if it fits."""
    stored = stored_bytes(plan)
    if stored <= memory:
        return ""
    return (
        f"the prepared data take {stored / 1e9:,.1f} GB in the object "
        f"store, and this machine has {memory / 1e9:,.1f} GB of memory"
    )
