"""TensorBoard as an exporter: event files, one run a trial."""

import struct
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from sweeps.journal.layout import check_name
from sweeps.journal.state import cell
from sweeps.monitoring.exporters import ExportPosition, Row, final, metrics, missing

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

    def begin(self, trial_id: str, config: Row) -> ExportPosition:
        """See :class:`Exporter`."""
        path = self._path(trial_id)
        path.parent.mkdir(parents=True, exist_ok=True)
        content = path.read_bytes() if path.exists() else b""
        events = list(self._events(content))
        whole = events[-1][0] if events else 0
        if whole < len(content):
            with path.open("r+b") as file:
                file.truncate(whole)
        if not whole:
            cells = {name: cell(value) for name, value in config.items()}
            columns = dict.fromkeys(("val_loss", "end/cvar_05"), 0.0)
            experiment, start, _ = self._hparams(cells, columns)
            self._write(trial_id, 0, file_version="brain.Event:2")
            self._write(trial_id, 0, summary=experiment)
            self._write(trial_id, 0, summary=start)
            return ExportPosition()
        over = any(value.tag == _ENDED for value in events[-1][1].summary.value)
        return ExportPosition(max(event.step for _, event in events), over)

    def rows(self, trial_id: str, rows: Sequence[Row]) -> None:
        """See :class:`Exporter`."""
        for row in rows:
            self._write(trial_id, row["epoch"], summary=self._scalars(metrics(row)))

    def end(self, trial_id: str, row: Row) -> None:
        """See :class:`Exporter`."""
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
        """See :class:`Exporter`."""

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
