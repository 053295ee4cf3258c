"""The shape of config/<environment>.yaml: one frozen, typed object for the whole app."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from gateway.catalog.names import Region
from gateway.validation import Breach, pattern, refuse
from stacks.config.alarms import Alarms
from stacks.config.audit import Audit
from stacks.config.backup import Backup
from stacks.config.between_sections import breaches_between
from stacks.config.cache import Cache
from stacks.config.compute import Compute
from stacks.config.database import Database
from stacks.config.edge import Edge
from stacks.config.identity import Identity
from stacks.config.image import Image
from stacks.config.model_access import ModelAccess
from stacks.config.network import Network
from stacks.config.requirements import unmet
from stacks.config.section import AccountId
from stacks.config.service import Service
from stacks.config.standby import Standby

EnvironmentName = Annotated[
    str,
    pattern(
        r"^(dev|staging|prod)(-[a-z0-9]{1,8})?$",
        "dev, staging or prod, or one of these with a suffix of up to 8 lower-case letters or digits",
        "prod-eu",
        "The file's name. Its first word says which safety rules hold.",
    ),
]


class Environment(BaseModel):
    """One environment: an account, a region and the sizes of everything in it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    # These three come first: the rules of the sections below depend on them.
    name: EnvironmentName
    account: AccountId
    region: Region
    log_retention_days: Annotated[Literal[7, 14, 30, 60, 90, 180, 365, 731], Field(examples=[30])]
    termination_protection: bool
    network: Network
    compute: Compute = Compute()
    service: Service
    cache: Cache
    database: Database
    edge: Edge
    identity: Identity = Identity()
    model_access: ModelAccess = ModelAccess()
    image: Image = Image()
    backup: Backup = Backup()
    audit: Audit = Audit()
    alarms: Alarms = Alarms()
    standby: Standby = Standby()

    # One validator a field and not one for the whole: a whole-model rule waits until every field is
    # valid, so that an owner would mend the file in two rounds.
    @field_validator(
        "termination_protection",
        "network",
        "compute",
        "service",
        "cache",
        "database",
        "edge",
        "identity",
        "image",
        "backup",
        "audit",
        "standby",
    )
    @classmethod
    def _fits_the_environment(cls, value: Any, info: ValidationInfo) -> Any:
        breaches: list[Breach] = []
        if "name" in info.data and info.field_name:
            breaches += unmet(info.data["name"], info.field_name, value)
        breaches += breaches_between(value, info.data)
        refuse(breaches)
        return value

    @property
    def is_standby(self) -> bool:
        """Whether this describes the standby region; then `primary_region` is another."""
        return False

    @property
    def primary_region(self) -> str:
        """Where the environment is while nothing has failed."""
        return self.region

    @property
    def standby_region(self) -> str | None:
        """Where it is after a failover; None if it has no standby."""
        return self.standby.region

    @property
    def regions(self) -> tuple[str, ...]:
        """All that it is in, the primary first."""
        standby = self.standby_region
        return (self.primary_region,) if standby is None else (self.primary_region, standby)

    @property
    def runs_gateways(self) -> bool:
        """Whether gateways run in this region; in a cold standby none do."""
        return True
