"""Lock files: the same versions as constraints.txt, complete, each file with its hash."""

import re
import tomllib
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
LOCKS = sorted((ROOT / "locks").glob("*.lock"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
# Installed beside each other: those of `make setup`.
SETUP = ("sweep.lock", "dev.lock", "torch-cpu.lock")
CPUS, PYTHONS = 2, 3


def entries(name: str) -> list[tuple[Requirement, list[str]]]:
    """Requirement and hashes of every entry of ``locks/name``."""
    text = re.sub(r"(?m)^#.*\n", "", (ROOT / "locks" / name).read_text()).replace("\\\n", "")
    (first, *lines) = text.splitlines()
    assert first == "--only-binary :all:", "a source would be built with packages without hashes"
    result = []
    for line in lines:
        requirement, *hashes = re.split(r"\s+--hash=", line.strip())
        result.append((Requirement(requirement), hashes))
    return result


def versions(*names: str) -> dict[str, set[str]]:
    """Versions by canonical name in the files ``names``, a build's label left out."""
    result: dict[str, set[str]] = {}
    for requirement, _ in (entry for name in names for entry in entries(name)):
        (specifier,) = requirement.specifier
        assert specifier.operator == "=="
        release = specifier.version.partition("+")[0]
        result.setdefault(canonicalize_name(requirement.name), set()).add(release)
    return result


def pins() -> dict[str, str]:
    text = (ROOT / "constraints.txt").read_text()
    lines = (line.partition("#")[0].strip() for line in text.splitlines())
    return {canonicalize_name(n): v for n, v in (line.split("==") for line in lines if line)}


def names(*groups: list[str]) -> set[str]:
    return {canonicalize_name(Requirement(text).name) for group in groups for text in group}


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.name)
def test_every_entry_of_a_lock_file_has_hashes_and_no_address(path: Path) -> None:
    assert entries(path.name)
    for requirement, hashes in entries(path.name):
        assert requirement.url is None
        assert hashes, requirement
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", text) for text in hashes)
    assert "://" not in path.read_text()


def test_the_lock_files_have_the_versions_of_constraints_txt() -> None:
    locked = versions(*(path.name for path in LOCKS))
    for name, pin in pins().items():
        assert locked.get(name) == {pin}, f"{name}: run `make lock`"


def test_every_direct_dependency_is_in_the_lock_file_of_its_use() -> None:
    extras = PROJECT["project"]["optional-dependencies"]
    sweep = names(PROJECT["project"]["dependencies"], PROJECT["build-system"]["requires"])
    assert sweep - versions("sweep.lock").keys() == {"torch"}
    assert names(extras["dev"]) <= versions("sweep.lock", "dev.lock").keys()
    exporters = names(extras["mlflow"], extras["tensorboard"])
    assert exporters <= versions("sweep.lock", "exporters.lock").keys()


def test_no_package_is_locked_twice_at_different_versions_of_one_environment() -> None:
    for name in {path.name for path in LOCKS} - {"torch-cpu.lock", "torch-cuda.lock"}:
        for requirement, _ in entries(name):
            markers = [r.marker for r, _ in entries(name) if r.name == requirement.name]
            assert sum(m is None or m.evaluate() for m in markers) <= 1, requirement.name


def test_what_is_installed_here_needs_nothing_that_is_not_locked() -> None:
    """The closure of `make setup` on this platform, as the packages themselves declare it."""
    locked, todo, seen = versions(*SETUP), {("hedgesweep", "dev")}, set()
    while todo:
        seen.add(one := todo.pop())
        name, extra = one
        try:
            requirements = [Requirement(text) for text in requires(name) or ()]
            another = name in locked and version(name).partition("+")[0] not in locked[name]
        except PackageNotFoundError:
            continue
        if another:  # installed from constraints.txt; what it needs is its own affair
            continue
        for requirement in requirements:
            if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
                result = canonicalize_name(requirement.name)
                assert result in locked, f"{result}, for {name}: run `make lock`"
                todo |= {(result, e) for e in (*requirement.extras, "")} - seen


def test_a_build_of_torch_without_cuda_is_locked_for_every_python_and_processor() -> None:
    (linux, builds), (darwin, _) = entries("torch-cpu.lock")
    assert str(linux) == f'torch=={pins()["torch"]}+cpu; sys_platform == "linux"'
    assert str(darwin) == f'torch=={pins()["torch"]}; sys_platform == "darwin"'
    assert len(set(builds)) == CPUS * PYTHONS
    cuda = {r.name: hashes for r, hashes in entries("torch-cuda.lock")}
    assert not set(builds) & set(cuda["torch"])
