"""The EKS cluster: closed to all but those it names, run by AWS, and able to do no more than it has to."""

import json
from collections.abc import Mapping
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_elasticloadbalancingv2 as elbv2
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk.assertions import Template

from gatehouse.kubernetes.cluster import GatewayCluster
from gatehouse.kubernetes.versions import END_OF_STANDARD_SUPPORT
from tests.constructs.conftest import ACCOUNT, REGION
from tests.constructs.parts import imported_vpc, new_stack, only
from tests.kubernetes.validation import validate

ADMINISTRATOR = "arn:aws:iam::111111111111:role/platform-engineers"
TARGETS = f"arn:aws:elasticloadbalancing:{REGION}:{ACCOUNT}:targetgroup/gateway/0123456789abcdef"
KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/data"
CLUSTER_ARN = f"arn:aws:eks:{REGION}:{ACCOUNT}:cluster/gatehouse-test"


def _cluster(stack: cdk.Stack, **settings: Any) -> GatewayCluster:
    groups = {
        name: ec2.SecurityGroup.from_security_group_id(stack, name, f"sg-{name}")
        for name in ("service", "endpoints")
    }
    defaults: dict[str, Any] = {
        "public_endpoint_cidrs": [],
        "administrator_role_arns": [ADMINISTRATOR],
        "sync_secrets": False,
    }
    return GatewayCluster(
        stack,
        "Gateway",
        name="gatehouse-test",
        version="1.36",
        vpc=imported_vpc(stack),
        subnets=ec2.SubnetSelection(subnet_group_name="service"),
        service_security_group=groups["service"],
        endpoints_security_group=groups["endpoints"],
        zones=[f"{REGION}a", f"{REGION}b"],
        cpu_architecture="arm64",
        deletion_protection=True,
        target_groups=[
            elbv2.ApplicationTargetGroup.from_target_group_attributes(
                stack, "Targets", target_group_arn=TARGETS
            )
        ],
        secret_key=kms.Key.from_key_arn(stack, "Key", KEY),
        log_key=kms.Key.from_key_arn(stack, "LogKey", f"arn:aws:kms:{REGION}:{ACCOUNT}:key/logs"),
        log_retention=logs.RetentionDays.ONE_YEAR,
        removal_policy=cdk.RemovalPolicy.RETAIN,
        **(defaults | settings),
    )


@pytest.fixture(scope="module")
def built() -> tuple[GatewayCluster, Template]:
    stack = new_stack()
    return _cluster(stack), Template.from_stack(stack)


@pytest.fixture(scope="module")
def template(built: tuple[GatewayCluster, Template]) -> Template:
    return built[1]


@pytest.fixture(scope="module")
def built_open() -> tuple[GatewayCluster, Template]:
    stack = new_stack()
    cluster = _cluster(
        stack,
        public_endpoint_cidrs=["198.51.100.0/24"],
        administrator_role_arns=[],
        sync_secrets=True,
    )
    return cluster, Template.from_stack(stack)


@pytest.fixture(scope="module")
def open_template(built_open: tuple[GatewayCluster, Template]) -> Template:
    return built_open[1]


def _cluster_properties(template: Template) -> dict[str, Any]:
    return only(template, "EKS::Cluster")


def _role_id(template: Template, prefix: str) -> str:
    (found,) = [name for name in template.find_resources("AWS::IAM::Role") if name.startswith(prefix)]
    return str(found)


def _statements(template: Template, role: str) -> list[dict[str, Any]]:
    """What the policies of the role whose logical ID starts so allow, beside managed ones."""
    return [
        statement
        for policy in template.find_resources("AWS::IAM::Policy").values()
        if any(each["Ref"].startswith(role) for each in policy["Properties"]["Roles"])
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
    ]


def _add_on(template: Template, name: str) -> dict[str, Any]:
    (found,) = [
        resource["Properties"]
        for resource in template.find_resources("AWS::EKS::Addon").values()
        if resource["Properties"]["AddonName"] == name
    ]
    return dict(found)


def _entries(template: Template) -> dict[str, dict[str, Any]]:
    """Every access entry by the access policy that it gives."""
    found = {}
    for resource in template.find_resources("AWS::EKS::AccessEntry").values():
        (policy,) = resource["Properties"]["AccessPolicies"]
        assert policy["AccessScope"] == {"Type": "cluster"}
        found[policy["PolicyArn"].removeprefix("arn:aws:eks::aws:cluster-access-policy/")] = resource[
            "Properties"
        ]
    return found


def test_its_version_is_the_one_that_is_asked_for(template: Template) -> None:
    properties = _cluster_properties(template)
    assert (properties["Name"], properties["Version"]) == ("gatehouse-test", "1.36")


def test_its_version_never_changes_but_by_a_deployment(template: Template) -> None:
    assert _cluster_properties(template)["UpgradePolicy"] == {"SupportType": "EXTENDED"}


def test_its_api_is_private(template: Template) -> None:
    configuration = _cluster_properties(template)["ResourcesVpcConfig"]
    assert configuration == {
        "SubnetIds": ["subnet-service-a", "subnet-service-b"],
        "EndpointPrivateAccess": True,
        "EndpointPublicAccess": False,
    }


def test_its_api_is_public_for_networks_that_are_named_alone(open_template: Template) -> None:
    configuration = _cluster_properties(open_template)["ResourcesVpcConfig"]
    assert configuration["EndpointPrivateAccess"] is True
    assert configuration["EndpointPublicAccess"] is True
    assert configuration["PublicAccessCidrs"] == ["198.51.100.0/24"]


def test_it_admits_roles_that_are_named_and_not_who_made_it(template: Template) -> None:
    assert _cluster_properties(template)["AccessConfig"] == {
        "AuthenticationMode": "API",
        "BootstrapClusterCreatorAdminPermissions": False,
    }
    entries = _entries(template)
    assert entries.keys() == {"AmazonEKSClusterAdminPolicy", "AmazonEKSAutoNodePolicy"}
    assert entries["AmazonEKSClusterAdminPolicy"]["PrincipalArn"] == ADMINISTRATOR


def test_without_administrators_it_admits_its_nodes_alone(open_template: Template) -> None:
    assert _entries(open_template).keys() == {"AmazonEKSAutoNodePolicy"}


def test_each_administrator_keeps_its_entry_when_another_goes() -> None:
    other = ADMINISTRATOR.replace("engineers", "leads")

    def entries(*role_arns: str) -> dict[str, str]:
        stack = new_stack()
        _cluster(stack, administrator_role_arns=role_arns)
        found = Template.from_stack(stack).find_resources("AWS::EKS::AccessEntry")
        arns = {name: each["Properties"]["PrincipalArn"] for name, each in found.items()}
        return {name: arn for name, arn in arns.items() if isinstance(arn, str)}

    both, one = entries(ADMINISTRATOR, other), entries(other)
    assert len(both) == 2
    assert one.items() <= both.items()


def test_nodes_join_by_an_entry_of_their_own_type(template: Template) -> None:
    entry = _entries(template)["AmazonEKSAutoNodePolicy"]
    assert entry["Type"] == "EC2"
    assert entry["PrincipalArn"]["Fn::GetAtt"][0] == _role_id(template, "GatewayNodeRole")


def test_aws_runs_nodes_volumes_and_targets(template: Template) -> None:
    properties = _cluster_properties(template)
    assert properties["ComputeConfig"]["Enabled"] is True
    assert properties["StorageConfig"] == {"BlockStorage": {"Enabled": True}}
    assert properties["KubernetesNetworkConfig"] == {"ElasticLoadBalancing": {"Enabled": True}}
    assert properties["BootstrapSelfManagedAddons"] is False


def test_add_ons_have_nodes_before_there_is_a_pool_for_the_gateway(template: Template) -> None:
    compute = _cluster_properties(template)["ComputeConfig"]
    assert compute["NodePools"] == ["system"]
    assert compute["NodeRoleArn"]["Fn::GetAtt"][0] == _role_id(template, "GatewaySystemNodeRole")


def test_kubernetes_secrets_are_encrypted_with_the_platform_s_key(template: Template) -> None:
    assert _cluster_properties(template)["EncryptionConfig"] == [
        {"Provider": {"KeyArn": KEY}, "Resources": ["secrets"]}
    ]


def test_it_is_protected_and_moves_away_from_a_zone_that_fails(template: Template) -> None:
    properties = _cluster_properties(template)
    assert properties["DeletionProtection"] is True
    assert properties["ZonalShiftConfig"] == {"Enabled": True}


def test_all_that_its_control_plane_logs_is_kept_encrypted_and_for_as_long_as_configured(
    template: Template,
) -> None:
    types = _cluster_properties(template)["Logging"]["ClusterLogging"]["EnabledTypes"]
    assert {each["Type"] for each in types} == {
        "api",
        "audit",
        "authenticator",
        "controllerManager",
        "scheduler",
    }
    template.has_resource_properties(
        "AWS::Logs::LogGroup",
        {
            "LogGroupName": "/aws/eks/gatehouse-test/cluster",
            "RetentionInDays": 365,
            "KmsKeyId": f"arn:aws:kms:{REGION}:{ACCOUNT}:key/logs",
        },
    )


def test_log_group_and_roles_are_there_before_it_and_longer(template: Template) -> None:
    (cluster,) = template.find_resources("AWS::EKS::Cluster").values()
    for prefix in ("GatewayLogGroup", "GatewayRoleDefaultPolicy", "GatewayNodeRole"):
        assert any(each.startswith(prefix) for each in cluster["DependsOn"])


def _managed_policies(template: Template, role: str) -> set[str]:
    properties = template.to_json()["Resources"][_role_id(template, role)]["Properties"]
    return {arn["Fn::Join"][1][-1].rpartition("/")[2] for arn in properties["ManagedPolicyArns"]}


def test_its_role_is_what_auto_mode_needs(template: Template) -> None:
    assert _managed_policies(template, "GatewayRole") == {
        "AmazonEKSBlockStoragePolicy",
        "AmazonEKSClusterPolicy",
        "AmazonEKSComputePolicy",
        "AmazonEKSLoadBalancingPolicy",
        "AmazonEKSNetworkingPolicy",
    }
    role = template.to_json()["Resources"][_role_id(template, "GatewayRole")]["Properties"]
    (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Principal"] == {"Service": "eks.amazonaws.com"}
    assert trust["Action"] == ["sts:AssumeRole", "sts:TagSession"]
    assert trust["Condition"] == {
        "StringEquals": {"aws:SourceAccount": ACCOUNT},
        "ArnEquals": {"aws:SourceArn": CLUSTER_ARN},
    }


def test_its_role_registers_pods_with_the_gateway_s_target_group_alone(template: Template) -> None:
    (statement,) = [
        each
        for each in _statements(template, "GatewayRole")
        if "elasticloadbalancing:RegisterTargets" in each["Action"]
    ]
    assert statement["Action"] == [
        "elasticloadbalancing:DeregisterTargets",
        "elasticloadbalancing:RegisterTargets",
    ]
    assert statement["Resource"] == TARGETS


def test_its_role_uses_the_key_for_nodes_disks_through_ec2_and_grants_it_to_aws_alone(
    template: Template,
) -> None:
    via_ec2 = {"StringEquals": {"kms:ViaService": f"ec2.{REGION}.amazonaws.com"}}
    conditions = {
        action: each.get("Condition")
        for each in _statements(template, "GatewayRole")
        for action in ([each["Action"]] if isinstance(each["Action"], str) else each["Action"])
        if action.startswith("kms:") and each["Resource"] == KEY
    }
    assert conditions == {
        "kms:CreateGrant": via_ec2 | {"Bool": {"kms:GrantIsForAWSResource": "true"}},
        "kms:Decrypt": None,
        "kms:DescribeKey": None,
        "kms:Encrypt": None,
        "kms:GenerateDataKeyWithoutPlaintext": via_ec2,
        "kms:ListGrants": None,
        "kms:ReEncryptFrom": via_ec2,
        "kms:ReEncryptTo": via_ec2,
    }


@pytest.mark.parametrize("role", ["GatewayNodeRole", "GatewaySystemNodeRole"])
def test_nodes_pull_images_and_ask_for_the_roles_of_pods_alone(template: Template, role: str) -> None:
    assert _managed_policies(template, role) == {
        "AmazonEC2ContainerRegistryPullOnly",
        "AmazonEKSWorkerNodeMinimalPolicy",
    }
    assert _statements(template, role) == []


def test_its_nodes_reach_the_interface_endpoints(template: Template) -> None:
    rule = only(template, "EC2::SecurityGroupIngress")
    assert rule["GroupId"] == "sg-endpoints"
    assert rule["SourceSecurityGroupId"]["Fn::GetAtt"][1] == "ClusterSecurityGroupId"
    assert (rule["FromPort"], rule["ToPort"], rule["IpProtocol"]) == (443, 443, "tcp")


def test_add_ons_come_when_nodes_can_pull_their_images(template: Template) -> None:
    (rule,) = template.find_resources("AWS::EC2::SecurityGroupIngress")
    for add_on in template.find_resources("AWS::EKS::Addon").values():
        assert rule in add_on["DependsOn"]


def test_it_has_the_add_ons_that_the_gateway_needs_and_no_others(template: Template) -> None:
    names = [
        resource["Properties"]["AddonName"]
        for resource in template.find_resources("AWS::EKS::Addon").values()
    ]
    assert sorted(names) == [
        "amazon-cloudwatch-observability",
        "aws-secrets-store-csi-driver-provider",
        "metrics-server",
    ]


def test_the_metrics_of_pods_are_served_from_nodes_of_add_ons(template: Template) -> None:
    assert json.loads(_add_on(template, "metrics-server")["ConfigurationValues"]) == {
        "nodeSelector": {"karpenter.sh/nodepool": "system"},
        "tolerations": [{"key": "CriticalAddonsOnly", "operator": "Exists"}],
    }


@pytest.mark.parametrize(("fixture", "expected"), [("template", False), ("open_template", True)])
def test_secrets_become_kubernetes_secrets_only_where_an_image_needs_it(
    request: pytest.FixtureRequest, fixture: str, expected: bool
) -> None:
    add_on = _add_on(request.getfixturevalue(fixture), "aws-secrets-store-csi-driver-provider")
    configuration = json.loads(add_on["ConfigurationValues"])
    assert configuration == {"secrets-store-csi-driver": {"syncSecret": {"enabled": expected}}}


def test_what_mounts_secrets_keeps_kubernetes_secrets_only_where_an_image_needs_it(
    built: tuple[GatewayCluster, Template], built_open: tuple[GatewayCluster, Template]
) -> None:
    assert "ClusterRole" not in {each["kind"] for each in built[0].reference.manifests}
    role, binding = built_open[0].reference.manifests[-2:]
    for version in END_OF_STANDARD_SUPPORT:
        validate(role, version)
        validate(binding, version)
    (rule,) = role["rules"]
    assert (rule["apiGroups"], rule["resources"]) == ([""], ["secrets"])
    # What the driver's own manifests give it.
    assert set(rule["verbs"]) == {"create", "delete", "get", "list", "patch", "update", "watch"}
    assert binding["roleRef"]["name"] == role["metadata"]["name"]
    (subject,) = binding["subjects"]
    assert (subject["kind"], subject["name"]) == ("Group", "system:serviceaccounts:aws-secrets-manager")
    assert role["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "gatehouse"


def test_no_add_on_changes_the_gateway_s_pods_to_trace_them(template: Template) -> None:
    configuration = json.loads(_add_on(template, "amazon-cloudwatch-observability")["ConfigurationValues"])
    assert configuration["manager"]["applicationSignals"]["autoMonitor"] == {"monitorAllServices": False}


def test_every_log_of_the_add_on_has_a_group_with_key_and_retention(template: Template) -> None:
    groups = {
        resource["Properties"]["LogGroupName"]: resource["Properties"]
        for resource in template.find_resources("AWS::Logs::LogGroup").values()
    }
    for log in ("application", "dataplane", "host", "performance"):
        group = groups[f"/aws/containerinsights/gatehouse-test/{log}"]
        assert group["KmsKeyId"] == f"arn:aws:kms:{REGION}:{ACCOUNT}:key/logs"
        assert group["RetentionInDays"] == 365
    (add_on,) = [
        resource
        for resource in template.find_resources("AWS::EKS::Addon").values()
        if resource["Properties"]["AddonName"] == "amazon-cloudwatch-observability"
    ]
    assert sum("Logs" in each for each in add_on["DependsOn"]) == 4


def test_the_log_writer_is_the_add_on_s_own_pods_in_this_cluster(template: Template) -> None:
    (association,) = _add_on(template, "amazon-cloudwatch-observability")["PodIdentityAssociations"]
    assert association["ServiceAccount"] == "cloudwatch-agent"
    role_id = association["RoleArn"]["Fn::GetAtt"][0]
    role: Mapping[str, Any] = template.to_json()["Resources"][role_id]["Properties"]
    (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Principal"] == {"Service": "pods.eks.amazonaws.com"}
    assert trust["Condition"]["StringEquals"] == {
        "aws:SourceAccount": ACCOUNT,
        "aws:RequestTag/kubernetes-namespace": "amazon-cloudwatch",
        "aws:RequestTag/kubernetes-service-account": "cloudwatch-agent",
    }
    assert trust["Condition"]["ArnEquals"] == {"aws:SourceArn": CLUSTER_ARN}


def test_the_log_writer_makes_no_log_groups_and_writes_its_own_alone(template: Template) -> None:
    statements = _statements(template, "GatewayAddOnsLogWriter")
    logs_statement, metrics, describe = statements
    assert logs_statement["Action"] == [
        "logs:CreateLogStream",
        "logs:DescribeLogStreams",
        "logs:PutLogEvents",
    ]
    assert len(logs_statement["Resource"]) == 4
    assert all(each["Fn::GetAtt"][1] == "Arn" for each in logs_statement["Resource"])
    assert metrics["Condition"] == {"StringEquals": {"cloudwatch:namespace": "ContainerInsights"}}
    assert describe["Action"] == ["ec2:DescribeTags", "ec2:DescribeVolumes"]


def test_who_deploys_into_it_knows_it_and_what_comes_first(built: tuple[GatewayCluster, Template]) -> None:
    cluster, _ = built
    stack = cdk.Stack.of(cluster)
    reference = cluster.reference
    assert reference.arn == CLUSTER_ARN
    assert stack.resolve(reference.name)["Ref"].startswith("GatewayCluster")
    assert (reference.identity, reference.oidc_provider) == ("pod-identity", None)
    assert reference.load_balancing == "auto-mode"
    assert [each["kind"] for each in reference.manifests] == ["ConfigMap", "NodeClass", "NodePool"]
    assert {type(each).__name__ for each in reference.ready} == {"CfnAccessEntry", "CfnAddon"}
    assert len(reference.ready) == 4


def test_its_nodes_are_in_its_own_group_and_the_platform_s(built: tuple[GatewayCluster, Template]) -> None:
    cluster, _ = built
    stack = cdk.Stack.of(cluster)
    node_class = stack.resolve(cluster.reference.manifests[1])
    own, service = node_class["spec"]["securityGroupSelectorTerms"]
    assert own["id"]["Fn::GetAtt"][1] == "ClusterSecurityGroupId"
    assert service == {"id": "sg-service"}
    assert node_class["spec"]["role"]["Ref"].startswith("GatewayNodeRole")
