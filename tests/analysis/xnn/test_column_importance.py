"""Importance of input columns in the report: means over seeds, units, and files without it."""

import json

import numpy as np
import pandas as pd
import pytest
from faked_xnn_files import INPUTS, file_model, file_study, preparation
from safetensors.numpy import save_file

from analysis import SweepFiles
from analysis.figures import NothingToDraw, panels
from analysis.figures.xnn import column_importance as drawn
from analysis.xnn.importance import BOOSTED, PLAIN, UNITS, XNN, column_importance


@pytest.fixture(name="sweep")
def _sweep(tmp_path):
    """Files of an X-NN and a plain network at four seeds."""
    rows = []
    for name in ("xnn", "plain"):
        for seed in range(4):
            trial = {"trial_id": f"{name}{seed}", "config/seed": seed, "config/clusters": 3}
            trial |= {"r2_mean": 0.5, "r2_plain": 0.3, "accuracy": 0.5, "theta_0_sha256": "0"}
            rise = np.linspace(0.08, -0.005, len(INPUTS)) + 0.01 * seed
            file_model(tmp_path, trial, {"importance.rise": rise})
            file_study(tmp_path / "study" / preparation(seed, 3), seed, 3)
            rows.append(trial)
    frame = pd.DataFrame(rows)
    return SweepFiles.of(tmp_path, frame), frame.iloc[:4], frame.iloc[4:]


def test_every_model_has_its_columns_most_important_first_in_its_unit(sweep):
    rows, missing = column_importance(*sweep)
    assert not missing
    assert list(dict.fromkeys(rows["model"])) == [XNN, PLAIN, BOOSTED]
    assert rows["model"].map(UNITS).tolist() == rows["unit"].tolist()
    for _, part in rows.groupby("model"):
        assert part["importance"].is_monotonic_decreasing
        assert set(part["seeds"]) == {4}
    trees = rows[rows["model"].eq(BOOSTED)]
    assert trees["column"].iloc[0] == "BMI_Age"
    assert trees["importance"].sum() == pytest.approx(1.0)
    assert trees["se"].isna().all()


def test_the_mean_is_over_seeds_and_the_standard_error_is_not_reduced_by_them(sweep):
    first = column_importance(*sweep)[0].iloc[0]
    assert first["importance"] == pytest.approx(0.095, abs=1e-6)
    assert first["importance_low"] < 0.095 < first["importance_high"]
    assert first["se"] == pytest.approx(0.004)


def test_without_a_chosen_configuration_plain_network_and_trees_remain(sweep):
    files, trials, plain = sweep
    rows, _ = column_importance(files, trials.iloc[:0], plain)
    assert list(dict.fromkeys(rows["model"])) == [PLAIN, BOOSTED]


def test_models_of_older_sweeps_have_a_line_each_and_no_figure(sweep, tmp_path):
    files, trials, plain = sweep
    for name in trials["trial_id"]:
        about = {"trial": json.dumps({"preparation": preparation(0, 3)})}
        path = tmp_path / "models" / name / "xnn.safetensors"
        save_file({"layers.0.weight": np.zeros((2, 2), np.float32)}, path, about)
    rows, missing = column_importance(files, trials, plain.iloc[:0])
    assert rows.empty
    assert len(missing) == 4
    with pytest.raises(NothingToDraw, match="run the sweep again"):
        panels(lambda f: drawn(rows, f, subject="-"), size=(12.5, 5.4))


def test_an_importance_that_does_not_fit_its_columns_is_not_read(sweep, tmp_path):
    files, trials, plain = sweep
    trial = trials.iloc[0].to_dict()
    file_model(tmp_path, trial, {"importance.rise": np.zeros(3)})
    _, missing = column_importance(files, trials, plain)
    assert len(missing) == 1
    assert "does not fit" in missing[0]


def test_the_figure_has_bars_with_two_standard_errors(sweep):
    rows, _ = column_importance(*sweep)
    figure = panels(lambda f: drawn(rows, f, subject="K = 3"), size=(12.5, 5.4))
    assert [ax.get_title(loc="left") for ax in figure.axes] == [XNN, PLAIN, BOOSTED]
    widths = [bar.get_width() for bar in figure.axes[0].patches]
    np.testing.assert_allclose(widths, rows[rows["model"].eq(XNN)]["importance"])
    (ends,) = figure.axes[0].collections[0].get_segments()[:1]
    assert ends[1][0] - ends[0][0] == pytest.approx(4 * 0.004, rel=1e-5)
