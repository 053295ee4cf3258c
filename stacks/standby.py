"""An environment as its standby region sees it."""

from typing import Any

from stacks.config.model import Environment


class StandbyEnvironment(Environment):
    """The settings that hold in the standby region: its own place and sizes, and everything else as it is."""

    primary: Environment

    @property
    def is_standby(self) -> bool:
        """Always."""
        return True

    @property
    def primary_region(self) -> str:
        """Where the environment is while nothing has failed."""
        return self.primary.region

    @property
    def runs_gateways(self) -> bool:
        """Not while it is cold."""
        return self.standby.mode == "warm"


def standby_environment(config: Environment, *, active: bool = False) -> StandbyEnvironment | None:
    """The environment in its standby region; None without one.

    active: a cold standby runs gateways as a warm one does, because the other region is lost.
    """
    standby = config.standby
    region, network = standby.region, standby.network
    if region is None or network is None:
        return None
    if active:
        standby = standby.model_copy(update={"mode": "warm"})
    if standby.mode == "cold":
        # Of the VPC a cold standby uses the subnets of the database alone.
        network = network.model_copy(update={"nat": "none", "endpoints": "none"})
    service = config.service.moved(config.region, region)
    here: dict[str, Any] = {
        "region": region,
        "network": network,
        "edge": config.edge.model_copy(update={"certificate_arn": standby.certificate_arn}),
        "service": service.model_copy(update={"minimum_tasks": standby.minimum_tasks}),
        "standby": standby,
    }
    # Its parts are valid together already: the rules of the section standby have seen to that.
    return StandbyEnvironment.model_construct(**{**dict(config), **here, "primary": config})
