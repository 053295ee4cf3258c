"""The gateway as the template's task definitions and its service say."""

from collections.abc import Mapping
from typing import Any

from tests.compute.template import ServiceTemplate
from tests.compute.view import Check, Container, Permission, View


def view_of_tasks(template: ServiceTemplate) -> View:
    """Read the service, the task that it keeps and the one that migrates."""
    ((service_id, service),) = template.resources("AWS::ECS::Service").items()
    ((migrated_id, migrated),) = template.resources("Custom::DatabaseMigration").items()
    task = template.named(service["TaskDefinition"])
    migration_task = template.named(migrated["TaskDefinition"])
    containers = {each["Name"]: each for each in task["ContainerDefinitions"]}
    gateway, collector = containers["gateway"], containers.get("collector")
    role = template.named(task["TaskRoleArn"])
    deployment = service["DeploymentConfiguration"]
    count = template.only("AWS::ApplicationAutoScaling::ScalableTarget")
    group = template.named(service["LoadBalancers"][0]["TargetGroupArn"])
    before = template.depends_on(service_id)
    (catalog_id,) = template.resources("AWS::AppConfig::Deployment")
    return View(
        architecture=task["RuntimePlatform"]["CpuArchitecture"].lower(),
        gateway=_container(template, gateway),
        collector=_container(template, collector) if collector else None,
        migrations=_container(template, migration_task["ContainerDefinitions"][0], migration_task),
        start_seconds=_start_seconds(gateway["HealthCheck"]),
        leave_seconds=_deregistration_seconds(group) + gateway["StopTimeout"],
        stop_seconds=gateway["StopTimeout"],
        target_port=service["LoadBalancers"][0]["ContainerPort"],
        minimum=count["MinCapacity"],
        maximum=count["MaxCapacity"],
        cpu_target_percent=_cpu_target_percent(template),
        zones=len(service["NetworkConfiguration"]["AwsvpcConfiguration"]["Subnets"]),
        more_percent=deployment["MaximumPercent"] - 100,
        fewer_percent=100 - deployment["MinimumHealthyPercent"],
        taken_back_by=frozenset(
            template.named(name)["AlarmDescription"] for name in deployment["Alarms"]["AlarmNames"]
        ),
        alarms=alarms(template),
        target_group=template.plain(group),
        role_name=role["RoleName"],
        trusted=trusted(role),
        gateway_may=_may(template, task),
        migrations_may=_may(template, migration_task),
        catalog_comes_first=catalog_id in before,
        migrations_come_first=migrated_id in before,
        log_days=frozenset(_log_days(template, each) for each in containers.values()),
    )


def alarms(template: ServiceTemplate) -> dict[str, Mapping[str, Any]]:
    """The alarms by what they say."""
    found = template.resources("AWS::CloudWatch::Alarm").values()
    return {alarm["AlarmDescription"]: template.plain(alarm) for alarm in found}


def trusted(role: Mapping[str, Any]) -> str:
    """The service that may assume a role."""
    (statement,) = role["AssumeRolePolicyDocument"]["Statement"]
    return str(statement["Principal"]["Service"])


def _container(
    template: ServiceTemplate, container: Mapping[str, Any], whole: Mapping[str, Any] | None = None
) -> Container:
    """A container; with `whole` the only one of its task, so that it may use all that the task has."""
    linux = container["LinuxParameters"]
    health = container.get("HealthCheck")
    return Container(
        image=template.text(container["Image"]),
        command=(*container.get("EntryPoint", []), *container.get("Command", [])),
        environment={each["Name"]: template.text(each["Value"]) for each in container["Environment"]},
        secrets={each["Name"]: _secret(template, each["ValueFrom"]) for each in container.get("Secrets", [])},
        cpu_millicores=int((whole or container)["Cpu"]) * 1000 // 1024,
        memory_mib=int((whole or container)["Memory"]),
        user=int(container["User"]),
        read_only_root=container["ReadonlyRootFilesystem"],
        capabilities_dropped=tuple(linux["Capabilities"]["Drop"]),
        privileged=container.get("Privileged", False),
        temporary_mib={each["ContainerPath"]: each["Size"] for each in linux.get("Tmpfs", [])},
        ports=tuple(each["ContainerPort"] for each in container.get("PortMappings", [])),
        health=_check(health) if health else None,
    )


def _check(health: Mapping[str, Any]) -> Check:
    return Check(
        asks=" ".join(health["Command"][1:]),
        interval_seconds=health["Interval"],
        timeout_seconds=health["Timeout"],
        failures=health["Retries"],
    )


def _start_seconds(health: Mapping[str, Any]) -> int:
    """Checks that fail count from the end of the start period."""
    return int(health["StartPeriod"] + health["Interval"] * health["Retries"])


def _secret(template: ServiceTemplate, value_from: Any) -> str:
    """ECS's notation of a field is `:field::` behind the ARN."""
    arn, separator, field = template.text(value_from).removesuffix("::").rpartition("}:")
    return f"{arn}}}#{field}" if separator else field


def _deregistration_seconds(group: Mapping[str, Any]) -> int:
    attributes = {each["Key"]: each["Value"] for each in group["TargetGroupAttributes"]}
    return int(attributes["deregistration_delay.timeout_seconds"])


def _cpu_target_percent(template: ServiceTemplate) -> int:
    (target,) = (
        policy["TargetTrackingScalingPolicyConfiguration"]["TargetValue"]
        for policy in template.resources("AWS::ApplicationAutoScaling::ScalingPolicy").values()
        if "PredefinedMetricSpecification" in policy["TargetTrackingScalingPolicyConfiguration"]
    )
    return int(target)


def _may(template: ServiceTemplate, task: Mapping[str, Any]) -> frozenset[Permission]:
    """What its own role may, and what ECS may for it."""
    roles = (task[f"{kind}RoleArn"]["Fn::GetAtt"][0] for kind in ("Task", "Execution"))
    return frozenset().union(*(template.statements(role) for role in roles))


def _log_days(template: ServiceTemplate, container: Mapping[str, Any]) -> int:
    group = template.named(container["LogConfiguration"]["Options"]["awslogs-group"])
    return int(group["RetentionInDays"])
