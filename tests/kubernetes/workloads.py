"""Workloads that differ in what manifests depend on: the image, whose cluster it is, and what runs beside."""

from collections.abc import Mapping
from functools import cache
from typing import Any, Literal

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_kms as kms
from aws_cdk import aws_secretsmanager as secretsmanager

from gatehouse import key_hashing_secret
from gatehouse.collector import collector_configuration
from gatehouse.container_settings import MIGRATIONS, ContainerSettings, SecretValue, container_settings
from gatehouse.image_profile import Backends, ImageProfile
from gatehouse.kubernetes.cluster_reference import ClusterReference
from gatehouse.kubernetes.manifest import Manifest
from gatehouse.kubernetes.workload import gateway, prerequisites
from gatehouse.kubernetes.workload_inputs import Workload
from gatehouse.load_balancer import IDLE_TIMEOUT
from gatehouse.profiles.custom import custom_profile
from gatehouse.profiles.dial import Dial
from gatehouse.profiles.gatehouse import gatehouse_profile
from gatehouse.profiles.litellm import LiteLlm
from tests.constructs.conftest import ACCOUNT, REGION
from tests.constructs.parts import new_stack

VERSIONS = ("1.35", "1.36")
PROFILES = ("gatehouse", "litellm", "dial", "custom")
COLLECTOR = "public.ecr.aws/aws-observability/aws-otel-collector@sha256:" + "c" * 64
IMAGE = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/gatehouse-dev/gateway@sha256:" + "a" * 64
TARGET_GROUP = f"arn:aws:elasticloadbalancing:{REGION}:{ACCOUNT}:targetgroup/gateway/0123456789abcdef"
SUBNETS = ["10.0.0.0/24", "10.0.1.0/24"]
VPC = ["10.0.0.0/16"]
PROVIDER = f"oidc.eks.{REGION}.amazonaws.com/id/" + "0" * 32
API_KEY = "0123456789abcdef0123456789abcdef"


def secret_arn(name: str) -> str:
    return f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:{name}-AbCdEf"


def workload(profile: str = "gatehouse", **changes: Any) -> Workload:
    """A workload on a cluster of its own, with what a test is about in place of the usual."""
    stack, found = _profile(profile)
    usual: dict[str, Any] = {
        "namespace": "gatehouse",
        "region": REGION,
        "image_uri": IMAGE,
        "profile": found,
        "collector_image_uri": COLLECTOR,
        "collector_configuration": collector_configuration(
            environment="dev", region=REGION, metrics_ports=found.metrics_ports, log_group_name="metrics"
        ),
        "cpu_units": 1024,
        "memory_mib": 2048,
        "cpu_architecture": "arm64",
        "minimum_pods": 3,
        "maximum_pods": 30,
        "drain_seconds": 960,
        "zones": [f"{REGION}{zone}" for zone in "abc"],
        "cluster": cluster(stack),
        "has_own_nodes": True,
        "target_group_arn": TARGET_GROUP,
        "load_balancer_cidrs": SUBNETS,
        "backend_cidrs": VPC,
        "database_port": 5432,
        "cache_port": 6379,
        "has_ipv6": False,
        "gateway_annotations": {},
        "migration_annotations": {},
        "resolve": stack.resolve,
    }
    return Workload(**(usual | changes))


def on_an_existing_cluster(profile: str = "gatehouse", **changes: Any) -> Workload:
    """A workload on somebody's cluster: roles by OpenID Connect, and the AWS Load Balancer Controller."""
    stack, _ = _profile(profile)
    annotations = {"eks.amazonaws.com/role-arn": f"arn:aws:iam::{ACCOUNT}:role/gateway"}
    usual: dict[str, Any] = {
        "cluster": cluster(stack, identity="oidc", load_balancing="controller"),
        "has_own_nodes": False,
        "gateway_annotations": annotations,
        "migration_annotations": annotations,
    }
    return workload(profile, **(usual | changes))


def cluster(
    stack: cdk.Stack,
    *,
    identity: Literal["pod-identity", "oidc"] = "pod-identity",
    load_balancing: Literal["auto-mode", "controller"] = "auto-mode",
) -> ClusterReference:
    return ClusterReference(
        name="platform",
        arn=f"arn:aws:eks:{REGION}:{ACCOUNT}:cluster/platform",
        security_group=ec2.SecurityGroup.from_security_group_id(
            stack, f"Group{len(stack.node.children)}", "sg-0123456789abcdef0"
        ),
        identity=identity,
        oidc_provider=PROVIDER if identity == "oidc" else None,
        load_balancing=load_balancing,
        manifests=(),
        ready=(),
    )


def every_manifest(found: Workload) -> list[Manifest]:
    return [*prerequisites(found), *gateway(found)]


def only(manifests: list[Manifest], kind: str, name: str | None = None) -> dict[str, Any]:
    """The one manifest of a kind, or of a kind and a name."""
    (found,) = [
        each for each in manifests if each["kind"] == kind and name in (None, each["metadata"]["name"])
    ]
    return dict(found)


def pod_of(manifest: Manifest) -> dict[str, Any]:
    pod: dict[str, Any] = manifest["spec"]["template"]["spec"]
    return pod


def deployed_pod(found: Workload) -> dict[str, Any]:
    return pod_of(only(gateway(found), "Deployment"))


def deployed_container(found: Workload) -> dict[str, Any]:
    (container,) = deployed_pod(found)["containers"]
    assert isinstance(container, dict)
    return container


def values_of(container: Mapping[str, Any]) -> dict[str, str]:
    """A container's plain variables as its process sees them: Kubernetes makes one $ of two."""
    return {each["name"]: each["value"].replace("$$", "$") for each in container["env"] if "value" in each}


@cache
def _profile(name: str) -> tuple[cdk.Stack, ImageProfile]:
    stack = new_stack()
    if name == "gatehouse":
        return stack, _bundled(stack)
    if name == "custom":
        return stack, custom_profile(port=9000, ready_path="/ready", user="1001", command=["serve"])
    gateway_of: type[LiteLlm] | type[Dial] = LiteLlm if name == "litellm" else Dial
    found = gateway_of(
        stack,
        "Foreign",
        backends=_backends(),
        idle_timeout=IDLE_TIMEOUT,
        encryption_key=kms.Key.from_key_arn(stack, "Key", f"arn:aws:kms:{REGION}:{ACCOUNT}:key/data"),
        removal_policy=cdk.RemovalPolicy.DESTROY,
    )
    return stack, found.profile


def _bundled(stack: cdk.Stack) -> ImageProfile:
    return gatehouse_profile(
        settings=_settings(stack), migration_settings=_migration_settings(), database_user="gateway"
    )


def _settings(stack: cdk.Stack) -> ContainerSettings:
    secrets = {
        name: secretsmanager.Secret.from_secret_complete_arn(stack, name, secret_arn(name))
        for name in ("api-keys", "key-hashing")
    }
    return container_settings(
        values={
            "environment": "dev",
            "region": REGION,
            "models_source": "appconfig://application/environment/models",
            "workers": "1",
            "cache_host": "cache.example.com",
            "cache_username": "gateway",
            "cache_authentication": "iam",
            "cache_name": "cache",
            "database_host": "database.example.com",
            "database_name": "gateway",
            "database_username": "gateway",
            "database_authentication": "iam",
        },
        secrets={
            "api_keys": SecretValue(secrets["api-keys"]),
            "key_hashing_secret": SecretValue(secrets["key-hashing"], key_hashing_secret.FIELD),
        },
    )


def _migration_settings() -> ContainerSettings:
    return container_settings(
        program=MIGRATIONS,
        values={
            "host": "database.example.com",
            "name": "gateway",
            "username": "owner",
            "authentication": "iam",
            "region": REGION,
            "serving_username": "gateway",
            "serving_authentication": "iam",
        },
        secrets={},
    )


def _backends() -> Backends:
    return Backends(
        region=REGION,
        domain_name="api.example.com",
        database_host="database.example.com",
        database_port="5432",
        database_name="gateway",
        database_user="owner",
        cache_host="cache.example.com",
        cache_port="6379",
        cache_user="gateway",
        cache_name="cache",
        bucket_name="objects",
        bucket_arn="arn:aws:s3:::objects",
        issuer=f"https://cognito-idp.{REGION}.amazonaws.com/{REGION}_users",
    )
