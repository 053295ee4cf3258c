"""What every section of config/<environment>.yaml has in common."""

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """One section: frozen, and strict about names that it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")
