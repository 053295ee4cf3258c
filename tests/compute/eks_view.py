"""The gateway as the manifests in the template say."""

import json
from collections.abc import Mapping
from typing import Any

from gatehouse.kubernetes.manifest import Manifest
from tests.compute.ecs_view import alarms, trusted
from tests.compute.template import ServiceTemplate
from tests.compute.view import Check, Container, View

MANIFESTS = "Custom::KubernetesManifests"


def view_of_pods(template: ServiceTemplate) -> View:
    """Read the Deployment, the Job that migrates, and what belongs to them."""
    prerequisites_id, workload_id = _applied(template)
    manifests = Manifests(template)
    deployment, job = manifests.only("Deployment")["spec"], manifests.only("Job")["spec"]
    pod, job_pod = deployment["template"]["spec"], job["template"]["spec"]
    (gateway,) = pod["containers"]
    sidecars = pod.get("initContainers", [])
    scaling = manifests.only("HorizontalPodAutoscaler")["spec"]
    rolling = deployment["strategy"]["rollingUpdate"]
    watched = template.resources(MANIFESTS)[workload_id]["Alarms"]
    before = template.depends_on(workload_id)
    (catalog_id,) = template.resources("AWS::AppConfig::Deployment")
    (architecture,) = _nodes(manifests, "kubernetes.io/arch")
    roles = _roles(template)
    role = template.content["Resources"][roles[pod["serviceAccountName"]]]["Properties"]
    return View(
        architecture={"amd64": "x86_64"}.get(architecture, architecture),
        gateway=_container(gateway, pod, manifests),
        collector=_container(sidecars[0], pod, manifests) if sidecars else None,
        migrations=_container(job_pod["containers"][0], job_pod, manifests),
        start_seconds=_start_seconds(gateway["startupProbe"]),
        leave_seconds=pod["terminationGracePeriodSeconds"],
        stop_seconds=pod["terminationGracePeriodSeconds"]
        - gateway["lifecycle"]["preStop"]["sleep"]["seconds"],
        target_port=_target_port(manifests, gateway),
        minimum=scaling["minReplicas"],
        maximum=scaling["maxReplicas"],
        cpu_target_percent=_cpu_target_percent(scaling),
        zones=len(_nodes(manifests, "topology.kubernetes.io/zone")),
        more_percent=int(str(rolling["maxSurge"]).removesuffix("%")),
        fewer_percent=int(str(rolling["maxUnavailable"]).removesuffix("%")),
        taken_back_by=frozenset(template.named(name)["AlarmDescription"] for name in watched),
        alarms=alarms(template),
        target_group=template.plain(template.only("AWS::ElasticLoadBalancingV2::TargetGroup")),
        role_name=role["RoleName"],
        trusted=trusted(role),
        gateway_may=frozenset(template.statements(roles[pod["serviceAccountName"]])),
        migrations_may=frozenset(template.statements(roles[job_pod["serviceAccountName"]])),
        catalog_comes_first=catalog_id in before,
        migrations_come_first=prerequisites_id in before,
        log_days=_log_days(template),
    )


class Manifests:
    """The manifests of a template, references as text."""

    def __init__(self, template: ServiceTemplate) -> None:
        applied = (template.resources(MANIFESTS)[logical_id] for logical_id in _applied(template))
        self.all: list[Manifest] = [
            manifest
            for properties in applied
            for manifest in json.loads(template.text(properties["Manifests"]))
        ]

    def of(self, kind: str) -> list[Manifest]:
        """Those of a kind."""
        return [manifest for manifest in self.all if manifest["kind"] == kind]

    def only(self, kind: str) -> Manifest:
        """The one of a kind."""
        (manifest,) = self.of(kind)
        return manifest

    def secret_files(self, pod: Mapping[str, Any]) -> dict[str, str]:
        """The files that a pod finds in its folder of secrets: name → the secret's ARN, `#field`."""
        mounted = [
            volume["csi"]["volumeAttributes"]["secretProviderClass"]
            for volume in pod.get("volumes", [])
            if "csi" in volume
        ]
        classes = {
            each["metadata"]["name"]: each["spec"]["parameters"] for each in self.of("SecretProviderClass")
        }
        return {
            name: where
            for each in mounted
            for entry in json.loads(classes[each]["objects"])
            for name, where in _files(entry).items()
        }


def _files(entry: Mapping[str, Any]) -> dict[str, str]:
    arn = entry["objectName"]
    if "jmesPath" in entry:
        return {each["objectAlias"]: f"{arn}#{each['path']}" for each in entry["jmesPath"]}
    return {entry["objectAlias"]: arn}


def _applied(template: ServiceTemplate) -> tuple[str, str]:
    """What is applied first, and what after it."""
    first, second = template.resources(MANIFESTS)
    return (second, first) if second in template.depends_on(first) else (first, second)


def _roles(template: ServiceTemplate) -> dict[str, str]:
    """Service account → the logical ID of its role."""
    found = template.resources("AWS::EKS::PodIdentityAssociation").values()
    return {each["ServiceAccount"]: each["RoleArn"]["Fn::GetAtt"][0] for each in found}


def _container(container: Mapping[str, Any], pod: Mapping[str, Any], manifests: Manifests) -> Container:
    security = {**pod.get("securityContext", {}), **container["securityContext"]}
    share = container["resources"]["requests"]
    mounts = {each["name"]: each["mountPath"] for each in container.get("volumeMounts", [])}
    probe = container.get("livenessProbe")
    return Container(
        image=container["image"],
        command=(*container.get("command", []), *container.get("args", [])),
        # Kubernetes reads $$ as one $.
        environment={each["name"]: each["value"].replace("$$", "$") for each in container.get("env", [])},
        secrets=manifests.secret_files(
            {"volumes": [each for each in pod.get("volumes", []) if each["name"] in mounts]}
        ),
        cpu_millicores=int(share["cpu"].removesuffix("m")),
        memory_mib=int(share["memory"].removesuffix("Mi")),
        user=security["runAsUser"],
        read_only_root=security["readOnlyRootFilesystem"],
        capabilities_dropped=tuple(security["capabilities"]["drop"]),
        privileged=security.get("privileged", False),
        temporary_mib={
            mounts[each["name"]]: int(each["emptyDir"]["sizeLimit"].removesuffix("Mi"))
            for each in pod.get("volumes", [])
            if each["name"] in mounts and each.get("emptyDir", {}).get("medium") == "Memory"
        },
        ports=tuple(each["containerPort"] for each in container.get("ports", [])),
        health=_check(probe) if probe else None,
    )


def _check(probe: Mapping[str, Any]) -> Check:
    asks = probe["httpGet"]["path"] if "httpGet" in probe else " ".join(probe["exec"]["command"])
    return Check(
        asks=asks,
        interval_seconds=probe["periodSeconds"],
        timeout_seconds=probe["timeoutSeconds"],
        failures=probe["failureThreshold"],
    )


def _start_seconds(probe: Mapping[str, Any]) -> int:
    return int(probe["periodSeconds"] * probe["failureThreshold"])


def _cpu_target_percent(scaling: Mapping[str, Any]) -> int:
    """Of what a container requests, which is its limit as well."""
    (metric,) = scaling["metrics"]
    resource = metric.get("resource", metric.get("containerResource"))
    assert resource["name"] == "cpu"
    return int(resource["target"]["averageUtilization"])


def _target_port(manifests: Manifests, container: Mapping[str, Any]) -> int:
    """The port of the container that the binding's service names."""
    (port,) = manifests.only("Service")["spec"]["ports"]
    assert manifests.only("TargetGroupBinding")["spec"]["serviceRef"]["port"] == port["port"]
    named = {each["name"]: each["containerPort"] for each in container["ports"]}
    return int(named[port["targetPort"]])


def _log_days(template: ServiceTemplate) -> frozenset[int]:
    """Of what the add-on writes of containers."""
    groups = template.resources("AWS::Logs::LogGroup").values()
    written = [each for each in groups if str(each.get("LogGroupName")).endswith("/application")]
    assert written
    return frozenset(each["RetentionInDays"] for each in written)


def _nodes(manifests: Manifests, label: str) -> list[str]:
    """What the nodes may be, by one of their labels."""
    requirements = manifests.only("NodePool")["spec"]["template"]["spec"]["requirements"]
    (values,) = (each["values"] for each in requirements if each["key"] == label)
    return list(values)
