"""Stacks as templates hold them."""

from typing import Any

from operations.assembly import Resource, Stack


def stack_of(resources: dict[str, Any]) -> Stack:
    """A stack in the standby's region with resources as a template holds them."""
    found = {
        logical_id: Resource(resource["Type"], resource.get("Properties", {}))
        for logical_id, resource in resources.items()
    }
    return Stack("Standby-Recovery", (), found, account="111111111111", region="us-west-2")
