"""The section `backup`."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from gateway.validation import Breach, refuse
from stacks.config.section import Section


class Backup(Section):
    """Copies of the database in a vault of AWS Backup, beside the backups that RDS itself makes.

    RDS's own allow a restore to any point in time of `database.backup_days`, and go when somebody may delete
    them. Those in a locked vault stay until they expire, whoever asks.
    """

    enabled: bool = True
    daily_days: Annotated[
        int, Field(ge=7, le=365, examples=[35], description="How long each day's copy is kept.")
    ] = 35
    monthly_days: Annotated[
        int, Field(ge=31, le=3650, examples=[365], description="How long each month's copy is kept.")
    ] = 365
    lock: Annotated[
        Literal["compliance", "governance", "none"],
        Field(
            description="governance: only who may remove the vault's lock can delete a copy before it "
            "expires. compliance: nobody can, AWS and the account's owner included, and nobody can change "
            "daily_days and monthly_days; it cannot be undone once lock_after_days have passed. none: the "
            "vault's policy alone forbids it."
        ),
    ] = "governance"
    lock_after_days: Annotated[
        int,
        Field(
            ge=3,
            le=365,
            examples=[14],
            description="For compliance: days from its deployment in which it can still be taken back.",
        ),
    ] = 14

    @model_validator(mode="after")
    def _months_outlast_days(self) -> Self:
        if self.monthly_days < self.daily_days:
            allowed = f"at least daily_days, which is {self.daily_days}"
            fix = f"write {self.daily_days} or more"
            refuse([Breach(("monthly_days",), self.monthly_days, allowed, fix)])
        return self
