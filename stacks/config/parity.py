"""What a standby needs of AWS in both regions, and where that is: parity.json, as of the day that it names.

It holds for each service the regions without it, and for models that are called without a cross-region
profile the regions with them. A region or a model that is not in it may have appeared since: add it there,
with the new date.
"""

import json
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

TABLE = Path(__file__).with_name("parity.json")

# By service, whether an environment uses it; the others are used by all. Sections that are not valid are
# missing, and their services then not asked for.
_USED: Mapping[str, Callable[[Mapping[str, Any]], bool]] = {
    "fargate": lambda sections: "compute" in sections and sections["compute"].platform == "ecs",
    "auto-mode": lambda sections: "compute" in sections and sections["compute"].platform == "eks",
    "signing": lambda sections: "image" in sections and sections["image"].signing,
    "scanning": lambda sections: "image" in sections and sections["image"].enhanced_scanning,
}


def as_of() -> str:
    """The day on which the table was true."""
    return str(_table()["as_of"])


def is_known(region: str) -> bool:
    """Whether the table says anything about a region."""
    return region in _table()["regions"]


def lacking(region: str, sections: Mapping[str, Any]) -> list[str]:
    """The services that a region lacks and an environment of these sections needs there, by name."""
    return [
        service["name"]
        for key, service in _table()["services"].items()
        if region in service["missing_in"] and _USED.get(key, _always)(sections)
    ]


def has_model(region: str, foundation_model: str) -> bool:
    """Whether a model is known to be in a region itself, so that it is called there without a profile."""
    return region in _table()["models"].get(foundation_model, ())


def _always(_: Mapping[str, Any]) -> bool:
    return True


@cache
def _table() -> Mapping[str, Any]:
    table: Mapping[str, Any] = json.loads(TABLE.read_text(encoding="utf-8"))
    return table
