"""TensorBoard as an exporter: event files, one run per trial."""

import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from sweeps.journal.layout import check_name
from sweeps.journal.state import cell
from sweeps.monitoring.exporters import ExportPosition, Row, final, metrics, missing


class TensorBoard:
    """Event files, one run per trial, for ``tensorboard --logdir FOLDER``.

    Each call writes one file, named after the position that it reaches and renamed once it is
    whole: names give a later driver start its position, and a crash leaves no partial event.

    Args:
        folder: of the files; made if missing.
    Raises:
        UsageError: tensorboardX is missing.
    """

    def __init__(self, folder: Path) -> None:
        try:
            from tensorboardX import summary
            from tensorboardX.event_file_writer import EventsWriter
            from tensorboardX.proto import api_pb2, event_pb2, plugin_hparams_pb2, summary_pb2
        except ImportError as error:
            raise missing("tensorboardX", "tensorboard") from error
        self._folder = folder
        # SummaryWriter runs a thread and a process queue per file, and hides a full disk; this is
        # the writer inside it.
        self._writer, self._hparams = EventsWriter, summary.hparams
        self._event, self._summary = event_pb2.Event, summary_pb2.Summary
        self._api, self._plugin = api_pb2, plugin_hparams_pb2

    def begin(self, trial_id: str, config: Row) -> ExportPosition:
        """See :class:`Exporter`."""
        folder = self._run(trial_id)
        folder.mkdir(parents=True, exist_ok=True)
        for path in folder.glob("*.part"):
            path.unlink()
        names = [path.name.split(".") for path in folder.glob("events.out.tfevents.*")]
        if not names:
            cells = {name: cell(value) for name, value in config.items()}
            columns = dict.fromkeys(("val_loss", "end/cvar_05"), 0.0)
            experiment, start, _ = self._hparams(cells, columns)
            self._write(trial_id, ExportPosition(), [(0, experiment), (0, start)])
            return ExportPosition()
        return max(ExportPosition(int(epoch), over == "1") for *_, epoch, over in names)

    def rows(self, trial_id: str, rows: Sequence[Row]) -> None:
        """See :class:`Exporter`."""
        events = [(row["epoch"], self._scalars(metrics(row))) for row in rows]
        self._write(trial_id, ExportPosition(rows[-1]["epoch"]), events)

    def end(self, trial_id: str, row: Row) -> None:
        """See :class:`Exporter`."""
        status = "STATUS_FAILURE" if row["status"] == "failed" else "STATUS_SUCCESS"
        info = self._plugin.SessionEndInfo(status=self._api.Status.Value(status))
        *_, ended = self._hparams({}, {})
        content = self._plugin.HParamsPluginData(session_end_info=info).SerializeToString()
        ended.value[0].metadata.plugin_data.content = content
        events = [(row["epochs"], self._scalars(final(row))), (row["epochs"], ended)]
        self._write(trial_id, ExportPosition(row["epochs"], over=True), events)

    def close(self) -> None:
        """See :class:`Exporter`."""

    def _run(self, trial_id: str) -> Path:
        return self._folder / check_name("run", trial_id)

    def _scalars(self, values: dict[str, float]) -> Any:
        return self._summary(
            value=[self._summary.Value(tag=n, simple_value=v) for n, v in values.items()]
        )

    def _write(
        self, trial_id: str, position: ExportPosition, events: Sequence[tuple[int, Any]]
    ) -> None:
        suffix = f".{position.epoch}.{int(position.over)}.part"
        with closing(self._writer(str(self._run(trial_id) / "events"), suffix)) as writer:
            for step, summary in events:
                writer.write_event(self._event(wall_time=time.time(), step=step, summary=summary))
        for path in self._run(trial_id).glob("*.part"):
            path.rename(path.with_suffix(""))
