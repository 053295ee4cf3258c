"""The section `cache`."""

from typing import Annotated

from pydantic import Field

from gateway.validation import pattern
from stacks.config.section import Section


class Cache(Section):
    """ElastiCache for Valkey."""

    node_type: Annotated[
        str,
        pattern(
            r"^cache\.[a-z0-9]+\.[a-z0-9]+$", "an ElastiCache node type: cache.family.size", "cache.t4g.small"
        ),
    ]
    replicas: Annotated[
        int,
        Field(
            ge=0,
            le=5,
            examples=[1],
            description="0 is a single node; 1 or more is Multi-AZ with automatic failover.",
        ),
    ]
