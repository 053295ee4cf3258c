"""The gateway on Kubernetes: what deploys it, in which order, and what clusters of others are spared."""

from collections.abc import Callable
from ipaddress import IPv4Network
from typing import TYPE_CHECKING, get_args

import aws_cdk as cdk
import pytest

from operations.manifests_source import read_source
from stacks.config.compute import Compute, ExistingCluster
from stacks.config.files import environment_names
from stacks.config.image import Image
from stacks.config.load import load_configuration, load_environment
from stacks.config.model import Environment
from stacks.config.network import ExistingVpc, Network
from stacks.config.standby import Standby
from stacks.platform import Platform
from tests.compute.eks_view import MANIFESTS, Manifests
from tests.compute.template import ServiceTemplate
from tests.kubernetes.pod_security import breaches
from tests.kubernetes.validation import validate
from tests.stacks.conftest import read_assembly
from tests.synthesis import FLAGS

if TYPE_CHECKING:
    from tests.stacks.conftest import Assembly

ON_EKS = [name for name in environment_names() if load_environment(name).compute.platform == "eks"]
PROVIDER = "oidc.eks.us-east-1.amazonaws.com/id/0123456789ABCDEF0123456789ABCDEF"
SECRET = "arn:aws:secretsmanager:us-east-1:555555555555:secret:license-AbCdEf:key::"
Synthesize = Callable[[Environment], "Assembly"]


@pytest.fixture(params=ON_EKS)
def template(request: pytest.FixtureRequest, assemblies: "Callable[[str], Assembly]") -> ServiceTemplate:
    """The Service stack of each environment on EKS."""
    return ServiceTemplate(assemblies(request.param).templates["Service"])


@pytest.fixture(scope="module")
def synthesize(tmp_path_factory: pytest.TempPathFactory) -> Synthesize:
    """Give the assembly of a configuration, with prod-eks' models."""

    def assembly(config: Environment) -> "Assembly":
        folder = tmp_path_factory.mktemp("kubernetes")
        app = cdk.App(
            context=dict(FLAGS),
            outdir=str(folder),
            analytics_reporting=False,
            builtin_cloud_formation_validation=False,
            tree_metadata=False,
        )
        Platform(app, config=config, catalog=load_configuration(config.name)[1])
        app.synth()
        return read_assembly(config.name, folder)

    return assembly


@pytest.fixture(scope="module")
def elsewhere(synthesize: Synthesize) -> "Assembly":
    """prod-eks in a cluster that is there, which another controller and another provider of roles serve."""
    config = load_environment("prod-eks")
    subnets = [tuple(f"subnet-{kind}{zone:016x}" for zone in range(3)) for kind in "abc"]
    network = Network(
        availability_zones=config.network.availability_zones,
        nat="one-per-zone",
        endpoints="none",
        existing=ExistingVpc(
            vpc_id="vpc-0123456789abcdef0",
            public_subnet_ids=subnets[0],
            service_subnet_ids=subnets[1],
            data_subnet_ids=subnets[2],
            cidrs=(IPv4Network("10.60.0.0/16"), IPv4Network("100.64.8.0/22")),
        ),
    )
    compute = Compute(
        platform="eks",
        namespace="llm",
        existing=ExistingCluster(
            name="shared",
            security_group_id="sg-0123456789abcdef0",
            pod_security_group_id="sg-0fedcba9876543210",
            identity="oidc",
            oidc_provider=PROVIDER,
            load_balancing="controller",
        ),
    )
    # A standby has a cluster of its own.
    return synthesize(
        config.model_copy(update={"network": network, "compute": compute, "standby": Standby()})
    )


def _ids(template: ServiceTemplate, resource_type: str) -> set[str]:
    return set(template.resources(resource_type))


def _steps(template: ServiceTemplate) -> tuple[str, str]:
    """Prerequisites and workload."""
    first, second = template.resources(MANIFESTS)
    assert first in template.depends_on(second)
    return first, second


def test_the_cluster_is_whole_before_anything_is_applied(template: ServiceTemplate) -> None:
    before = template.depends_on(_steps(template)[0])
    assert _ids(template, "AWS::EKS::Addon") <= before
    # Those of administrators, and of what a recovery does, are nothing that pods need.
    others = ("Administrator", "EksActions", "RecoveryAccess")
    needed = {
        name for name in _ids(template, "AWS::EKS::AccessEntry") if not any(other in name for other in others)
    }
    assert len(needed) == 2
    assert needed <= before


@pytest.mark.parametrize(("step", "service_account"), [(0, "migrations"), (1, "gateway")])
def test_pods_have_their_permissions_when_they_start(
    step: int, service_account: str, template: ServiceTemplate
) -> None:
    before = template.depends_on(_steps(template)[step])
    ((association_id, association),) = (
        (name, each)
        for name, each in template.resources("AWS::EKS::PodIdentityAssociation").items()
        if each["ServiceAccount"] == service_account
    )
    role_id = association["RoleArn"]["Fn::GetAtt"][0]
    (policy_id,) = (
        name
        for name, policy in template.resources("AWS::IAM::Policy").items()
        if {"Ref": role_id} in policy["Roles"]
    )
    assert {association_id, policy_id} <= before


def test_the_first_catalog_comes_once_its_alarm_has_had_time_for_data(template: ServiceTemplate) -> None:
    prerequisites, workload = _steps(template)
    (catalog,) = _ids(template, "AWS::AppConfig::Deployment")
    assert prerequisites in template.depends_on(catalog)
    assert catalog in template.depends_on(workload)


def test_pods_join_a_group_that_requests_are_sent_to(template: ServiceTemplate) -> None:
    ((rule_id, rule),) = template.resources("AWS::ElasticLoadBalancingV2::ListenerRule").items()
    assert rule_id in template.depends_on(_steps(template)[1])
    binding = Manifests(template).only("TargetGroupBinding")
    (action,) = rule["Actions"]
    (forwarded,) = action["ForwardConfig"]["TargetGroups"]
    assert binding["spec"]["targetGroupARN"] == template.text(forwarded["TargetGroupArn"])


def test_a_bad_version_of_the_workload_alone_is_taken_back_by_alarms(template: ServiceTemplate) -> None:
    prerequisites, workload = (template.resources(MANIFESTS)[each] for each in _steps(template))
    assert not prerequisites.get("Alarms")
    watched = {name["Ref"] for name in workload["Alarms"]}
    assert watched
    assert watched <= _ids(template, "AWS::CloudWatch::Alarm")


def test_the_stack_says_where_the_gateway_is(template: ServiceTemplate) -> None:
    outputs = template.content["Outputs"]
    assert {"ClusterName", "Namespace", "LogGroupName", "TaskRoleArn"} <= outputs.keys()
    assert template.named(outputs["ClusterName"]["Value"]) == template.only("AWS::EKS::Cluster")


def test_nothing_is_applied_where_others_do_it(synthesize: Synthesize) -> None:
    config = load_environment("prod-eks")
    compute = config.compute.model_copy(update={"apply": False})
    assembly = synthesize(config.model_copy(update={"compute": compute, "standby": Standby()}))
    template = ServiceTemplate(assembly.templates["Service"])
    assert template.resources(MANIFESTS) == {}
    assert template.resources("AWS::Lambda::Function") == {}
    assert len(template.resources("AWS::EKS::AccessEntry")) == 2
    manifests = read_source("prod-eks", assembly.directory).with_placeholders()
    assert "Job" in {each["kind"] for each in manifests.prerequisites}
    assert "Deployment" in {each["kind"] for each in manifests.workload}


def test_an_existing_cluster_gets_one_role_in_and_nothing_else(elsewhere: "Assembly") -> None:
    template = ServiceTemplate(elsewhere.templates["Service"])
    for resource_type in ("Cluster", "Addon", "PodIdentityAssociation"):
        assert template.resources(f"AWS::EKS::{resource_type}") == {}
    entry = template.only("AWS::EKS::AccessEntry")
    assert entry["ClusterName"] == "shared"
    assert "AccessPolicies" not in entry
    kinds = {manifest["kind"] for manifest in Manifests(template).all}
    assert kinds.isdisjoint({"NodeClass", "NodePool", "ConfigMap"})


def test_everything_in_an_existing_cluster_is_in_the_configured_namespace(elsewhere: "Assembly") -> None:
    for manifest in Manifests(ServiceTemplate(elsewhere.templates["Service"])).all:
        place = manifest["metadata"]["name" if manifest["kind"] == "Namespace" else "namespace"]
        assert place == "llm", manifest


def test_its_provider_vouches_for_pods_of_their_own_service_account(elsewhere: "Assembly") -> None:
    template = ServiceTemplate(elsewhere.templates["Service"])
    accounts = {each["metadata"]["name"]: each for each in Manifests(template).of("ServiceAccount")}
    assert accounts.keys() == {"gateway", "migrations"}
    for account in accounts.values():
        assert account["metadata"]["annotations"]["eks.amazonaws.com/role-arn"] == "${AWS::IAM::Role.Arn}"
    trusts = [
        statement["Condition"]["StringEquals"]
        for role in template.resources("AWS::IAM::Role").values()
        for statement in role["AssumeRolePolicyDocument"]["Statement"]
        if statement["Action"] == "sts:AssumeRoleWithWebIdentity"
    ]
    assert sorted(trust[f"{PROVIDER}:sub"] for trust in trusts) == [
        "system:serviceaccount:llm:gateway",
        "system:serviceaccount:llm:migrations",
    ]


def test_database_cache_and_load_balancer_are_opened_to_its_nodes(elsewhere: "Assembly") -> None:
    rules = [
        rule["Properties"]
        for rule in elsewhere.resources("Network", "AWS::EC2::SecurityGroupIngress").values()
    ]
    nodes = "sg-0fedcba9876543210"
    assert {rule["FromPort"] for rule in rules if rule["SourceSecurityGroupId"] == nodes} == {443, 5432, 6379}
    assert {rule["FromPort"] for rule in rules if rule["GroupId"] == nodes} == {8080}


def test_in_a_vpc_that_is_there_policies_open_its_own_blocks_alone(elsewhere: "Assembly") -> None:
    blocks = {"10.60.0.0/16", "100.64.8.0/22"}
    policies = Manifests(ServiceTemplate(elsewhere.templates["Service"])).of("NetworkPolicy")
    opened = [
        (port["port"], {peer["ipBlock"]["cidr"] for peer in peers})
        for policy in policies
        for direction, side in (("ingress", "from"), ("egress", "to"))
        for rule in policy["spec"].get(direction, [])
        for port, peers in ((port, rule[side]) for port in rule["ports"])
    ]
    for port in (8080, 5432, 6379):
        assert [cidrs for number, cidrs in opened if number == port]
        assert all(cidrs == blocks for number, cidrs in opened if number == port)


def test_its_load_balancer_controller_binds_the_pods(elsewhere: "Assembly") -> None:
    binding = Manifests(ServiceTemplate(elsewhere.templates["Service"])).only("TargetGroupBinding")
    assert binding["apiVersion"] == "elbv2.k8s.aws/v1beta1"


@pytest.mark.parametrize("version", get_args(Compute.model_fields["kubernetes_version"].annotation))
def test_every_version_of_kubernetes_takes_what_is_applied(template: ServiceTemplate, version: str) -> None:
    for manifest in Manifests(template).all:
        validate(manifest, version)


def test_pods_keep_the_restricted_security_standard(template: ServiceTemplate) -> None:
    owners = [each for each in Manifests(template).all if each["kind"] in {"Deployment", "Job"}]
    assert len(owners) == 2
    for owner in owners:
        assert breaches(owner["spec"]["template"]["spec"]) == []


def test_another_image_reads_its_secrets_as_variables_and_migrates_nothing(synthesize: Synthesize) -> None:
    config = load_environment("prod-eks")
    image = Image(
        profile="custom",
        uri=f"555555555555.dkr.ecr.us-east-1.amazonaws.com/other@sha256:{'0123456789abcdef' * 4}",
        version="1.0.0",
        port=9000,
        health_path="/ready",
        user=1000,
        secrets={"LICENSE": SECRET},
    )
    assembly = synthesize(config.model_copy(update={"image": image, "standby": Standby()}))
    template = ServiceTemplate(assembly.templates["Service"])
    manifests = Manifests(template)
    assert manifests.of("Job") == []
    (association,) = template.resources("AWS::EKS::PodIdentityAssociation").values()
    assert association["ServiceAccount"] == "gateway"
    (synced,) = manifests.only("SecretProviderClass")["spec"]["secretObjects"]
    (container,) = manifests.only("Deployment")["spec"]["template"]["spec"]["containers"]
    (variable,) = (each for each in container["env"] if each["name"] == "LICENSE")
    assert variable["valueFrom"]["secretKeyRef"]["name"] == synced["secretName"]
    # What mirrors them has to be turned on in the cluster, and may do so.
    assert '"syncSecret":{"enabled":true}' in str(template.resources("AWS::EKS::Addon"))
    assert manifests.only("ClusterRole")["rules"][0]["resources"] == ["secrets"]
