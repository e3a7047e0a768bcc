"""Manifest of a running sweep, as records of its log."""

from collections.abc import Mapping

from sweeps.execution.execution import Execution
from sweeps.journal import manifest
from sweeps.journal.preparations import Facts
from sweeps.scheduling.ledger import Ledger


def keep_manifest(execution: Execution, facts: Mapping[str, Facts]) -> None:
    """Write the manifest of the plan of ``execution``, whose preparations have these ``facts``."""
    plan, ledger = execution.plan, execution.ledger
    before = ledger.state.manifest.content if ledger.state.manifest else {}
    content = manifest.content(
        plan,
        facts,
        ledger.state.prepared,
        baselines=manifest.baselines_of(before),
        audit=execution.audit,
    )
    # Seeds that were added in view of the results stay so, however the sweep is continued.
    if before:
        content["until_decided"] = plan.until_decided or before.get("until_decided")
    ledger.keep_manifest(content, plan.space.text)


def without_baselines(execution: Execution) -> list[str]:
    """Keys of the preparations whose baselines are computed beside trials, and still lacking."""
    record = execution.ledger.state.manifest
    if execution.plan.experiment.trainer.baselines is None or record is None:
        return []
    stored = manifest.baselines_of(record.content)
    return [key for key in execution.plan.preparations if key not in stored]


def keep_baselines(ledger: Ledger, baselines: Mapping[str, manifest.Baselines]) -> None:
    """Write the manifest again with the results of ``baselines``, by preparation."""
    record = ledger.state.manifest
    assert record is not None, "it is kept before any trial"
    ledger.keep_manifest(manifest.with_baselines(record.content, baselines), record.space)
