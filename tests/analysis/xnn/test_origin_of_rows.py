"""Name of the table that a sweep read, in the report and below every figure."""

import pandas as pd
import pytest

from analysis.xnn.origin import origin, table_name


def test_a_generated_table_has_its_seed_and_rows():
    assert table_name({"path": None, "rows": 4000}) == "generated (seed 0, 4,000 rows)"


def test_a_file_is_named_without_its_folder():
    assert table_name({"path": "tables/train.csv", "rows": 4000}) == "file train.csv"


def test_the_fingerprint_is_that_of_the_encoded_rows_of_every_seed():
    trials = pd.DataFrame({"data_sha256": ["b" * 64, "a" * 64, "a" * 64, None]})
    (line,) = origin(trials, {"study": {"data": {"path": "t.csv"}}})
    assert "file t.csv" in line
    assert "a" * 12 in line
    assert "1 more split" in line


@pytest.mark.parametrize("swept", [[4000, 8000], ["a.csv", None]])
def test_every_table_of_a_sweep_is_named(swept):
    name = "config/data.rows" if isinstance(swept[0], int) else "config/data.path"
    (line,) = origin(pd.DataFrame({name: swept}), {"study": {"data": {"path": None}}})
    assert line.count(";") == 1


def test_without_a_study_nothing_is_said():
    assert origin(pd.DataFrame({"trial_id": ["a"]}), {}) == []
