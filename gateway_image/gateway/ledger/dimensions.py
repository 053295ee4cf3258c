"""By what usage can be grouped and filtered."""

from collections.abc import Mapping
from typing import Literal, get_args

Dimension = Literal[
    "project", "caller", "model", "model_served", "deployment", "provider", "account", "region", "operation"
]
DIMENSIONS: tuple[Dimension, ...] = get_args(Dimension)

# The only names that ever become part of a statement; what callers send are parameters.
COLUMNS: Mapping[Dimension, str] = {
    "project": "project_id",
    "caller": "caller_id",
    "model": "model",
    "model_served": "model_served",
    "deployment": "deployment",
    "provider": "provider",
    "account": "account",
    "region": "region",
    "operation": "operation",
}


def column(dimension: str) -> str:
    """The column of a dimension; ValueError names those there are."""
    for known in DIMENSIONS:
        if dimension == known:
            return COLUMNS[known]
    raise ValueError(f"{dimension!r} is no dimension of usage; known: {', '.join(DIMENSIONS)}")
