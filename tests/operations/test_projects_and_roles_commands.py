import json
from typing import Any

import pytest

from tests.operations.conftest import KEY, PROJECT, AdminStandIn, Reply, Run, error

ROLE: dict[str, Any] = {
    "name": "analysts",
    "description": "They look at numbers",
    "limits": {"usd_per_day": 10.0},
    "model_limits": {"*": {"requests_per_minute": 100}},
    "models": None,
    "built_in": False,
    "created_at": "2026-11-01T09:30:00Z",
    "updated_at": "2026-11-01T09:30:00Z",
}
STALE = error(412, "Someone has changed it.", code="precondition_failed")


def test_a_project_is_made(admin: AdminStandIn, run: Run) -> None:
    admin.on("POST", "/projects", Reply(PROJECT, 201))
    result = run("projects", "create", "search", "--limit", "usd_per_month=200", "--client", "https://i#c")
    assert result.exit_code == 0
    assert admin.changes()[0].body == {
        "name": "search",
        "limits": {"usd_per_month": 200.0},
        "clients": ["https://i#c"],
    }
    for text in (PROJECT["id"], "200.00 USD per month", "10M tokens per day", "10.0.0.0/8"):
        assert text in result.stdout


def test_a_project_is_changed(admin: AdminStandIn, run: Run) -> None:
    admin.pages_of("/projects", PROJECT)
    admin.on("PATCH", f"/projects/{PROJECT['id']}", PROJECT)
    assert run("projects", "update", "search", "--description", "", "--no-clients").exit_code == 0
    assert run("projects", "update", PROJECT["id"], "--all-models", "--name", "ads").exit_code == 0
    assert [asked.body for asked in admin.changes()] == [
        {"description": "", "clients": []},
        {"name": "ads", "models": None},
    ]
    assert run("projects", "update", "search").exit_code == 2


def test_archiving_says_what_stops_and_asks(admin: AdminStandIn, run: Run) -> None:
    admin.pages_of("/projects", PROJECT)
    admin.pages_of("/keys", KEY, KEY)
    admin.on("DELETE", f"/projects/{PROJECT['id']}", {**PROJECT, "archived_at": "2026-11-21T00:00:00Z"})
    refused = run("projects", "archive", "search", input="n\n")
    assert refused.exit_code == 1
    assert "Its 2 keys stop working" in refused.stderr
    assert admin.changes() == []
    assert "archived" in run("projects", "archive", "search", "--yes").stdout
    assert len(admin.changes()) == 1


def test_setting_a_role_keeps_what_is_not_named(admin: AdminStandIn, run: Run) -> None:
    admin.on("GET", "/roles/analysts", Reply(ROLE, headers={"etag": '"7"'}))
    admin.on("PUT", "/roles/analysts", ROLE)
    assert run("roles", "set", "analysts", "--limit", "tokens_per_day=1M").exit_code == 0
    put = admin.changes()[0]
    assert put.body == {
        "description": "They look at numbers",
        "limits": {"usd_per_day": 10.0, "tokens_per_day": 1_000_000},
        "model_limits": {"*": {"requests_per_minute": 100}},
        "models": None,
    }
    assert put.headers["if-match"] == '"7"'


def test_a_role_that_someone_else_changes_meanwhile_is_read_again(admin: AdminStandIn, run: Run) -> None:
    changed = {**ROLE, "limits": {"usd_per_day": 99.0}}
    admin.on(
        "GET",
        "/roles/analysts",
        Reply(ROLE, headers={"etag": '"7"'}),
        Reply(changed, headers={"etag": '"8"'}),
    )
    admin.on("PUT", "/roles/analysts", STALE, ROLE)
    assert run("roles", "set", "analysts", "--model", "nova-lite").exit_code == 0
    first, second = admin.changes()
    assert (first.headers["if-match"], second.headers["if-match"]) == ('"7"', '"8"')
    assert second.body["limits"] == {"usd_per_day": 99.0}
    assert first.headers["idempotency-key"] != second.headers["idempotency-key"]


def test_a_role_that_never_stands_still_ends_in_a_refusal(admin: AdminStandIn, run: Run) -> None:
    admin.on("GET", "/roles/analysts", Reply(ROLE, headers={"etag": '"7"'}))
    admin.on("PUT", "/roles/analysts", STALE)
    assert run("roles", "set", "analysts", "--model", "nova-lite").exit_code == 1
    assert len(admin.changes()) == 5


def test_a_new_role_does_not_replace_one_that_came_meanwhile(admin: AdminStandIn, run: Run) -> None:
    admin.on("GET", "/roles/R%26D", error(404, "There is no role.", code="role_not_found"))
    admin.on("PUT", "/roles/R%26D", Reply(ROLE, 201))
    assert run("roles", "set", "R&D", "--limit", "usd_per_day=10").exit_code == 0
    assert admin.changes()[0].headers["if-none-match"] == "*"
    assert "if-match" not in admin.changes()[0].headers


def test_roles_are_shown_and_deleted(admin: AdminStandIn, run: Run) -> None:
    admin.pages_of("/roles", ROLE)
    admin.on("GET", "/roles/analysts", ROLE)
    admin.on("DELETE", "/roles/analysts", {"name": "analysts", "deleted": True})
    assert "100 requests per minute of each model" in run("roles", "list").stdout
    assert "10.00 USD per day" in run("roles", "show", "analysts").stdout
    assert run("roles", "delete", "analysts", input="n\n").exit_code == 1
    deleted = run("roles", "delete", "analysts", "--yes", "--json")
    assert json.loads(deleted.stdout) == {"name": "analysts", "deleted": True}


@pytest.mark.parametrize(
    ("whose", "path"),
    [
        (["--project", PROJECT["id"]], f"/projects/{PROJECT['id']}"),
        (["--key", KEY["id"]], f"/keys/{KEY['id']}"),
    ],
)
def test_limits_are_set_and_taken_away(admin: AdminStandIn, run: Run, whose: list[str], path: str) -> None:
    admin.on("PATCH", path, PROJECT)
    result = run(
        "limits", "set", *whose, "tokens_per_day=10M", "usd_per_month=200", "requests_per_minute=1_000"
    )
    assert result.exit_code == 0
    assert "10M tokens per day" in result.stdout
    assert run("limits", "unset", *whose, "tokens_per_day").exit_code == 0
    assert [asked.body for asked in admin.changes()] == [
        {"limits": {"tokens_per_day": 10_000_000, "usd_per_month": 200.0, "requests_per_minute": 1000}},
        {"limits": {"tokens_per_day": None}},
    ]


def test_limits_of_a_role_on_one_model(admin: AdminStandIn, run: Run) -> None:
    admin.on("GET", "/roles/analysts", Reply(ROLE, headers={"etag": '"7"'}))
    admin.on("PUT", "/roles/analysts", ROLE)
    assert run("limits", "set", "--role", "analysts", "--model", "opus", "usd_per_day=5").exit_code == 0
    assert run("limits", "unset", "--role", "analysts", "--model", "*", "requests_per_minute").exit_code == 0
    assert run("limits", "unset", "--role", "analysts", "usd_per_day").exit_code == 0
    first, second, third = (asked.body for asked in admin.changes())
    assert first["model_limits"] == {"*": {"requests_per_minute": 100}, "opus": {"usd_per_day": 5.0}}
    assert second["model_limits"] == {}
    assert (third["limits"], third["model_limits"]) == ({}, ROLE["model_limits"])


def test_limits_make_no_role(admin: AdminStandIn, run: Run) -> None:
    admin.on("GET", "/roles/analists", error(404, "There is no role.", code="role_not_found"))
    for arguments in (
        ["set", "--role", "analists", "usd_per_day=5"],
        ["unset", "--role", "analists", "usd_total"],
    ):
        result = run("limits", *arguments)
        assert result.exit_code == 2
        assert "gatehouse roles set" in result.stderr
    assert admin.changes() == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["usd_per_day=5"], "whose limits"),
        (["--project", "a", "--key", "b", "usd_per_day=5"], "whose limits"),
        (["--project", "a", "--model", "m", "usd_per_day=5"], "--model is for roles"),
        (["--project", "a", "dollars=5"], "is no limit; allowed: requests_per_minute"),
        (["--project", "a", "usd_per_day"], "needs an amount"),
        (["--project", "a", "usd_per_day=-5"], "needs an amount"),
        (["--project", "a", "usd_per_day=nan"], "needs an amount"),
        (["--project", "a", "tokens_per_day=1.5"], "whole number"),
        (["--project", "a"], "Missing argument"),
    ],
)
def test_wrong_limits_are_not_sent(admin: AdminStandIn, run: Run, arguments: list[str], said: str) -> None:
    result = run("limits", "set", *arguments)
    assert result.exit_code == 2
    assert said in result.stderr
    assert admin.asked == []


def test_limits_are_shown_with_what_is_used(admin: AdminStandIn, run: Run) -> None:
    standing = {
        "of": "project",
        "id": PROJECT["id"],
        "model": None,
        "name": "usd_per_month",
        "unit": "usd",
        "window": "month",
        "limit": 200.0,
        "used": 150.0,
        "remaining": 50.0,
        "reset_seconds": 90_061,
        "resets_at": "2026-12-01T00:00:00Z",
    }
    never = {**standing, "name": "usd_total", "reset_seconds": None, "resets_at": None}
    admin.pages_of("/projects", PROJECT)
    admin.on("GET", "/limits", {"data": [standing, never]})
    shown = run("limits", "show", "--project", "search").stdout
    for text in ("USD per month", "200.00", "150.00", "███████▌", "1d 1h", "USD in total", "never"):
        assert text in shown
    assert json.loads(run("limits", "show", "--key", KEY["id"], "--model", "opus", "--json").stdout) == [
        standing,
        never,
    ]
    run("limits", "show", "--caller", "user:https://i#me", "--caller-role", "a", "--caller-role", "b")
    asked = [each.query for each in admin.asked if each.path == "/limits"]
    assert asked == [
        {"project_id": PROJECT["id"]},
        {"key_id": KEY["id"], "model": "opus"},
        {"caller_id": "user:https://i#me", "roles": "a,b"},
    ]
    assert run("limits", "show").exit_code == 2
    for more in (["--caller-role", "a"], ["--model", "opus"]):
        assert run("limits", "show", "--project", PROJECT["id"], *more).exit_code == 2


def test_the_audit_log_tells_what_changed(admin: AdminStandIn, run: Run) -> None:
    after = {**PROJECT, "limits": {"usd_per_month": 300.0}, "updated_at": "2026-11-21T00:00:00Z"}
    entry = {
        "id": 1,
        "at": "2026-11-21T09:30:00Z",
        "actor": "bootstrap:admin",
        "actor_name": "admin",
        "source_address": "10.0.0.1",
        "request_id": "r",
        "action": "update",
        "object_type": "project",
        "object_id": PROJECT["id"],
        "before": PROJECT,
        "after": after,
    }
    admin.pages_of("/projects", PROJECT)
    made = {
        **entry,
        "action": "create",
        "object_type": "key",
        "before": None,
        "after": {**KEY, "roles": ["admin"], "limits": {"usd_per_day": 5.0, "usd_total": 9.0}},
    }
    admin.pages_of("/audit", entry, made)
    shown = run("audit", "--project", "search", "--since", "2026-11-01").stdout
    for text in ("2026-11-21 09:30Z", "admin", "update project", "usd_per_month: 200.0 → 300.0"):
        assert text in shown
    assert "updated_at" not in shown
    assert "tokens_per_day: 10,000,000 → none" in shown
    assert "roles: admin" in shown
    assert "limits: usd_per_day 5.0, usd_total 9.0" in shown
    query = admin.asked[-1].query
    assert (query["object_type"], query["object_id"]) == ("project", PROJECT["id"])
    assert (query["since"], query["limit"]) == ("2026-11-01T00:00:00Z", "50")
    assert run("audit", "--project", "a", "--key", "b").exit_code == 2
