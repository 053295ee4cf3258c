"""The table of prices."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from operations.errors import WrongUsageError

TABLE = Path(__file__).with_name("prices.yaml")


@dataclass(frozen=True, kw_only=True)
class Item:
    """What one unit costs in USD, and where the price was read."""

    usd: float
    unit: str
    source: str


@dataclass(frozen=True, kw_only=True)
class Instance:
    """An instance that Kubernetes may run pods on, and its price on demand by the hour."""

    usd: float
    vcpus: int
    gib: int


@dataclass(frozen=True, kw_only=True)
class Prices:
    """The table: `items` by name, database and cache nodes by type and hour.

    instances: by architecture and type. auto_mode_share: what EKS Auto Mode adds to the price of one.
    """

    as_of: str
    region: str
    hours_a_month: int
    items: Mapping[str, Item]
    database_hour: Mapping[str, float]
    cache_node_hour: Mapping[str, float]
    fargate_spot_share: float
    instances: Mapping[str, Mapping[str, Instance]]
    auto_mode_share: float

    def node_hour(self, table: str, node_type: str) -> float:
        """The price of a node's hour; raises WrongUsageError for a type that the table does not hold."""
        known: Mapping[str, float] = getattr(self, table)
        if node_type not in known:
            raise WrongUsageError(
                f"{node_type} has no price in {table} of {TABLE.name}; it holds {', '.join(known)}. Add its "
                "price by the hour there"
            )
        return known[node_type]


def read_prices(path: Path = TABLE) -> Prices:
    """Read the table that lies beside this module."""
    import yaml

    table: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    items = {name: Item(**item) for name, item in table.pop("items").items()}
    instances = {
        architecture: {name: Instance(**instance) for name, instance in types.items()}
        for architecture, types in table.pop("instances").items()
    }
    return Prices(items=items, instances=instances, **table)
