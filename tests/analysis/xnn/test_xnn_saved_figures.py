import shutil

import faked_xnn
import faked_xnn_files
import numpy as np
import pandas as pd
import pytest
from printed import numbers
from safetensors.numpy import save_file

from analysis.figures import NothingToDraw
from analysis.figures.xnn import save_xnn
from analysis.figures.xnn.model_files import TrialFiles, tensors, weights
from analysis.load import load_epochs, load_manifest, load_trials
from analysis.tensors import SweepFiles, TensorFile

MANIFEST = {"study": faked_xnn_files.study()}
SWEPT = {"pareto", "controls", "losses", "fairness", "heat_map"}
OF_NETWORKS = {
    "coefficients",
    "largest_coefficient",
    "nodes",
    "dependence",
    "excitation",
    "response_densities",
    "nearest",
    "components",
    "components_4_to_6",
    "components_7_to_9",
    "column_importance",
    "network",
}


def test_a_tensor_of_another_shape_is_named_with_its_file(tmp_path):
    path = tmp_path / "m" / "xnn.safetensors"
    path.parent.mkdir()
    save_file({"a": np.zeros((2, 3)), "b": np.zeros(4)}, path)
    with pytest.raises(NothingToDraw, match=r"m/xnn.safetensors: b is \[4\], not \[nodes\]"):
        tensors(TensorFile(path=path), {"a": "nodes centroids", "b": "nodes"})


def test_a_tensor_that_is_not_finite_is_refused(tmp_path):
    path = tmp_path / "x.safetensors"
    save_file({"a": np.array([1.0, np.nan])}, path)
    with pytest.raises(NothingToDraw, match="a is not finite"):
        tensors(TensorFile(path=path), {"a": "nodes"})


def test_a_damaged_file_is_a_reason_and_no_error(tmp_path):
    path = tmp_path / "x.safetensors"
    path.write_bytes(b"no tensors")
    with pytest.raises(NothingToDraw, match="cannot be read"):
        weights(TensorFile(path=path))


def test_layers_that_do_not_fit_make_no_network(tmp_path):
    path = tmp_path / "x.safetensors"
    save_file({"layers.0.weight": np.zeros((3, 2)), "layers.1.weight": np.zeros((8, 4))}, path)
    with pytest.raises(NothingToDraw, match=r"layers\.1\.weight"):
        weights(TensorFile(path=path))


def test_a_preparation_outside_its_folder_is_not_read(tmp_path):
    path = tmp_path / "models" / "t" / "xnn.safetensors"
    path.parent.mkdir(parents=True)
    save_file({"a": np.zeros(1)}, path, {"trial": '{"preparation": "../../etc"}'})
    with pytest.raises(NothingToDraw, match="names no preparation"):
        TrialFiles(files=SweepFiles(storage=tmp_path), trial_id="t").prepared("clusters")


def saved(storage):
    trials, manifest = load_trials(storage), load_manifest(storage)
    files = SweepFiles.of(storage, trials, manifest)
    return save_xnn(storage / "report", files, trials, load_epochs(storage), manifest)


def test_a_finished_sweep_has_every_figure(tmp_path, drawn_small):
    storage = faked_xnn.storage(tmp_path / "x", weights=(0.0, 0.3), clusters=(2, 6), seeds=(0,))
    found = saved(storage)
    assert not found.skipped
    assert {path.stem for path in found.written} == SWEPT | OF_NETWORKS
    plain = {path.stem for path in found.written if path.parent.name == "plain_network"}
    assert plain == {"nodes", "dependence", "excitation", "network"}


def test_without_its_network_the_sweep_is_drawn_and_one_line_says_what_is_not(tmp_path, undrawn):
    storage = faked_xnn.storage(
        tmp_path / "x", weights=(0.0, 0.3), clusters=(2, 6), seeds=(0,), models=False
    )
    found = saved(storage)
    assert {path.stem for path in found.written} == SWEPT
    (line,) = found.skipped
    assert "xnn.safetensors" in line
    assert "no such file" in line


def test_without_its_preparation_a_figure_is_a_line_and_the_others_are_drawn(tmp_path, undrawn):
    storage = faked_xnn.storage(tmp_path / "x", weights=(0.0, 0.3), clusters=(2, 6), seeds=(0,))
    shutil.rmtree(storage / "study")
    found = saved(storage)
    lost = {"response_densities", "nearest", *(n for n in OF_NETWORKS if "components" in n)}
    assert {line.split(":")[0] for line in found.skipped} == lost
    assert {path.stem for path in found.written} == SWEPT | OF_NETWORKS - lost


def test_a_sweep_without_a_completed_trial_has_one_line(tmp_path):
    frame = faked_xnn.trials(weights=(0.3,), clusters=(2,), seeds=(0,))
    running = frame.assign(status="running")
    found = save_xnn(
        tmp_path, SweepFiles(storage=tmp_path), running, faked_xnn.epochs(frame), MANIFEST
    )
    assert found.written == ()
    (line,) = found.skipped
    assert "completed" in line


def test_every_problem_has_a_folder_of_its_own(tmp_path, undrawn):
    frame = faked_xnn.trials(weights=(0.0, 0.3), clusters=(2, 6), seeds=(0,))
    both = [frame.assign(**{"config/data.rows": rows}) for rows in (100, 200)]
    trials = pd.concat(both, ignore_index=True)
    found = save_xnn(
        tmp_path, SweepFiles(storage=tmp_path), trials, faked_xnn.epochs(frame), MANIFEST
    )
    assert {p.parent.name for p in found.written} == {"data.rows_100", "data.rows_200"}


def test_more_problems_than_folders_are_counted(tmp_path, undrawn):
    frame = faked_xnn.trials(weights=(0.3,), clusters=(2,), seeds=(0,)).assign(status="failed")
    every = [frame.assign(**{"config/data.rows": rows}) for rows in range(8)]
    trials = pd.concat(every, ignore_index=True)
    files = SweepFiles(storage=tmp_path)
    found = save_xnn(tmp_path, files, trials, faked_xnn.epochs(frame), MANIFEST)
    assert numbers(found.skipped[-1]) == [8, 6]
