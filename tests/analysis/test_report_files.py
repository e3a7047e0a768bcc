"""Files of a report: written to their folder without following links, or a one-line error."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner
from quick import quick_of

import analysis
from analysis import files
from analysis.__main__ import main
from analysis.files import StorageError, write
from analysis.terminal import write_tables

pytestmark = pytest.mark.usefixtures("drawn_small")
ROOT = Path(analysis.__file__).parents[1]
UNDRAWN = """
from analysis.__main__ import main
from analysis.figures import rendering
rendering._METADATA, rendering._DPI = {"png": {}}, 20
main()
"""


@pytest.fixture
def storage(table, write, tmp_path):
    rows = [{"sparsity": s, "seed": n} for s in (0.5, 0.8) for n in (0, 1)]
    return write(tmp_path / "sweep", table(*rows))


def run(*arguments):
    return CliRunner().invoke(main, ["report", *map(str, arguments)], catch_exceptions=False)


@pytest.mark.parametrize("linked", ["report", "report/figures"])
def test_a_linked_folder_is_refused_and_what_it_leads_to_is_untouched(linked, storage, tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    path = storage / linked
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(home)
    result = run(storage)
    assert result.exit_code == 2
    assert "4 trials" in result.stdout
    (line,) = result.stderr.splitlines()
    assert str(path) in line
    assert "symbolic link" in line
    assert "--out FOLDER" in line
    assert list(home.iterdir()) == []


@pytest.mark.parametrize("name", ["summary.csv", "best_lr.csv", "figures/seeds.png"])
def test_a_link_in_the_place_of_a_file_is_replaced_and_never_followed(name, storage, tmp_path):
    profile = tmp_path / ".bashrc"
    profile.write_text("alias ll='ls -l'\n")
    path = storage / "report" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    # Including the name that earlier versions used for partial files.
    for place in (path, path.with_name(f".{path.name}.partial")):
        place.symlink_to(profile)
    assert run(storage).exit_code == 0
    assert profile.read_text() == "alias ll='ls -l'\n"
    assert path.is_file()
    assert not path.is_symlink()


def test_files_that_a_report_did_not_make_stay(storage):
    note = storage / "report" / "figures" / "note.txt"
    note.parent.mkdir(parents=True)
    note.write_text("mine")
    assert run(storage).exit_code == 0
    assert note.read_text() == "mine"
    assert not list((storage / "report").rglob("*.partial"))


def test_a_storage_that_takes_no_file_still_has_its_tables_printed_and_the_cure_cures(
    storage, tmp_path, monkeypatch
):
    make = os.mkdir

    def refused(path, *given, **more):
        if Path(path).name == "report":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        make(path, *given, **more)

    monkeypatch.setattr(files.os, "mkdir", refused)
    result = run(storage)
    assert result.exit_code == 2
    assert "Max efficient sparsity" in result.stdout
    (line,) = result.stderr.splitlines()
    assert "(Permission denied)" in line
    again = run(storage, "--out", tmp_path / "mine")
    assert again.exit_code == 0
    assert (tmp_path / "mine" / "summary.csv").is_file()
    assert (tmp_path / "mine" / "figures" / "seeds.png").is_file()
    assert not (storage / "report").exists()


@pytest.mark.parametrize("full", ["summary.csv", "cvar_against_remaining.png"])
def test_a_full_disk_is_a_line_and_leaves_no_half_of_a_file(full, storage, monkeypatch):
    put = os.replace

    def refused(source, target, **more):
        if target == full:
            raise OSError(errno.ENOSPC, "No space left on device")
        put(source, target, **more)

    monkeypatch.setattr(files.os, "replace", refused)
    result = run(storage)
    assert result.exit_code == 2
    (line,) = result.stderr.splitlines()
    assert f"{full}'" in line
    assert "(No space left" in line
    assert not list(storage.rglob("*.partial"))


@pytest.mark.parametrize("out", ["file", "absent/below"])
def test_a_folder_that_cannot_be_made_is_a_line(out, storage, tmp_path):
    (tmp_path / "file").write_text("")
    result = run(storage, "--out", tmp_path / out)
    assert result.exit_code == 2
    assert len(result.stderr.splitlines()) == 1


def test_a_name_never_leads_out_of_the_folder(tmp_path):
    for name in ("../x.csv", "figures/../../x.csv", "figures/.."):
        with pytest.raises(AssertionError):
            write(tmp_path / "report", name, b"")


def test_a_file_is_replaced_in_one_step_and_keeps_the_usual_rights(tmp_path):
    write(tmp_path / "report", "a/b.csv", b"old")
    path = write(tmp_path / "report", "a/b.csv", b"new")
    assert path.read_bytes() == b"new"
    os.umask(mask := os.umask(0))
    assert path.stat().st_mode & 0o777 == 0o666 & ~mask
    assert [p.name for p in path.parent.iterdir()] == ["b.csv"]


def test_a_folder_in_the_place_of_a_file_is_refused_and_stays(tmp_path):
    (tmp_path / "report" / "summary.csv").mkdir(parents=True)
    with pytest.raises(StorageError, match="cannot be written"):
        write_tables(tmp_path / "report", {"summary": pd.DataFrame({"a": [1]})})
    assert [p.name for p in (tmp_path / "report").iterdir()] == ["summary.csv"]


FORMULAS = ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "=", "-"]


@pytest.mark.parametrize("text", FORMULAS)
def test_a_text_that_a_spreadsheet_would_compute_has_an_apostrophe(text, tmp_path):
    frame = pd.DataFrame({"label": [text], text: [1.0]})
    (path,) = write_tables(tmp_path, {"t": frame})
    read = pd.read_csv(path, dtype=str)
    assert read["label"].iloc[0].startswith("'")
    assert read.columns[1].startswith("'")


@pytest.mark.parametrize("text", ["-1.5", "+3", "1e-3", "a=b", "reach -1", "–"])
def test_a_text_that_is_a_number_or_no_formula_stays(text, tmp_path):
    (path,) = write_tables(tmp_path, {"t": pd.DataFrame({"label": [text], "n": [-1.5]})})
    assert path.read_text().splitlines()[1] == f"{text},-1.5"


@pytest.mark.parametrize(
    "settings",
    quick_of(
        [
            {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
            {"PYTHONIOENCODING": "ascii"},
            {"PYTHONIOENCODING": "latin-1"},
            {"PYTHONIOENCODING": "utf-8:strict"},
        ],
        every=4,
    ),
)
def test_a_terminal_of_few_letters_gets_the_whole_report(settings, table, write, tmp_path):
    rows = [{"seed": n, "status": s} for n, s in enumerate(("completed", "failed"))]
    trials = table(*rows).assign(error="loss of ε² is nan · 中")
    trials["config/market.ξ"] = "ñ"
    storage = write(tmp_path / "swéep", trials)
    done = subprocess.run(
        [sys.executable, "-c", UNDRAWN, "report", str(storage)],
        capture_output=True,
        cwd=ROOT,
        env={**os.environ, **settings},
    )
    assert done.returncode == 0, done.stderr
    assert b"2 trials" in done.stdout
    assert b"Figures" in done.stdout
    assert done.stderr == b""


def test_a_reader_that_leaves_early_gets_no_traceback(storage):
    shell = ["bash", "-c"]
    done = subprocess.run(
        [*shell, f'{sys.executable} -c "$SCRIPT" report {storage} | head -n 1'],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "SCRIPT": UNDRAWN},
    )
    assert "4 trials" in done.stdout
    assert done.stderr == ""
