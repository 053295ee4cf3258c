"""The shape of config/<environment>.yaml: one frozen, typed object for the whole app."""

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from gateway.catalog.names import Region
from gateway.validation import Breach, pattern, refuse
from stacks.config.alarms import Alarms
from stacks.config.audit import Audit
from stacks.config.backup import Backup
from stacks.config.cache import Cache
from stacks.config.database import Database
from stacks.config.edge import Edge
from stacks.config.identity import Identity
from stacks.config.image import Image
from stacks.config.network import Network
from stacks.config.requirements import unmet
from stacks.config.service import Service

AccountId = Annotated[str, pattern(r"^\d{12}$", "an AWS account ID: 12 digits, in quotes", "111111111111")]
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
    service: Service
    cache: Cache
    database: Database
    edge: Edge
    identity: Identity = Identity()
    image: Image = Image()
    backup: Backup = Backup()
    audit: Audit = Audit()
    alarms: Alarms = Alarms()

    # One validator a field and not one for the whole: a whole-model rule waits until every field is
    # valid, so that an owner would mend the file in two rounds.
    @field_validator("termination_protection", "network", "service", "cache", "database")
    @classmethod
    def _fits_the_environment(cls, value: Any, info: ValidationInfo) -> Any:
        breaches: list[Breach] = []
        if "name" in info.data and info.field_name:
            breaches += unmet(info.data["name"], info.field_name, value)
        if "region" in info.data and isinstance(value, Network):
            breaches += _zones_elsewhere(value, info.data["region"])
        if "network" in info.data and isinstance(value, Service):
            breaches += _tasks_without_addresses(value, info.data["network"])
        refuse(breaches)
        return value


def _zones_elsewhere(network: Network, region: str) -> Iterator[Breach]:
    for index, zone in enumerate(network.availability_zones):
        if zone[:-1] != region:
            allowed = f"a zone of {region}, the environment's region"
            fix = f"write {region}{zone[-1]} or change region"
            yield Breach(("availability_zones", index), zone, allowed, fix)


def _tasks_without_addresses(service: Service, network: Network) -> Iterator[Breach]:
    if service.maximum_tasks > network.task_capacity:
        allowed = f"at most {network.task_capacity}, for which network.cidr has addresses"
        fix = f"write {network.task_capacity} or give network.cidr a shorter prefix"
        yield Breach(("maximum_tasks",), service.maximum_tasks, allowed, fix)
