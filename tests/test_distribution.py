"""An installed wheel works without the checkout, and describes the same version everywhere."""

import os
import subprocess
import sys
import sysconfig
import tomllib
import venv
from pathlib import Path

import pytest
import yaml
from local_sweep import run_locally
from spaces import TINY
from test_image import copy, wheel

from search_spaces import shipped

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


@pytest.fixture(scope="module")
def installation(tmp_path_factory) -> Path:
    """Scripts of an environment with the wheel, and the packages of this one for all else."""
    top = tmp_path_factory.mktemp("installation")
    venv.create(top / "env", with_pip=False)
    python = top / "env" / "bin" / "python"
    asked = "import sysconfig; print(sysconfig.get_path('purelib'))"
    done = subprocess.run([python, "-c", asked], capture_output=True, text=True, check=True)
    # A line of a .pth adds a folder, and reads no .pth in it: not the editable installation.
    site = Path(done.stdout.strip())
    (site / "others.pth").write_text(sysconfig.get_path("purelib"))
    command = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-index"]
    subprocess.run([*command, "--no-deps", wheel(copy(top / "checkout"))], check=True)
    return python.parent


def output(*command: object, folder: Path) -> str:
    """What ``command`` prints in ``folder``."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    done = subprocess.run(
        list(map(str, command)), cwd=folder, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_an_installed_wheel_has_kernel_spaces_and_templates(installation, tmp_path):
    command = installation / "hedgesweep"
    assert output(command, "--version", folder=tmp_path).endswith(f"{PROJECT['version']}\n")
    assert "4 trials" in output(command, "plan", "tickets_smoke", "--no-probe", folder=tmp_path)
    plans = f"import sweeps; print([sweeps.plan(name).space.name for name in {shipped()}])"
    output(installation / "python", "-P", "-c", plans, folder=tmp_path)
    run_locally(TINY, tmp_path / "out", overrides={"space.lr.grid": [1e-2]})
    output(command, "report", "out", "--out", "page", folder=tmp_path)
    assert "<html" in (tmp_path / "page" / "report.html").read_text(encoding="utf-8")
    built = "from hedgecore.kernel.shared_library import library; print(library())"
    here = subprocess.run([sys.executable, "-c", built], capture_output=True, text=True)
    there = output(installation / "python", "-P", "-c", built, folder=tmp_path)
    assert (there == "None\n") == (here.stdout == "None\n")
    assert there == "None\n" or str(installation.parent) in there


def test_the_citation_is_of_this_version():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == PROJECT["version"]
    assert citation["license"] == PROJECT["license"]
    assert citation["abstract"].rstrip(".") == PROJECT["description"]
    assert citation["authors"] == [{"name": "hedgesweep developers"}]
    assert {"cff-version", "message", "title"} <= citation.keys()
