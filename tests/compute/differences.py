"""Every difference between the platforms, and why it is meant."""

from collections.abc import Mapping

_ENDING = (
    "A pod may finish its streams itself. Fargate gives a task two minutes for that, so ECS waits for the "
    "load balancer before it tells the task to stop."
)
# Paths in a view, as regular expressions.
MEANT: Mapping[str, str] = {
    r"(gateway|collector|migrations)\.environment\.AWS_(DEFAULT_)?REGION": "ECS sets these by itself.",
    r"gateway\.environment\.GATEWAY_SECRETS_DIRECTORY": (
        "ECS hands secrets over as variables; pods read files, so that no Secret of Kubernetes holds them."
    ),
    r"gateway\.environment\.GATEWAY_DRAIN_SECONDS": _ENDING,
    r"stop_seconds": _ENDING,
    r"leave_seconds": "A pod is taken out of its target group while it waits, a task before.",
    r"gateway\.health\.asks": "ECS runs a program in the container, Kubernetes asks it from outside.",
    r"(gateway|migrations)_may: ecr:.*": "Nodes pull images, by their own role.",
    r"migrations_may: logs:.*": "An add-on writes what containers print, by its own role.",
    r"trusted": "Each platform assumes the role for the gateway.",
    r"more_percent": (
        "ECS starts all new tasks at once, Kubernetes a quarter of the pods, as these may need new nodes."
    ),
    r"alarms\..*\.Metrics": "A canary has a target group of its own, whose tasks are watched too.",
}
