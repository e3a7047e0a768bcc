"""Image of the project: the Dockerfile, the context it copies from, and the wheel it installs."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).resolve().parents[1]
DOCKERFILE = (ROOT / "deploy" / "Dockerfile").read_text()
PROJECT = ("pyproject.toml", "setup.py", "README.md", "LICENSE", "deploy")
PACKAGES = ("analysis", "hedgecore", "search_spaces", "sweeps")


def instructions() -> list[tuple[str, list[str]]]:
    """Instructions with their words; a continued line is one."""
    text = re.sub(r"(?m)^#.*\n", "", DOCKERFILE).replace("\\\n", " ")
    lines = [line.split(maxsplit=1) for line in text.splitlines() if line.strip()]
    return [(name, shlex.split(words)) for name, words in lines]


def installs() -> list[list[str]]:
    """Arguments of every `pip install`."""
    calls = []
    for words in (words for name, words in instructions() if name == "RUN"):
        for part in re.split(r"\s(?:&&|;|\|\|)\s", " ".join(words)):
            if "install" in (arguments := part.split()):
                calls.append(arguments[arguments.index("install") + 1 :])
    return calls


def test_the_base_is_an_argument_without_a_default_for_every_stage():
    bases = [words[0] for name, words in instructions() if name == "FROM"]
    assert bases == ["${BASE}"] * 2
    assert instructions()[0] == ("ARG", ["BASE"])
    assert "latest" not in DOCKERFILE


def test_nothing_is_fetched_from_an_address():
    assert "ADD" not in {name for name, _ in instructions()}
    assert "://" not in DOCKERFILE
    assert not re.search(r"\b(curl|wget|git clone|apt-get)\b", DOCKERFILE)


def test_every_installed_file_is_held_to_its_hash_or_built_from_the_checkout():
    locked, others = [], []
    for arguments in installs():
        files = [f for o, f in pairwise(arguments) if o == "-r"]
        (locked if files else others).append(arguments)
        assert "--no-deps" in arguments
        for file in files:
            assert (ROOT / file).is_file()
            assert {"--require-hashes", "--only-binary", ":all:"} <= set(arguments)
    assert len(locked) == 2
    (project,) = others
    assert project[-1] == "/wheels/*.whl"
    assert "--no-index" in project


def test_the_closure_is_a_sweeps_and_a_heads_without_cuda():
    files = set(re.findall(r"locks/(\S+\.lock)", DOCKERFILE))
    assert files == {"installer.lock", "sweep.lock", "head.lock", "torch-cpu.lock"}


def test_every_copied_source_exists_and_passes_the_ignore_file():
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    allowed = {line[1:] for line in ignored if line.startswith("!")}
    assert "*" in ignored, "everything but the sources stays out of the context"
    for name, words in instructions():
        if name == "COPY" and not words[0].startswith("--from="):
            for source in words[:-1]:
                assert (ROOT / source).exists(), source
                assert {source, f"{source}/*.lock"} & allowed, source


def test_the_image_runs_as_a_user_without_rights_and_requires_tokens():
    users = [words for name, words in instructions() if name == "USER"]
    assert users == [["1000:1000"]]
    last = [name for name, _ in instructions()]
    assert last[-1] == "CMD"
    assert last.index("USER") > last.index("COPY")
    environment = [w for name, words in instructions() if name == "ENV" for w in words]
    assert "RAY_AUTH_MODE=token" in environment
    assert not re.search(r"(?i)secret|password|_KEY\b|auth_token", DOCKERFILE)


@pytest.mark.parametrize("base", ["", "python:3.11-slim", "python@sha256:1234"])
def test_a_base_without_a_digest_is_refused(base):
    done = subprocess.run(
        [ROOT / "deploy" / "image.sh", "hedgesweep"],
        env=os.environ | {"BASE": base},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert f"got '{base}'" in line


def wheel(checkout: Path, *, umask: int = 0o022, **environment: str) -> Path:
    """The wheel that the image installs, built from ``checkout``."""
    out = checkout.parent / f"{checkout.name}-wheel"
    environment = {"SOURCE_DATE_EPOCH": "1767225600", "PYTHON": sys.executable} | environment
    script = checkout / "deploy" / "wheel.sh"
    done = subprocess.run(
        [script, out], env=os.environ | environment, umask=umask, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    (file,) = out.iterdir()
    return file


def copy(target: Path) -> Path:
    for name in (*PROJECT, *PACKAGES):
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, target / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            target.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target / name)
    return target


@pytest.mark.slow
def test_two_wheels_of_one_commit_are_byte_equal(tmp_path):
    first = wheel(copy(tmp_path / "checkout"))
    other = copy(tmp_path / "another place")
    for index, file in enumerate(other.rglob("*.py")):
        os.utime(file, (1e9 + index, 1e9 + index))
        file.chmod(0o600)
    stale = other / "build" / "lib" / "sweeps" / "removed.py"
    stale.parent.mkdir(parents=True)
    stale.touch()
    cached = other / "sweeps" / "__pycache__" / "text.cpython-311.pyc"
    cached.parent.mkdir()
    cached.touch()
    second = wheel(other, umask=0o077, TZ="Asia/Tokyo", PYTHONHASHSEED="1")
    assert first.read_bytes() == second.read_bytes()
    assert not (other / "hedgesweep.egg-info").exists(), "a build leaves nothing in the checkout"


@pytest.mark.slow
def test_control_another_time_makes_another_wheel(tmp_path):
    checkout = copy(tmp_path / "checkout")
    first = wheel(checkout).read_bytes()
    assert wheel(checkout, SOURCE_DATE_EPOCH="1767225602").read_bytes() != first


@pytest.mark.slow
def test_the_wheel_holds_every_file_of_the_packages(tmp_path):
    listed = subprocess.run(
        ["git", "ls-files", "-z", *PACKAGES], cwd=ROOT, capture_output=True, check=True
    )
    with ZipFile(wheel(copy(tmp_path / "checkout"))) as archive:
        assert set(listed.stdout.decode().split("\0")) - {""} <= set(archive.namelist())


def test_a_wheel_without_a_time_is_refused(tmp_path):
    environment = {k: v for k, v in os.environ.items() if k != "SOURCE_DATE_EPOCH"}
    script = ROOT / "deploy" / "wheel.sh"
    done = subprocess.run([script, tmp_path], env=environment, capture_output=True, text=True)
    assert done.returncode != 0
    assert "SOURCE_DATE_EPOCH" in done.stderr
    assert list(tmp_path.iterdir()) == []
