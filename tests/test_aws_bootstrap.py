"""cluster.yaml turned into machines by Ray's own AWS provider, against moto instead of AWS.

What `ray up` asks of AWS before its first SSH, and the autoscaler later. No machine is started,
and no request leaves this one.
"""

import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
import yaml
from botocore.httpsession import URLLib3Session
from moto_server import aws_server, point_to
from ray.autoscaler._private.aws import config as aws_config
from ray.autoscaler._private.aws import utils as aws_utils
from ray.autoscaler._private.aws.node_provider import AWSNodeProvider
from ray.autoscaler._private.commands import _bootstrap_config
from ray.autoscaler.tags import (
    NODE_KIND_HEAD,
    NODE_KIND_WORKER,
    TAG_RAY_CLUSTER_NAME,
    TAG_RAY_LAUNCH_CONFIG,
    TAG_RAY_NODE_KIND,
    TAG_RAY_NODE_NAME,
    TAG_RAY_USER_NODE_TYPE,
)

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[1]
ADDRESS, WORLD = "198.51.100.7/32", "0.0.0.0/0"
WORKERS = ("worker-c7i", "worker-m7i")

Config = dict[str, Any]


@contextmanager
def account(home: Path) -> Iterator[Any]:
    """Client of EC2 of an account without anything, which is Ray's account too."""
    caches = (aws_utils.resource_cache, aws_utils.client_cache, aws_config._get_subnets_or_die)
    send = URLLib3Session.send

    def checked(session: Any, prepared: Any) -> Any:
        assert urlsplit(prepared.url).hostname == "127.0.0.1", prepared.url
        return send(session, prepared)

    with (
        aws_server(MOTO_IAM_LOAD_MANAGED_POLICIES="true") as port,
        pytest.MonkeyPatch.context() as patch,
    ):
        point_to(patch, f"http://127.0.0.1:{port}")
        for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
            patch.setenv(name, str(home / "missing"))
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        patch.setenv("HOME", str(home))  # of the SSH key
        patch.setattr(URLLib3Session, "send", checked)
        # AWS needs half a minute to distribute a new role, and moto does not.
        patch.setattr(aws_config, "time", SimpleNamespace(sleep=lambda _: None))
        for cache in caches:
            cache.cache_clear()
        try:
            yield boto3.client("ec2")
        finally:
            for cache in caches:
                cache.cache_clear()


def bootstrapped() -> Config:
    """What `ray up cluster.yaml` works with once AWS has what it needs."""
    config = yaml.safe_load((ROOT / "cluster.yaml").read_text())
    return _bootstrap_config(config, no_config_cache=True)


def group_of_the_guide(ec2: Any) -> str:
    """The security group of docs/cluster.md."""
    described = {"GroupName": "hedgesweep", "Description": "hedgesweep cluster"}
    group = ec2.create_security_group(**described)["GroupId"]
    ssh = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": ADDRESS}]}
    inside = {"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": group}]}
    for rule in (ssh, inside):
        ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[rule])
    return group


def launch(provider: AWSNodeProvider, config: Config, kind: str) -> str:
    """Id of a new machine, requested as `ray up` requests the head and the autoscaler a worker."""
    head = kind == config["head_node_type"]
    node_config = {**config["head_node"]} if head else {}
    tags = {
        TAG_RAY_NODE_KIND: NODE_KIND_HEAD if head else NODE_KIND_WORKER,
        TAG_RAY_USER_NODE_TYPE: kind,
        TAG_RAY_NODE_NAME: f"ray-{config['cluster_name']}-{kind}",
        TAG_RAY_LAUNCH_CONFIG: "0",
    }
    node_config |= config["available_node_types"][kind]["node_config"]
    (node,) = provider.create_node(node_config, tags, 1)
    return str(node)


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """A head and one worker of each type, as AWS describes them."""

    ec2: Any
    config: Config
    provider: AWSNodeProvider
    group: str
    home: Path
    nodes: dict[str, str]

    def described(self) -> dict[str, Config]:
        """Instances by type of node."""
        answer = self.ec2.describe_instances(InstanceIds=[*self.nodes.values()])
        instances = {i["InstanceId"]: i for r in answer["Reservations"] for i in r["Instances"]}
        return {kind: instances[node] for kind, node in self.nodes.items()}

    def disks(self) -> list[Config]:
        of = [{"Name": "attachment.instance-id", "Values": [*self.nodes.values()]}]
        return list(self.ec2.describe_volumes(Filters=of)["Volumes"])


@pytest.fixture(scope="module")
def cluster(tmp_path_factory) -> Iterator[Cluster]:
    home = tmp_path_factory.mktemp("home")
    with account(home) as ec2:
        group = group_of_the_guide(ec2)
        config = bootstrapped()
        provider = AWSNodeProvider(config["provider"], config["cluster_name"])
        kinds = ("head", *WORKERS)
        nodes = {kind: launch(provider, config, kind) for kind in kinds}
        yield Cluster(
            ec2=ec2, config=config, provider=provider, group=group, home=home, nodes=nodes
        )


def ssh_from(ec2: Any, group: str) -> set[str]:
    """Addresses that reach port 22 of the group's machines."""
    (described,) = ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"]
    rules = [r for r in described["IpPermissions"] if r.get("FromPort") == 22]
    return {one["CidrIp"] for rule in rules for one in rule["IpRanges"]}


def test_a_group_made_beforehand_keeps_its_rules(cluster):
    assert ssh_from(cluster.ec2, cluster.group) == {ADDRESS}
    for instance in cluster.described().values():
        assert [g["GroupId"] for g in instance["SecurityGroups"]] == [cluster.group]


def test_control_without_the_group_ssh_is_open_to_the_world(tmp_path):
    """The reason why docs/cluster.md begins with the group."""
    with account(tmp_path) as ec2:
        head = bootstrapped()["available_node_types"]["head"]["node_config"]
        (group,) = head["SecurityGroupIds"]
        assert ssh_from(ec2, group) == {WORLD}


def test_nothing_but_ssh_is_open_to_an_address_outside_of_the_group(cluster):
    (described,) = cluster.ec2.describe_security_groups(GroupIds=[cluster.group])["SecurityGroups"]
    for rule in described["IpPermissions"]:
        inside = [pair["GroupId"] for pair in rule["UserIdGroupPairs"]] == [cluster.group]
        assert inside or rule["FromPort"] == rule["ToPort"] == 22
        assert not rule["Ipv6Ranges"]


def test_workers_are_spot_machines_and_the_head_is_not(cluster):
    lifecycles = {kind: i.get("InstanceLifecycle") for kind, i in cluster.described().items()}
    assert lifecycles == {"head": None} | dict.fromkeys(WORKERS, "spot")


def test_machines_are_those_of_the_file(cluster):
    kinds = cluster.config["available_node_types"]
    for kind, instance in cluster.described().items():
        for key in ("InstanceType", "ImageId"):
            assert instance[key] == kinds[kind]["node_config"][key]


def test_credentials_of_a_machine_need_a_session_token(cluster):
    for instance in cluster.described().values():
        assert instance["MetadataOptions"]["HttpTokens"] == "required"
        assert instance["MetadataOptions"]["HttpPutResponseHopLimit"] == 1


def test_every_disk_is_encrypted_and_goes_with_its_machine(cluster):
    assert len(cluster.disks()) == len(cluster.nodes)
    assert all(disk["Encrypted"] for disk in cluster.disks())
    for instance in cluster.described().values():
        assert [d["Ebs"]["DeleteOnTermination"] for d in instance["BlockDeviceMappings"]] == [True]


def test_the_head_has_a_role_and_workers_have_none(cluster):
    roles = {
        kind: i.get("IamInstanceProfile", {}).get("Arn") for kind, i in cluster.described().items()
    }
    assert roles.pop("head").endswith(":instance-profile/ray-autoscaler-v1")
    assert set(roles.values()) == {None}
    attached = boto3.client("iam").list_attached_role_policies(RoleName="ray-autoscaler-v1")
    names = {policy["PolicyName"] for policy in attached["AttachedPolicies"]}
    assert names == {"AmazonEC2FullAccess", "AmazonS3FullAccess"}, "as docs/cluster.md warns"


def test_machines_carry_the_names_by_which_ray_finds_them(cluster):
    for kind, instance in cluster.described().items():
        tags = {tag["Key"]: tag["Value"] for tag in instance["Tags"]}
        assert tags[TAG_RAY_CLUSTER_NAME] == "hedgesweep"
        assert tags[TAG_RAY_USER_NODE_TYPE] == kind
        assert tags["Name"] == f"ray-hedgesweep-{kind}"
    kind = {TAG_RAY_NODE_KIND: NODE_KIND_WORKER}
    found = cluster.provider.non_terminated_nodes(kind)
    assert set(found) == {cluster.nodes[kind] for kind in WORKERS}


def test_the_key_of_the_machines_is_readable_by_its_owner_only(cluster):
    key = Path(cluster.config["auth"]["ssh_private_key"])
    assert key.parent == cluster.home / ".ssh"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert {i["KeyName"] for i in cluster.described().values()} == {key.stem}


def test_a_second_ray_up_makes_nothing_new(cluster):
    again = bootstrapped()
    for name in ("available_node_types", "auth", "head_node"):
        assert again[name] == cluster.config[name]


def test_a_worker_that_is_given_back_is_terminated_with_its_disk(cluster):
    extra = launch(cluster.provider, cluster.config, WORKERS[0])
    disks = len(cluster.ec2.describe_volumes()["Volumes"])
    cluster.provider.non_terminated_nodes({})
    cluster.provider.terminate_nodes([extra])
    answer = cluster.ec2.describe_instances(InstanceIds=[extra])
    (state,) = (i["State"]["Name"] for r in answer["Reservations"] for i in r["Instances"])
    assert state in ("shutting-down", "terminated")
    assert extra not in cluster.provider.non_terminated_nodes({})
    assert len(cluster.ec2.describe_volumes()["Volumes"]) == disks - 1


def test_control_a_request_that_would_leave_this_machine_is_noticed(cluster):
    abroad = boto3.client("ec2", endpoint_url="http://192.0.2.1:1")
    with pytest.raises(AssertionError, match=r"192\.0\.2\.1"):
        abroad.describe_regions()
