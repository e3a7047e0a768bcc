"""One trial of an X-NN sweep, from its plain description to the file of its network.

Here is what crosses the border to whoever schedules: rows, checkpoints and models as bytes.
"""

import json
import time
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from safetensors.torch import load, save
from torch import Tensor

from hedgecore.config import from_mapping
from hedgecore.experiment import Json, Tensors
from hedgecore.fingerprints import tensor_sha256
from hedgecore.insurance.config import XnnStudy
from hedgecore.insurance.evaluation.assessment import assess, validate
from hedgecore.insurance.preparation import XnnPreparation
from hedgecore.insurance.xnn.alignment import Landmarks
from hedgecore.insurance.xnn.train import EpochMetrics, Rows, train
from hedgecore.threads import one_thread
from hedgecore.training.snapshot import best_theta

_SECONDS = "seconds"


class XnnRun:
    """Trains the network that ``trial`` describes, from theta_0.

    Args:
        trial: configuration, study and identity of the trial, as plain data.
        checkpoint: where an earlier run was; None to begin at theta_0.
        preparation: what the trials of its seed share.
        device: where to train. What comes of it is measured on the CPU.
    """

    def __init__(
        self,
        trial: Mapping[str, Any],
        checkpoint: bytes | None,
        *,
        preparation: XnnPreparation,
        device: str,
    ) -> None:
        one_thread()
        self._began = time.perf_counter()
        self._trial = trial
        self._study = from_mapping(XnnStudy, trial["study"])
        theta_0 = tensor_sha256(preparation.theta_0.values())
        assert theta_0 == trial["theta_0_sha256"], "theta_0 changed on its way to the trial"
        self._preparation, self._device = preparation, device
        self._resume = load(checkpoint) if checkpoint else None
        if self._resume is not None:
            self._began -= float(self._resume.pop(_SECONDS))
        self._last: EpochMetrics | None = None
        self.facts: Json = {"centroids": len(preparation.points)}

    def epochs(self) -> Iterator[Json]:
        """See :class:`hedgecore.experiment.Run`."""
        preparation, device = self._preparation, self._device
        explanation = self._study.explanation
        pulled = explanation.applied != "none"
        for epoch in train(
            {name: value.to(device) for name, value in preparation.theta_0.items()},
            train_rows=_moved(preparation.rows("train"), device),
            val_rows=_moved(preparation.rows("val"), device),
            landmarks=_landmarks(preparation, device) if pulled else None,
            training=self._study.training,
            explanation=explanation,
            seed=preparation.seed,
            resume=self._resume,
        ):
            self._last = epoch
            yield {**epoch.row(), _SECONDS: self._seconds()}

    def checkpoint(self) -> bytes:
        """See :class:`hedgecore.experiment.Run`."""
        assert self._last is not None, "nothing was trained since the last checkpoint"
        seconds = torch.tensor(self._seconds(), dtype=torch.float64)
        return save({**self._last.snapshot(), _SECONDS: seconds})

    def finish(self, *columns: str) -> tuple[Json, bytes]:
        """See :class:`hedgecore.experiment.Run`."""
        theta = self._best()
        tested, evidence = assess(self._study, self._preparation, theta)
        assert not columns, "whatever a search may ask for is measured anyway"
        validated = validate(self._study, self._preparation, theta)
        end = {**tested, **validated, _SECONDS: self._seconds()}
        return end, _packed(self._trial, self._preparation, theta, evidence)

    def _best(self) -> dict[str, Tensor]:
        """The best parameters, in memory of their own and in the order of the network."""
        if self._last is None:
            assert self._resume is not None, "a run has at least one epoch"
            theta: Tensors = best_theta(self._resume)
        else:
            theta = self._last.theta
        return {name: theta[name].to("cpu", copy=True) for name in self._preparation.theta_0}

    def _seconds(self) -> float:
        return time.perf_counter() - self._began


def _moved(rows: Rows, device: str) -> Rows:
    return Rows(x=rows.x.to(device), y=rows.y.to(device))


def _landmarks(preparation: XnnPreparation, device: str) -> Landmarks:
    landmarks = preparation.landmarks()
    return Landmarks(
        points=landmarks.points.to(device),
        distances=landmarks.distances.to(device),
        quantiles=landmarks.quantiles.to(device),
    )


def _packed(
    trial: Mapping[str, Any],
    preparation: XnnPreparation,
    theta: Mapping[str, Tensor],
    evidence: Mapping[str, Tensor],
) -> bytes:
    """The network as safetensors, with all that turns a row into its inputs, and the evidence."""
    clusters = preparation.files["clusters"]
    inputs = preparation.inputs
    tensors = {
        **theta,
        **{n: value for n, value in inputs.items() if n.startswith("encoding.")},
        **{f"centroids.{n}": clusters[n] for n in ("points", "mean", "inverse_root")},
        **evidence,
    }
    # Contiguous copies: safetensors stores no views.
    stored = {name: t.detach().cpu().clone().contiguous() for name, t in tensors.items()}
    encoding = preparation.about["encoding"]
    about = {**trial, "inputs": encoding["names"], "encoding": encoding}
    # One entry: safetensors writes several in an order that changes from run to run.
    return save(stored, metadata={"trial": json.dumps(about)})
