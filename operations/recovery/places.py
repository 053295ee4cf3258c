"""What a recovery has to know of an environment: all of it from its configuration file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gatehouse import names
from operations.errors import WrongUsageError

if TYPE_CHECKING:
    from stacks.config.model import Environment


@dataclass(frozen=True, kw_only=True)
class Places:
    """An environment in two regions.

    primary, standby: the regions as they are configured, whichever of them serves. is_cold: whether gateways
    are deployed in the standby only once it is needed.
    """

    environment: str
    account: str
    primary: str
    standby: str
    is_cold: bool
    domain_name: str
    recovery_time_seconds: float
    recovery_point_seconds: float
    approval_role_arn: str | None

    @property
    def regions(self) -> tuple[str, str]:
        """Both."""
        return self.primary, self.standby

    def other(self, region: str) -> str:
        """The region that is not this one."""
        return self.standby if region == self.primary else self.primary

    def url(self, region: str) -> str:
        """Where the gateways of one region answer."""
        return f"https://{names.regional_domain(self.domain_name, region)}"

    @property
    def plan(self) -> str:
        """The name of the Region switch plan."""
        return names.recovery_plan(self.environment)

    def stack(self, region: str, stack: str) -> str:
        """The name of a stack in CloudFormation."""
        own = names.standby_stack(stack) if region == self.standby else stack
        return f"{names.stage(self.environment)}-{own}"


def places(environment: str) -> Places:
    """An environment's places; raises WrongUsageError where its file is wrong or describes no standby."""
    from stacks.config import load

    try:
        config = load.load_environment(environment, load.CONFIG_DIRECTORY)
    except load.ConfigError as error:
        raise WrongUsageError(str(error)) from None
    return _places(config)


def _places(config: Environment) -> Places:
    if config.standby_region is None:
        raise WrongUsageError(
            f"{config.name} has no standby region: describe one in the section standby of "
            f"config/{config.name}.yaml and deploy it, or name another environment with --environment"
        )
    return Places(
        environment=config.name,
        account=config.account,
        primary=config.primary_region,
        standby=config.standby_region,
        is_cold=config.standby.mode == "cold",
        domain_name=config.edge.domain_name,
        recovery_time_seconds=config.standby.recovery_time_minutes * 60,
        recovery_point_seconds=config.standby.recovery_point_seconds,
        approval_role_arn=config.standby.approval_role_arn,
    )
