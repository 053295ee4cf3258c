"""The Edge stack: what the section `edge` of the configuration makes of it."""

import json
from typing import TYPE_CHECKING, Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_kms as kms
from aws_cdk.assertions import Template
from constructs import IConstruct

from gatehouse.network import Network
from gatehouse.security_groups import SecurityGroups
from gateway.admin.operations import OPERATIONS as ADMIN_OPERATIONS
from gateway.openapi.operations import OPERATIONS
from stacks.config.edge import Edge
from stacks.config.load import load_configuration, load_environment
from stacks.edge import EdgeStack, region_health
from stacks.free_text_paths import USAGE_IMPORT, free_text_path_prefixes
from stacks.platform import Platform
from tests.synthesis import FLAGS

if TYPE_CHECKING:
    from tests.stacks.conftest import Assembly

CERTIFICATE = "arn:aws:acm:us-east-1:111111111111:certificate/01234567-89ab-cdef-0123-456789abcdef"


def _template(*, has_ipv6: bool = False, **settings: Any) -> Template:
    config = load_environment("dev")
    edge = Edge.model_validate(config.edge.model_dump(mode="json") | settings)
    app = cdk.App(context=FLAGS, builtin_cloud_formation_validation=False, analytics_reporting=False)
    env = cdk.Environment(account=config.account, region=config.region)
    stage = cdk.Stage(app, "Platform", env=env)
    around = cdk.Stack(stage, "Network")
    vpc = ec2.Vpc.from_vpc_attributes(
        around,
        "Vpc",
        vpc_id="vpc-1",
        availability_zones=list(config.network.availability_zones),
        public_subnet_ids=["subnet-public-a", "subnet-public-b"],
        public_subnet_names=["public"],
        private_subnet_ids=["subnet-service-a", "subnet-service-b"],
        private_subnet_names=["service"],
    )
    groups = SecurityGroups(
        around,
        "SecurityGroups",
        vpc=vpc,
        has_ipv6=has_ipv6,
        load_balancer_asks_issuer=False,
        allowed_cidrs=["0.0.0.0/0"],
        service_port=8080,
        database_port=5432,
        cache_port=6379,
    )
    stack = EdgeStack(
        stage,
        "Edge",
        config=config.model_copy(update={"edge": edge}),
        network=Network(vpc=vpc, has_ipv6=has_ipv6),
        security_groups=groups,
        log_key=kms.Key.from_key_arn(around, "Key", "arn:aws:kms:us-east-1:111111111111:key/logs"),
    )
    return Template.from_stack(stack)


@pytest.fixture(scope="module")
def template() -> Template:
    return _template()


def _only(template: Template, resource_type: str) -> dict[str, Any]:
    (resource,) = template.find_resources(f"AWS::{resource_type}").values()
    properties: dict[str, Any] = resource["Properties"]
    return properties


def _service_stack(**settings: Any) -> IConstruct:
    """The Service stack of dev, with other settings of the edge."""
    config, catalog = load_configuration("dev")
    edge = Edge.model_validate(config.edge.model_dump(mode="json") | settings)
    platform = Platform(
        cdk.App(context=FLAGS), config=config.model_copy(update={"edge": edge}), catalog=catalog
    )
    return platform.node.find_child("Service")


def _records(template: Template) -> set[tuple[str, str]]:
    records = template.find_resources("AWS::Route53::RecordSet").values()
    return {(record["Properties"]["Name"], record["Properties"]["Type"]) for record in records}


def test_it_faces_the_internet_under_a_name_and_the_region_s_name(template: Template) -> None:
    load_balancer = _only(template, "ElasticLoadBalancingV2::LoadBalancer")
    assert (load_balancer["Scheme"], load_balancer["IpAddressType"]) == ("internet-facing", "ipv4")
    assert load_balancer["Subnets"] == ["subnet-public-a", "subnet-public-b"]
    assert _records(template) == {
        ("api.dev.gatehouse.example.com.", "A"),
        ("api.us-east-1.dev.gatehouse.example.com.", "A"),
    }


def test_an_internal_one_is_in_the_service_subnets() -> None:
    load_balancer = _only(_template(scheme="internal"), "ElasticLoadBalancingV2::LoadBalancer")
    assert load_balancer["Scheme"] == "internal"
    assert load_balancer["Subnets"] == ["subnet-service-a", "subnet-service-b"]


@pytest.mark.parametrize(
    ("has_ipv6", "allowed_cidrs", "expected"),
    [
        (True, ["0.0.0.0/0", "::/0"], "dualstack"),
        # A name with addresses that admit nobody would make callers wait for them.
        (True, ["0.0.0.0/0"], "ipv4"),
        (False, ["0.0.0.0/0", "::/0"], "ipv4"),
    ],
)
def test_ipv6_needs_a_network_and_callers_of_it(
    has_ipv6: bool, allowed_cidrs: list[str], expected: str
) -> None:
    template = _template(has_ipv6=has_ipv6, allowed_cidrs=allowed_cidrs)
    assert _only(template, "ElasticLoadBalancingV2::LoadBalancer")["IpAddressType"] == expected
    kinds = {kind for _, kind in _records(template)}
    assert kinds == ({"A", "AAAA"} if expected == "dualstack" else {"A"})


def test_a_certificate_of_one_s_own_is_served() -> None:
    template = _template(certificate_arn=CERTIFICATE)
    assert not template.find_resources("AWS::CertificateManager::Certificate")
    listeners = template.find_resources("AWS::ElasticLoadBalancingV2::Listener").values()
    (served,) = (
        listener["Properties"].get("Certificates")
        for listener in listeners
        if "SslPolicy" in listener["Properties"]
    )
    assert served == [{"CertificateArn": CERTIFICATE}]


def test_the_firewall_knows_all_paths_of_free_text() -> None:
    rules = json.dumps(_only(_template(firewall={"free_text_paths": ["/chat/"]}), "WAFv2::WebACL")["Rules"])
    for path in (*free_text_path_prefixes(), "/chat/"):
        assert f'"SearchString": "{path}"' in rules


@pytest.mark.parametrize("operation", [o for o in OPERATIONS if o.body], ids=lambda operation: operation.id)
def test_every_operation_that_takes_a_prompt_is_at_such_a_path(operation: Any) -> None:
    assert operation.path.startswith(free_text_path_prefixes())


def test_no_other_operation_is() -> None:
    admin = {operation.path for operation in ADMIN_OPERATIONS}
    assert {path for path in admin if path.startswith(free_text_path_prefixes())} == {USAGE_IMPORT}
    others = [operation.path for operation in OPERATIONS if not operation.body]
    assert not any(path.startswith(free_text_path_prefixes()) for path in others)


def test_the_load_balancer_asks_who_calls_where_it_is_told_to() -> None:
    service = _service_stack(verify_tokens=True, sign_in_paths=["/ui*"])
    assert service.node.try_find_child("TokenVerification")
    assert service.node.try_find_child("BrowserSignIn")


def test_elsewhere_one_rule_takes_all_paths(assembly: "Assembly") -> None:
    assert len(assembly.resources("Service", "AWS::ElasticLoadBalancingV2::ListenerRule")) == 1


@pytest.mark.parametrize(
    ("edge", "canary_percent", "health"),
    [
        ({}, 10, "endpoint"),
        ({"allowed_cidrs": ["0.0.0.0/0", "::/0"]}, 0, "endpoint"),
        ({"allowed_cidrs": ["198.51.100.0/24"]}, 0, "targets"),
        ({"scheme": "internal"}, 0, "targets"),
        ({"firewall": {"blocked_countries": ["US"]}}, 0, "targets"),
        ({"firewall": {"blocked_cidrs": ["198.51.100.0/24"]}}, 0, "targets"),
        ({"firewall": {"block_anonymous_networks": True}}, 0, "targets"),
        ({"firewall": {"bot_control": True}}, 0, "targets"),
        # One of a canary's two target groups is empty, and the load balancer counts as unhealthy.
        ({"firewall": {"allowed_countries": ["DE"]}}, 10, "nothing"),
    ],
)
def test_a_region_is_left_by_what_route_53_may_see_of_it(
    edge: dict[str, Any], canary_percent: int, health: str
) -> None:
    config = load_environment("prod")
    changed = config.model_copy(
        update={
            "edge": Edge.model_validate(config.edge.model_dump(mode="json") | edge),
            "service": config.service.model_copy(update={"canary_percent": canary_percent}),
        }
    )
    assert region_health(changed) == health
