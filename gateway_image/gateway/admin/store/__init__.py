"""The SQL of the admin API, by resource. What is written here, gateway.directory reads."""

from collections.abc import Mapping
from typing import Any

# A row by the names of its columns.
Row = Mapping[str, Any]
