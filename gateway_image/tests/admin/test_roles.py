"""Roles in the admin API."""

from typing import Any

import asyncpg
import pytest

from gateway.admin import roles
from gateway.admin.roles import RoleInput

pytestmark = pytest.mark.anyio

ROLES = "/admin/v1/roles"
WHOLE = {
    "description": "Everybody who writes code",
    "limits": {"usd_per_month": 50},
    "model_limits": {"claude": {"tokens_per_day": 10}, "*": {"requests_per_minute": 3}},
    "models": ["claude", "own"],
}


async def test_a_role_is_put_read_and_replaced(api: Any) -> None:
    created = await api.put(f"{ROLES}/developers", WHOLE)
    assert created.status == 201
    assert {name: created.json[name] for name in WHOLE} == WHOLE
    assert (created.json["name"], created.json["built_in"], created.json["warnings"]) == (
        "developers",
        False,
        [],
    )
    read = await api.get(f"{ROLES}/developers")
    assert read.json == {name: value for name, value in created.json.items() if name != "warnings"}
    replaced = await api.put(f"{ROLES}/developers", {"description": "New"})
    assert (replaced.status, replaced.json["limits"], replaced.json["models"]) == (200, {}, None)
    assert replaced.json["created_at"] == created.json["created_at"]
    assert replaced.headers["etag"] != created.headers["etag"]


async def test_two_roles_are_built_in(api: Any) -> None:
    listed = await api.get(ROLES)
    assert [(each["name"], each["built_in"], each["created_at"]) for each in listed.data] == [
        ("admin", True, None),
        ("default", True, None),
    ]
    for name in ("admin", "default"):
        refused = await api.delete(f"{ROLES}/{name}")
        assert (refused.status, refused.error["code"]) == (409, "built_in_role")
        put = await api.put(f"{ROLES}/{name}", {"limits": {"requests_per_day": 5}})
        assert (put.status, put.json["built_in"]) == (200, True)
        assert (await api.get(f"{ROLES}/{name}")).json["limits"] == {"requests_per_day": 5}
    assert len((await api.get(ROLES)).data) == 2


async def test_a_deleted_role_can_begin_again(api: Any, sql: asyncpg.Connection) -> None:
    await api.put(f"{ROLES}/developers", WHOLE)
    deleted = await api.delete(f"{ROLES}/developers")
    assert (deleted.status, deleted.json) == (200, {"name": "developers", "deleted": True})
    version = await sql.fetchval("SELECT version FROM roles WHERE deleted_at IS NOT NULL")
    assert version == await sql.fetchval("SELECT version FROM directory_version")
    assert (await api.get(f"{ROLES}/developers")).status == 404
    assert (await api.delete(f"{ROLES}/developers")).error["code"] == "role_not_found"
    again = await api.put(f"{ROLES}/developers", {})
    assert (again.status, again.json["limits"]) == (201, {})
    assert await sql.fetchval("SELECT count(*) FROM roles WHERE deleted_at IS NULL") == 1


async def test_names_are_those_of_groups(api: Any) -> None:
    for name in ("us-east-1_Ab:Admins/eu", "équipe", "a+b", "x" * 128):
        answer = await api.put(f"{ROLES}/{name}", {})
        assert (answer.status, answer.json["name"]) == (201, name)
        assert (await api.get(f"{ROLES}/{name}")).status == 200
    for name in ("two words", "x" * 129, "a\tb"):
        answer = await api.put(f"{ROLES}/{name}", {})
        assert (answer.status, answer.error["param"]) == (400, "name")
    assert (await api.get(f"{ROLES}/%00")).status == 404


async def test_every_field_at_fault_is_named(api: Any) -> None:
    answer = await api.put(
        f"{ROLES}/developers",
        {"model_limits": {"claude": {"tokens_per_day": 0}, " ": {}}, "limits": [], "models": "claude"},
    )
    fields = {each["field"] for each in answer.error["errors"]}
    assert {"limits", "models", "model_limits.claude.tokens_per_day"} < fields
    assert len(fields) == 4


async def test_many_wrong_names_cost_no_more_than_one(api: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    described = []

    class Wished(RoleInput):
        @classmethod
        def model_json_schema(cls, *arguments: Any, **named: Any) -> dict[str, Any]:
            described.append(cls)
            return super().model_json_schema(*arguments, **named)

    monkeypatch.setattr(roles, "RoleInput", Wished)
    answer = await api.put(f"{ROLES}/r", {"models": [f"/{n}" for n in range(200)]})
    assert len(answer.error["errors"]) == 100
    assert len(described) == 1


async def test_models_that_the_catalog_does_not_have(api: Any) -> None:
    answer = await api.put(f"{ROLES}/developers", {"models": ["a"], "model_limits": {"b": {}, "*": {}}})
    assert answer.json["warnings"] == ["It names models that the catalog does not have now: a, b."]


async def test_pages_of_roles(api: Any) -> None:
    for name in ("b", "a", "c", "Z"):
        await api.put(f"{ROLES}/{name}", {})
    names: list[str] = []
    query: dict[str, Any] = {"limit": 2}
    while True:
        answer = (await api.get(ROLES, **query)).json
        names += [each["name"] for each in answer["data"]]
        if not answer["has_more"]:
            break
        query["after"] = answer["next"]
    assert names == ["Z", "a", "admin", "b", "c", "default"]
