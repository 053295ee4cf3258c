"""API keys in the admin API."""

from datetime import datetime, timedelta
from typing import Any

import asyncpg
import pytest

from gateway.identity.key_format import digest, is_well_formed

pytestmark = pytest.mark.anyio

KEYS = "/admin/v1/keys"
HASHING_SECRET = b"a-secret-for-hashing-keys-in-tests"
WHOLE = {
    "name": "ci",
    "roles": ["admin"],
    "limits": {"requests_per_minute": 5},
    "models": ["claude"],
    "networks": ["10.0.0.0/8"],
    "priority": "high",
    "expires_at": "2090-01-01T00:00:00Z",
}
DAY = timedelta(days=1)


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


async def test_a_key_is_shown_once(api: Any, sql: asyncpg.Connection) -> None:
    project = await api.project()
    answer = await api.post(KEYS, {"project_id": project["id"], **WHOLE})
    assert answer.status == 201
    made = answer.json
    assert is_well_formed(made["key"])
    assert {name: made[name] for name in WHOLE} == WHOLE
    assert (made["state"], made["created_by"], made["warnings"]) == ("active", "bootstrap:ops", [])
    assert [secret["prefix"] for secret in made["secrets"]] == [made["key"][:11]]

    read = await api.get(f"{KEYS}/{made['id']}")
    assert "key" not in read.json
    assert made["key"] not in read.body.decode()
    assert read.headers["etag"] == answer.headers["etag"]
    assert (await api.get(KEYS)).data == [read.json]
    stored = await sql.fetchrow("SELECT * FROM api_key_secrets")
    assert stored["digest"] == digest(HASHING_SECRET, made["key"])
    assert stored["key_id"] == made["id"]


async def test_no_secret_is_anywhere_but_in_its_answer(api: Any, sql: asyncpg.Connection) -> None:
    project = await api.project()
    made = await api.post(KEYS, {"project_id": project["id"], "name": "ci"}, idempotency_key="once")
    rotated = await api.post(f"{KEYS}/{made.json['id']}/rotate", idempotency_key="twice")
    hidden = [
        form
        for answer in (made, rotated)
        for form in (answer.json["key"], digest(HASHING_SECRET, answer.json["key"]).hex())
    ]
    tables = ("projects", "api_keys", "api_key_secrets", "audit_log", "idempotency_keys")
    texts = [str(await sql.fetch(f"SELECT t::text FROM {table} t")) for table in tables]
    # The digest is where it belongs.
    texts[2] = texts[2].replace("\\\\x", "")
    for form in hidden:
        assert all(form not in text for text in (*texts[:2], *texts[3:]))
        assert form not in api.log.getvalue().decode()
    assert all(form in texts[2] for form in hidden[1::2])
    assert all(form not in texts[2] for form in hidden[0::2])


async def test_what_is_not_given(api: Any) -> None:
    key = await api.key((await api.project())["id"])
    usual: dict[str, Any] = {
        "roles": [],
        "limits": {},
        "models": None,
        "networks": None,
        "priority": "normal",
        "expires_at": None,
    }
    assert {name: key[name] for name in usual} == usual


async def test_every_field_at_fault_is_named(api: Any) -> None:
    answer = await api.post(
        KEYS,
        {
            "project_id": "search",
            "name": "",
            "roles": ["two words"],
            "priority": "urgent",
            "expires_at": "tomorrow",
        },
    )
    assert answer.status == 400
    fields = {each["field"]: each for each in answer.error["errors"]}
    assert set(fields) == {"project_id", "name", "roles[0]", "priority", "expires_at"}
    assert "RFC 3339" in fields["expires_at"]["allowed"]
    assert "'high', 'normal' or 'low'" in fields["priority"]["allowed"]


@pytest.mark.parametrize(
    "time", ["2020-01-01T00:00:00Z", 4102444800, "2090-01-01T00:00:00", "9999-12-31T23:59:59Z"]
)
async def test_times_a_key_cannot_expire_at(api: Any, time: object) -> None:
    project = await api.project()
    answer = await api.post(KEYS, {"project_id": project["id"], "name": "ci", "expires_at": time})
    assert (answer.status, answer.error["param"]) == (400, "expires_at")


async def test_times_have_zones(api: Any) -> None:
    project = await api.project()
    key = await api.key(project["id"], expires_at="2090-01-01t02:00:00.5+02:00")
    assert key["expires_at"] == "2090-01-01T00:00:00.500000Z"


async def test_a_key_needs_a_project(api: Any) -> None:
    answer = await api.post(KEYS, {"project_id": "proj_0123456789abcdef", "name": "ci"})
    assert (answer.status, answer.error["param"]) == (400, "project_id")


async def test_roles_that_do_not_exist(api: Any) -> None:
    project = await api.project()
    await api.put("/admin/v1/roles/developers", {})
    key = await api.key(project["id"], roles=["developers", "default", "admin", "devs"])
    assert key["warnings"] == ["It names roles that do not exist: devs."]


async def test_a_patch_changes_what_it_names(api: Any) -> None:
    project = await api.project()
    key = (await api.post(KEYS, {"project_id": project["id"], **WHOLE})).json
    path = f"{KEYS}/{key['id']}"
    answer = await api.patch(path, {"limits": {"usd_per_day": 1}, "expires_at": None, "roles": []})
    assert answer.status == 200
    assert answer.json["limits"] == {"requests_per_minute": 5, "usd_per_day": 1}
    assert (answer.json["expires_at"], answer.json["roles"], answer.json["priority"]) == (None, [], "high")
    assert (await api.patch(path, {"expires_at": "2020-01-01T00:00:00Z"})).error["param"] == "expires_at"
    moved = await api.patch(path, {"project_id": "proj_0123456789abcdef"})
    assert moved.error["param"] == "project_id"
    assert (await api.patch(path, {"project_id": project["id"], "name": "new"})).json["name"] == "new"


async def test_an_expired_key_can_be_given_more_time(api: Any, sql: asyncpg.Connection) -> None:
    key = await api.key((await api.project())["id"], expires_at="2090-01-01T00:00:00Z")
    path = f"{KEYS}/{key['id']}"
    await sql.execute("UPDATE api_keys SET expires_at = now() - interval '1 minute'")
    assert (await api.get(path)).json["state"] == "expired"
    assert (await api.post(f"{path}/rotate")).error["code"] == "expired"
    # Another field can be changed while it is expired.
    assert (await api.patch(path, {"name": "old"})).status == 200
    answer = await api.patch(path, {"expires_at": "2090-01-01T00:00:00Z"})
    assert (answer.status, answer.json["state"]) == (200, "active")
    # So that those who follow the directory learn of its secret again.
    versions = await sql.fetchrow(
        "SELECT k.version, s.version FROM api_keys k JOIN api_key_secrets s ON s.key_id = k.id"
    )
    assert versions[0] == versions[1]


async def test_a_rotated_key_has_two_secrets_for_a_while(api: Any, sql: asyncpg.Connection) -> None:
    key = await api.key((await api.project())["id"])
    path = f"{KEYS}/{key['id']}/rotate"
    rotated = await api.post(path)
    assert rotated.status == 200
    assert rotated.json["key"] != key["key"]
    assert is_well_formed(rotated.json["key"])
    new, old = rotated.json["secrets"]
    assert (new["prefix"], old["prefix"]) == (rotated.json["key"][:11], key["key"][:11])
    assert new["expires_at"] is None
    assert moment(old["expires_at"]) - moment(new["created_at"]) == DAY
    assert rotated.json["updated_at"] > key["updated_at"]
    # The one before the last has had its time.
    again = await api.post(path, {"overlap_seconds": 60})
    assert [secret["prefix"] for secret in again.json["secrets"]] == [
        again.json["key"][:11],
        rotated.json["key"][:11],
    ]
    assert await sql.fetchval("SELECT count(*) FROM api_key_secrets WHERE expires_at <= now()") == 1
    at_once = await api.post(path, {"overlap_seconds": 0})
    assert [secret["prefix"] for secret in at_once.json["secrets"]] == [at_once.json["key"][:11]]
    version = await sql.fetchval("SELECT version FROM api_keys")
    assert await sql.fetchval("SELECT count(*) FROM api_key_secrets WHERE version = $1", version) == 3


@pytest.mark.parametrize("seconds", [-1, 30 * 86_400 + 1, 1.5, "60", True])
async def test_overlaps_there_cannot_be(api: Any, seconds: object) -> None:
    key = await api.key((await api.project())["id"])
    answer = await api.post(f"{KEYS}/{key['id']}/rotate", {"overlap_seconds": seconds})
    assert (answer.status, answer.error["param"]) == (400, "overlap_seconds")


async def test_a_rotation_is_not_made_otherwise_than_asked(api: Any) -> None:
    key = await api.key((await api.project())["id"])
    path = f"{KEYS}/{key['id']}"
    for headers in ({"content_length": "22"}, {"transfer_encoding": "chunked", "content_length": "0"}):
        raw = b'{"overlap_seconds": 0}'
        answer = await api.send("POST", f"{path}/rotate", raw=raw, content_type=None, **headers)
        assert answer.status == 400
    assert (await api.get(path)).json["secrets"] == key["secrets"]


async def test_a_revoked_key_is_final(api: Any, sql: asyncpg.Connection) -> None:
    key = await api.key((await api.project())["id"])
    path = f"{KEYS}/{key['id']}"
    revoked = await api.post(f"{path}/revoke")
    assert (revoked.status, revoked.json["state"]) == (200, "revoked")
    assert revoked.json["revoked_at"] is not None
    assert await sql.fetchval("SELECT version FROM api_keys") == await sql.fetchval(
        "SELECT version FROM directory_version"
    )
    again = await api.post(f"{path}/revoke")
    assert (again.status, again.json["revoked_at"]) == (200, revoked.json["revoked_at"])
    assert (await api.patch(path, {"name": "x"})).error["code"] == "revoked"
    assert (await api.post(f"{path}/rotate")).error["code"] == "revoked"
    actions = await sql.fetch("SELECT action FROM audit_log WHERE object_id = $1 ORDER BY id", key["id"])
    assert [row["action"] for row in actions] == ["create", "revoke"]


async def test_keys_by_project_and_state(api: Any, sql: asyncpg.Connection) -> None:
    first, second = await api.project("search"), await api.project("ads")
    keys = {name: await api.key(first["id"], name) for name in ("active", "expired", "revoked")}
    other = await api.key(second["id"], "other")
    await api.post(f"{KEYS}/{keys['revoked']['id']}/revoke")
    await sql.execute("UPDATE api_keys SET expires_at = now() WHERE name = 'expired'")
    for state, key in keys.items():
        listed = await api.get(KEYS, project_id=first["id"], state=state)
        assert [each["id"] for each in listed.data] == [key["id"]]
        assert listed.data[0]["state"] == state
    assert [each["id"] for each in (await api.get(KEYS, project_id=second["id"])).data] == [other["id"]]
    assert len((await api.get(KEYS)).data) == 4
    assert [each["id"] for each in (await api.get(KEYS, name="other")).data] == [other["id"]]
    assert (await api.get(KEYS, name="other", project_id=first["id"])).data == []
    assert (await api.get(KEYS, state="gone")).error["param"] == "state"


@pytest.mark.parametrize("key_id", ["key_0000000000000000", "bootstrap:ops", "%00"])
async def test_there_is_no_such_key(api: Any, key_id: str) -> None:
    for answer in (
        await api.get(f"{KEYS}/{key_id}"),
        await api.patch(f"{KEYS}/{key_id}", {}),
        await api.post(f"{KEYS}/{key_id}/rotate"),
        await api.post(f"{KEYS}/{key_id}/revoke"),
    ):
        assert (answer.status, answer.error["code"]) == (404, "key_not_found")
        assert ("in the secret" in answer.error["message"]) == key_id.startswith("bootstrap")
