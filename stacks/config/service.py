"""The section `service`."""

from collections.abc import Iterator
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from gatehouse.time_limits import IDLE_SECONDS
from gateway.validation import Breach, pattern, refuse
from stacks.config.image import Uri
from stacks.config.section import Section

# As long as the load balancer waits for an answer that is silent: so no other has to be expected either.
_LONGEST_DRAIN_MINUTES = IDLE_SECONDS // 60
HostPattern = Annotated[
    str,
    pattern(
        r"^(\*\.)?([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,}$",
        "a host name in lower case, or *. and a domain for every host below it",
        "*.example.com",
    ),
]
# Tags of this image have been moved to other contents; a digest has not.
COLLECTOR_IMAGE = (
    "public.ecr.aws/aws-observability/aws-otel-collector"
    "@sha256:7968fb60db6a2390a47ba6a2df029745638486e285c9b2487da1b722d0855a3e"  # v0.50.0
)
# Memory that Fargate offers for each CPU size, in MiB (ECS task definition parameters for Fargate).
_FARGATE_MEMORY_MIB: dict[int, range | tuple[int, ...]] = {
    256: (512, 1024, 2048),
    512: range(1024, 4096 + 1, 1024),
    1024: range(2048, 8192 + 1, 1024),
    2048: range(4096, 16384 + 1, 1024),
    4096: range(8192, 30720 + 1, 1024),
}


class Service(Section):
    """The gateway's tasks on ECS Fargate."""

    cpu_units: Annotated[
        Literal[256, 512, 1024, 2048, 4096], Field(description="1024 units are one vCPU.")
    ] = 512
    memory_mib: Annotated[int, Field(ge=512, le=30720)] = 1024
    cpu_architecture: Literal["arm64", "x86_64"] = "arm64"
    minimum_tasks: Annotated[int, Field(ge=1, le=100, examples=[2])]
    maximum_tasks: Annotated[int, Field(ge=1, le=1000, examples=[10])]
    concurrent_requests_per_process: Annotated[
        int,
        Field(
            ge=10,
            le=10_000,
            description="How many requests, streams too, a process answers before tasks are added; each has "
            "one vCPU.",
        ),
    ] = 1000
    spot_percent: Annotated[
        int,
        Field(
            ge=0,
            le=100,
            description="Of the tasks on Fargate Spot, for the time that AWS has capacity to spare.",
        ),
    ] = 0
    canary_percent: Annotated[
        int,
        Field(
            ge=0,
            le=50,
            description="Of the requests to a new version at first; 0 replaces the tasks in turn instead.",
        ),
    ] = 10
    canary_minutes: Annotated[
        int,
        Field(
            ge=1,
            le=60,
            description="How long the canary serves, and then how long the old version is kept.",
        ),
    ] = 10
    drain_minutes: Annotated[
        int,
        Field(
            ge=1,
            le=_LONGEST_DRAIN_MINUTES,
            examples=[_LONGEST_DRAIN_MINUTES],
            description="How long running answers may take once their task has to go; what takes longer is "
            "cut. On ECS every task that goes waits for so long, and each rollout with it.",
        ),
    ] = _LONGEST_DRAIN_MINUTES
    collector_image: Annotated[
        Uri | None,
        Field(
            description="AWS's OpenTelemetry collector beside the gateway; null for none, which leaves "
            "CloudWatch without the gateway's metrics. Of an image in Amazon ECR a standby region uses the "
            "copy that is there."
        ),
    ] = COLLECTOR_IMAGE
    catalog_rollout_minutes: Annotated[
        int, Field(ge=0, le=1440, description="How long a changed model catalog takes to reach all tasks.")
    ] = 5
    bedrock_authentication: Annotated[
        Literal["signature", "bearer"],
        Field(description="Sign each request to Bedrock, or send a short-term API key made once an hour."),
    ] = "signature"
    limits_when_cache_is_away: Annotated[
        Literal["local", "open", "closed"],
        Field(
            description="Without the cache each process enforces its share of every limit (local), none are "
            "enforced (open), or callers with limits are refused (closed)."
        ),
    ] = "local"
    known_keys_minutes: Annotated[
        int, Field(ge=0, le=1440, description="How long API keys hold while the database is away.")
    ] = 60
    usage_retention_months: Annotated[
        int, Field(ge=1, le=120, description="How long single requests stay in the ledger; sums stay.")
    ] = 13
    image_url_hosts: Annotated[
        tuple[HostPattern, ...],
        Field(
            examples=[["images.example.com"]],
            description="From where images are fetched for models that take none by URL; nowhere else.",
        ),
    ] = ()

    @model_validator(mode="after")
    def _rules(self) -> Self:
        refuse(self._breaches())
        return self

    def moved(self, region: str, to: str) -> Self:
        """The same in another region: where ECR has the collector's image, it is the copy there."""
        if self.collector_image is None:
            return self
        registry, slash, image = self.collector_image.partition("/")
        registry = registry.replace(f".dkr.ecr.{region}.", f".dkr.ecr.{to}.")
        return self.model_copy(update={"collector_image": f"{registry}{slash}{image}"})

    def _breaches(self) -> Iterator[Breach]:
        sizes = _FARGATE_MEMORY_MIB[self.cpu_units]
        if self.memory_mib not in sizes:
            nearest = min(sizes, key=lambda size: abs(size - self.memory_mib))
            allowed = f"with {self.cpu_units} cpu_units one of {', '.join(map(str, sizes))}"
            yield Breach(("memory_mib",), self.memory_mib, allowed, f"write {nearest} or change cpu_units")
        if self.maximum_tasks < self.minimum_tasks:
            allowed = f"at least minimum_tasks, which is {self.minimum_tasks}"
            fix = f"write {self.minimum_tasks} or more"
            yield Breach(("maximum_tasks",), self.maximum_tasks, allowed, fix)
