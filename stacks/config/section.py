"""What every section of config/<environment>.yaml has in common."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict

from gateway.validation import pattern

AccountId = Annotated[str, pattern(r"^\d{12}$", "an AWS account ID: 12 digits, in quotes", "111111111111")]


class Section(BaseModel):
    """One section: frozen, and strict about names that it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")
