"""What every container has in common: it can change nothing, and has what it asks for."""

import re
from collections.abc import Mapping, Sequence

from lightkube.models import core_v1 as core

_CPU_UNITS_OF_A_CORE = 1024
_MILLICORES_OF_A_CORE = 1000


def security(user: str) -> core.SecurityContext:
    """What a container may that runs as `user`, a number: nothing beside its own processes and memory."""
    return core.SecurityContext(
        runAsUser=int(user),
        allowPrivilegeEscalation=False,
        privileged=False,
        readOnlyRootFilesystem=True,
        capabilities=core.Capabilities(drop=["ALL"]),
    )


def resources(
    *, cpu_units: int, memory_mib: int, most_cpu_units: int | None = None
) -> core.ResourceRequirements:
    """A container's share, which is its limit, too: others on its node take nothing from it.

    So a percentage of what it asks for is one of its limit. most_cpu_units: what it may take in place of its
    share of CPU while nobody else needs it.
    """
    memory = f"{memory_mib}Mi"
    return core.ResourceRequirements(
        requests={"cpu": _millicores(cpu_units), "memory": memory},
        limits={"cpu": _millicores(most_cpu_units or cpu_units), "memory": memory},
    )


def _millicores(cpu_units: int) -> str:
    return f"{cpu_units * _MILLICORES_OF_A_CORE // _CPU_UNITS_OF_A_CORE}m"


def variables(values: Mapping[str, str], *, region: str) -> list[core.EnvVar]:
    """A container's plain variables, and those by which the AWS SDKs find their region, as ECS sets them."""
    every = {"AWS_REGION": region, "AWS_DEFAULT_REGION": region, **values}
    return [core.EnvVar(name=name, value=literal(value)) for name, value in every.items()]


def words(command: Sequence[str] | None) -> list[str] | None:
    """A command's words so that Kubernetes leaves them as they are."""
    return None if command is None else [literal(word) for word in command]


def literal(text: str) -> str:
    """A text so that Kubernetes leaves it as it is: it reads $(NAME) as a variable, and $$ as one $."""
    return re.sub(r"\$(?=[$(])", "$$", text)
