"""TensorBoard and MLflow as followers of a sweep; both are imported where they are asked for."""

import re
import struct
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from sweeps.errors import UsageError
from sweeps.journal.layout import check_name
from sweeps.journal.state import cell
from sweeps.monitoring.exporters import Row, Told, final, metrics, missing

_ENDED = "_hparams_/session_end_info"


class TensorBoard:
    """Event files, a run a trial, for ``tensorboard --logdir FOLDER``.

    An epoch is one event, so a crash cannot leave half of one; what it leaves of the last event is
    cut off before more is written.

    Args:
        folder: where; made if missing.
    Raises:
        UsageError: tensorboardX is missing.
    """

    def __init__(self, folder: Path) -> None:
        try:
            from tensorboardX import record_writer, summary
            from tensorboardX.proto import api_pb2, event_pb2, plugin_hparams_pb2, summary_pb2
        except ImportError as error:
            raise missing("tensorboardX", "tensorboard") from error
        self._folder = folder
        self._crc, self._hparams = record_writer.masked_crc32c, summary.hparams
        self._event, self._summary = event_pb2.Event, summary_pb2
        self._api, self._plugin = api_pb2, plugin_hparams_pb2

    def begin(self, trial_id: str, config: Row) -> Told:
        """See :class:`Follower`."""
        path = self._path(trial_id)
        path.parent.mkdir(parents=True, exist_ok=True)
        content = path.read_bytes() if path.exists() else b""
        events = list(self._events(content))
        whole = events[-1][0] if events else 0
        if whole < len(content):
            with path.open("r+b") as file:
                file.truncate(whole)
        if not whole:
            shown = {name: cell(value) for name, value in config.items()}
            columns = dict.fromkeys(("val_loss", "end/cvar_05"), 0.0)
            experiment, start, _ = self._hparams(shown, columns)
            self._write(trial_id, 0, file_version="brain.Event:2")
            self._write(trial_id, 0, summary=experiment)
            self._write(trial_id, 0, summary=start)
            return Told()
        over = any(value.tag == _ENDED for value in events[-1][1].summary.value)
        return Told(max(event.step for _, event in events), over)

    def rows(self, trial_id: str, rows: Sequence[Row]) -> None:
        """See :class:`Follower`."""
        for row in rows:
            self._write(trial_id, row["epoch"], summary=self._scalars(metrics(row)))

    def end(self, trial_id: str, row: Row) -> None:
        """See :class:`Follower`."""
        status = "STATUS_FAILURE" if row["status"] == "failed" else "STATUS_SUCCESS"
        info = self._api.Status.Value(status)
        content = self._plugin.HParamsPluginData(
            session_end_info=self._plugin.SessionEndInfo(status=info)
        )
        summary = self._scalars(final(row))
        value = summary.value.add(tag=_ENDED)
        value.metadata.plugin_data.plugin_name = "hparams"
        value.metadata.plugin_data.content = content.SerializeToString()
        self._write(trial_id, row["epochs"], summary=summary)

    def close(self) -> None:
        """See :class:`Follower`."""

    def _path(self, trial_id: str) -> Path:
        return self._folder / check_name("run", trial_id) / "events.out.tfevents.0.hedgesweep"

    def _scalars(self, values: Mapping[str, float]) -> Any:
        named = [self._summary.Summary.Value(tag=n, simple_value=v) for n, v in values.items()]
        return self._summary.Summary(value=named)

    def _write(self, trial_id: str, step: int, **what: Any) -> None:
        event = self._event(wall_time=time.time(), step=step, **what).SerializeToString()
        size = struct.pack("<Q", len(event))
        crcs = [struct.pack("<I", self._crc(part)) for part in (size, event)]
        # Opened for one event: a sweep has more trials than a process may have open files.
        with self._path(trial_id).open("ab") as file:
            file.write(size + crcs[0] + event + crcs[1])

    def _events(self, content: bytes) -> Iterator[tuple[int, Any]]:
        """Every whole event, and where it ends."""
        at = 0
        while at + 12 <= len(content):
            (size,) = struct.unpack_from("<Q", content, at)
            begin, at = at + 12, at + 16 + size
            if at > len(content):
                return
            yield at, self._event.FromString(content[begin : begin + size])


class MLflow:
    """Runs of an MLflow experiment, one a trial.

    Args:
        tracking_uri: of a server, or ``sqlite:///FILE``.
        experiment: its name; made if missing.
    Raises:
        UsageError: mlflow is missing, or nothing usable is at ``tracking_uri``.
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
            found = self._client.get_experiment_by_name(experiment)
            self._experiment = (
                found.experiment_id if found else self._client.create_experiment(experiment)
            )
            self._runs = {run.data.tags.get("trial_id"): run.info for run in self._earlier()}
        except MlflowException as error:
            raise UsageError(
                f"MLflow at {tracking_uri} cannot be used ({error}); give the URI of a server or "
                "sqlite:///FILE"
            ) from error
        self._ids: dict[str, str] = {}

    def begin(self, trial_id: str, config: Row) -> Told:
        """See :class:`Follower`."""
        if not (info := self._runs.pop(trial_id, None)):
            tags = {"trial_id": trial_id, "status": "running"}
            info = self._client.create_run(self._experiment, tags=tags, run_name=trial_id).info
        self._ids[trial_id] = info.run_id
        params = [self._entities.Param(name, str(cell(v))) for name, v in config.items()]
        self._client.log_batch(info.run_id, params=params)  # harmless when repeated
        history = self._client.get_metric_history(info.run_id, "epoch")
        return Told(max((m.step for m in history), default=0), info.status != "RUNNING")

    def rows(self, trial_id: str, rows: Sequence[Row]) -> None:
        """See :class:`Follower`."""
        run_id = self._ids[trial_id]
        self._client.update_run(run_id, status="RUNNING")
        self._client.set_tag(run_id, "status", "running")
        # The epoch comes last in a row and vouches for what comes before it.
        told = [
            metric
            for row in rows
            for metric in self._metrics({**metrics(row), "epoch": row["epoch"]}, row["epoch"])
        ]
        self._client.log_batch(run_id, metrics=told)

    def end(self, trial_id: str, row: Row) -> None:
        """See :class:`Follower`."""
        run_id = self._ids[trial_id]
        said = {"status": row["status"], "reason": row.get("error") or row["reason"]}
        tags = [self._entities.RunTag(name, str(text)) for name, text in said.items() if text]
        self._client.log_batch(run_id, metrics=self._metrics(final(row), row["epochs"]), tags=tags)
        status = "FAILED" if row["status"] == "failed" else "FINISHED"
        self._client.set_terminated(run_id, status=status)

    def close(self) -> None:
        """See :class:`Follower`."""

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
