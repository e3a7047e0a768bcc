"""MLflow as an exporter: one run per trial, on a tracking server or in a file."""

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sweeps.errors import UsageError
from sweeps.journal.state import cell
from sweeps.monitoring.exporters import ExportPosition, Row, final, metrics, missing


class MLflow:
    """Runs of an MLflow experiment, one per trial.

    Args:
        tracking_uri: of a server, or ``sqlite:///FILE``.
        experiment: its name; made if missing.
    Raises:
        UsageError: mlflow is missing, or ``tracking_uri`` is unusable.
    """

    def __init__(self, tracking_uri: str, experiment: str) -> None:
        try:
            from mlflow import MlflowClient, entities
            from mlflow.exceptions import MlflowException
        except ImportError as error:
            raise missing("mlflow", "mlflow") from error
        self._entities = entities
        try:
            self._client = MlflowClient(tracking_uri)
            stored_experiment = self._client.get_experiment_by_name(experiment)
            self._experiment = (
                stored_experiment.experiment_id
                if stored_experiment
                else self._client.create_experiment(experiment)
            )
            self._runs = {run.data.tags.get("trial_id"): run.info for run in self._earlier()}
        except MlflowException as error:
            raise UsageError(
                f"MLflow at {tracking_uri} cannot be used ({error}); give the URI of a server or "
                "sqlite:///FILE"
            ) from error
        self._ids: dict[str, str] = {}

    def begin(self, trial_id: str, config: Row) -> ExportPosition:
        """See :class:`Exporter`."""
        if not (info := self._runs.pop(trial_id, None)):
            tags = {"trial_id": trial_id, "status": "running"}
            info = self._client.create_run(self._experiment, tags=tags, run_name=trial_id).info
        self._ids[trial_id] = info.run_id
        params = [self._entities.Param(name, str(cell(v))) for name, v in config.items()]
        self._client.log_batch(info.run_id, params=params)  # harmless when repeated
        history = self._client.get_metric_history(info.run_id, "epoch")
        return ExportPosition(max((m.step for m in history), default=0), info.status != "RUNNING")

    def rows(self, trial_id: str, rows: Sequence[Row]) -> None:
        """See :class:`Exporter`."""
        run_id = self._ids[trial_id]
        self._client.update_run(run_id, status="RUNNING")
        self._client.set_tag(run_id, "status", "running")
        # The epoch is sent last, which marks its row as complete.
        numbered = [({**metrics(row), "epoch": row["epoch"]}, row["epoch"]) for row in rows]
        batch = [metric for values in numbered for metric in self._metrics(*values)]
        self._client.log_batch(run_id, metrics=batch)

    def end(self, trial_id: str, row: Row) -> None:
        """See :class:`Exporter`."""
        run_id = self._ids[trial_id]
        # Without a reason an empty one, as a retried trial may have had one.
        texts = {"status": row["status"], "reason": row.get("error") or row["reason"] or ""}
        tags = [self._entities.RunTag(name, str(text)) for name, text in texts.items()]
        self._client.log_batch(run_id, metrics=self._metrics(final(row), row["epochs"]), tags=tags)
        status = "FAILED" if row["status"] == "failed" else "FINISHED"
        self._client.set_terminated(run_id, status=status)

    def close(self) -> None:
        """See :class:`Exporter`."""

    def _earlier(self) -> Iterator[Any]:
        token = None
        while True:
            runs = self._client.search_runs([self._experiment], page_token=token)
            yield from runs
            if not (token := runs.token):
                return

    def _metrics(self, values: Mapping[str, float], step: int) -> list[Any]:
        now = round(time.time() * 1000)
        named = ((re.sub(r"[^\w\-. :/]", "_", name), value) for name, value in values.items())
        return [self._entities.Metric(name, value, now, step) for name, value in named]
