"""The OpenTelemetry collector beside the gateway: metrics to CloudWatch, traces to X-Ray."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from constructs import Construct

from gatehouse.findings import acknowledge
from gatehouse.hardening import linux_parameters

CONTAINER = "collector"
# What it takes of the task. The memory is its limit: it drops telemetry rather than reach it.
CPU_UNITS = 32
MEMORY_MIB = 192
# The image names no user, which means root.
USER = "10001"
# In AWS's distribution of the collector, which has no shell.
HEALTH_COMMAND = ["CMD", "/healthcheck"]
# Where AWS's distribution finds its configuration.
VARIABLE = "AOT_CONFIG_CONTENT"
NAMESPACE = "Gatehouse"
ENVIRONMENT = "environment"
DEPENDENCY = "dependency"
REQUESTS_IN_FLIGHT = "gatehouse_requests_in_flight"
DATABASE_READ_ONLY = "gatehouse_database_read_only"
DEPENDENCY_REACHABLE = "gatehouse_dependency_reachable"
LEDGER_WRITABLE = "gatehouse_ledger_writable"
_SCRAPE_INTERVAL = cdk.Duration.seconds(30)
# The gateway's metrics that CloudWatch keeps, by the labels that become dimensions: each combination of
# values is paid for. The other labels, models among them, are in the log group for Logs Insights.
METRICS: Mapping[tuple[str, ...], tuple[str, ...]] = {
    (): (
        REQUESTS_IN_FLIGHT,
        "gatehouse_requests_shed_total",
        "gatehouse_event_loop_delay_seconds",
        DATABASE_READ_ONLY,
        LEDGER_WRITABLE,
        "gatehouse_ledger_spooled_rows",
        "gatehouse_ledger_spilled_rows",
        "gatehouse_directory_age_seconds",
    ),
    ("status",): ("gatehouse_requests_total",),
    (DEPENDENCY,): (DEPENDENCY_REACHABLE,),
}


class Collector(Construct):
    """A container of a task that scrapes the gateway's metrics and takes traces by OTLP from it alone.

    The task goes on without the collector: it is started again when it ends.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        definition: ecs.FargateTaskDefinition,
        image: ecs.ContainerImage,
        environment: str,
        metrics_ports: Sequence[int],
        own_log_group: logs.ILogGroup,
        log_key: kms.IKey,
        log_retention: logs.RetentionDays,
        removal_policy: cdk.RemovalPolicy,
    ) -> None:
        super().__init__(scope, construct_id)
        telemetry = Telemetry(
            self,
            role=definition.task_role,
            environment=environment,
            metrics_ports=metrics_ports,
            log_key=log_key,
            log_retention=log_retention,
            removal_policy=removal_policy,
        )
        self.log_group = telemetry.log_group
        self.container = definition.add_container(
            CONTAINER,
            image=image,
            # JSON is YAML, which is what the collector reads.
            environment={VARIABLE: json.dumps(telemetry.configuration, separators=(",", ":"))},
            essential=False,
            enable_restart_policy=True,
            cpu=CPU_UNITS,
            memory_limit_mib=MEMORY_MIB,
            user=USER,
            readonly_root_filesystem=True,
            linux_parameters=linux_parameters(self, {}),
            health_check=ecs.HealthCheck(
                command=HEALTH_COMMAND,
                interval=cdk.Duration.seconds(30),
                timeout=cdk.Duration.seconds(5),
                retries=3,
                start_period=cdk.Duration.seconds(15),
            ),
            logging=ecs.LogDrivers.aws_logs(
                stream_prefix=CONTAINER, log_group=own_log_group, mode=ecs.AwsLogDriverMode.NON_BLOCKING
            ),
        )


class Telemetry:
    """Where a collector sends what it gathers, and the permission for its `role` to do so.

    Metrics go to `log_group`, made in `scope`, in CloudWatch's embedded metric format, under `NAMESPACE` with
    the dimension `environment`. configuration: the collector's own.
    """

    def __init__(
        self,
        scope: Construct,
        *,
        role: iam.IRole,
        environment: str,
        metrics_ports: Sequence[int],
        log_key: kms.IKey,
        log_retention: logs.RetentionDays,
        removal_policy: cdk.RemovalPolicy,
    ) -> None:
        self.log_group = logs.LogGroup(
            scope, "Metrics", encryption_key=log_key, retention=log_retention, removal_policy=removal_policy
        )
        self.configuration = collector_configuration(
            environment=environment,
            region=cdk.Stack.of(scope).region,
            metrics_ports=metrics_ports,
            log_group_name=self.log_group.log_group_name,
        )
        self.log_group.grant_write(role)
        role.add_to_principal_policy(
            iam.PolicyStatement(
                actions=["xray:PutTelemetryRecords", "xray:PutTraceSegments"], resources=["*"]
            )
        )
        acknowledge(
            role,
            {"IAM5[Resource::*]": "X-Ray's actions for writing take no resource, and let nobody read."},
        )


@dataclass(frozen=True, kw_only=True)
class Sign:
    """A metric that is `wanted` where every gateway process is well; `otherwise` says what is wrong."""

    metric: cloudwatch.Metric
    wanted: float
    otherwise: str


def requests_in_flight(environment: str) -> cloudwatch.Metric:
    """Requests that a gateway process is answering, streams included: the mean over all processes."""
    return _metric(REQUESTS_IN_FLIGHT, environment, cloudwatch.Stats.AVERAGE)


def ledger_writable(environment: str) -> cloudwatch.Metric:
    """1 where every process could write the usage that it had to write, 0 where any could not."""
    return _metric(LEDGER_WRITABLE, environment, cloudwatch.Stats.MINIMUM)


def signs_of_writing(environment: str) -> Sequence[Sign]:
    """What tells that all gateways of a region can write to its database.

    The first tells it even where nothing is to be written: a gateway that stands by finds it read-only.
    """
    return [
        Sign(
            metric=_metric(DATABASE_READ_ONLY, environment, cloudwatch.Stats.MAXIMUM),
            wanted=0,
            otherwise="gateways find the database read-only",
        ),
        Sign(
            metric=_metric(
                DEPENDENCY_REACHABLE, environment, cloudwatch.Stats.MINIMUM, {DEPENDENCY: "database"}
            ),
            wanted=1,
            otherwise="gateways do not reach the database",
        ),
        Sign(
            metric=ledger_writable(environment),
            wanted=1,
            otherwise="gateways cannot write the usage that waits",
        ),
    ]


def _metric(
    name: str, environment: str, statistic: str, labels: Mapping[str, str] | None = None
) -> cloudwatch.Metric:
    return cloudwatch.Metric(
        namespace=NAMESPACE,
        metric_name=name,
        dimensions_map={ENVIRONMENT: environment, **(labels or {})},
        statistic=statistic,
        period=cdk.Duration.minutes(1),
    )


def collector_configuration(
    *, environment: str, region: str, metrics_ports: Sequence[int], log_group_name: str
) -> dict[str, Any]:
    """What the collector receives, and where it sends it."""
    return {
        "extensions": {"health_check": {"endpoint": "127.0.0.1:13133"}},
        "receivers": {
            "prometheus": {"config": {"scrape_configs": [_scraping(environment, metrics_ports)]}},
            # From within the task alone.
            "otlp": {
                "protocols": {"grpc": {"endpoint": "127.0.0.1:4317"}, "http": {"endpoint": "127.0.0.1:4318"}}
            },
        },
        "processors": {
            "memory_limiter": {
                "check_interval": "1s",
                "limit_percentage": 75,
                "spike_limit_percentage": 20,
            },
            "batch": {},
        },
        "exporters": {
            "awsemf": {
                "region": region,
                "namespace": NAMESPACE,
                "log_group_name": log_group_name,
                "log_stream_name": "gateway",
                # Without the process's address two processes of a task would count as one.
                "resource_to_telemetry_conversion": {"enabled": True},
                "dimension_rollup_option": "NoDimensionRollup",
                "metric_declarations": [
                    {"dimensions": [[ENVIRONMENT, *labels]], "metric_name_selectors": [_exactly(names)]}
                    for labels, names in METRICS.items()
                ],
            },
            "awsxray": {"region": region},
        },
        "service": {
            "extensions": ["health_check"],
            "pipelines": {
                "metrics": {
                    "receivers": ["prometheus"],
                    "processors": ["memory_limiter", "batch"],
                    "exporters": ["awsemf"],
                },
                "traces": {
                    "receivers": ["otlp"],
                    "processors": ["memory_limiter", "batch"],
                    "exporters": ["awsxray"],
                },
            },
            "telemetry": {"logs": {"level": "warn"}},
        },
    }


def _scraping(environment: str, ports: Sequence[int]) -> dict[str, Any]:
    wanted = [name for names in METRICS.values() for name in names]
    return {
        "job_name": "gateway",
        "scrape_interval": f"{_SCRAPE_INTERVAL.to_seconds():.0f}s",
        "static_configs": [
            {"targets": [f"127.0.0.1:{port}" for port in ports], "labels": {ENVIRONMENT: environment}}
        ],
        "metric_relabel_configs": [
            {"source_labels": ["__name__"], "regex": "|".join(wanted), "action": "keep"}
        ],
    }


def _exactly(names: Sequence[str]) -> str:
    # The exporter searches where Prometheus matches whole names. It reads $ as the start of a variable.
    return f"^({'|'.join(names)})$$"
