"""SQL on the tables of a storage, without access to any file."""

import json

import pandas as pd
import pytest
from click.testing import CliRunner

from analysis.__main__ import main

pytest.importorskip("duckdb")


@pytest.fixture(name="storage")
def _storage(table, write, epochs, tmp_path):
    trials = table(
        {"sparsity": 0.5, "cvar_05": -3.0},
        {"sparsity": 0.9, "cvar_05": -2.0},
        {"sparsity": 0.9, "cvar_05": -4.0, "error": "=1+1"},
    )
    return write(tmp_path / "sweep", trials, epochs)


def asked(storage, statement, form="json"):
    return CliRunner().invoke(main, ["query", str(storage), statement, f"--format={form}"])


def test_an_aggregate_is_that_of_the_rows(storage):
    result = asked(
        storage, "select sparsity, avg(cvar_05) as mean from trials group by 1 order by 1"
    )
    assert json.loads(result.output) == [
        {"sparsity": 0.5, "mean": -3.0},
        {"sparsity": 0.9, "mean": -3.0},
    ]


def test_epochs_are_joined_by_the_trial(storage):
    statement = "select count(*) as n from trials join epochs using (trial_id)"
    assert json.loads(asked(storage, statement).output) == [{"n": 3}]


def test_a_table_is_printed_and_csv_is_escaped(storage):
    assert "3 rows" in asked(storage, "select error from trials", "table").output
    assert "'=1+1" in asked(storage, "select error from trials", "csv").output


def test_columns_that_do_not_fit_are_named_and_no_heading_is_cut(storage):
    output = asked(storage, "select * from trials", "table").output
    heading = output.splitlines()[1].split()
    names = {*pd.read_parquet(storage / "trials.parquet").columns}
    assert {*heading} <= {name.removeprefix("config/") for name in names}
    assert f"{len(names) - len(heading)} more columns" in output
    long = "x" * 80
    assert long in asked(storage, f"select '{long}' as a", "table").output


@pytest.mark.parametrize(
    "statement",
    [
        "select * from read_csv('{file}')",
        "select * from '{file}'",
        "copy trials to '{file}'",
        "attach '{file}' as other",
        "install httpfs",
        "load '{file}'",
        "set enable_external_access = true",
        "selec 1",
        "select sparsit from trials",
        "select * from nothing",
    ],
)
def test_files_are_out_of_reach_and_a_mistake_is_one_line(storage, statement, tmp_path):
    file = tmp_path / "secret.csv"
    file.write_text("a,b\n1,2\n")
    result = asked(storage, statement.format(file=file))
    assert result.exit_code == 2
    assert result.stdout == ""
    assert len(result.stderr.strip().splitlines()) == 1
    assert "describe trials" in result.stderr
    assert file.read_text() == "a,b\n1,2\n"
