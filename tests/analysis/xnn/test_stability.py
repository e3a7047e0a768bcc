import importlib

import faked_xnn
import faked_xnn_files
import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import load_file

from analysis import SweepFiles, load_trials
from analysis.xnn import cells, stability

NODES, K = 5, 4
BETA = np.linalg.qr(np.random.default_rng(0).normal(size=(NODES, NODES)))[0][:, :K]
PLACES = faked_xnn_files.points(K)


@pytest.fixture
def told(tmp_path):
    """The stability of two seeds, the second with tensors of its own."""

    def made(second, *, first=None, without=(), ids=(0, 1)):
        storage = faked_xnn.storage(
            tmp_path / "sweep", weights=(0.3,), clusters=(K,), seeds=(0, 1), models=False
        )
        trials = load_trials(storage)
        own = {"explanation.beta": BETA, "explanation.plain_beta": BETA} | (first or {})
        for row, tensors in zip(trials.to_dict("records"), (own, own | second), strict=True):
            if row["index"] in ids:
                faked_xnn_files.file_model(storage, row, tensors)
        rows, missing = stability(SweepFiles.of(storage, trials), trials, cells(trials))
        return rows.iloc[0] if len(rows) else None, missing

    return made


def test_equal_coefficients_have_cosine_1(told):
    row, missing = told({})
    assert row["cosine"] == pytest.approx(1.0, abs=1e-6)
    assert (row["networks"], row["pairs"], missing) == (2, 1, [])


def test_the_order_of_nodes_does_not_matter(told):
    row, _ = told({"explanation.beta": BETA[[3, 1, 4, 0, 2]]})
    assert row["cosine"] == pytest.approx(1.0, abs=1e-6)


def test_the_order_of_centroids_does_not_matter(told):
    order = [2, 0, 3, 1]
    moved = {"explanation.beta": BETA[:, order], "centroids.points": PLACES[order]}
    assert told(moved)[0]["cosine"] == pytest.approx(1.0, abs=1e-6)


def test_the_size_of_coefficients_does_not_matter(told):
    row, _ = told({"explanation.beta": 7.0 * BETA})
    assert row["cosine"] == pytest.approx(1.0, abs=1e-6)


def test_opposite_coefficients_of_one_centroid_have_cosine_minus_1(told):
    ones = np.ones((NODES, 1)) * [[1.0, 0.0, 0.0, 0.0]]
    row, _ = told({"explanation.beta": -ones}, first={"explanation.beta": ones})
    assert row["cosine"] == pytest.approx(-1.0)


def test_a_dead_node_has_cosine_0(told):
    ones = np.ones((NODES, K))
    half_dead = ones * (np.arange(NODES) < 2)[:, None]
    row, _ = told({"explanation.beta": half_dead}, first={"explanation.beta": ones})
    assert row["cosine"] == pytest.approx(2 / NODES)


def test_plain_networks_are_the_control(told):
    other = np.abs(BETA)
    row, _ = told({"explanation.plain_beta": -other}, first={"explanation.plain_beta": other})
    assert row["plain_cosine"] < 0.0 < row["cosine"]


def test_a_file_without_the_plain_network_has_no_control(told, monkeypatch):
    module = importlib.import_module("analysis.xnn.stability")  # a function has the same name
    monkeypatch.setattr(module, "_PLAIN", "explanation.absent")
    assert pd.isna(told({})[0]["plain_cosine"])


def test_centroids_are_matched_in_the_columns_of_the_table(told):
    # The second seed has twice the sd and another mean, so the same points have other inputs.
    order, mean = [2, 0, 3, 1], np.arange(8.0)
    moved = {"encoding.sd": np.full(8, 2.0), "encoding.mean": mean}
    moved |= {"centroids.points": (PLACES[order] - mean) / 2.0}
    row, _ = told({**moved, "explanation.beta": BETA[:, order]})
    assert row["cosine"] == pytest.approx(1.0, abs=1e-5)


def test_principal_axes_may_point_the_other_way(told):
    order = [2, 0, 3, 1]
    moved = {"encoding.axes": -np.eye(8), "centroids.points": -PLACES[order]}
    row, _ = told(
        {**moved, "explanation.beta": BETA[:, order]}, first={"encoding.axes": np.eye(8)}
    )
    assert row["cosine"] == pytest.approx(1.0, abs=1e-6)


def test_a_model_that_is_not_there_is_told(told):
    row, (line,) = told({}, ids=(0,))
    assert row is None
    assert "x0001/xnn.safetensors" in line
    assert "no such file" in line


def test_a_model_without_coefficients_is_told(tmp_path):
    storage = faked_xnn.storage(tmp_path, weights=(0.3,), clusters=(K,), seeds=(0, 1))
    path = storage / "models" / "x0001" / "xnn.safetensors"
    tensors = load_file(path)
    del tensors["explanation.beta"]
    faked_xnn_files._save(path, tensors)
    trials = load_trials(storage)
    rows, (line,) = stability(SweepFiles.of(storage, trials), trials, cells(trials))
    assert len(rows) == 0
    assert str(path) in line
    assert "no explanation.beta" in line


def test_columns_that_only_one_seed_has_are_at_their_mean(told, monkeypatch):
    # The second seed lacks the last input, which all centroids have at its mean of 0.
    places = PLACES * (np.arange(8) < 7)
    order = [2, 0, 3, 1]
    moved = {"encoding.mean": np.zeros(7), "encoding.sd": np.ones(7)}
    moved |= {"encoding.axes": np.zeros((0, 7)), "centroids.points": places[order][:, :7]}
    moved |= {"explanation.beta": BETA[:, order]}
    names, filed = iter([8, 7]), faked_xnn_files.file_model

    def file_model(*given):
        monkeypatch.setattr(faked_xnn_files, "INPUTS", faked_xnn_files.INPUTS[: next(names)])
        filed(*given)

    monkeypatch.setattr(faked_xnn_files, "file_model", file_model)
    row, missing = told(moved, first={"centroids.points": places})
    assert missing == []
    assert row["cosine"] == pytest.approx(1.0, abs=1e-6)


def test_cells_of_one_seed_have_no_stability(tmp_path):
    storage = faked_xnn.storage(tmp_path, weights=(0.3,), clusters=(K,), seeds=(0,))
    trials = load_trials(storage)
    assert len(stability(SweepFiles.of(storage, trials), trials, cells(trials))[0]) == 0
