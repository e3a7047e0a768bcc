"""Network of a trial as an ONNX model, compared with torch before it is written."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from hedgecore.experiment import Graph
from hedgecore.rng import stream
from sweeps.errors import UsageError
from sweeps.inspection.models import loaded_model, stored_trial
from sweeps.journal.stored_sweep import StoredSweep
from sweeps.monitoring.exporters import missing

_OPSET = 20
_ROWS = 1000
_AGREEMENT = 1e-4  # of float32 arithmetic in another order


def export_onnx(storage: str | Path, trial_id: str, *, out: str | Path) -> float:
    """Write the network of a completed trial as ONNX; its largest difference from torch.

    The model has one input, a row of it for each position or insured: the features of a trading
    date, or an encoded row of the table. Names of its columns, trial and sha256 are in the
    metadata of the file. The difference is that of 1,000 random rows, in the unit of the output,
    computed by the reference implementation of ONNX.

    Args:
        storage: folder of a sweep, which is only read; it may still run.
        trial_id: a unique prefix of the trial's id.
        out: the file, a new one.
    Raises:
        UsageError: no such storage or trial; a trial without a model; an experiment whose models
            are not exported; packages are missing; or a file that exists or cannot be written.
    """
    onnx = _onnx()
    sweep = StoredSweep.read(storage)
    trial, network = stored_trial(sweep, trial_id), sweep.experiment.graph
    if network is None:
        raise UsageError(
            f"models of experiment {sweep.experiment.name!r} cannot be exported as ONNX; "
            "sweeps.load_model loads one in Python"
        )
    graph = network(loaded_model(sweep, trial))
    model = _converted(graph, onnx)
    rows = _rows(graph)
    difference = _difference(graph, model, rows, onnx)
    if not difference <= _AGREEMENT:
        raise UsageError(
            f"the ONNX model of trial {trial.entry.trial_id} differs from torch by "
            f"{difference:.3g}; install the versions of constraints.txt, and export again"
        )
    facts = {
        "trial_id": trial.entry.trial_id,
        "sweep": str(sweep.manifest["name"]),
        "model_sha256": str(trial.end.model if trial.end else ""),
        "columns": ",".join(graph.inputs),
        "largest_difference_from_torch": f"{difference:.3g}",
    }
    onnx.helper.set_model_props(model, facts)
    try:
        with Path(out).open("xb") as file:
            file.write(model.SerializeToString(deterministic=True))
    except OSError as error:
        raise UsageError(
            f"{out} cannot be written ({error.strerror}); give another file"
        ) from error
    return difference


def _onnx() -> Any:
    try:
        import onnx
        import onnx.helper
        import onnx.reference
        import onnxscript  # noqa: F401 - torch's exporter needs it
    except ImportError as error:
        raise missing("onnx", "onnx") from error
    return onnx


def _converted(graph: Graph, onnx: Any) -> Any:
    """ONNX model of ``graph``, without texts on where its parts come from."""
    import torch

    example = torch.zeros(2, len(graph.inputs))
    with warnings.catch_warnings(), _silence(logging.getLogger("torch.onnx")):
        warnings.simplefilter("ignore")  # of torch, on its own use of itself
        program = torch.onnx.export(
            graph.module,
            (example,),
            dynamo=True,
            opset_version=_OPSET,
            input_names=["rows"],
            output_names=[graph.output],
            dynamic_shapes=({0: torch.export.Dim("number")},),
            verbose=False,
        )
    assert program is not None, "an exporter without a file returns the program"
    model = program.model_proto
    # Traces of the source lines of this machine, which no reader needs.
    for node in model.graph.node:
        node.ClearField("metadata_props")
        node.ClearField("doc_string")
    for value in (*model.graph.value_info, *model.graph.input, *model.graph.output):
        value.ClearField("metadata_props")
    model.graph.ClearField("metadata_props")
    model.ClearField("metadata_props")
    onnx.checker.check_model(model)
    return model


@contextmanager
def _silence(logger: logging.Logger) -> Iterator[None]:
    """No lines of ``logger``, which names packages that no network here needs."""
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def _rows(graph: Graph) -> Any:
    """Random rows around the typical ones, [1000, inputs] float32; the same at every call."""
    import torch

    noise = torch.randn(_ROWS, len(graph.inputs), generator=stream(0, "onnx"))
    return graph.centre + graph.scale * noise


def _difference(graph: Graph, model: Any, rows: Any, onnx: Any) -> float:
    import torch

    with torch.no_grad():
        ours = graph.module(rows).numpy()
    (theirs,) = onnx.reference.ReferenceEvaluator(model).run(None, {"rows": rows.numpy()})
    return float(np.abs(ours - theirs).max())
