"""cluster.yaml: machines of AWS, their prices, sizes and credentials."""

import re
import tomllib

import pytest
from cluster_files import AWS, ROOT, Config, commands, defaults, prepared, written

GUIDE = ROOT / "docs" / "cluster.md"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
VCPUS = {"xlarge": 4, "2xlarge": 8, "4xlarge": 16}


def workers(config: Config) -> dict[str, Config]:
    kinds = config["available_node_types"]
    return {name: kind for name, kind in kinds.items() if name != config["head_node_type"]}


@pytest.mark.parametrize("commands_of", ["setup_commands", "head_setup_commands"])
def test_rays_own_defaults_would_have_installed_something_unpinned(commands_of) -> None:
    """The reason why every list is given; when Ray pins its defaults, none need be."""
    assert any("dev0" in command or ">=" in command for command in defaults(AWS)[commands_of])


def test_all_nodes_run_one_patch_release_of_the_python_we_test_with() -> None:
    found = set(re.findall(r"--python (\d\S*)", "\n".join(commands(prepared(AWS)))))
    assert len(found) == 1
    assert re.fullmatch(re.escape(PROJECT["tool"]["mypy"]["python_version"]) + r"\.\d+", *found)


def test_workers_are_spot_and_the_head_is_not() -> None:
    config = prepared(AWS)
    kinds = config["available_node_types"]
    assert "InstanceMarketOptions" not in kinds[config["head_node_type"]]["node_config"]
    assert workers(config)
    for kind in workers(config).values():
        assert kind["node_config"]["InstanceMarketOptions"]["MarketType"] == "spot"


def test_an_idle_cluster_shrinks_to_its_head() -> None:
    config = written(AWS)
    assert config["idle_timeout_minutes"] <= 15
    assert config["provider"]["cache_stopped_nodes"] is False
    for kind in workers(config).values():
        assert kind["min_workers"] == 0
        assert 0 < kind["max_workers"] <= config["max_workers"]


def test_a_worker_offers_as_many_cpus_as_its_machine_has_and_the_head_none() -> None:
    config = prepared(AWS)
    assert config["available_node_types"][config["head_node_type"]]["resources"] == {"CPU": 0}
    for kind in workers(config).values():
        size = kind["node_config"]["InstanceType"].partition(".")[2]
        assert kind["resources"] == {"CPU": VCPUS[size]}


def test_all_nodes_share_one_image_and_one_generation_of_processor() -> None:
    nodes = [kind["node_config"] for kind in prepared(AWS)["available_node_types"].values()]
    assert len({node["ImageId"] for node in nodes}) == 1
    assert {node["InstanceType"].partition(".")[0][1:] for node in nodes} == {"7i"}


def test_the_credentials_of_a_machine_need_a_session_token() -> None:
    for kind in prepared(AWS)["available_node_types"].values():
        assert kind["node_config"]["MetadataOptions"]["HttpTokens"] == "required"


def test_the_guide_installs_from_the_lock_files_too() -> None:
    guide = GUIDE.read_text()
    assert "==" not in guide
    assert "pip install --require-hashes --no-deps -r locks/aws.lock" in guide
    assert "ray get-auth-token --generate" in guide


def test_workers_watch_for_the_notice_of_aws() -> None:
    watchers = [c for c in prepared(AWS)["worker_start_ray_commands"] if "spot_notice" in c]
    assert len(watchers) == 1
    assert "RAY_AUTH_MODE=token" in watchers[0]
