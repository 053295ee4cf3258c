"""Projects in the admin API."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

pytestmark = pytest.mark.anyio

PROJECTS = "/admin/v1/projects"
WHOLE = {
    "name": "search",
    "description": "Search, and what is near it",
    "limits": {"tokens_per_day": 1000, "usd_per_month": 12.5},
    "models": ["claude"],
    "networks": ["10.0.0.0/8", "2001:db8::/32"],
    "clients": ["https://issuer.example/pool#client1"],
}


async def test_a_project_is_created_read_and_listed(api: Any) -> None:
    created = await api.post(PROJECTS, WHOLE)
    assert created.status == 201
    project = created.json
    assert project["id"].startswith("proj_")
    assert len(project["id"]) == 21
    assert {name: project[name] for name in WHOLE} == WHOLE
    assert project["warnings"] == []
    assert project["archived_at"] is None
    age = datetime.now(UTC) - datetime.fromisoformat(project["created_at"])
    assert project["created_at"].endswith("Z")
    assert abs(age) < timedelta(minutes=5)
    assert created.headers["cache-control"] == "no-store"

    read = await api.get(f"{PROJECTS}/{project['id']}")
    assert read.status == 200
    assert read.json == {name: value for name, value in project.items() if name != "warnings"}
    assert read.headers["etag"] == created.headers["etag"]
    listed = await api.get(PROJECTS)
    assert listed.json == {"data": [read.json], "has_more": False, "next": None}


async def test_what_is_not_given_is_unlimited(api: Any) -> None:
    project = await api.project("search")
    unlimited: dict[str, Any] = {
        "description": "",
        "limits": {},
        "models": None,
        "networks": None,
        "clients": [],
    }
    assert {name: project[name] for name in unlimited} == unlimited


async def test_every_field_at_fault_is_named(api: Any) -> None:
    answer = await api.post(
        PROJECTS,
        {
            "name": " search",
            "limits": {"tokens_per_day": "1000", "tokens_per_year": 1, "usd_total": 0},
            "models": [],
            "networks": ["10.0.0.1/8"],
            "clients": ["client1"],
            "colour": "red",
        },
    )
    assert answer.status == 400
    error = answer.error
    assert (error["type"], error["code"]) == ("invalid_request_error", "invalid_fields")
    fields = {each["field"]: each for each in error["errors"]}
    assert set(fields) == {
        "name",
        "limits.tokens_per_day",
        "limits.tokens_per_year",
        "limits.usd_total",
        "models",
        "networks[0]",
        "clients[0]",
        "colour",
    }
    assert error["param"] in fields
    assert fields["name"]["value"] == '" search"'
    assert "no space at either end" in fields["name"]["allowed"]
    assert "tokens_per_month" in fields["limits.tokens_per_year"]["allowed"]
    assert "description" in fields["colour"]["allowed"]
    assert "without bits set" in fields["networks[0]"]["allowed"]
    assert "issuer's URL" in fields["clients[0]"]["allowed"]


@pytest.mark.parametrize(
    "network", ["fe80::%1/64", "::ffff:10.0.0.0/104", "10.0.0.0/33", "", "10.0.0.0/8\x00"]
)
async def test_networks_there_cannot_be(api: Any, network: str) -> None:
    answer = await api.post(PROJECTS, {"name": "search", "networks": [network]})
    assert (answer.status, answer.error["param"]) == (400, "networks[0]")


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"{", "invalid_json"),
        (b"[]", "invalid_json"),
        (b'"x"', "invalid_json"),
        (b'{"name": "\xff"}', "invalid_json"),
        (b'{"name": "\\ud800"}', "invalid_json"),
        (b'{"limits": ' + b"[" * 50 + b"]" * 50 + b"}", "json_too_deep"),
        (b'{"name": "a\\u0000"}', "invalid_fields"),
        (b'{"name": "a", "description": "\\u0000"}', "invalid_fields"),
        (b'{"name": "a", "limits": {"usd_total": 1e400}}', "invalid_json"),
        (b'{"name": "a", "limits": {"requests_per_day": 123456789012345678901234567890}}', "invalid_fields"),
        (b"{}", "invalid_fields"),
    ],
)
async def test_bodies_that_make_no_sense(api: Any, raw: bytes, code: str) -> None:
    answer = await api.send("POST", PROJECTS, raw=raw)
    assert (answer.status, answer.error["code"]) == (400, code)


async def test_a_body_that_is_too_large(api: Any) -> None:
    answer = await api.send("POST", PROJECTS, raw=b'{"name": "%b"}' % (b"x" * 300_000))
    assert (answer.status, answer.error["code"]) == (413, "request_too_large")


async def test_a_name_is_taken_until_its_project_is_archived(api: Any) -> None:
    project = await api.project("search")
    taken = await api.post(PROJECTS, {"name": "search"})
    assert (taken.status, taken.error["code"], taken.error["param"]) == (409, "name_taken", "name")
    other = await api.project("ads")
    renamed = await api.patch(f"{PROJECTS}/{other['id']}", {"name": "search"})
    assert (renamed.status, renamed.error["code"]) == (409, "name_taken")
    assert (await api.delete(f"{PROJECTS}/{project['id']}")).status == 200
    assert (await api.patch(f"{PROJECTS}/{other['id']}", {"name": "search"})).status == 200


async def test_a_client_has_one_project(api: Any) -> None:
    first = await api.project("search", clients=["https://issuer.example#a", "https://issuer.example#b"])
    taken = await api.post(PROJECTS, {"name": "ads", "clients": ["https://issuer.example#b"]})
    assert (taken.status, taken.error["code"], taken.error["param"]) == (409, "client_taken", "clients")
    assert "'search'" in taken.error["message"]
    same = await api.patch(f"{PROJECTS}/{first['id']}", {"clients": ["https://issuer.example#b"]})
    assert same.status == 200
    assert (await api.project("ads", clients=["https://issuer.example#a"]))["clients"]


async def test_a_patch_changes_what_it_names(api: Any) -> None:
    project = (await api.post(PROJECTS, WHOLE)).json
    path = f"{PROJECTS}/{project['id']}"
    answer = await api.patch(
        path,
        {"limits": {"tokens_per_day": None, "requests_per_minute": 5}, "models": None, "description": None},
    )
    assert answer.status == 200
    assert answer.json["limits"] == {"usd_per_month": 12.5, "requests_per_minute": 5}
    assert answer.json["models"] is None
    assert answer.json["description"] == ""
    assert answer.json["networks"] == WHOLE["networks"]
    assert answer.json["updated_at"] > project["updated_at"]
    assert (await api.patch(path, {"limits": None})).json["limits"] == {}
    assert (await api.patch(path, {"name": None})).error["param"] == "name"
    assert (await api.patch(path, {"id": "proj_0"})).error["param"] == "id"


async def test_a_patch_sets_nothing_back_that_there_is_not(api: Any) -> None:
    path = f"{PROJECTS}/{(await api.project('search'))['id']}"
    assert (await api.patch(path, {"limit": None})).error["param"] == "limit"
    misspelt = await api.patch(path, {"limits": {"usd_per_mont": None}})
    assert (misspelt.status, misspelt.error["param"]) == (400, "limits.usd_per_mont")
    assert (await api.patch(path, {"limits": {"usd_per_month": None}})).json["limits"] == {}


async def test_a_patch_that_changes_nothing_is_no_change(api: Any, sql: asyncpg.Connection) -> None:
    project = await api.project("search")
    before = await api.get(f"{PROJECTS}/{project['id']}")
    answer = await api.patch(f"{PROJECTS}/{project['id']}", {"name": "search", "models": None})
    assert answer.status == 200
    assert (await api.get(f"{PROJECTS}/{project['id']}")).headers["etag"] == before.headers["etag"]
    assert await sql.fetchval("SELECT count(*) FROM audit_log") == 1


async def test_an_archived_project_is_final(api: Any, sql: asyncpg.Connection) -> None:
    project = await api.project("search")
    await api.key(project["id"])
    path = f"{PROJECTS}/{project['id']}"
    archived = await api.delete(path)
    assert archived.status == 200
    assert archived.json["archived_at"] is not None
    assert archived.json["warnings"] == ["API keys that stop working with it: 1."]
    again = await api.delete(path)
    assert (again.status, again.json["archived_at"]) == (200, archived.json["archived_at"])
    assert (await api.patch(path, {"description": "x"})).error["code"] == "archived"
    assert (await api.get(path)).json["archived_at"] is not None
    assert (await api.get(PROJECTS)).data == []
    assert [each["id"] for each in (await api.get(PROJECTS, state="archived")).data] == [project["id"]]
    assert len((await api.get(PROJECTS, state="all")).data) == 1
    key = (await api.get("/admin/v1/keys")).data[0]
    assert key["state"] == "project_archived"
    refused = await api.post("/admin/v1/keys", {"project_id": project["id"], "name": "x"})
    assert (refused.status, refused.error["code"]) == (409, "archived")


@pytest.mark.parametrize("project_id", ["proj_0000000000000000", "x", "%00", "a/b", "%F0%9F%92%A9"])
async def test_there_is_no_such_project(api: Any, project_id: str) -> None:
    for answer in (
        await api.get(f"{PROJECTS}/{project_id}"),
        await api.patch(f"{PROJECTS}/{project_id}", {"name": "x"}),
        await api.delete(f"{PROJECTS}/{project_id}"),
    ):
        assert (answer.status, answer.error["code"]) == (404, "project_not_found")


async def test_models_that_the_catalog_does_not_have(api: Any) -> None:
    project = await api.project("search", models=["claude", "clod"])
    assert project["warnings"] == ["It names models that the catalog does not have now: clod."]
    changed = await api.patch(f"{PROJECTS}/{project['id']}", {"description": "x"})
    assert len(changed.json["warnings"]) == 1


async def test_changes_are_numbered_and_stamped(api: Any, sql: asyncpg.Connection) -> None:
    before = await sql.fetchval("SELECT version FROM directory_version")
    project = await api.project("search")
    rows = "SELECT version FROM projects WHERE id = $1"
    assert await sql.fetchval(rows, project["id"]) == before + 1
    await api.patch(f"{PROJECTS}/{project['id']}", {"description": "x"})
    assert await sql.fetchval(rows, project["id"]) == before + 2
    await api.delete(f"{PROJECTS}/{project['id']}")
    assert await sql.fetchval(rows, project["id"]) == before + 3
    assert await sql.fetchval("SELECT version FROM directory_version") == before + 3


async def test_changes_at_the_same_time_are_all_made(api: Any) -> None:
    project = await api.project("search")
    path = f"{PROJECTS}/{project['id']}"
    names = ("requests_per_minute", "requests_per_day", "tokens_per_minute", "tokens_per_day")
    answers = await asyncio.gather(*(api.patch(path, {"limits": {name: 7}}) for name in names))
    assert [answer.status for answer in answers] == [200] * 4
    assert (await api.get(path)).json["limits"] == dict.fromkeys(names, 7)
