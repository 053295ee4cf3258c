"""The section `database`."""

import math
from typing import Annotated, Self

from pydantic import Field, model_validator

from gateway.validation import Breach, pattern, refuse
from stacks.config.section import Section

# By family, the memory of the size `large`; the smaller sizes as parts of it.
_LARGE_GIB = {"t": 8, "m": 8, "r": 16, "x": 32}
_PARTS = {"micro": 0.125, "small": 0.25, "medium": 0.5, "large": 1}


class Database(Section):
    """RDS for PostgreSQL."""

    instance_class: Annotated[
        str,
        pattern(
            r"^[tmrx]\d[a-z]*\.(micro|small|medium|large|\d*xlarge)$",
            "an RDS instance class of the families t, m, r or x, family.size, without db. before it",
            "t4g.medium",
            "Without the db. prefix.",
        ),
    ]
    storage_gib: Annotated[int, Field(ge=20, le=65536)]
    storage_limit_gib: Annotated[
        int, Field(ge=22, le=65536, examples=[200], description="Storage grows by itself up to this.")
    ]
    multi_az: bool
    backup_days: Annotated[
        int, Field(ge=1, le=35, examples=[7], description="Days a point in time can be restored.")
    ]
    deletion_protection: bool

    @property
    def memory_gib(self) -> float:
        """The memory of the instance class."""
        family, _, size = self.instance_class.partition(".")
        times = size.removesuffix("xlarge")
        parts = 2 * int(times or 1) if times != size else _PARTS[size]
        return parts * _LARGE_GIB[family[0]]

    @model_validator(mode="after")
    def _storage_can_grow(self) -> Self:
        # RDS refuses a limit that leaves less than a tenth to grow.
        least = math.ceil(self.storage_gib * 1.1)
        if self.storage_limit_gib < least:
            allowed = f"at least a tenth above storage_gib, which is {self.storage_gib}"
            fix = f"write {least} or more"
            refuse([Breach(("storage_limit_gib",), self.storage_limit_gib, allowed, fix)])
        return self
