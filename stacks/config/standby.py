"""The section `standby`."""

import math
from collections.abc import Iterator
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from gatehouse.recovery.steps import expected_recovery_seconds
from gateway.catalog.names import Region, RoleArn
from gateway.validation import Breach, refuse
from stacks.config.edge import CertificateArn
from stacks.config.network import Network
from stacks.config.section import Section

# A cold standby's cache, load balancer and gateways are made first, on Kubernetes the cluster too.
_COLD_MINUTES = 45


class Standby(Section):
    """The passive region, which takes over when the environment's own is lost."""

    mode: Annotated[
        Literal["none", "cold", "warm"],
        Field(
            description="warm: gateways run there always; cold: data are copied there, and gateways are "
            "deployed on failover; none: there is no such region."
        ),
    ] = "none"
    region: Annotated[
        Region | None,
        Field(description="Where the standby is; a region that is off by default has to be turned on first."),
    ] = None
    network: Annotated[
        Network | None, Field(description="Its VPC, as the section network describes the environment's.")
    ] = None
    minimum_tasks: Annotated[
        int,
        Field(
            ge=1,
            le=100,
            description="Tasks or pods that a warm standby runs always; after a failover it is "
            "service.minimum_tasks.",
        ),
    ] = 2
    certificate_arn: CertificateArn | None = None
    recovery_time_minutes: Annotated[
        int,
        Field(ge=5, le=240, description="Objective: from the decision to fail over until all is served."),
    ] = 15
    recovery_point_seconds: Annotated[
        int,
        Field(
            ge=5,
            le=3600,
            description="Objective: what may be lost of the database. Its replica pages somebody, and a "
            "failover without --forced is refused, when it lags behind by more.",
        ),
    ] = 30
    approval_role_arn: Annotated[
        RoleArn | None,
        Field(description="Who has to approve a failover, as this role; without it nobody has to."),
    ] = None

    @model_validator(mode="after")
    def _rules(self) -> Self:
        refuse(self._breaches())
        return self

    def _breaches(self) -> Iterator[Breach]:
        if self.mode == "none":
            yield from self._superfluous()
            return
        if self.region is None:
            yield Breach(("region",), None, "a region, as there is a standby", "write us-west-2, or another")
        if self.network is None:
            yield Breach(("network",), None, "a VPC of its own", "describe it as in the section network")
        elif self.region is not None:
            yield from self.network.zones_outside(self.region, "standby.region", ("network",))
        least = math.ceil(expected_recovery_seconds() / 60)
        allowed = f"at least {least}, which the steps of a recovery are expected to take"
        if self.mode == "cold":
            least += _COLD_MINUTES
            allowed = f"at least {least} while mode is cold, as gateways are deployed first"
        if self.recovery_time_minutes < least:
            path = ("recovery_time_minutes",)
            yield Breach(path, self.recovery_time_minutes, allowed, f"write {least} or more")

    def _superfluous(self) -> Iterator[Breach]:
        for field, definition in sorted(type(self).model_fields.items()):
            value = getattr(self, field)
            if field == "mode" or value == definition.default:
                continue
            given = value.model_dump() if isinstance(value, Network) else value
            allowed = "left out, as mode is none"
            yield Breach((field,), given, allowed, "remove it, or write warm in mode")
