"""What holds for every change: who may make it, that it is logged, made once, and not over another one."""

import asyncio
import json
from typing import Any

import asyncpg
import pytest

from gateway.admin.operations import OPERATIONS
from gateway.callers import ADMIN_ROLE, Caller, Role

pytestmark = pytest.mark.anyio

PROJECTS = "/admin/v1/projects"
ADMIN_OPERATIONS = [operation for operation in OPERATIONS if operation.for_admins]
# The limits need a query to get that far.
WITHOUT = {"/admin/v1/limits", "/admin/v1/models", "/admin/v1/deployments", "/v1/limits"}
WITH_DATABASE = [operation for operation in OPERATIONS if operation.path not in WITHOUT]
MEMBER = Caller("key_00000000000000aa", "reports", "key")
OTHER_ADMIN = Caller("user:https://issuer.example#ann", "ann", "user", roles=(Role(ADMIN_ROLE),))


@pytest.mark.parametrize("operation", ADMIN_OPERATIONS, ids=lambda each: f"{each.method} {each.path}")
async def test_only_admins_may(api: Any, sql: asyncpg.Connection, operation: Any) -> None:
    path = operation.path.replace("{id}", "proj_0000000000000000").replace("{name}", "developers")
    answer = await api.send(operation.method, path, {}, caller=MEMBER)
    assert (answer.status, answer.error["code"]) == (403, "admins_only")
    assert await sql.fetchval("SELECT count(*) FROM audit_log") == 0


@pytest.mark.parametrize("operation", WITH_DATABASE, ids=lambda each: f"{each.method} {each.path}")
async def test_without_a_database(ask_without_database: Any, operation: Any) -> None:
    bodies = {
        "projects": {"name": "x"},
        "keys": {"name": "x", "project_id": "proj_0000000000000000"},
        "import": {"lines": []},
    }
    path = operation.path.replace("{id}", "proj_0000000000000000").replace("{name}", "developers")
    answer = await ask_without_database(operation.method, path, bodies.get(path.rpartition("/")[2], {}))
    assert (answer.status, answer.error["code"]) == (503, "database_unavailable")
    assert int(answer.headers["retry-after"]) > 0


async def test_a_change_is_logged(api: Any) -> None:
    created = await api.post(PROJECTS, {"name": "search"}, x_request_id="req-1")
    path = f"{PROJECTS}/{created.json['id']}"
    await api.send("PATCH", path, {"name": "find"}, caller=OTHER_ADMIN)
    await api.put("/admin/v1/roles/developers", {})
    await api.delete("/admin/v1/roles/developers")
    entries = (await api.get("/admin/v1/audit")).data
    assert [(each["action"], each["object_type"]) for each in entries] == [
        ("delete", "role"),
        ("create", "role"),
        ("update", "project"),
        ("create", "project"),
    ]
    deletion, _, update, creation = entries
    project = {name: value for name, value in created.json.items() if name != "warnings"}
    assert creation["before"] is None
    assert creation["after"] == project
    assert (creation["actor"], creation["actor_name"]) == ("bootstrap:ops", "ops")
    assert (creation["request_id"], creation["source_address"]) == ("req-1", "192.0.2.7")
    assert creation["object_id"] == project["id"]
    assert (update["actor"], update["actor_name"]) == (OTHER_ADMIN.id, "ann")
    assert (update["before"]["name"], update["after"]["name"]) == ("search", "find")
    assert (deletion["after"], deletion["before"]["name"]) == (None, "developers")


async def test_the_log_is_filtered(api: Any) -> None:
    first, _ = await api.project("a"), await api.project("b")
    await api.send("PUT", "/admin/v1/roles/r", {}, caller=OTHER_ADMIN)
    audit = "/admin/v1/audit"
    assert len((await api.get(audit, object_type="project")).data) == 2
    assert len((await api.get(audit, object_type="project", object_id=first["id"])).data) == 1
    assert [each["object_id"] for each in (await api.get(audit, actor=OTHER_ADMIN.id)).data] == ["r"]
    newest, middle, oldest = (await api.get(audit)).data
    assert [each["id"] for each in (await api.get(audit, since=middle["at"])).data] == [
        newest["id"],
        middle["id"],
    ]
    assert [each["id"] for each in (await api.get(audit, until=middle["at"])).data] == [oldest["id"]]
    assert (await api.get(audit, actor="ops")).error["param"] == "actor"


async def test_a_refused_change_leaves_no_trace(api: Any, sql: asyncpg.Connection) -> None:
    await api.project("search")
    before = await sql.fetchval("SELECT version FROM directory_version")
    assert (await api.post(PROJECTS, {"name": "search"}, idempotency_key="k")).status == 409
    assert await sql.fetchval("SELECT version FROM directory_version") == before
    assert await sql.fetchval("SELECT count(*) FROM audit_log") == 1
    assert await sql.fetchval("SELECT count(*) FROM idempotency_keys") == 0


async def test_the_same_request_again_is_answered_and_not_done(api: Any, sql: asyncpg.Connection) -> None:
    first = await api.post(PROJECTS, {"name": "search", "description": "d"}, idempotency_key="k1")
    again = await api.post(PROJECTS, {"description": "d", "name": "search"}, idempotency_key="k1")
    assert (again.status, again.json) == (201, first.json)
    assert again.headers["etag"] == first.headers["etag"]
    assert (again.headers["idempotent-replayed"], "idempotent-replayed" in first.headers) == ("true", False)
    assert await sql.fetchval("SELECT count(*) FROM projects") == 1
    assert await sql.fetchval("SELECT count(*) FROM audit_log") == 1
    other = await api.post(PROJECTS, {"name": "ads"}, idempotency_key="k1")
    assert (other.status, other.error["code"]) == (409, "idempotency_key_reused")
    elsewhere = await api.put("/admin/v1/roles/r", {"description": "d"}, idempotency_key="k1")
    assert elsewhere.status == 409
    # Callers do not share their keys, nor learn of each other's.
    mine = await api.send("POST", PROJECTS, {"name": "ads"}, caller=OTHER_ADMIN, idempotency_key="k1")
    assert mine.status == 201


async def test_a_created_key_is_not_shown_again(api: Any, sql: asyncpg.Connection) -> None:
    body = {"project_id": (await api.project())["id"], "name": "ci"}
    first = await api.post("/admin/v1/keys", body, idempotency_key="k")
    again = await api.post("/admin/v1/keys", body, idempotency_key="k")
    assert (first.status, again.status) == (201, 200)
    assert again.json == first.json | {"key": None, "note": again.json["note"]}
    assert "rotate" in again.json["note"]
    assert first.json["note"] is None
    assert await sql.fetchval("SELECT count(*) FROM api_keys") == 1


async def test_duplicates_at_the_same_time_are_done_once(api: Any, sql: asyncpg.Connection) -> None:
    answers = await asyncio.gather(
        *(api.post(PROJECTS, {"name": "search"}, idempotency_key="k") for _ in range(4))
    )
    assert {answer.status for answer in answers} == {201}
    assert len({answer.json["id"] for answer in answers}) == 1
    assert sum("idempotent-replayed" in answer.headers for answer in answers) == 3
    assert await sql.fetchval("SELECT count(*) FROM projects") == 1


async def test_a_key_is_forgotten_after_a_day(api: Any, sql: asyncpg.Connection) -> None:
    await api.post(PROJECTS, {"name": "a"}, idempotency_key="k")
    await sql.execute("UPDATE idempotency_keys SET created_at = now() - interval '25 hours'")
    assert (await api.post(PROJECTS, {"name": "b"}, idempotency_key="k")).status == 201
    assert await sql.fetchval("SELECT count(*) FROM idempotency_keys") == 1


@pytest.mark.parametrize("key", ["", "x" * 256, "two words", "ü"])
async def test_idempotency_keys_there_cannot_be(api: Any, key: str) -> None:
    answer = await api.post(PROJECTS, {"name": "a"}, idempotency_key=key)
    assert (answer.status, answer.error["param"]) == (400, "Idempotency-Key")


async def test_a_change_over_another_one_is_refused(api: Any) -> None:
    project = await api.project("search")
    path = f"{PROJECTS}/{project['id']}"
    seen = (await api.get(path)).headers["etag"]
    assert seen.startswith('"')
    changed = await api.patch(path, {"description": "first"}, if_match=seen)
    assert changed.status == 200
    refused = await api.patch(path, {"description": "second"}, if_match=seen)
    assert (refused.status, refused.error["code"]) == (412, "precondition_failed")
    assert changed.headers["etag"] in refused.error["message"]
    assert (await api.delete(path, if_match=seen)).status == 412
    both = f"{seen}, {changed.headers['etag']}"
    assert (await api.patch(path, {"description": "third"}, if_match=both)).status == 200
    assert (await api.delete(path, if_match="*")).status == 200


async def test_weak_tags_match_nothing_that_is_to_be_changed(api: Any) -> None:
    path = f"{PROJECTS}/{(await api.project())['id']}"
    seen = (await api.get(path)).headers["etag"]
    assert (await api.patch(path, {"description": "x"}, if_match=f"W/{seen}")).status == 412


async def test_keys_and_roles_have_tags_too(api: Any) -> None:
    key = await api.key((await api.project())["id"])
    path = f"/admin/v1/keys/{key['id']}"
    seen = (await api.get(path)).headers["etag"]
    await api.post(f"{path}/rotate", if_match=seen)
    for answer in (
        await api.post(f"{path}/rotate", if_match=seen),
        await api.patch(path, {"name": "x"}, if_match=seen),
        await api.post(f"{path}/revoke", if_match=seen),
    ):
        assert answer.status == 412
    role = "/admin/v1/roles/developers"
    assert (await api.put(role, {}, if_match='"1"')).status == 412
    created = await api.put(role, {}, if_none_match="*")
    assert created.status == 201
    assert (await api.put(role, {}, if_none_match="*")).status == 412
    assert (await api.put(role, {"description": "x"}, if_match='"0"')).status == 412
    assert (await api.put(role, {"description": "x"}, if_match=created.headers["etag"])).status == 200
    assert (await api.delete(role, if_match=created.headers["etag"])).status == 412


async def test_what_has_not_changed_is_not_sent_again(api: Any) -> None:
    path = f"{PROJECTS}/{(await api.project())['id']}"
    seen = (await api.get(path)).headers["etag"]
    for tag in (seen, f"W/{seen}", f'"x", {seen}', "*"):
        answer = await api.send("GET", path, if_none_match=tag)
        assert (answer.status, answer.body) == (304, b"")
        assert answer.headers["etag"] == seen
        assert "content-length" not in answer.headers
    assert (await api.send("GET", path, if_none_match='"x"')).status == 200


async def test_lists_stay_in_order_while_they_grow(api: Any) -> None:
    made = [(await api.project(f"p{number}"))["id"] for number in range(5)]
    first = (await api.get(PROJECTS, limit=2)).json
    assert [each["id"] for each in first["data"]] == [made[4], made[3]]
    await api.project("later")
    second = (await api.get(PROJECTS, limit=2, after=first["next"])).json
    assert [each["id"] for each in second["data"]] == [made[2], made[1]]
    third = (await api.get(PROJECTS, limit=2, after=second["next"])).json
    assert [each["id"] for each in third["data"]] == [made[0]]
    assert (third["has_more"], third["next"]) == (False, None)


@pytest.mark.parametrize("path", [PROJECTS, "/admin/v1/keys", "/admin/v1/roles", "/admin/v1/audit"])
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("limit", "0"),
        ("limit", "501"),
        ("limit", "many"),
        ("after", "x"),
        ("after", "ü"),
        ("after", "bnVsbA"),
        ("after", "WyIyMDI2LTAxLTAxVDAwOjAwOjAwIiwgInByb2pfMSJd"),
        # Times before the first year and behind the last one, in UTC.
        ("after", "WyIwMDAxLTAxLTAxVDAwOjAwOjAwKzE0OjAwIiwgInByb2pfMSJd"),
        ("after", "WyI5OTk5LTEyLTMxVDIzOjU5OjU5LTE0OjAwIiwgInByb2pfMSJd"),
        ("colour", "red"),
    ],
)
async def test_queries_that_make_no_sense(api: Any, path: str, name: str, value: str) -> None:
    answer = await api.get(path, **{name: value})
    assert (answer.status, answer.error["code"], answer.error["param"]) == (400, "invalid_fields", name)


async def test_changes_take_no_parameters(api: Any, sql: asyncpg.Connection) -> None:
    answer = await api.send("POST", PROJECTS, {"name": "search"}, query={"dry_run": "true"})
    assert (answer.status, answer.error["param"]) == (400, "dry_run")
    role = await api.send("DELETE", "/admin/v1/roles/r", query={"force": ""})
    assert (role.status, role.error["param"]) == (400, "force")
    assert await sql.fetchval("SELECT count(*) FROM projects") == 0


async def test_a_parameter_is_given_once(api: Any) -> None:
    answer = await api.send("GET", PROJECTS, query={"state": "all&state=active"})
    assert answer.status == 400


async def test_the_log_of_requests_names_no_body(api: Any) -> None:
    await api.post(PROJECTS, {"name": "a name nobody logs"})
    lines = [json.loads(line) for line in api.log.getvalue().splitlines()]
    assert [line["path"] for line in lines] == [PROJECTS]
    assert b"nobody logs" not in api.log.getvalue()
