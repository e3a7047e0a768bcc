"""Public types: a script of a user is checked strictly, and every public name is in it."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import analysis
import sweeps

ROOT = Path(__file__).resolve().parents[1]
SCRIPT = ROOT / "tests" / "typed_script.py"
PACKAGES = ("hedgecore", "search_spaces", "sweeps", "analysis")


@pytest.mark.slow
def test_a_script_of_a_user_passes_mypy_strictly(tmp_path):
    pytest.importorskip("mypy")
    command = [sys.executable, "-m", "mypy", "--config-file=", "--strict", SCRIPT]
    # As for packages that are installed, only errors of the script itself are its own.
    options = ["--follow-imports=silent", f"--cache-dir={tmp_path}"]
    done = subprocess.run(
        [*command, *options],
        cwd=tmp_path,
        env={**os.environ, "MYPYPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("package", [sweeps, analysis, analysis.xnn])
def test_every_public_name_is_in_the_script(package):
    text = SCRIPT.read_text()
    names = [name for name in package.__all__ if f"{package.__name__}.{name}" not in text]
    assert names in ([], ["Front"])  # which the script imports


@pytest.mark.parametrize("package", [sweeps, analysis])
def test_dir_of_a_package_lists_its_public_names_alone(package):
    assert dir(package) == sorted(package.__all__)
    assert all(hasattr(package, name) for name in dir(package))


def test_every_package_ships_its_marker_of_types():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    assert "py.typed" in settings["package-data"]["*"]
    assert [p for p in PACKAGES if not (ROOT / p / "py.typed").is_file()] == []
