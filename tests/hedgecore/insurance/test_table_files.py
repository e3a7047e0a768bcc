"""Formats of one generated table: all that can be read give equal values, others one line."""

import bz2
import csv
import gzip
import io
import lzma
import os
import zipfile

import numpy as np
import pandas as pd
import pytest

from hedgecore.insurance.data import archives, files
from hedgecore.insurance.data.schema import FEATURES
from hedgecore.insurance.data.synthetic import generate
from hedgecore.insurance.data.table import check_file, digest, read


@pytest.fixture(scope="module")
def table():
    return generate(300, seed=3)


@pytest.fixture(scope="module")
def frame(table):
    columns = {"Id": np.arange(1, table.rows + 1), **table.columns, "Response": table.response}
    return pd.DataFrame(columns)


def text(frame, **dialect):
    return frame.to_csv(index=False, **dialect)


def zipped(**members):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name.replace("_", "."), content)
    return buffer.getvalue()


def with_litter(content):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("__MACOSX/._train.csv", b"x")
        archive.writestr("data/.DS_Store", b"x")
        archive.writestr("data/train.csv", content)
    return buffer.getvalue()


def parquet(frame, **options):
    buffer = io.BytesIO()
    frame.to_parquet(buffer, **options)
    return buffer.getvalue()


def rows_end_in_separators(frame):
    header, *rows = text(frame).splitlines()
    return "\n".join([header, *(f"{row},," for row in rows)]).encode()


FORMATS = {
    "csv": lambda f: text(f).encode(),
    "zip": lambda f: zipped(train_csv=text(f)),
    "zip with litter": lambda f: with_litter(text(f)),
    "gz": lambda f: gzip.compress(text(f).encode()),
    "gz in zip": lambda f: zipped(train_csv_gz=gzip.compress(text(f).encode())),
    "bz2": lambda f: bz2.compress(text(f).encode()),
    "xz": lambda f: lzma.compress(text(f).encode()),
    "parquet": lambda f: parquet(f, index=False),
    "parquet of small types": lambda f: parquet(
        f.assign(Response=f["Response"].astype("int8"), Id=f["Id"].astype("Int32"))
    ),
    "parquet with an index": lambda f: parquet(f.iloc[:].set_axis(range(7, 7 + len(f)))),
    "parquet of categories": lambda f: parquet(
        f.astype({"Product_Info_2": "category", "Product_Info_1": "category"})
    ),
    "parquet of text": lambda f: parquet(f.astype({"Product_Info_1": "str"}), compression="zstd"),
    "semicolons": lambda f: text(f, sep=";").encode(),
    "semicolons, decimal commas": lambda f: text(f, sep=";", decimal=",").encode(),
    "Excel's separator line": lambda f: b"sep=;\r\n" + text(f, sep=";", decimal=",").encode(),
    "tabs": lambda f: text(f, sep="\t").encode(),
    "tabs, decimal commas": lambda f: text(f, sep="\t", decimal=",").encode(),
    "bars": lambda f: text(f, sep="|").encode(),
    "UTF-16": lambda f: text(f).encode("utf-16"),
    "UTF-16 BE": lambda f: b"\xfe\xff" + text(f).encode("utf-16-be"),
    "UTF-16 without mark": lambda f: text(f, sep="\t").encode("utf-16-le"),
    "UTF-16 BE without mark": lambda f: text(f).encode("utf-16-be"),
    "UTF-32": lambda f: text(f).encode("utf-32"),
    "UTF-8 with mark": lambda f: text(f).encode("utf-8-sig"),
    "lower case": lambda f: text(f.rename(columns=str.lower)).encode(),
    "upper case": lambda f: text(f.rename(columns=str.upper)).encode(),
    "parquet in lower case": lambda f: parquet(f.rename(columns=str.lower)),
    "spaces in the header": lambda f: text(f.rename(columns=lambda n: f" {n} ")).encode(),
    "quoted": lambda f: text(f, quoting=csv.QUOTE_ALL).encode(),
    "quoted, decimal commas": lambda f: text(f, quoting=csv.QUOTE_ALL, decimal=",").encode(),
    "trailing empty columns": lambda f: text(
        f.assign(a=None, b=None).rename(columns={"a": "", "b": " "})
    ).encode(),
    "rows end in separators": rows_end_in_separators,
    "trailing empty rows": lambda f: text(f).encode() + b"\n\n" + b"," * 127 + b"\n",
    "CRLF": lambda f: text(f, lineterminator="\r\n").encode(),
    "CR": lambda f: text(f, lineterminator="\r").encode(),
    "other order": lambda f: text(f[f.columns[::-1]]).encode(),
}


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_of_one_table_is_parsed_to_equal_values(kind, table, frame, tmp_path):
    path = tmp_path / "train"
    path.write_bytes(FORMATS[kind](frame))
    check_file(path)
    parsed = read(path)
    assert list(parsed.columns) == list(FEATURES)
    assert digest(parsed.columns, parsed.response) == digest(table.columns, table.response)


@pytest.mark.parametrize("kind", ["zip", "gz", "bz2", "xz", "gz in zip", "zip with litter"])
def test_a_compressed_file_has_the_hash_of_the_file_in_it(kind, frame, tmp_path):
    for name in ("csv", kind):
        (tmp_path / name).write_bytes(FORMATS[name](frame))
    assert read(tmp_path / kind).sha256 == read(tmp_path / "csv").sha256


def cut(content):
    return content[: len(content) // 2]


def encrypted(frame):
    content = bytearray(zipped(train_csv=text(frame)))
    content[6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    return bytes(content)


REFUSED = {
    "several in a zip": (
        lambda f: zipped(test_csv=text(f), train_csv=text(f)),
        r"2 files \(test\.csv, train\.csv\); .*unzip -p .* train\.csv > train\.csv",
    ),
    "none in a zip": (lambda f: zipped(), "holds no file"),
    "encrypted zip": (encrypted, "encrypted"),
    "truncated zip": (lambda f: cut(zipped(train_csv=text(f))), "zip archive that is cut off"),
    "truncated gz": (lambda f: cut(gzip.compress(text(f).encode())), "gz file that is cut off"),
    "truncated bz2": (lambda f: cut(bz2.compress(text(f).encode())), "bz2 file that is cut off"),
    "truncated xz": (lambda f: cut(lzma.compress(text(f).encode())), "xz file that is cut off"),
    "truncated parquet": (lambda f: cut(parquet(f)), "damaged Parquet"),
    "xlsx": (
        lambda f: with_entries("[Content_Types].xml", "xl/workbook.xml"),
        "workbook.*save it as CSV",
    ),
    "xls": (lambda f: b"\xd0\xcf\x11\xe0" + b"\0" * 600, "Excel workbook; save it as CSV"),
    "web page": (lambda f: b"\n<!DOCTYPE html><html><body>Sign in", "web page.*log in"),
    "JSON": (lambda f: f.head(2).to_json(orient="records").encode(), "JSON.*save it as CSV"),
    "pickle": (lambda f: b"\x80\x05\x95.", "pickle"),
    "tar in gz": (lambda f: gzip.compress(b"x" * 257 + b"ustar" + b"\0" * 300), r"tar -xf"),
    "NULs at the end": (lambda f: text(f).encode() + b"\0" * 4096, "4,096 NUL bytes"),
    "NULs only": (lambda f: b"\0" * 5000, "5,000 NUL bytes"),
    "NULs in a row": (lambda f: text(f).encode().replace(b"\n", b"\n\0", 7), "7 NUL bytes"),
    "half of UTF-16": (lambda f: text(f).encode("utf-16")[:-1], "UTF-16 .*copy it again"),
    "empty gz": (lambda f: gzip.compress(b""), "is empty"),
    "header twice": (
        lambda f: text(f.assign(ht=f["Ht"])).encode(),
        "two columns Ht; remove one",
    ),
    "index of pandas": (lambda f: f.to_csv().encode(), r"without a name \(1\).*index=False"),
    "accent in another column": (
        lambda f: text(f.assign(Größe=1)).encode("latin-1"),
        "column 'Größe' that is not in train",
    ),
    "one class": (lambda f: text(f.assign(Response=8)).encode(), "Response 8 in all 300 rows"),
    "dates": (lambda f: parquet(f.assign(Ht=pd.Timestamp(0))), "Ht is of type timestamp"),
}  # fmt: skip


def with_entries(*names):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in names:
            archive.writestr(name, b"x")
    return buffer.getvalue()


@pytest.mark.parametrize("kind", REFUSED)
def test_every_other_file_is_refused_in_one_line_with_its_cure(kind, frame, tmp_path):
    content, message = REFUSED[kind]
    path = tmp_path / "file"
    path.write_bytes(content(frame))
    with pytest.raises(ValueError, match=message) as refused:
        read(path)
    assert len(str(refused.value).splitlines()) == 1
    assert str(path) in str(refused.value)
    assert ";" in str(refused.value), "condition; cure"


def test_the_cure_of_an_archive_of_several_files_is_a_command_that_works(frame, tmp_path):
    path = tmp_path / "all of it.zip"
    path.write_bytes(zipped(sample_csv="Id\n1\n", train_csv=text(frame)))
    with pytest.raises(ValueError, match="unzip") as refused:
        read(path)
    command = str(refused.value).partition("such as by ")[2].removesuffix(", and give that")
    if os.system("command -v unzip > /dev/null"):
        pytest.skip("no unzip here")
    assert os.system(f"cd '{tmp_path}' && {command}") == 0
    assert read(tmp_path / "train.csv").rows == len(frame)


def test_a_directory_is_refused_with_the_file_in_it(frame, tmp_path):
    (tmp_path / "test.csv").write_text("x")
    (tmp_path / "train.csv.zip").write_bytes(zipped(train_csv=text(frame)))
    with pytest.raises(ValueError, match=r"is a directory; give the file .*train\.csv\.zip"):
        read(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="is a directory; give the file of the table"):
        read(tmp_path / "empty")


@pytest.mark.parametrize("compress", [lambda c: zipped(train_csv=c), gzip.compress, bz2.compress])
def test_a_bomb_is_refused_by_its_size(compress, tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "LARGEST", 2**22)
    path = tmp_path / "bomb"
    path.write_bytes(compress(b"0" * 2**23))
    assert path.stat().st_size < 2**14
    with pytest.raises(ValueError, match="over 4 MiB; give fewer rows"):
        read(path)


def test_a_bomb_that_lies_about_its_size_is_refused_too(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "LARGEST", 2**22)
    content = zipped(train_csv=b"0" * 2**23)
    path = tmp_path / "bomb.zip"
    path.write_bytes(content.replace((2**23).to_bytes(4, "little"), (9).to_bytes(4, "little")))
    with pytest.raises(ValueError, match=r"cut off or damaged|over 4 MiB"):
        read(path)


def test_a_parquet_file_of_one_value_without_end_is_refused(frame, tmp_path, monkeypatch):
    monkeypatch.setattr(files, "_MOST_CELLS", 1000)
    path = tmp_path / "train.parquet"
    path.write_bytes(parquet(frame))
    with pytest.raises(ValueError, match=r"300 rows of 128 columns.*give fewer rows"):
        read(path)


def test_a_wrong_value_is_named_by_its_line_or_row(frame, tmp_path):
    wrong = frame.copy()
    wrong.loc[4, "Ht"] = 1.5
    for name, content, place in (
        ("a.csv", text(wrong), ":6 Ht"),
        ("b.csv", f"sep=;\n{text(wrong, sep=';')}", ":7 Ht"),
        ("c.csv.gz", gzip.compress(text(wrong).encode()), ":6 Ht"),
        ("d.parquet", parquet(wrong), " row 5 Ht"),
    ):
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        with pytest.raises(ValueError, match=f"{name}{place} must be a number in .*got 1.5"):
            read(path)
