"""cluster.yaml held against Ray's own preparation and validation, offline, without boto3."""

import json
import re
import shlex
import subprocess
import tomllib
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from ray.autoscaler._private.providers import _get_default_config
from ray.autoscaler._private.util import prepare_config, validate_config

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "cluster.yaml").read_text()
GUIDE = ROOT / "docs" / "cluster.md"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
VCPUS = {"xlarge": 4, "2xlarge": 8, "4xlarge": 16}

Config = dict[str, Any]


def written() -> Config:
    return dict(yaml.safe_load(TEXT))


def defaults() -> Config:
    """What Ray fills in where a file for AWS is silent."""
    return dict(_get_default_config(written()["provider"]))  # type: ignore[no-untyped-call]


def prepared() -> Config:
    """What `ray up` works with: our file on top of Ray's defaults."""
    return prepare_config(written())


def commands(config: Config) -> list[str]:
    """Every shell command any node may run."""
    return [c for key in sorted(config) if key.endswith("_commands") for c in config[key]]


def pins() -> dict[str, str]:
    """constraints.txt as a mapping of canonical name to version."""
    text = (ROOT / "constraints.txt").read_text()
    lines = (line.split("#")[0].strip() for line in text.splitlines())
    return {canonicalize_name(n): v for n, v in (line.split("==") for line in lines if line)}


def installs(config: Config) -> list[list[str]]:
    """The arguments after `pip install` of every command that has them."""
    found = []
    for command in commands(config):
        for part in re.split(r"&&|\|\||;|\{|\}", command):
            words = shlex.split(part)
            if words[-1:] and "install" in words and any(w.endswith("pip") for w in words):
                found.append(words[words.index("install") + 1 :])
    return found


def requirements(arguments: list[str]) -> list[str]:
    """The requirements among the arguments of `pip install`, options and their values left out."""
    valued = {"-r", "--python", "--torch-backend"}
    return [
        word
        for before, word in zip(["", *arguments], arguments, strict=False)
        if not word.startswith("-") and before not in valued
    ]


def workers(config: Config) -> dict[str, Config]:
    kinds = config["available_node_types"]
    return {name: kind for name, kind in kinds.items() if name != config["head_node_type"]}


def test_ray_itself_accepts_the_file() -> None:
    validate_config(prepared())


def test_ray_accepts_the_file_again_when_the_head_prepares_it_a_second_time() -> None:
    once = json.loads(json.dumps(prepared()))
    twice = prepare_config(json.loads(json.dumps(once)))
    validate_config(twice)
    assert set(twice["worker_setup_commands"]) == set(once["worker_setup_commands"])


def test_the_ray_that_validates_is_the_ray_the_cluster_installs() -> None:
    assert version("ray") == pins()["ray"]


def test_no_list_of_commands_is_left_for_ray_to_fill() -> None:
    assert {key for key in defaults() if key.endswith("_commands")} <= set(written())


@pytest.mark.parametrize("commands_of", ["setup_commands", "head_setup_commands"])
def test_rays_own_defaults_would_have_installed_something_unpinned(commands_of: str) -> None:
    """The reason for the test above; when Ray pins its defaults, both may go."""
    assert any("dev0" in command or ">=" in command for command in defaults()[commands_of])


def test_no_command_fetches_a_nightly_build_or_an_address() -> None:
    for command in commands(prepared()):
        assert not re.search(r"://|nightly|\.whl|dev0|latest|--pre\b", command), command


def test_every_command_is_a_shell_command_bash_can_parse() -> None:
    for command in commands(prepared()):
        done = subprocess.run(["bash", "-n", "-c", command], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("node", ["head", "worker"])
def test_every_ray_command_switches_token_authentication_on(node: str) -> None:
    key = f"{node}_start_ray_commands"
    calls = [re.findall(r"(?:\w+=\S+\s+)*\S*\bray (?:start|stop)\b", c) for c in prepared()[key]]
    assert [len(found) for found in calls] == [1] * len(calls)
    assert ["start" in found[0] for found in calls].count(True) == 1
    for (call,) in calls:
        assert "RAY_AUTH_MODE=token" in call.split(), call


@pytest.mark.parametrize("node", ["head", "worker"])
def test_ray_starts_without_usage_statistics_and_with_room_for_open_files(node: str) -> None:
    start = prepared()[f"{node}_start_ray_commands"][-1]
    assert start.startswith("ulimit -n 65536;")
    assert "RAY_USAGE_STATS_ENABLED=0" in start


def test_the_head_scales_the_cluster_and_shows_its_dashboard_to_nobody_else() -> None:
    start = prepared()["head_start_ray_commands"][-1]
    assert "--autoscaling-config=~/ray_bootstrap_config.yaml" in start
    assert "--dashboard-host=127.0.0.1" in start
    assert "0.0.0.0" not in TEXT


def test_one_token_reaches_every_node_and_only_its_owner_reads_it() -> None:
    config = prepared()
    source = config["file_mounts"]["~/.ray/auth_token"]
    assert source.startswith("~/"), "a token inside the checkout would be committed one day"
    for node in ("head", "worker"):
        assert any("chmod 600 ~/.ray/auth_token" in c for c in config[f"{node}_setup_commands"])


def test_the_packages_and_all_their_build_needs_are_mounted() -> None:
    project = PROJECT["project"]
    packages = {
        p.rstrip("*") for p in PROJECT["tool"]["setuptools"]["packages"]["find"]["include"]
    }
    files = {"pyproject.toml", "locks", project["readme"], *project["license-files"]}
    mounts = prepared()["file_mounts"]
    for name in packages | files:
        assert mounts.get(f"~/hedgesweep/{name}") == name


def test_everything_that_is_mounted_from_the_checkout_exists() -> None:
    sources = [s for s in prepared()["file_mounts"].values() if not s.startswith("~")]
    assert [s for s in sources if not (ROOT / s).exists()] == []


def test_environment_results_and_history_stay_at_home() -> None:
    config = prepared()
    assert {".venv", "results", ".git"} <= set(config["rsync_exclude"])
    assert not {".", "./", "~", str(ROOT)} & set(config["file_mounts"].values())


def test_every_installed_file_is_held_to_its_hash() -> None:
    locked = {f"~/hedgesweep/{path.relative_to(ROOT)}" for path in ROOT.glob("locks/*.lock")}
    calls = installs(prepared())
    assert len(calls) >= 4
    for arguments in calls:
        files = {file for option, file in pairwise(arguments) if option == "-r"}
        if asked := requirements(arguments):
            assert asked == ["$HOME/hedgesweep"]
            assert {"--no-deps", "--no-build-isolation"} <= set(arguments), "it fetches something"
        else:
            assert files
            assert files <= locked
            assert {"--require-hashes", "--no-deps"} <= set(arguments)


def test_the_installed_project_asks_for_extras_that_exist() -> None:
    known = set(PROJECT["project"]["optional-dependencies"])
    for text in (t for a in installs(prepared()) for t in requirements(a) if "hedgesweep" in t):
        assert set(Requirement(text.rpartition("/")[2]).extras) <= known - {"dev"}


def test_no_version_of_constraints_txt_is_written_a_second_time() -> None:
    for name, pin in re.findall(r"([\w.-]+)==([\w.]+)", TEXT):
        assert canonicalize_name(name) not in pins(), f"{name}=={pin} belongs in constraints.txt"


def test_torch_comes_without_cuda() -> None:
    text = "\n".join(commands(prepared()))
    assert "torch-cuda.lock" not in text
    (arguments,) = {tuple(a) for a in installs(prepared()) if "torch-cpu.lock" in " ".join(a)}
    assert arguments[arguments.index("--torch-backend") + 1] == "cpu"


def test_all_nodes_run_one_patch_release_of_the_python_we_test_with() -> None:
    found = set(re.findall(r"--python (\d\S*)", "\n".join(commands(prepared()))))
    assert len(found) == 1
    assert re.fullmatch(re.escape(PROJECT["tool"]["mypy"]["python_version"]) + r"\.\d+", *found)


def test_workers_are_spot_and_the_head_is_not() -> None:
    config = prepared()
    kinds = config["available_node_types"]
    assert "InstanceMarketOptions" not in kinds[config["head_node_type"]]["node_config"]
    assert workers(config)
    for kind in workers(config).values():
        assert kind["node_config"]["InstanceMarketOptions"]["MarketType"] == "spot"


def test_an_idle_cluster_shrinks_to_its_head() -> None:
    config = written()
    assert config["idle_timeout_minutes"] <= 15
    assert config["provider"]["cache_stopped_nodes"] is False
    for kind in workers(config).values():
        assert kind["min_workers"] == 0
        assert 0 < kind["max_workers"] <= config["max_workers"]


def test_a_worker_offers_as_many_cpus_as_its_machine_has_and_the_head_none() -> None:
    config = prepared()
    assert config["available_node_types"][config["head_node_type"]]["resources"] == {"CPU": 0}
    for kind in workers(config).values():
        size = kind["node_config"]["InstanceType"].partition(".")[2]
        assert kind["resources"] == {"CPU": VCPUS[size]}


def test_all_nodes_share_one_image_and_one_generation_of_processor() -> None:
    nodes = [kind["node_config"] for kind in prepared()["available_node_types"].values()]
    assert len({node["ImageId"] for node in nodes}) == 1
    assert {node["InstanceType"].partition(".")[0][1:] for node in nodes} == {"7i"}


def test_the_credentials_of_a_machine_need_a_session_token() -> None:
    for kind in prepared()["available_node_types"].values():
        assert kind["node_config"]["MetadataOptions"]["HttpTokens"] == "required"


def test_the_guide_installs_from_the_lock_files_too() -> None:
    guide = GUIDE.read_text()
    assert "==" not in guide
    assert "pip install --require-hashes --no-deps -r locks/aws.lock" in guide
    assert "ray get-auth-token --generate" in guide
