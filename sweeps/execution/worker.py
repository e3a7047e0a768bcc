"""SegmentWorker: segments of trials, from one rung to the next.

The experiment trains; this module cuts the training into segments.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from hedgecore.arithmetic import arithmetic
from hedgecore.experiment import Run
from hedgecore.threads import one_thread
from hedgecore.training.convergence import DivergedError
from sweeps.errors import OtherArithmeticError, SweepError
from sweeps.journal.lines import strict_json

OpenRun = Callable[[Mapping[str, Any], bytes | None], Run]
"""Opens a run of a trial on a worker, from epoch 0 or from a checkpoint."""


class SegmentWorker:
    """Runs one segment after another; a trial that continues at once is not loaded again."""

    def __init__(self, open_run: OpenRun) -> None:
        one_thread()
        self._open_run = open_run
        self._at: tuple[str, int] | None = None
        self._run: Run
        self._rows: Iterator[dict[str, Any]]

    def segment(self, job: Mapping[str, Any], checkpoint: bytes | None) -> dict[str, Any]:
        """Train ``job`` from its ``start`` to its ``stop``; its segment, as plain data.

        It holds, as bytes, a ``checkpoint`` if the trial is not over, and a ``model`` if it is.
        An exception of a trial is a failure of the trial, not of the worker. A worker whose
        arithmetic is refused trains nothing and returns ``{"type": "refused"}``.
        """
        trial = job["trial"]
        segment: dict[str, Any] = {"type": "segment", "trial_id": trial["trial_id"]}
        segment["arithmetic"] = arithmetic().id
        rows: list[dict[str, Any]] = []
        truncated = False
        try:
            if self._at != (trial["trial_id"], job["start"]):
                self._run = self._open_run(trial, checkpoint)
                self._rows = self._run.epochs()
            segment |= {"facts": self._run.facts, "rows": rows}
            self._at = None
            over = True
            for row in self._rows:
                rows.append(strict_json(row))
                if row["epoch"] >= job["stop"]:
                    over = job["stop"] >= job["limit"]
                    break
            cut = bool(rows) and over and rows[-1]["epoch"] < job["epochs"]
            truncated = cut and rows[-1]["epoch"] >= job["limit"]
            if not over or truncated:
                segment["checkpoint"] = self._run.checkpoint()
                self._at = trial["trial_id"], job["stop"]
            if over:
                end, model = self._run.finish(*job.get("columns", ()))
                segment |= {"end": {"status": "completed", **strict_json(end)}, "model": model}
                if truncated:
                    segment["end"]["truncated"] = True
        except OtherArithmeticError as error:
            return {"type": "refused", "reason": str(error)}
        except DivergedError as error:
            text = f"diverged: {error}"
            if not error.of_baseline:
                text += f" (lr {trial['study']['training']['lr']:g})"
            # A search learns nothing of a configuration from a baseline.
            end = {**_failure(text), "diverged": not error.of_baseline}
            segment |= {"rows": rows, "end": end | ({"truncated": True} if truncated else {})}
        except Exception as error:
            segment |= {"rows": rows, "end": _failure(f"{type(error).__name__}: {error}")}
        return segment


def accepted(segment: dict[str, Any]) -> dict[str, Any]:
    """``segment``, unless its worker refused to train.

    Raises:
        SweepError: the worker refused; the message is its reason.
    """
    if segment["type"] == "refused":
        raise SweepError(segment["reason"])
    return segment


def device_for(gpu: float) -> str:
    """Device of trials: the accelerator if the space requests one."""
    return "cuda" if gpu > 0 else "cpu"


def _failure(error: str) -> dict[str, Any]:
    first = next((line.strip() for line in error.splitlines() if line.strip()), "unknown")
    return {"status": "failed", "error": first.rstrip(": ")}
