"""The collector beside the gateway: what it scrapes, what it sends, what it may."""

import json
from types import SimpleNamespace
from typing import Any, cast

import aws_cdk as cdk
import pytest
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk.assertions import Template

from gatehouse.collector import METRICS, Collector, requests_in_flight
from gateway.gauges import add_gauges
from gateway.metrics import Metrics
from tests.constructs.conftest import ACCOUNT, REGION
from tests.constructs.parts import new_stack, only

KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/imported"


@pytest.fixture(scope="module")
def template() -> Template:
    stack = new_stack()
    definition = ecs.FargateTaskDefinition(stack, "Task", cpu=512, memory_limit_mib=1024)
    key = kms.Key.from_key_arn(stack, "Key", KEY)
    Collector(
        stack,
        "Collector",
        definition=definition,
        image=ecs.ContainerImage.from_registry("example.com/collector:1"),
        environment="dev",
        metrics_ports=[9464, 9465],
        own_log_group=logs.LogGroup(stack, "TaskLog", encryption_key=key),
        log_key=key,
        log_retention=logs.RetentionDays.ONE_MONTH,
        removal_policy=cdk.RemovalPolicy.DESTROY,
    )
    return Template.from_stack(stack)


@pytest.fixture(scope="module")
def container(template: Template) -> dict[str, Any]:
    (container,) = only(template, "ECS::TaskDefinition")["ContainerDefinitions"]
    assert isinstance(container, dict)
    return container


@pytest.fixture(scope="module")
def configuration(container: dict[str, Any]) -> dict[str, Any]:
    (variable,) = container["Environment"]
    assert variable["Name"] == "AOT_CONFIG_CONTENT"
    _, parts = variable["Value"]["Fn::Join"]
    text = "".join(part if isinstance(part, str) else f"<{part['Ref']}>" for part in parts)
    document: dict[str, Any] = json.loads(text)
    return document


def test_every_process_is_scraped(configuration: dict[str, Any]) -> None:
    (scraping,) = configuration["receivers"]["prometheus"]["config"]["scrape_configs"]
    (targets,) = scraping["static_configs"]
    assert targets["targets"] == ["127.0.0.1:9464", "127.0.0.1:9465"]
    assert targets["labels"] == {"environment": "dev"}


def test_what_it_keeps_are_metrics_of_the_gateway(configuration: dict[str, Any]) -> None:
    metrics = Metrics()
    states = SimpleNamespace(cooling=list)
    parts: Any = SimpleNamespace(
        service=SimpleNamespace(states=states, answering=SimpleNamespace(catalog=_Catalog())),
        reachability=SimpleNamespace(states={"database": "reachable"}),
        ledger=SimpleNamespace(spooled_rows=0, spilled_rows=0, is_writable=True),
        directory=SimpleNamespace(age_seconds=0),
    )
    add_gauges(metrics, running=[], shedding=cast("Any", SimpleNamespace(delay_seconds=0)), parts=parts)
    # What Prometheus reads: a counter's name ends with _total there.
    exposed = {
        f"{metric.name}_total" if metric.type == "counter" else metric.name
        for metric in metrics.registry.collect()
    }
    kept = {name for names in METRICS.values() for name in names}
    assert kept <= exposed
    (scraping,) = configuration["receivers"]["prometheus"]["config"]["scrape_configs"]
    (relabeling,) = scraping["metric_relabel_configs"]
    assert set(relabeling["regex"].split("|")) == kept
    assert relabeling["action"] == "keep"


class _Catalog:
    def model_dump_json(self) -> str:
        return "{}"


def test_few_labels_become_dimensions(configuration: dict[str, Any]) -> None:
    exporter = configuration["exporters"]["awsemf"]
    assert exporter["dimension_rollup_option"] == "NoDimensionRollup"
    declared = {
        tuple(dimensions): selector
        for declaration in exporter["metric_declarations"]
        for dimensions in declaration["dimensions"]
        for selector in declaration["metric_name_selectors"]
    }
    assert declared.keys() == {("environment",), ("environment", "status"), ("environment", "dependency")}
    assert declared["environment", "status"] == "^(gatehouse_requests_total)$$"


def test_scaling_reads_what_it_sends(configuration: dict[str, Any]) -> None:
    metric = requests_in_flight("dev")
    assert metric.namespace == configuration["exporters"]["awsemf"]["namespace"]
    assert metric.dimensions == {"environment": "dev"}
    assert metric.metric_name in METRICS[()]
    assert metric.statistic == "Average"


def test_traces_are_taken_from_the_task_alone(configuration: dict[str, Any]) -> None:
    endpoints = [
        protocol["endpoint"] for protocol in configuration["receivers"]["otlp"]["protocols"].values()
    ]
    assert endpoints == ["127.0.0.1:4317", "127.0.0.1:4318"]
    pipeline = configuration["service"]["pipelines"]["traces"]
    assert (pipeline["receivers"], pipeline["exporters"]) == (["otlp"], ["awsxray"])
    assert configuration["exporters"]["awsxray"] == {"region": REGION}


def test_every_part_of_a_pipeline_is_configured(configuration: dict[str, Any]) -> None:
    for pipeline in configuration["service"]["pipelines"].values():
        # First of all, or it could not refuse what the others would hold.
        assert pipeline["processors"][0] == "memory_limiter"
        for kind in ("receivers", "processors", "exporters"):
            assert set(pipeline[kind]) <= configuration[kind].keys()


def test_the_gateway_lives_without_it(container: dict[str, Any]) -> None:
    assert container["Essential"] is False
    assert container["RestartPolicy"]["Enabled"] is True
    assert container["Memory"] == 192
    assert container["Cpu"] == 32


def test_it_is_as_hardened_as_the_gateway(container: dict[str, Any]) -> None:
    assert container["ReadonlyRootFilesystem"] is True
    assert container["LinuxParameters"]["Capabilities"] == {"Drop": ["ALL"]}
    assert container["User"] == "10001"
    assert container["HealthCheck"]["Command"] == ["CMD", "/healthcheck"]
    assert "PortMappings" not in container


def test_it_writes_metrics_into_its_own_encrypted_log_and_traces_and_nothing_else(template: Template) -> None:
    (group_id,) = (name for name in template.find_resources("AWS::Logs::LogGroup") if "Metrics" in name)
    group = template.find_resources("AWS::Logs::LogGroup")[group_id]["Properties"]
    assert group["KmsKeyId"] == KEY
    assert group["RetentionInDays"] == 30
    policies = template.find_resources("AWS::IAM::Policy").values()
    (policy,) = (p["Properties"] for p in policies if "TaskRole" in str(p["Properties"]["Roles"]))
    statements = {tuple(s["Action"]): s["Resource"] for s in policy["PolicyDocument"]["Statement"]}
    assert statements == {
        ("logs:CreateLogStream", "logs:PutLogEvents"): {"Fn::GetAtt": [group_id, "Arn"]},
        ("xray:PutTelemetryRecords", "xray:PutTraceSegments"): "*",
    }
