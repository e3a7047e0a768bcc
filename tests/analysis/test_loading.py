import subprocess
import sys

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import analysis
from analysis import ColumnError, StorageError, load_epochs, load_manifest, load_trials, schema


def test_analysis_loads_neither_ray_nor_torch():
    """Neither of which a reader of untrusted tables should have in its process."""
    code = "import sys, analysis, analysis.__main__; print(*{'ray', 'torch'} & sys.modules.keys())"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert done.stdout.split() == []


def test_trials_come_back_with_the_dtypes_of_the_dictionary(table, write, grid, tmp_path):
    trials = table(*grid)
    loaded = load_trials(write(tmp_path / "sweep", trials))
    assert schema.check(loaded, "trials") == []
    pd.testing.assert_frame_equal(loaded, trials)


def test_epochs_come_back_with_the_dtypes_of_the_dictionary(epochs, write, tmp_path):
    loaded = load_epochs(write(tmp_path / "sweep", None, epochs))
    assert schema.check(loaded, "epochs") == []
    assert len(loaded) == len(epochs)


def test_columns_that_are_null_everywhere_keep_their_dtype(table, tmp_path):
    # A column without any value yet is written with Arrow's null type.
    trials = table({"status": "running"}, {"status": "running"})
    untyped = pa.Table.from_pylist(
        [{k: None if pd.isna(v) else v for k, v in r.items()} for r in trials.to_dict("records")]
    )
    pq.write_table(untyped, tmp_path / "trials.parquet")
    loaded = load_trials(tmp_path)
    assert schema.check(loaded, "trials") == []
    assert loaded["cvar_05"].isna().all()
    assert loaded["epochs_to_95pct"].notna().all()


def test_integers_with_gaps_stay_integers(table, write, tmp_path):
    trials = table({"converged": False}, {"epochs_to_95pct": 7})
    loaded = load_trials(write(tmp_path, trials))
    assert loaded["epochs_to_95pct"].tolist() == [pd.NA, 7]


def test_parameters_beyond_the_known_ones_are_typed_by_value(table, write, tmp_path):
    trials = table({}, {}).assign(**{"config/study.batch": [64, 128], "config/study.loss": "oce"})
    loaded = load_trials(write(tmp_path, trials))
    assert str(loaded["config/study.batch"].dtype) == "Int64"
    assert str(loaded["config/study.loss"].dtype) == "string"


def test_trials_come_in_order_of_creation(table, write, tmp_path):
    trials = table({"seed": 0}, {"seed": 1}, {"seed": 2})
    loaded = load_trials(write(tmp_path, trials.iloc[::-1]))
    assert loaded["config/seed"].tolist() == [0, 1, 2]


def test_a_table_without_rows_is_read(table, write, tmp_path):
    loaded = load_trials(write(tmp_path, table({}).iloc[:0]))
    assert loaded.empty
    assert schema.check(loaded, "trials") == []


def test_an_equals_sign_in_the_path_adds_no_column(table, write, tmp_path):
    storage = write(tmp_path / "seed=1", table({}))
    assert "seed" not in load_trials(storage).columns


def test_only_the_columns_asked_for_are_read(table, write, tmp_path):
    storage = write(tmp_path, table({}))
    assert list(load_trials(storage, columns=["status"]).columns) == ["status"]
    with pytest.raises(ColumnError, match="has no column 'cvar'; it has: trial_id"):
        load_trials(storage, columns=["cvar"])


def test_a_missing_storage_is_answered_with_the_command_that_makes_one(tmp_path):
    with pytest.raises(
        StorageError, match=r"no such directory; .* hedgesweep run SPACE --storage"
    ):
        load_trials(tmp_path / "absent")


def test_a_sweep_in_its_first_seconds_asks_for_patience(write, tmp_path):
    storage = write(tmp_path, None)
    (storage / "log").mkdir()
    with pytest.raises(StorageError, match=r"no trials.parquet in .* so try again then"):
        load_trials(storage)


def test_a_directory_that_is_no_storage_is_refused(tmp_path):
    with pytest.raises(StorageError, match="holds no sweep"):
        load_epochs(tmp_path)


def test_a_damaged_table_says_that_it_can_be_rebuilt(tmp_path):
    (tmp_path / "trials.parquet").write_bytes(b"PAR1 and then nothing")
    with pytest.raises(StorageError, match=r"cannot be read .*delete it and run the same"):
        load_trials(tmp_path)


def test_a_column_of_the_wrong_kind_is_named(table, write, tmp_path):
    trials = table({}).assign(val_loss="three")
    with pytest.raises(StorageError, match="column 'val_loss' should be float64"):
        load_trials(write(tmp_path, trials))


def test_an_unknown_status_is_refused_rather_than_read_as_null(table, write, tmp_path):
    trials = table({}).assign(status="paused")
    with pytest.raises(StorageError, match="unknown status 'paused'; known: completed, stopped"):
        load_trials(write(tmp_path, trials))


def test_a_column_of_a_newer_writer_is_kept_and_named_by_check(table, write, tmp_path):
    loaded = load_trials(write(tmp_path, table({}).assign(novel=1.0)))
    assert loaded["novel"].tolist() == [1.0]
    assert len(schema.check(loaded, "trials")) == 1


UNIT = {"unit": "EUR", "better": "lower", "meaning": "loss in euros"}


def test_a_column_is_described_by_its_file_and_else_by_the_dictionary(table, write, tmp_path):
    path = write(tmp_path, table({})) / "trials.parquet"
    plain = load_trials(tmp_path)
    assert plain.attrs["columns"] == {}
    stored = pq.read_table(path).replace_schema_metadata(None)
    field = stored.schema.field("val_loss").with_metadata(UNIT)
    fields = stored.schema.set(stored.schema.get_field_index("val_loss"), field)
    pq.write_table(stored.cast(fields), path)
    loaded = load_trials(tmp_path)
    assert loaded.attrs["columns"] == {"val_loss": UNIT}
    assert schema.column("val_loss", frame=loaded).unit == "EUR"
    assert schema.column("cvar_05", frame=loaded) == schema.column("cvar_05")
    pd.testing.assert_frame_equal(loaded, plain)


def test_a_loaded_frame_can_be_written_and_loaded_again(table, write, tmp_path):
    field = pa.field("val_loss", pa.float64(), metadata=UNIT)
    pq.write_table(pa.table([[3.0]], schema=pa.schema([field])), tmp_path / "trials.parquet")
    loaded = load_trials(tmp_path)
    loaded.to_parquet(tmp_path / "trials.parquet", index=False)
    pd.testing.assert_frame_equal(load_trials(tmp_path), loaded)


def test_a_storage_without_manifest_has_an_empty_one(tmp_path):
    assert load_manifest(tmp_path) == {}


@pytest.mark.parametrize(
    ("content", "message"), [("{", "not valid JSON"), ("[]", "must hold a JSON object")]
)
def test_a_damaged_manifest_is_named(tmp_path, content, message):
    (tmp_path / "manifest.json").write_text(content, encoding="utf-8")
    with pytest.raises(StorageError, match=message):
        load_manifest(tmp_path)


@pytest.mark.parametrize("load", [load_trials, load_epochs, load_manifest])
@pytest.mark.parametrize("storage", [None, 3, b"results", ["results"], {}, np.nan])
def test_what_is_no_path_is_refused_by_name(load, storage):
    with pytest.raises(TypeError, match="a storage is text or a Path"):
        load(storage)


@pytest.mark.parametrize("load", [load_trials, load_epochs, load_manifest])
@pytest.mark.parametrize("storage", ["", " ", "a\0b"])
def test_a_name_that_no_directory_can_have_is_refused(load, storage):
    with pytest.raises(StorageError, match="names no directory"):
        load(storage)


@pytest.mark.parametrize("frame", [None, 3, b"results/tickets", {}, [], pd.Series([1])])
@pytest.mark.parametrize(
    "function",
    [
        "best_lr", "budget_curves", "compare", "controls", "max_efficient_sparsity",
        "robust_against_standard", "robustness_table", "sparsity_passes", "summary",
    ],
)  # fmt: skip
def test_what_is_no_frame_is_refused_with_where_to_get_one(function, frame):
    with pytest.raises(TypeError, match=r"trials must be a DataFrame, .*load_trials") as raised:
        getattr(analysis, function)(frame)
    assert len(str(raised.value).splitlines()) == 1
