"""Predictions for applicants without Response: columns of probabilities, and their figure."""

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from analysis import ColumnError, StorageError
from analysis.__main__ import main
from analysis.figures import NothingToDraw, panels
from analysis.figures.xnn import predictions
from analysis.xnn.predictions import load_predictions, probabilities


def frame(rows=400, *, name="probability_", classes=8):
    draw = np.random.default_rng(0).dirichlet(np.ones(classes), size=rows)
    table = pd.DataFrame({"Id": np.arange(rows), "likeliest": draw.argmax(axis=1) + 1})
    return table.assign(**{f"{name}{k + 1}": draw[:, k] for k in range(classes)}), draw


@pytest.mark.parametrize("name", ["probability_", "p", "Response "])
def test_probabilities_are_the_numbered_columns_in_the_order_of_the_classes(name):
    table, draw = frame(name=name)
    shuffled = table[sorted(table.columns, reverse=True)]
    np.testing.assert_array_equal(probabilities(shuffled), draw)


def test_ten_classes_are_ordered_as_numbers():
    table, draw = frame(classes=10)
    np.testing.assert_array_equal(probabilities(table), draw)


def test_numbered_columns_that_do_not_sum_to_one_are_no_probabilities():
    table, draw = frame()
    np.testing.assert_array_equal(probabilities(table.assign(score_1=0.5, score_2=0.7)), draw)
    with pytest.raises(ColumnError, match="probability_1"):
        probabilities(table.drop(columns="probability_3"))
    with pytest.raises(ColumnError, match="sum to 1"):
        probabilities(table.iloc[:0])


def test_bars_are_shares_of_the_likeliest_class_and_the_outline_mean_probabilities():
    table, draw = frame()
    figure = panels(lambda f: predictions({"X-NN": table}, f), size=(10.5, 4.7))
    left, right = figure.axes
    shares = np.bincount(draw.argmax(axis=1), minlength=8) / len(draw)
    np.testing.assert_allclose([bar.get_height() for bar in left.patches[:8]], shares)
    np.testing.assert_allclose(left.patches[8].get_data().values, draw.mean(axis=0))
    assert right.patches[0].get_data().values.sum() == pytest.approx(1.0)


def test_every_model_has_a_row_of_panels_and_too_many_are_refused():
    table, _ = frame()
    figure = panels(lambda f: predictions({"a": table, "b": table}, f), size=(10.5, 7.8))
    assert len(figure.axes) == 4
    with pytest.raises(NothingToDraw, match="got 7"):
        predictions(dict.fromkeys("abcdefg", table), figure)


def test_a_long_name_leaves_the_number_of_applicants_and_colours_are_those_of_the_legend():
    table, _ = frame(rows=1200)
    models = {"a_long_name_" * 6: table, "b": table}
    figure = panels(lambda f: predictions(models, f), size=(10.5, 7.8))
    left = [ax for ax in figure.axes if ax.get_title(loc="left")]
    assert all(ax.get_title(loc="left").endswith(": 1,200 applicants") for ax in left)
    assert len({patch.get_facecolor() for ax in left for patch in ax.patches[:8]}) == 1


@pytest.mark.usefixtures("drawn_small")
def test_the_command_draws_parquet_files_by_name(tmp_path):
    table, _ = frame(60)
    files = [tmp_path / name for name in ("network.parquet", "trees.parquet")]
    for file in files:
        table.to_parquet(file)
    out = tmp_path / "out"
    done = CliRunner().invoke(main, ["predictions", f"--out={out}", *map(str, files)])
    assert done.exit_code == 0, done.output
    assert (out / "figures" / "predictions.png").stat().st_size > 0


def test_a_file_that_is_no_table_gives_one_line(tmp_path):
    (tmp_path / "rows.csv").write_text("a,b\n1,2\n")
    with pytest.raises(StorageError, match="Parquet"):
        load_predictions(tmp_path / "rows.csv")
    done = CliRunner().invoke(main, ["predictions", f"--out={tmp_path}", f"{tmp_path}/rows.csv"])
    assert done.exit_code == 2
    assert len(done.output.splitlines()) == 1
