"""deploy/kuberay.yaml held against the schema of KubeRay's RayJob; without Kubernetes."""

import copy
import json
import re
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "deploy" / "kuberay.yaml").read_text()
GUIDE = (ROOT / "docs" / "kubernetes.md").read_text()
# Of KubeRay 1.6.2, which is not part of this project.
SCHEMA = ROOT.parent / "shared" / "data" / "kuberay" / "rayjob.v1.openapi.json"
IMAGE, STORAGE = f"registry.example/hedgesweep@sha256:{'0' * 64}", "s3://bucket/tickets"
RAY_PODS = {"ray.io/is-ray-node": "yes"}

Manifest = dict[str, Any]


def manifests() -> list[Manifest]:
    """The file with both placeholders replaced as its first lines say."""
    return list(yaml.safe_load_all(TEXT.replace("IMAGE", IMAGE).replace("STORAGE", STORAGE)))


def of_kind(kind: str) -> dict[str, Manifest]:
    return {m["metadata"]["name"]: m for m in manifests() if m["kind"] == kind}


def job() -> Manifest:
    (manifest,) = of_kind("RayJob").values()
    return manifest


def cluster() -> Manifest:
    return job()["spec"]["rayClusterSpec"]


def templates() -> dict[str, Manifest]:
    """Pod by kind of node."""
    (workers,) = cluster()["workerGroupSpecs"]
    head = cluster()["headGroupSpec"]
    return {n: g["template"]["spec"] for n, g in (("head", head), ("worker", workers))}


def strict(schema: Any) -> Any:
    """``schema`` with unknown fields as errors; Kubernetes drops them without a word."""
    if isinstance(schema, list):
        return [strict(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: strict(value) for key, value in schema.items()}
    if isinstance(schema.get("properties"), dict) and "type" in schema:
        closed.setdefault("additionalProperties", False)
    return closed


@pytest.fixture(scope="module")
def validator():
    if not SCHEMA.exists():
        pytest.skip(f"no schema of KubeRay beside the project ({SCHEMA.name})")
    return Draft202012Validator(strict(json.loads(SCHEMA.read_text())))


def test_the_job_follows_the_schema_of_kuberay(validator):
    assert [f"{e.json_path}: {e.message}" for e in validator.iter_errors(job())] == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("spec", "ttlSecondAfterFinished"), 1),
        (("spec", "rayClusterSpec", "authOptions", "mod"), "token"),
        (("spec", "rayClusterSpec", "authOptions", "mode"), "tokens"),
        (("spec", "rayClusterSpec", "headGroupSpec", "rayStartParams", "num-cpus"), 0),
        (("spec", "rayClusterSpec", "headGroupSpec", "template", "spec", "serviceAcount"), "x"),
        (("spec", "backoffLimit"), "3"),
    ],
    ids=lambda value: value[-1] if isinstance(value, tuple) else "",
)
def test_control_a_slip_is_found(validator, path, value):
    manifest = copy.deepcopy(job())
    *parents, key = path
    parent = manifest
    for name in parents:
        parent = parent[name]
    parent[key] = value
    (error,) = validator.iter_errors(manifest)
    assert key in error.json_path + error.message


def test_two_placeholders_are_to_be_replaced_and_no_others():
    text = "\n".join(line.partition("#")[0] for line in TEXT.splitlines())
    assert re.findall(r"\b[A-Z]{4,}\b", text) == ["STORAGE", "IMAGE"]
    command = '    sed -e "s|IMAGE|$image|" -e "s|STORAGE|$storage|" deploy/kuberay.yaml'
    assert command.strip() in TEXT
    assert command.strip() in GUIDE


def test_all_pods_run_one_image_that_has_the_ray_of_the_project():
    images = {c["image"] for pod in templates().values() for c in pod["containers"]}
    assert images == {IMAGE}
    assert cluster()["rayVersion"] == version("ray")


def test_the_sweep_runs_on_the_head_and_trials_do_not():
    assert job()["spec"]["entrypoint"] == (
        f"hedgesweep run /space/space.yaml --storage {STORAGE} --address auto"
    )
    assert cluster()["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0"
    (mount,) = templates()["head"]["containers"][0]["volumeMounts"]
    assert (mount["mountPath"], mount["readOnly"]) == ("/space", True)


def test_workers_come_and_go_and_nothing_outlives_the_sweep():
    (group,) = cluster()["workerGroupSpecs"]
    assert (group["minReplicas"], group["replicas"], group["maxReplicas"]) == (0, 0, 16)
    assert cluster()["enableInTreeAutoscaling"] is True
    assert job()["spec"]["shutdownAfterJobFinishes"] is True
    assert job()["spec"]["ttlSecondsAfterFinished"] <= 3600


def test_clients_need_a_token_which_no_file_holds():
    assert cluster()["authOptions"] == {"mode": "token"}
    assert "env" not in json.dumps(job())
    assert not re.search(r"(?i)secret|password|access.?key|auth_token", json.dumps(manifests()))


def test_no_container_may_gain_rights():
    containers = [c for pod in templates().values() for c in pod["containers"]]
    containers.append(cluster()["autoscalerOptions"])
    for container in containers:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
        }
        assert {"cpu", "memory"} == set(container["resources"]["limits"])
    for pod in templates().values():
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["runAsUser"] == 1000
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    (namespace,) = of_kind("Namespace").values()
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


def test_workers_have_no_identity_of_the_cloud_nor_of_kubernetes():
    accounts = of_kind("ServiceAccount")
    head, worker = (templates()[node]["serviceAccountName"] for node in ("head", "worker"))
    assert head != worker
    assert {head, worker} == set(accounts)
    assert templates()["worker"]["automountServiceAccountToken"] is False
    assert "annotations" not in accounts[worker]["metadata"]


def test_only_ray_and_the_operator_reach_the_ports_of_ray():
    policy = of_kind("NetworkPolicy")["ray-ingress"]["spec"]
    assert policy["podSelector"] == {}, "every pod of the namespace"
    assert policy["policyTypes"] == ["Ingress"]
    ray, operator = policy["ingress"]
    assert ray == {"from": [{"podSelector": {"matchLabels": RAY_PODS}}]}
    (source,) = operator["from"]
    assert set(source) == {"namespaceSelector", "podSelector"}, "both, in one item, or it is an or"
    assert operator["ports"] == [{"protocol": "TCP", "port": 8265}]


def test_workers_reach_ray_and_names_only():
    policy = of_kind("NetworkPolicy")["worker-egress"]["spec"]
    assert policy["podSelector"] == {"matchLabels": {"ray.io/node-type": "worker"}}
    ray, names = policy["egress"]
    assert ray == {"to": [{"podSelector": {"matchLabels": RAY_PODS}}]}
    assert {port["port"] for port in names["ports"]} == {53}


def test_everything_lies_in_one_namespace():
    (namespace,) = of_kind("Namespace")
    spaces = {m["metadata"].get("namespace") for m in manifests() if m["kind"] != "Namespace"}
    assert spaces == {namespace}


def test_a_worker_offers_whole_cpus():
    requests = templates()["worker"]["containers"][0]["resources"]
    assert requests["requests"] == requests["limits"]
    assert requests["limits"]["cpu"].isdigit()
