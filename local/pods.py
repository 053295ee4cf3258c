"""A cluster of EKS on this machine: its API is real, what it would run are processes here."""

import base64
import json
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from gatehouse import names
from local import aws
from local.emulator.server import records_path
from local.errors import LocalError
from local.kubernetes import controllers
from local.kubernetes.cluster import Cluster
from local.kubernetes.server import ApiServer, serve
from local.options import Options
from local.ready import get
from local.task import Task, secret_value
from stacks.config.model import Environment

_TOKEN_PREFIX = "Bearer k8s-aws-v1."  # noqa: S105 (how every such token begins)
_CLUSTER_HEADER = "x-k8s-aws-id"

Start = Callable[[Task], "subprocess.Popen[bytes]"]


class Pods:
    """What is deployed into the cluster. A Job runs by `start`, which starts its process."""

    def __init__(self, options: Options, environment: Environment, start: Start) -> None:
        self._options = options
        self._region = environment.region
        self._name = names.cluster(environment.name)
        self._start = start
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self.cluster = Cluster(environment.compute.kubernetes_version)
        self.cluster.controllers["Job"] = self._run

    def read_deployment(self) -> Task:
        """The gateway as a pod of the applied Deployment runs it. Raises LocalError."""
        deployment = self.cluster.get("Deployment", "gateway")
        if deployment is None:
            raise LocalError("no Deployment gateway was applied")
        return self._task(deployment)

    def admits(self, authorization: str) -> bool:
        """Whether a token is signed by a role with an access entry, as AWS STS says.

        While a deployment runs, the emulator gives functions the account's root in place of their roles: that
        stands for a role here, once there is an entry for any.
        """
        encoded = authorization.removeprefix(_TOKEN_PREFIX)
        url = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).decode()
        if encoded == authorization or urlsplit(url).port != self._options.ports["emulator"]:
            return False
        entries = [entry["PrincipalArn"] for entry in self._records("AWS::EKS::AccessEntry")]
        caller = _caller(url, self._name)
        return caller in {entry.rpartition("/")[2] for entry in entries} or (
            caller == "root" and bool(entries)
        )

    def stop(self) -> None:
        """Kill what still runs."""
        for process in self._processes.values():
            process.kill()
            process.wait()

    def _run(self, job: Mapping[str, Any], _reads: int) -> dict[str, Any]:
        """A Job's status: its process starts when it is first asked for."""
        name = job["metadata"]["name"]
        if name not in self._processes:
            self._processes[name] = self._start(self._task(job))
        exit_code = self._processes[name].poll()
        if exit_code is None:
            return {"active": 1}
        done = controllers.fail if exit_code else controllers.complete
        return done(dict(job), 1)

    def _task(self, owner: Mapping[str, Any]) -> Task:
        pod = owner["spec"]["template"]["spec"]
        container = pod["containers"][0]
        role = self._role(owner["metadata"]["namespace"], pod["serviceAccountName"])
        secrets_manager = aws.client("secretsmanager", self._options, self._region, role=role)
        sources = self._secret_sources(pod)
        return Task(
            definition=f"{owner['kind']} {owner['metadata']['namespace']}/{owner['metadata']['name']}",
            container=container["name"],
            command=[*container.get("command", []), *container.get("args", [])],
            image=container["image"],
            role=role,
            environment={each["name"]: each["value"] for each in container["env"]},
            secrets={name: secret_value(secrets_manager, source) for name, source in sources.items()},
            secret_sources=sources,
            in_pod=True,
        )

    def _role(self, namespace: str, service_account: str) -> str:
        """The role that EKS Pod Identity gives a service account's pods."""
        roles = [
            each["RoleArn"]
            for each in self._records("AWS::EKS::PodIdentityAssociation")
            if (each["Namespace"], each["ServiceAccount"]) == (namespace, service_account)
        ]
        if len(roles) != 1:
            raise LocalError(f"{service_account} in {namespace} has {len(roles)} roles; a pod has one")
        return str(roles[0])

    def _secret_sources(self, pod: Mapping[str, Any]) -> dict[str, str]:
        """The secrets that a pod mounts, by their files' names, in the notation of ECS."""
        sources: dict[str, str] = {}
        for volume in pod.get("volumes", []):
            if "csi" in volume:
                name = volume["csi"]["volumeAttributes"]["secretProviderClass"]
                found = self.cluster.get("SecretProviderClass", name)
                if found is None:
                    raise LocalError(
                        f"a pod mounts {name}, and no SecretProviderClass of this name is applied"
                    )
                for entry in json.loads(found["spec"]["parameters"]["objects"]):
                    sources |= _sources(entry)
        return sources

    def _records(self, resource_type: str) -> list[dict[str, Any]]:
        """The deployed properties of a type that only a stand-in knows."""
        records = json.loads(records_path(self._options).read_text()).values()
        return [each["properties"] for each in records if each["type"] == resource_type]


@contextmanager
def serve_pods(options: Options, environment: Environment, start: Start) -> Iterator[tuple[Pods, ApiServer]]:
    """Serve the cluster's API while the context lasts."""
    pods = Pods(options, environment, start)
    with serve(pods.cluster, pods.admits) as api:
        try:
            yield pods, api
        finally:
            pods.stop()


def _sources(entry: Mapping[str, Any]) -> dict[str, str]:
    arn = entry["objectName"]
    if "jmesPath" not in entry:
        return {entry["objectAlias"]: arn}
    return {each["objectAlias"]: f"{arn}:{each['path']}::" for each in entry["jmesPath"]}


def _caller(url: str, cluster: str) -> str:
    """Who has signed a request to AWS STS for this cluster: a role's name, `root`, or nobody."""
    answer = get(url, {_CLUSTER_HEADER: cluster}) or b""
    found = re.search(rb"<Arn>arn:aws:[a-z]+::\d{12}:(?:assumed-role/([^/]+)/[^<]+|root)</Arn>", answer)
    return (found[1] or b"root").decode() if found else ""
