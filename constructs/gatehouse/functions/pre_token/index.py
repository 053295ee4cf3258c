"""Cognito's pre token generation trigger, version 2: people's access tokens tell their project and roles.

Variable: PROVIDER_ROLES, a JSON object: provider → group of that provider → role.

The project is the attribute `custom:project`, which administrators alone write, or what the person's identity
provider says. The roles are the person's groups here, in the claim `cognito:groups`, and the roles of those
groups that the identity provider names.

What a provider says stands in attributes that an app client has to be able to write, so that a person with a
password here could write them, too. They count only for people without one: those whom Cognito knows from the
provider alone. Machines' tokens never come by here.
"""

import json
import os
from collections.abc import Mapping
from typing import Any

PROJECT_CLAIM = "project"
PROJECT = "custom:project"
PROVIDER_PROJECT = "custom:provider_project"
PROVIDER_GROUPS = "custom:provider_groups"

Event = dict[str, Any]


def on_event(event: Event, _context: Any) -> Event:
    """Return the event with the claims to add; raises KeyError if it is none of the trigger's version."""
    request = event["request"]
    attributes: Mapping[str, str] = request["userAttributes"]
    groups = list(request["groupConfiguration"].get("groupsToOverride") or [])
    project, roles = attributes.get(PROJECT), []
    if attributes.get("cognito:user_status") == "EXTERNAL_PROVIDER":
        project = project or attributes.get(PROVIDER_PROJECT)
        roles = _roles(attributes)
    details: dict[str, Any] = {}
    if project:
        details["accessTokenGeneration"] = {"claimsToAddOrOverride": {PROJECT_CLAIM: project}}
    if roles:
        # The list takes the place of the groups: those that the person has here stay in it.
        details["groupOverrideDetails"] = {"groupsToOverride": list(dict.fromkeys([*groups, *roles]))}
    event["response"]["claimsAndScopeOverrideDetails"] = details
    return event


def _roles(attributes: Mapping[str, str]) -> list[str]:
    """The roles of the groups that the person's provider names."""
    provider_roles: Mapping[str, Mapping[str, str]] = json.loads(os.environ["PROVIDER_ROLES"])
    of_provider = provider_roles.get(_provider(attributes.get("identities")), {})
    groups = _listed(attributes.get(PROVIDER_GROUPS, ""))
    return [of_provider[group] for group in groups if group in of_provider]


def _provider(identities: str | None) -> str:
    """The name of the only provider that the person comes from; empty if it is not clear."""
    try:
        known = json.loads(identities or "[]")
        (name,) = {identity["providerName"] for identity in known}
    except (ValueError, TypeError, KeyError):
        print(json.dumps({"event": "identities_unreadable"}))
        return ""
    return str(name)


def _listed(text: str) -> list[str]:
    """Several values as Cognito writes them into one attribute: `one`, `[one, two]`, or a JSON array."""
    try:
        values = json.loads(text)
    except ValueError:
        values = text.removeprefix("[").removesuffix("]").split(",")
    if not isinstance(values, list):
        values = [text]
    return [value.strip() for value in values if isinstance(value, str)]
