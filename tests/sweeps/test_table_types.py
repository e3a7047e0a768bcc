"""Extension types of a table, whose description a registered class would read."""

from typing import ClassVar

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sweeps.journal import parquet


class Reader(pa.ExtensionType):
    """An extension type that notes what it is given to read."""

    descriptions: ClassVar[list[bytes]] = []

    def __init__(self):
        super().__init__(pa.int64(), "hedgesweep.journal")

    def __arrow_ext_serialize__(self):
        return b""

    @classmethod
    def __arrow_ext_deserialize__(cls, storage, serialized):
        cls.descriptions.append(serialized)
        return cls()


@pytest.fixture
def written(tmp_path):
    """A table with a column of a type that is registered."""
    kind = pa.field("a", pa.int64(), metadata={"ARROW:extension:name": "hedgesweep.journal"})
    path = tmp_path / "trials.parquet"
    pq.write_table(pa.table([[1]], schema=pa.schema([kind])), path)
    pa.register_extension_type(Reader())
    yield path
    pa.unregister_extension_type("hedgesweep.journal")
    Reader.descriptions.clear()


def test_no_registered_class_is_given_the_description_of_an_extension_type(written):
    pq.ParquetFile(written)
    assert len(Reader.descriptions) == 1, "control: Arrow reads it while it opens the file"
    with (
        pytest.raises(pa.ArrowInvalid, match="of type extension"),
        parquet.table(written, rows=9),
    ):
        pass
    assert len(Reader.descriptions) == 1


def test_a_footer_that_is_not_searched_wholly_is_refused(written, monkeypatch):
    monkeypatch.setattr(parquet, "_FOOTER", 64)
    with pytest.raises(pa.ArrowInvalid, match="a footer of"), parquet.table(written, rows=9):
        pass
    assert Reader.descriptions == []
