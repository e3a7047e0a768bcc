import io
import os
from typing import ClassVar

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from analysis import StorageError, bounds, load_epochs, load_manifest, load_trials, schema
from analysis.parquet_pages import pages

ROWS = 2_000


def repeated(text, *, rows=ROWS):
    """A column that repeats one text, in a few bytes of file."""
    return pa.DictionaryArray.from_arrays(np.zeros(rows, dtype=np.int32), pa.array([text]))


class Foreign(pa.ExtensionType):
    def __init__(self):
        super().__init__(pa.int64(), "hedgesweep.test")

    def __arrow_ext_serialize__(self):
        return b""

    @classmethod
    def __arrow_ext_deserialize__(cls, storage, serialized):
        return cls()


REFUSED = {
    "a text of a megabyte in every row": ({"reason": repeated("x" * 1_000_000)}, "in a text"),
    "texts that decode to gigabytes": (
        {"reason": repeated("x" * 90_000, rows=100_000)},
        "bytes of text",
    ),
    "more rows than any sweep has": ({"index": pa.nulls(300_000, pa.int64())}, "rows, at most"),
    "more columns than any sweep has": ({f"c{i}": [1.0] for i in range(4_001)}, "columns"),
    "a name of a thousand letters": ({"config/" + "n" * 1_000: [1.0]}, "in the name"),
    "a value of two thousand letters": ({"config/x": ["n" * 2_000]}, "a text of 2000"),
    "a list": ({"cvar_05": [[1.0]]}, "nested"),
    "a struct": ({"cvar_05": [{"a": 1.0}]}, "nested"),
    "a time": ({"cvar_05": pa.array([1], pa.timestamp("ns"))}, "of type timestamp"),
    "bytes": ({"cvar_05": [b"x"]}, "of type binary"),
    "an extension type": (
        {"cvar_05": pa.ExtensionArray.from_storage(Foreign(), pa.array([1]))},
        "of type extension",
    ),
    "an id that leads elsewhere": ({"trial_id": ["../../home"]}, "trial_id"),
    "an id that is null": ({"trial_id": pa.array([None], pa.string())}, "trial_id"),
    "an epoch of a billion": ({"epochs": [10**9]}, "outside of 0 to 1000000"),
    "an epoch before the first": ({"stopped_at": [-1]}, "outside of 0 to 1000000"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_table_beyond_the_bounds_is_refused_in_a_line(what, tmp_path):
    columns, match = REFUSED[what]
    pa.register_extension_type(Foreign())
    try:
        pq.write_table(pa.table(columns), tmp_path / "trials.parquet")
        with pytest.raises(StorageError, match=match) as refused:
            load_trials(tmp_path)
    finally:
        pa.unregister_extension_type("hedgesweep.test")
    assert len(str(refused.value).splitlines()) == 1


class Reader(Foreign):
    """An extension type that notes what it is given to read."""

    descriptions: ClassVar[list[bytes]] = []

    @classmethod
    def __arrow_ext_deserialize__(cls, storage, serialized):
        cls.descriptions.append(serialized)
        return cls()


@pytest.mark.parametrize("padding", range(6))
def test_no_registered_class_is_given_the_description_of_an_extension_type(padding, tmp_path):
    """Wherever in the schema the name of the type lies, and registered or not."""
    name = "c" * (padding + 1)
    kind = pa.field(name, pa.int64(), metadata={"ARROW:extension:name": "hedgesweep.test"})
    other = pa.field("x", pa.string(), metadata={"k" * padding: "v"})
    columns = pa.table([["a"], [1]], schema=pa.schema([other, kind]))
    pq.write_table(columns, tmp_path / "trials.parquet")
    with pytest.raises(StorageError, match="of type extension"):
        load_trials(tmp_path)
    pa.register_extension_type(Reader())
    try:
        pq.ParquetFile(tmp_path / "trials.parquet")
        assert len(Reader.descriptions) == 1, "control: Arrow reads it while it opens the file"
        with pytest.raises(StorageError, match="of type extension"):
            load_trials(tmp_path)
        assert len(Reader.descriptions) == 1
    finally:
        pa.unregister_extension_type("hedgesweep.test")
        Reader.descriptions.clear()


def test_two_columns_of_one_name_are_refused(tmp_path):
    table = pa.table([pa.array([1.0]), pa.array([2.0])], names=["cvar_05", "cvar_05"])
    pq.write_table(table, tmp_path / "trials.parquet")
    with pytest.raises(StorageError, match="the same name"):
        load_trials(tmp_path)


@pytest.mark.parametrize("encoding", ["DELTA_BYTE_ARRAY", "DELTA_LENGTH_BYTE_ARRAY"])
def test_an_encoding_that_no_sweep_writes_is_refused(encoding, tmp_path):
    table = pa.table({"reason": ["aa", "ab"]})
    path = tmp_path / "trials.parquet"
    pq.write_table(table, path, use_dictionary=False, column_encoding={"reason": encoding})
    with pytest.raises(StorageError, match="of encoding"):
        load_trials(tmp_path)


def test_pages_are_counted_by_what_decoding_them_takes_and_not_by_the_footer(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(bounds, "DECODED_BYTES", 10_000_000)
    text = pa.array(["x" * 99_000] * 200)
    path = tmp_path / "trials.parquet"
    pq.write_table(pa.table({"reason": text}), path, use_dictionary=False, compression="zstd")
    content = path.read_bytes()
    assert len(content) < 30_000
    column = pq.ParquetFile(path).metadata.row_group(0).column(0)
    # The footer is patched to state a quarter of the decoded size.
    size, small = (_varint(2 * n) for n in (column.total_uncompressed_size, 5_000_000))
    assert len(size) == len(small)
    path.write_bytes(content[:-400] + content[-400:].replace(size, small))
    assert pq.ParquetFile(path).metadata.row_group(0).column(0).total_uncompressed_size < 10**7
    with pytest.raises(StorageError, match="decoded bytes"):
        load_trials(tmp_path)


@pytest.mark.parametrize("version", ["1.0", "2.0"])
@pytest.mark.parametrize("dictionary", [True, False])
@pytest.mark.parametrize("checksum", [True, False])
def test_page_headers_are_read_as_arrow_writes_them(version, dictionary, checksum):
    frame = pd.DataFrame({"a": np.arange(1_000), "b": [f"t{i % 7}" for i in range(1_000)]})
    file = io.BytesIO()
    pq.write_table(
        pa.Table.from_pandas(frame),
        file,
        row_group_size=300,
        data_page_version=version,
        use_dictionary=dictionary,
        write_page_checksum=checksum,
    )
    about = pq.ParquetFile(file).metadata
    for group in range(about.num_row_groups):
        for place in range(2):
            column = about.row_group(group).column(place)
            starts = (column.dictionary_page_offset, column.data_page_offset)
            start = min(s for s in starts if s is not None)
            found = list(
                pages(file.getvalue(), start, start + column.total_compressed_size),
            )
            data = [page for page in found if page.encoding != 0 or not dictionary]
            assert sum(page.values for page in data) == column.num_values
            headers = column.total_uncompressed_size - sum(page.decoded for page in found)
            assert 0 < headers < 500


def _varint(value):
    coded = b""
    while value > 127:
        coded += bytes([value & 127 | 128])
        value >>= 7
    return coded + bytes([value])


def test_a_damaged_page_is_refused_where_it_has_a_checksum(table, tmp_path):
    path = tmp_path / "trials.parquet"
    pq.write_table(
        pa.Table.from_pandas(pd.DataFrame({"val_loss": np.arange(50) + 0.5})),
        path,
        write_page_checksum=True,
        compression="none",
        use_dictionary=False,
    )
    content = bytearray(path.read_bytes())
    at = content.index(np.float64(7.5).tobytes())
    content[at] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(StorageError, match="cannot be read"):
        load_trials(tmp_path)


@pytest.mark.parametrize("load", [load_trials, load_epochs, load_manifest])
@pytest.mark.parametrize("kind", ["pipe", "link", "device", "folder"])
def test_what_is_no_regular_file_is_refused_at_once(load, kind, tmp_path):
    for name in ("trials.parquet", "epochs.parquet", "manifest.json"):
        path = tmp_path / name
        if kind == "pipe":
            os.mkfifo(path)
        elif kind == "link":
            (tmp_path / "elsewhere").write_text("{}")
            path.symlink_to("elsewhere")
        elif kind == "device":
            path.symlink_to("/dev/zero")
        else:
            path.mkdir()
    with pytest.raises(StorageError, match="cannot be read") as refused:
        load(tmp_path)
    assert len(str(refused.value).splitlines()) == 1


MANIFESTS = {
    "nested too deep": "[" * 100_000,
    "nested": '{"a": ' + "[" * 500 + "]" * 500 + "}",
    "beyond 2": '{"trials": ' + "9" * 400 + "}",
    "not valid JSON": "{",
    "must hold a JSON object": "[]",
    "another study": '{"study": []}',
    "another study.attack.steps": '{"study": {"attack": {"steps": "three"}}}',
    "another preparations.p": '{"preparations": {"p": 3}}',
    "another preparations.p.files.clusters": '{"preparations": {"p": {"files": {"clusters": 1}}}}',
    "another scheduler.asha.stratify_by": '{"scheduler": {"asha": {"stratify_by": {}}}}',
    "another audit": '{"audit": true}',
}


@pytest.mark.parametrize("match", MANIFESTS)
def test_a_manifest_that_no_sweep_writes_is_refused_in_a_line(match, tmp_path):
    (tmp_path / "manifest.json").write_text(MANIFESTS[match])
    with pytest.raises(StorageError, match=match) as refused:
        load_manifest(tmp_path)
    assert len(str(refused.value).splitlines()) == 1


def test_a_manifest_larger_than_the_bound_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(bounds, "MANIFEST_BYTES", 10)
    (tmp_path / "manifest.json").write_text('{"name": "a name"}')
    with pytest.raises(StorageError, match="18 bytes, at most 10"):
        load_manifest(tmp_path)


def test_numbers_that_are_none_any_more_are_null_and_counted(table, write, tmp_path):
    trials = table({"cvar_01": np.inf}, {"cvar_01": -1e200}, {"cvar_01": -3.0})
    loaded = load_trials(write(tmp_path, trials))
    assert loaded["cvar_01"].isna().tolist() == [True, True, False]
    assert loaded.attrs["infinite"] == 2


SOUND = {b"unit": b"1", b"better": b"lower", b"meaning": b"loss"}


@pytest.mark.parametrize(
    "metadata",
    [
        {},
        {b"unit": b"1"},
        SOUND | {b"meaning": b"m" * 501},
        SOUND | {b"unit": b"u" * 100_000},
        SOUND | {b"unit": b"\xff"},
        SOUND | {b"better": b"best"},
        {key.upper(): text for key, text in SOUND.items()},
    ],
)
def test_a_description_that_no_sweep_writes_is_left_to_the_dictionary(metadata, tmp_path):
    field = pa.field("val_loss", pa.float64(), metadata=metadata)
    pq.write_table(pa.table([[3.0]], schema=pa.schema([field])), tmp_path / "trials.parquet")
    loaded = load_trials(tmp_path)
    assert loaded.attrs["columns"] == {}
    assert schema.column("val_loss", frame=loaded) == schema.column("val_loss")


def test_a_description_of_a_stranger_is_printable(tmp_path):
    metadata = SOUND | {b"meaning": "\x1b[2Jloss\u202e\n".encode(), b"more": b"x" * 1_000_000}
    field = pa.field("\x1bnovel", pa.float64(), metadata=metadata)
    pq.write_table(pa.table([[3.0]], schema=pa.schema([field])), tmp_path / "trials.parquet")
    ((name, description),) = load_trials(tmp_path).attrs["columns"].items()
    assert name == "\\x1bnovel"
    assert description.keys() == {"unit", "better", "meaning"}
    assert all(text.isprintable() for text in description.values())


def test_a_description_lifts_no_bound_from_a_column(tmp_path):
    field = pa.field("epochs", pa.int64(), metadata=SOUND)
    pq.write_table(pa.table([[10**9]], schema=pa.schema([field])), tmp_path / "trials.parquet")
    with pytest.raises(StorageError, match="outside of 0 to 1000000"):
        load_trials(tmp_path)
