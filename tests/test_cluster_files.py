"""Cluster files held against Ray's own preparation and validation, offline."""

import json
import re
import subprocess
import tomllib
from importlib.metadata import version
from itertools import pairwise

import pytest
from cluster_files import (
    AWS,
    HOSTS,
    ROOT,
    commands,
    defaults,
    installs,
    prepared,
    requirements,
    text,
    written,
)
from packaging.utils import canonicalize_name
from ray.autoscaler._private.util import prepare_config, validate_config

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


@pytest.fixture(params=[AWS, HOSTS])
def file(request):
    return request.param


def pins() -> dict[str, str]:
    """constraints.txt as a mapping of canonical name to version."""
    pins = (ROOT / "constraints.txt").read_text()
    lines = (line.split("#")[0].strip() for line in pins.splitlines())
    return {canonicalize_name(n): v for n, v in (line.split("==") for line in lines if line)}


def test_ray_itself_accepts_the_file(file) -> None:
    validate_config(prepared(file))


def test_ray_accepts_the_file_again_when_the_head_prepares_it_a_second_time(file) -> None:
    once = json.loads(json.dumps(prepared(file)))
    twice = prepare_config(json.loads(json.dumps(once)))
    validate_config(twice)
    assert set(twice["worker_setup_commands"]) == set(once["worker_setup_commands"])


def test_no_list_of_commands_is_left_for_ray_to_fill(file) -> None:
    assert {key for key in defaults(file) if key.endswith("_commands")} <= set(written(file))


def test_no_command_fetches_a_nightly_build_or_an_address(file) -> None:
    for command in commands(prepared(file)):
        assert command.count(".whl") == command.count(" ~/wheel/*.whl"), command
        assert not re.search(r"://|nightly|dev0|latest|--pre\b", command), command


def test_every_command_is_a_shell_command_bash_can_parse(file) -> None:
    for command in commands(prepared(file)):
        done = subprocess.run(["bash", "-n", "-c", command], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("node", ["head", "worker"])
def test_every_ray_command_switches_token_authentication_on(file, node) -> None:
    key = f"{node}_start_ray_commands"
    calls = [
        re.findall(r"(?:\w+=\S+\s+)*\S*\bray (?:start|stop)\b", c)
        for c in prepared(file)[key]
        if "/ray " in c
    ]
    assert [len(found) for found in calls] == [1] * len(calls)
    assert ["start" in found[0] for found in calls].count(True) == 1
    for (call,) in calls:
        assert "RAY_AUTH_MODE=token" in call.split(), call


@pytest.mark.parametrize("node", ["head", "worker"])
def test_ray_starts_without_usage_statistics_and_with_room_for_open_files(file, node) -> None:
    start = prepared(file)[f"{node}_start_ray_commands"][-1]
    assert start.startswith("ulimit -n 65536;")
    assert "RAY_USAGE_STATS_ENABLED=0" in start


def test_the_head_scales_the_cluster_and_shows_its_dashboard_to_nobody_else(file) -> None:
    start = prepared(file)["head_start_ray_commands"][-1]
    assert "--autoscaling-config=~/ray_bootstrap_config.yaml" in start
    assert "--dashboard-host=127.0.0.1" in start
    assert "0.0.0.0" not in text(file)


def test_one_token_reaches_every_node_and_only_its_owner_reads_it(file) -> None:
    config = prepared(file)
    source = config["file_mounts"]["~/.ray/auth_token"]
    assert source.startswith("~/"), "a token inside the checkout would be committed one day"
    for node in ("head", "worker"):
        assert any("chmod 600 ~/.ray/auth_token" in c for c in config[f"{node}_setup_commands"])


def test_the_packages_and_all_their_build_needs_are_mounted(file) -> None:
    project = PROJECT["project"]
    packages = {
        p.rstrip("*") for p in PROJECT["tool"]["setuptools"]["packages"]["find"]["include"]
    }
    files = {"pyproject.toml", "setup.py", "locks", project["readme"], *project["license-files"]}
    mounts = prepared(file)["file_mounts"]
    for name in packages | files:
        assert mounts.get(f"~/hedgesweep/{name}") == name


def test_everything_that_is_mounted_from_the_checkout_exists(file) -> None:
    sources = [s for s in prepared(file)["file_mounts"].values() if not s.startswith("~")]
    assert [s for s in sources if not (ROOT / s).exists()] == []


def test_environment_results_and_history_stay_at_home(file) -> None:
    config = prepared(file)
    assert {".venv", "results", ".git"} <= set(config["rsync_exclude"])
    assert not {".", "./", "~", str(ROOT)} & set(config["file_mounts"].values())


def test_every_installed_file_is_held_to_its_hash(file) -> None:
    locked = {f"~/hedgesweep/{path.relative_to(ROOT)}" for path in ROOT.glob("locks/*.lock")}
    calls = installs(prepared(file))
    assert len(calls) >= 4
    for arguments in calls:
        files = {file for option, file in pairwise(arguments) if option == "-r"}
        if asked := requirements(arguments):
            assert asked == ["~/wheel/*.whl"]
            assert "--no-deps" in arguments, "it fetches something"
        else:
            assert files
            assert files <= locked
            assert {"--require-hashes", "--no-deps"} <= set(arguments)


def test_the_head_builds_the_wheel_that_every_worker_installs(file) -> None:
    config = prepared(file)
    (build,) = (c for c in commands(config) if "uv build" in c)
    assert build in config["head_setup_commands"]
    assert "--no-build-isolation" in build, "it fetches something"
    assert config["cluster_synced_files"] == ["~/wheel"]
    for node in ("head", "worker"):
        assert "~/wheel/*.whl" in config[f"{node}_setup_commands"][-1]


def test_the_head_runs_jobs(file) -> None:
    assert any("locks/head.lock" in c for c in written(file)["head_setup_commands"])


def test_no_version_of_constraints_txt_is_written_a_second_time(file) -> None:
    for name, pin in re.findall(r"([\w.-]+)==([\w.]+)", text(file)):
        assert canonicalize_name(name) not in pins(), f"{name}=={pin} belongs in constraints.txt"


def test_torch_comes_without_cuda(file) -> None:
    text = "\n".join(commands(prepared(file)))
    assert "torch-cuda.lock" not in text
    (arguments,) = {tuple(a) for a in installs(prepared(file)) if "torch-cpu.lock" in " ".join(a)}
    assert arguments[arguments.index("--torch-backend") + 1] == "cpu"


def test_the_ray_that_validates_is_the_ray_the_cluster_installs() -> None:
    assert version("ray") == pins()["ray"]
