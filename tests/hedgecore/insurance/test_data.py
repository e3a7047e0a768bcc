import hashlib

import numpy as np
import pandas as pd
import pytest

from hedgecore.insurance.data import table as table_module
from hedgecore.insurance.data.schema import COLUMNS, FEATURES, KEYWORDS, ROWS
from hedgecore.insurance.data.synthetic import generate


@pytest.fixture(scope="module")
def table():
    return generate(60, seed=3)


@pytest.fixture
def frame(table):
    """The synthetic table laid out like train.csv."""
    columns = {"Id": np.arange(1, table.rows + 1), **table.columns, "Response": table.response}
    return pd.DataFrame(columns).astype(object)


@pytest.fixture
def written(tmp_path):
    def write(frame):
        path = tmp_path / "train.csv"
        frame.to_csv(path, index=False)
        return path

    return write


def test_the_schema_has_the_publishers_kinds():
    kinds = [column.kind for column in COLUMNS.values()]
    counts = {kind: kinds.count(kind) for kind in kinds}
    assert counts == {
        "id": 1, "nominal": 60, "continuous": 13, "discrete": 5, "dummy": 48, "response": 1
    }  # fmt: skip
    assert (len(FEATURES), len(KEYWORDS)) == (126, 48)


def test_every_level_count_of_the_schema_adds_up_to_the_rows_with_a_value():
    for column in COLUMNS.values():
        if column.levels:
            assert sum(column.levels.values()) == ROWS - column.missing, column.name


def test_what_is_written_is_what_is_read(table, frame, written):
    read = table_module.read(written(frame))
    assert list(read.columns) == list(FEATURES)
    assert np.array_equal(read.response, table.response)
    for name in FEATURES:
        np.testing.assert_array_equal(read.columns[name], table.columns[name])


def test_numbers_are_float64_and_only_product_info_2_is_text(frame, written):
    read = table_module.read(written(frame))
    texts = [name for name, column in read.columns.items() if column.dtype.kind == "U"]
    assert texts == ["Product_Info_2"]
    assert {c.dtype for n, c in read.columns.items() if n not in texts} == {np.dtype("f8")}


def test_the_order_of_columns_does_not_matter(table, frame, written):
    read = table_module.read(written(frame[frame.columns[::-1]]))
    assert list(read.columns) == list(FEATURES)
    assert np.array_equal(read.response, table.response)


def test_the_bytes_of_the_file_are_its_identity(frame, written):
    path = written(frame)
    read = table_module.read(path)
    assert read.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert read.source == "own"


def test_the_competitions_own_file_is_recognised(frame, written, monkeypatch):
    path = written(frame)
    monkeypatch.setattr(
        table_module, "TRAIN_SHA256", hashlib.sha256(path.read_bytes()).hexdigest()
    )
    assert table_module.read(path).source == "prudential"


def test_the_competitions_test_file_is_refused_by_name(frame, written, monkeypatch):
    path = written(frame)
    monkeypatch.setattr(table_module, "TEST_SHA256", hashlib.sha256(path.read_bytes()).hexdigest())
    with pytest.raises(ValueError, match=r"competition's test\.csv.*give train\.csv"):
        table_module.read(path)


@pytest.mark.parametrize(
    ("row", "column", "value", "message"),
    [
        (4, "Ht", 1.3, r"train\.csv:6 Ht must be a number in \[0, 1\], got 1.3"),
        (0, "Ht", "tall", r"train\.csv:2 Ht must be a number in \[0, 1\], got tall"),
        (0, "Ht", "inf", r"train\.csv:2 Ht must be a number in \[0, 1\], got inf"),
        (0, "Ht", "NA", r"train\.csv:2 Ht must be a number in \[0, 1\], got NA"),
        (2, "Ht", None, r"train\.csv:4 Ht is required; it is a number in \[0, 1\], got nothing"),
        (1, "Medical_History_4", 7, r"Medical_History_4 must be one of 1, 2, got 7"),
        (1, "Medical_History_2", 1.5, r"must be a whole number in \[1, 648\], got 1.5"),
        (1, "Medical_History_15", 241, r"in \[0, 240\] or empty, got 241"),
        (1, "Product_Info_2", "F1", r"Product_Info_2 must be one of A1, .*, got F1"),
        (1, "Medical_Keyword_9", 2, r"Medical_Keyword_9 must be one of 0, 1, got"),
        (1, "Response", 9, r"Response must be one of 1, 2, 3, 4, 5, 6, 7, 8, got 9"),
        (5, "Id", 1, r"train\.csv:7 Id is a duplicate; give .*, got 1"),
    ],
)
def test_a_value_outside_the_schema_is_named_with_its_line(
    row, column, value, message, frame, written
):
    frame.loc[row, column] = value
    with pytest.raises(ValueError, match=message):
        table_module.read(written(frame))


def test_the_first_wrong_row_of_the_first_wrong_column_is_named(frame, written):
    frame.loc[[3, 9], "Ht"] = 2
    frame.loc[1, "Medical_History_4"] = 9
    with pytest.raises(ValueError, match=r"train\.csv:5 Ht"):
        table_module.read(written(frame))


def test_columns_must_be_those_of_the_schema(frame, written):
    with pytest.raises(ValueError, match="lacks column BMI; give all 128"):
        table_module.read(written(frame.drop(columns="BMI")))
    with pytest.raises(ValueError, match=r"has a column 'Score' that is not in train\.csv"):
        table_module.read(written(frame.assign(Score=1)))
    with pytest.raises(ValueError, match=r"no column Response; give train\.csv"):
        table_module.read(written(frame.drop(columns="Response")))


def test_a_file_without_rows_or_header_or_at_all_is_refused(frame, written, tmp_path):
    with pytest.raises(ValueError, match="has a header and no rows"):
        table_module.read(written(frame.head(0)))
    empty = tmp_path / "empty.csv"
    empty.touch()
    with pytest.raises(ValueError, match=r"empty\.csv is empty"):
        table_module.read(empty)
    with pytest.raises(FileNotFoundError, match=r"no file .*; give the path of your own copy"):
        table_module.read(tmp_path / "absent.csv")


def test_rows_longer_than_the_header_are_refused(frame, written):
    path = written(frame)
    header, *rows = path.read_text().splitlines()
    path.write_text("\n".join([header, *(f"{row},1" for row in rows)]))
    with pytest.raises(ValueError, match="rows longer than its header"):
        table_module.read(path)
    path.write_text("\n".join([header, rows[0], f"{rows[1]},1"]))
    with pytest.raises(ValueError, match="is not a CSV table"):
        table_module.read(path)


def test_the_three_parts_share_no_row_and_lose_none():
    parts = table_module.split(generate(1000, seed=0), seed=0)
    assert [len(p) for p in (parts.train, parts.validation, parts.test)] == [640, 160, 200]
    together = np.concatenate([parts.train, parts.validation, parts.test])
    assert np.array_equal(np.sort(together), np.arange(1000))


def test_no_seed_moves_the_test_rows_and_every_seed_moves_the_others():
    table = generate(1000, seed=0)
    one, other = (table_module.split(table, seed=seed) for seed in (0, 1))
    assert np.array_equal(one.test, other.test)
    assert not np.array_equal(one.validation, other.validation)


def test_the_published_split_is_the_notebooks():
    parts = table_module.published_split(generate(20, seed=0))
    # numpy's RandomState(42).permutation(20): its first fifth is held out.
    assert parts.validation.tolist() == [0, 17, 15, 1]
    assert np.array_equal(parts.validation, parts.test)
    assert set(parts.train) == set(range(20)) - {0, 17, 15, 1}


@pytest.mark.parametrize(
    "divide", [lambda t: table_module.split(t, seed=0), table_module.published_split]
)
def test_a_handful_of_rows_cannot_be_split(divide):
    with pytest.raises(ValueError, match="9 rows cannot be split; give at least 10"):
        divide(generate(9, seed=0))


def test_labels_count_classes_from_zero(table):
    assert np.array_equal(table.labels + 1, table.response)
    assert set(table.labels) <= set(range(8))


def test_missing_values_are_counted_by_column(table):
    for name, count in table.missing().items():
        assert count == np.isnan(table.columns[name]).sum() > 0
        assert COLUMNS[name].missing > 0
