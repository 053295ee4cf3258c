"""The directory follows a real database: what is changed there is known here, soon and whole."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from typing import Any

import pytest

from gateway.database import Database
from gateway.directory import Directory, RecordError
from gateway.directory.snapshot import Snapshot
from gateway.limits import Limits
from gateway.structured_log import StructuredLog
from local.throwaway_servers import Postgres

pytestmark = pytest.mark.anyio

ONE, TWO, THREE = (bytes([number]) * 32 for number in range(3))


async def until(condition: Callable[[], object]) -> None:
    """Wait for a condition; fails after a time in which even a busy machine gets there."""
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 (what is waited for has no event)
            await asyncio.sleep(0.02)


async def current(directory: Directory, changes: Any) -> None:
    """Wait until the directory knows all changes."""
    newest = await changes.connection.fetchval("SELECT version FROM directory_version")
    await until(lambda: directory.is_known and directory.version == newest)


async def test_a_key_with_all_that_it_may_hold(changes: Any, directory: Directory) -> None:
    await changes.update(
        "projects",
        "id = 'proj_1'",
        limits='{"usd_per_month": 100}',
        models=["claude", "nova"],
        networks=[ip_network("203.0.113.0/24")],
    )
    await changes.insert(
        "roles",
        name="analysts",
        limits='{"tokens_per_day": 1000}',
        model_limits='{"claude": {"requests_per_minute": 5}, "*": {"requests_per_minute": 50}}',
        models=["claude"],
    )
    await changes.key(
        "key_1",
        ONE,
        roles=["analysts", "unheard-of"],
        limits='{"requests_per_hour": 9}',
        models=["claude"],
        networks=[ip_network("203.0.113.0/28"), ip_network("2001:db8::/32")],
        priority="high",
    )
    await current(directory, changes)
    caller = directory.key(ONE)
    assert caller is not None
    assert (caller.id, caller.name, caller.kind, caller.priority) == ("key_1", "key_1", "key", "high")
    assert caller.limits == Limits(requests_per_hour=9)
    assert caller.models == frozenset({"claude"})
    assert caller.networks == (ip_network("203.0.113.0/28"), ip_network("2001:db8::/32"))
    (role,) = caller.roles
    assert role.limits == Limits(tokens_per_day=1000)
    assert role.limits_of("claude") == Limits(requests_per_minute=5)
    assert role.limits_of("nova") == Limits(requests_per_minute=50)
    assert role.models == frozenset({"claude"})
    assert caller.project is not None
    assert (caller.project.id, caller.project.name) == ("proj_1", "search")
    assert caller.project.limits == Limits(usd_per_month=100)
    assert caller.project.models == frozenset({"claude", "nova"})
    assert caller.project.networks == (ip_network("203.0.113.0/24"),)
    assert directory.key(TWO) is None
    assert directory.key(ONE) is caller


async def test_what_was_there_before_is_read_without_what_is_no_longer_valid(
    changes: Any, database: Database, log: StructuredLog
) -> None:
    past = datetime.now(UTC) - timedelta(seconds=60)
    await changes.insert("roles", name="gone", deleted_at=past)
    await changes.insert("projects", id="proj_2", name="archived", archived_at=past)
    await changes.key("key_1", ONE)
    await changes.secret(TWO, "key_1", expires_at=past)
    await changes.key("key_2", THREE, revoked_at=past)
    await changes.key("key_3", bytes([3]) * 32, expires_at=past)
    await changes.key("key_4", bytes([4]) * 32, project_id="proj_2")
    directory = Directory(database, log, known_seconds=3600)
    task = asyncio.create_task(directory.keep_current())
    await until(lambda: directory.is_known)
    assert directory.key(ONE) is not None
    for digest in (TWO, THREE, bytes([3]) * 32, bytes([4]) * 32):
        assert directory.key(digest) is None
    assert directory.project("archived") is None
    assert directory.roles(["gone"]) == ()
    await changes.update("api_keys", "id = 'key_3'", expires_at=None)
    await changes.update("projects", "id = 'proj_2'", archived_at=None)
    await changes.update("roles", "name = 'gone'", deleted_at=None)
    await current(directory, changes)
    task.cancel()
    assert directory.key(bytes([3]) * 32) is not None
    assert directory.key(bytes([4]) * 32) is not None
    assert [role.name for role in directory.roles(["gone"])] == ["gone"]


async def test_a_new_key_is_known_soon_and_a_revoked_one_no_longer(
    changes: Any, directory: Directory
) -> None:
    await current(directory, changes)
    await changes.key("key_1", ONE)
    await until(lambda: directory.key(ONE))
    await changes.update("api_keys", "id = 'key_1'", revoked_at=datetime.now(UTC))
    await until(lambda: directory.key(ONE) is None)
    assert directory.keys == 0


async def test_one_that_cannot_wait_has_the_database_asked_at_once(
    changes: Any, directory: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.directory.POLL_SECONDS", 86_400)
    await until(lambda: directory.is_known)
    for number in range(5):
        await changes.key(f"key_{number}", bytes([number]) * 32)
        await directory.catch_up()
        await current(directory, changes)
        assert directory.key(bytes([number]) * 32) is not None


async def test_a_key_may_be_rotated(changes: Any, directory: Directory) -> None:
    await current(directory, changes)
    await changes.key("key_1", ONE)
    await changes.secret(TWO, "key_1")
    await current(directory, changes)
    assert directory.key(ONE) is directory.key(TWO) is not None
    soon = datetime.now(UTC) + timedelta(seconds=2)
    await changes.update(
        "api_key_secrets", "key_id = 'key_1' AND digest = '\\x" + ONE.hex() + "'", expires_at=soon
    )
    await current(directory, changes)
    # By the clock, without another look at the database.
    await until(lambda: directory.key(ONE) is None)
    assert datetime.now(UTC) >= soon
    assert directory.key(TWO) is not None


async def test_a_key_may_expire_and_be_extended(changes: Any, directory: Directory) -> None:
    await current(directory, changes)
    await changes.key("key_1", ONE, expires_at=datetime.now(UTC) - timedelta(seconds=1))
    await current(directory, changes)
    assert directory.key(ONE) is None
    await changes.update("api_keys", "id = 'key_1'", expires_at=datetime.now(UTC) + timedelta(hours=1))
    await current(directory, changes)
    assert directory.key(ONE) is not None


async def test_callers_change_with_their_project_and_roles(changes: Any, directory: Directory) -> None:
    await changes.insert("roles", name="analysts", limits='{"requests_per_minute": 1}')
    await changes.key("key_1", ONE, roles=["analysts"])
    await current(directory, changes)
    before = directory.key(ONE)
    assert before is not None
    revision = directory.revision
    await changes.update("roles", "name = 'analysts'", limits='{"requests_per_minute": 2}')
    await changes.update("projects", "id = 'proj_1'", limits='{"requests_per_minute": 3}')
    await current(directory, changes)
    after = directory.key(ONE)
    assert after is not None
    assert before.roles[0].limits == Limits(requests_per_minute=1)
    assert after.roles[0].limits == Limits(requests_per_minute=2)
    assert after.project is not None
    assert after.project.limits == Limits(requests_per_minute=3)
    assert directory.revision > revision
    await changes.update("roles", "name = 'analysts'", deleted_at=datetime.now(UTC))
    await current(directory, changes)
    without = directory.key(ONE)
    assert without is not None
    assert without.roles == ()
    await changes.update("projects", "id = 'proj_1'", archived_at=datetime.now(UTC))
    await current(directory, changes)
    assert directory.key(ONE) is None
    assert directory.project("search") is None


async def test_roles_fall_back_to_the_default_one(changes: Any, directory: Directory) -> None:
    await current(directory, changes)
    assert directory.roles(["a"]) == ()
    await changes.insert("roles", name="default")
    await changes.insert("roles", name="a")
    await current(directory, changes)
    assert [role.name for role in directory.roles(["a", "b", "a"])] == ["a"]
    assert [role.name for role in directory.roles(["b"])] == ["default"]
    assert [role.name for role in directory.roles([])] == ["default"]


async def test_administrators_need_no_stored_role(changes: Any, directory: Directory) -> None:
    await current(directory, changes)
    assert [role.name for role in directory.roles(["admin"])] == ["admin"]
    await changes.insert("roles", name="admin", limits='{"requests_per_minute": 60}')
    await current(directory, changes)
    (role,) = directory.roles(["admin"])
    assert role.limits == Limits(requests_per_minute=60)


async def test_projects_by_name_and_by_client(changes: Any, directory: Directory) -> None:
    issuer = "https://issuer.example.com"
    await changes.update("projects", "id = 'proj_1'", clients=[f"{issuer}#one", f"{issuer}#two"])
    await current(directory, changes)
    project = directory.project("search")
    assert project is not None
    assert directory.project("proj_1") is project
    assert directory.project_of_client(issuer, "one") is project
    assert directory.project_of_client(issuer, "three") is None
    assert directory.project_of_client("https://other.example.com", "one") is None
    # A client's name is no project's, whatever a token says.
    assert directory.project(f"{issuer}#one") is None
    await changes.update("projects", "id = 'proj_1'", name="renamed", clients=[f"{issuer}#two"])
    await changes.insert("projects", id="proj_2", name="search")
    await current(directory, changes)
    assert directory.project_of_client(issuer, "one") is None
    for name, project_id in (("search", "proj_2"), ("renamed", "proj_1")):
        found = directory.project(name)
        assert found is not None
        assert found.id == project_id
    # Two changes seen at once: the name was taken over before its first owner is read anew.
    snapshot = Snapshot()
    for project_id, name in (("proj_1", "search"), ("proj_2", "search"), ("proj_1", "renamed")):
        row = {"id": project_id, "name": name, "limits": "{}", "models": None, "networks": None}
        snapshot.take("projects", [{**row, "clients": [], "archived_at": None}])
    found = snapshot.project("search")
    assert found is not None
    assert found.id == "proj_2"


async def test_a_row_that_cannot_be_read_stops_no_other(
    changes: Any, directory: Directory, lines: list[dict[str, Any]]
) -> None:
    newer = '{"requests_per_fortnight": 1}'
    await changes.insert("projects", id="proj_2", name="newer", limits=newer)
    await changes.insert("roles", name="newer", model_limits=f'{{"claude": {newer}}}')
    await changes.key("key_1", ONE)
    await changes.key("key_2", TWO, limits=newer)
    await changes.key("key_3", THREE, roles=["newer"])
    await changes.key("key_4", bytes([4]) * 32, project_id="proj_2")
    await changes.key("key_5", bytes([5]) * 32, limits="[]")
    await changes.insert("roles", name="empty", model_limits='{"claude": []}')
    await changes.key("key_6", bytes([6]) * 32, roles=["empty"])
    await current(directory, changes)
    assert directory.key(ONE) is not None
    for digest in (TWO, THREE, bytes([4]) * 32):
        with pytest.raises(RecordError, match="requests_per_fortnight"):
            directory.key(digest)
    for digest in (bytes([5]) * 32, bytes([6]) * 32):
        with pytest.raises(RecordError, match="no JSON object") as first:
            directory.key(digest)
        with pytest.raises(RecordError, match="no JSON object") as second:
            directory.key(digest)
        # One that was raised again would collect tracebacks for ever.
        assert first.value is not second.value
    problems = [line["problem"] for line in lines if line["event"] == "directory_record_unreadable"]
    assert len(set(problems)) == 5
    await changes.update("projects", "id = 'proj_2'", limits="{}")
    await changes.update("roles", "name = 'newer'", model_limits="{}")
    await changes.update("api_keys", "id = 'key_2'", limits="{}")
    await current(directory, changes)
    for digest in (TWO, THREE, bytes([4]) * 32):
        assert directory.key(digest) is not None


async def test_known_keys_hold_while_the_database_is_away(
    changes: Any, postgres: Postgres, directory: Directory, lines: list[dict[str, Any]]
) -> None:
    await changes.key("key_1", ONE)
    await current(directory, changes)
    assert directory.key(ONE) is not None
    postgres.stop()
    await until(lambda: [line for line in lines if line.get("state") == "not_current"])
    assert directory.is_known
    assert directory.key(ONE) is not None
    await directory.catch_up()
    assert directory.key(TWO) is None
    postgres.start()
    await until(lambda: [line for line in lines if line.get("state") == "current"][1:])
    assert directory.key(ONE) is not None


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


async def test_nothing_is_known_before_the_first_look_and_long_after_the_last(
    changes: Any, postgres: Postgres, database: Database, log: StructuredLog
) -> None:
    await changes.key("key_1", ONE)
    clock = Clock()
    directory = Directory(database, log, known_seconds=60, clock=clock)
    assert not directory.is_known
    task = asyncio.create_task(directory.keep_current())
    await until(lambda: directory.is_known)
    postgres.stop()
    for seconds, is_known in ((60, True), (1, False)):
        clock.now += seconds
        assert directory.is_known is is_known
    postgres.start()
    await until(lambda: directory.is_known)
    task.cancel()


async def test_another_database_with_an_older_state_is_read_anew(changes: Any, directory: Directory) -> None:
    await changes.key("key_1", ONE)
    await changes.key("key_2", TWO)
    await current(directory, changes)
    assert directory.key(TWO) is not None
    # As after a restore: the last changes never happened.
    await changes.connection.execute("DELETE FROM api_key_secrets WHERE key_id = 'key_2'")
    await changes.connection.execute("DELETE FROM api_keys WHERE id = 'key_2'")
    await changes.connection.execute("UPDATE directory_version SET version = version - 2")
    await until(lambda: directory.key(TWO) is None)
    assert directory.key(ONE) is not None
    await changes.connection.execute("UPDATE directory_version SET version = version + 2")
