import json

import pytest

from tests.operations.conftest import KEY, PROJECT, SECRET, AdminStandIn, Reply, Run, error

MADE = {**KEY, "key": SECRET, "warnings": []}
REPLAYED = Reply({**KEY, "key": None, "note": "not kept"}, 200, {"idempotent-replayed": "true"})


def _patches(admin: AdminStandIn) -> list[object]:
    return [asked.body for asked in admin.changes()]


def test_a_key_is_made_in_the_project_of_a_name(admin: AdminStandIn, run: Run) -> None:
    admin.pages_of("/projects", PROJECT)
    admin.on("POST", "/keys", Reply(MADE, 201))
    result = run(
        *("keys", "create", "search-prod", "--project", "search", "--role", "analysts", "--role", "ops"),
        *("--limit", "tokens_per_day=1.5M", "--limit", "usd_per_day=0.5", "--model", "claude-sonnet"),
        *("--network", "10.0.0.0/8", "--priority", "high", "--expires", "2027-01-01"),
    )
    assert result.exit_code == 0
    assert admin.asked[0].query["name"] == "search"
    assert _patches(admin) == [
        {
            "project_id": PROJECT["id"],
            "name": "search-prod",
            "roles": ["analysts", "ops"],
            "limits": {"tokens_per_day": 1_500_000, "usd_per_day": 0.5},
            "models": ["claude-sonnet"],
            "networks": ["10.0.0.0/8"],
            "priority": "high",
            "expires_at": "2027-01-01T00:00:00Z",
        }
    ]
    assert SECRET in result.stdout
    assert "it is not shown again" in result.stderr


def test_quietly_only_the_key_is_printed(admin: AdminStandIn, run: Run) -> None:
    admin.on("POST", "/keys", Reply(MADE, 201))
    admin.on("POST", f"/keys/{KEY['id']}/rotate", MADE)
    created = run("keys", "create", "x", "--project", PROJECT["id"], "--quiet")
    rotated = run("keys", "rotate", KEY["id"], "--quiet")
    for result in (created, rotated):
        assert (result.stdout, result.stderr) == (f"{SECRET}\n", "")


def test_programs_get_the_answer(admin: AdminStandIn, run: Run) -> None:
    admin.on("POST", "/keys", Reply(MADE, 201))
    result = run("keys", "create", "x", "--project", PROJECT["id"], "--json")
    assert json.loads(result.stdout) == MADE
    assert result.stderr == ""


def test_a_key_whose_answer_was_lost_gets_a_new_secret(admin: AdminStandIn, run: Run) -> None:
    admin.on("POST", "/keys", Reply(lost=True), REPLAYED)
    admin.on("POST", f"/keys/{KEY['id']}/rotate", MADE)
    result = run("keys", "create", "x", "--project", PROJECT["id"], "--quiet")
    assert result.exit_code == 0
    assert result.stdout == f"{SECRET}\n"
    assert [asked.path for asked in admin.changes()] == ["/keys", "/keys", f"/keys/{KEY['id']}/rotate"]
    # Nobody has seen the secret that was lost: it ends at once.
    assert admin.changes()[-1].body == {"overlap_seconds": 0}


def test_a_rotation_whose_answer_was_lost_is_not_repeated_by_itself(admin: AdminStandIn, run: Run) -> None:
    admin.on("POST", f"/keys/{KEY['id']}/rotate", Reply(lost=True), REPLAYED)
    result = run("keys", "rotate", KEY["id"], "--quiet")
    assert result.exit_code == 1
    assert result.stdout == ""
    assert "Rotate the key once more" in result.stderr
    assert len(admin.changes()) == 2


@pytest.mark.parametrize(
    ("given", "seconds"), [("24h", 86_400), ("0", 0), ("90s", 90), ("15m", 900), ("7d", 604_800)]
)
def test_the_overlap_of_a_rotation_is_a_span_of_time(
    admin: AdminStandIn, run: Run, given: str, seconds: int
) -> None:
    admin.on("POST", f"/keys/{KEY['id']}/rotate", MADE)
    assert run("keys", "rotate", KEY["id"], "--overlap", given).exit_code == 0
    assert _patches(admin) == [{"overlap_seconds": seconds}]


def test_a_key_is_found_by_its_name_if_only_one_has_it(admin: AdminStandIn, run: Run) -> None:
    other = {**KEY, "id": "key_fedcba9876543210"}
    admin.pages_of("/keys", KEY)
    admin.pages_of("/projects", PROJECT)
    shown = run("keys", "show", "search-prod")
    assert shown.exit_code == 0
    for text in (KEY["id"], "search", "analysts", "claude-sonnet", "gh_Ab3dEf9h…", "2027-01-01"):
        assert text in shown.stdout
    admin.pages_of("/keys", KEY, other)
    several = run("keys", "show", "search-prod")
    assert several.exit_code == 2
    assert KEY["id"] in several.stderr
    assert other["id"] in several.stderr
    admin.pages_of("/keys")
    none = run("keys", "show", "nobody")
    assert none.exit_code == 2
    assert "keys list" in none.stderr
    assert admin.asked[-1].query["name"] == "nobody"


def test_revoking_asks_first(admin: AdminStandIn, run: Run) -> None:
    admin.on("GET", f"/keys/{KEY['id']}", KEY)
    admin.on("POST", f"/keys/{KEY['id']}/revoke", {**KEY, "state": "revoked"})
    admin.pages_of("/projects", PROJECT)
    for answer in ("n\n", "", "maybe\nn\n"):
        refused = run("keys", "revoke", KEY["id"], input=answer)
        assert refused.exit_code == 1
        assert "nothing was changed" in refused.stderr
        assert "Revoke 'search-prod'" in refused.stderr
    assert admin.changes() == []
    assert run("keys", "revoke", KEY["id"], input="y\n").exit_code == 0
    agreed = run("keys", "revoke", KEY["id"], "--yes", "--json")
    assert json.loads(agreed.stdout)["state"] == "revoked"
    assert len(admin.changes()) == 2


@pytest.mark.parametrize(
    ("options", "patch"),
    [
        (["--name", "other"], {"name": "other"}),
        (["--expires", "never"], {"expires_at": None}),
        (["--all-models", "--all-networks"], {"models": None, "networks": None}),
        (["--no-roles"], {"roles": []}),
        (["--priority", "low", "--role", "ops"], {"priority": "low", "roles": ["ops"]}),
    ],
)
def test_an_update_sends_what_is_named(
    admin: AdminStandIn, run: Run, options: list[str], patch: dict[str, object]
) -> None:
    admin.on("PATCH", f"/keys/{KEY['id']}", KEY)
    admin.pages_of("/projects", PROJECT)
    assert run("keys", "update", KEY["id"], *options).exit_code == 0
    assert _patches(admin) == [patch]


@pytest.mark.parametrize(
    ("options", "said"),
    [([], "nothing to change"), (["--all-models", "--model", "nova-lite"], "exclude each other")],
)
def test_an_update_that_says_nothing_is_wrong_usage(
    admin: AdminStandIn, run: Run, options: list[str], said: str
) -> None:
    result = run("keys", "update", KEY["id"], *options)
    assert result.exit_code == 2
    assert said in result.stderr
    assert admin.asked == []


def test_a_list_is_of_working_keys_unless_asked_otherwise(admin: AdminStandIn, run: Run) -> None:
    admin.pages_of("/keys", KEY)
    admin.pages_of("/projects", PROJECT)
    assert "search-prod" in run("keys", "list").stdout
    assert json.loads(run("keys", "list", "--json", "--state", "all").stdout) == [KEY]
    lists = [asked.query for asked in admin.asked if asked.path == "/keys"]
    assert [query.get("state") for query in lists] == ["active", None]


def test_an_unknown_project_is_wrong_usage(admin: AdminStandIn, run: Run) -> None:
    admin.pages_of("/projects")
    result = run("keys", "create", "x", "--project", "nobody")
    assert result.exit_code == 2
    assert "there is no project 'nobody'" in result.stderr
    admin.on(
        "GET", f"/projects/{PROJECT['id']}", error(404, "There is no project.", code="project_not_found")
    )
    assert run("projects", "show", PROJECT["id"]).exit_code == 1
