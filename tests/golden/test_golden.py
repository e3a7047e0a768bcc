"""What three small sweeps compute and report, to the last bit and word.

Another processor computes other last digits, and then nothing here can be compared. A difference
that is meant is recorded by ``python -m tests.golden.recording``, and named in CHANGELOG.
"""

from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from tests.golden.recording import HERE, SWEEPS, arithmetic, sweep, tables, texts


@pytest.fixture(scope="module", params=SWEEPS)
def swept(request, tmp_path_factory) -> tuple[Path, Path]:
    """A sweep that has just run, and what is kept of one."""
    storage, kept = tmp_path_factory.mktemp(request.param), HERE / request.param
    sweep(request.param, storage)
    if arithmetic(storage) != (kept / "arithmetic.txt").read_text():
        pytest.skip("this processor computes other last digits than the one of the golden runs")
    return storage, kept


def test_the_tables_are_those_of_the_golden_run(swept):
    storage, kept = swept
    for file, frame in tables(storage).items():
        pd.testing.assert_frame_equal(
            frame, pd.read_parquet(kept / file), obj=file, check_exact=True
        )


def test_the_report_is_that_of_the_golden_run(swept, undrawn):
    storage, kept = swept
    now = texts(storage)
    assert sorted(now) == sorted(
        f.name for f in kept.glob("*.[ct][sx][vt]") if f.stem != "arithmetic"
    )
    for file, text in now.items():
        assert text == (kept / file).read_text(), file


def test_every_column_of_the_tables_describes_itself(swept):
    storage, _ = swept
    for file in ("trials.parquet", "epochs.parquet"):
        for field in pq.read_schema(storage / file):
            assert (field.metadata or {}).get(b"meaning"), field.name
