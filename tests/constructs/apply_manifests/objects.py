"""Objects as they stand in manifests, and pods as the cluster tells of them."""

from typing import Any

from local.kubernetes import controllers

Object = dict[str, Any]

OURS = {"app.kubernetes.io/managed-by": "gatehouse"}
NAMESPACE: Object = {
    "apiVersion": "v1",
    "kind": "Namespace",
    "metadata": {"name": "gatehouse", "labels": OURS},
}


def an_object(kind: str, name: str, version: str = "v1", **more: Any) -> Object:
    metadata = {"name": name, "namespace": "gatehouse", "labels": OURS}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **more}


def a_template(image: str, **more: Any) -> Object:
    containers = [{"name": "gateway", "image": image}]
    return {"metadata": {"labels": {"app": "gateway"}}, "spec": {"containers": containers, **more}}


def a_job(name: str = "migrations-1", image: str = "gateway:1") -> Object:
    return an_object("Job", name, "batch/v1", spec={"template": a_template(image, restartPolicy="Never")})


def a_gateway(image: str = "gateway:1") -> Object:
    selector = {"matchLabels": {"app": "gateway"}}
    return an_object(
        "Deployment", "gateway", "apps/v1", spec={"selector": selector, "template": a_template(image)}
    )


def a_config_map(name: str = "settings") -> Object:
    return an_object("ConfigMap", name, data={"level": "info"})


def a_pod(name: str, *containers: Object, labels: Object | None = None, **status: Any) -> Object:
    told = {"phase": "Running", "containerStatuses": list(containers), **status}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "gatehouse", "labels": labels or {"app": "gateway"}},
        "spec": {"containers": [{"name": "gateway"}]},
        "status": told,
    }


def a_crashed_container(exit_code: int = 1) -> Object:
    waits = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 40s restarting failed container"}}
    return {
        "name": "gateway",
        "ready": False,
        "state": waits,
        "lastState": {"terminated": {"exitCode": exit_code, "reason": "Error"}},
    }


def stuck(image: str) -> controllers.Controller:
    """Pods of this image do not get ready, all others do."""

    def controller(deployment: Object, reads: int) -> Object:
        (container,) = deployment["spec"]["template"]["spec"]["containers"]
        is_stuck = container["image"] == image
        return (controllers.get_stuck if is_stuck else controllers.roll_out)(deployment, reads)

    return controller
