"""The limits that hold, and what is used of them."""

from typing import Any

import pytest

from gateway.cache.errors import CacheError
from gateway.callers import Caller, Project, Role, Subject
from gateway.limits import NANO_USD, Limits

pytestmark = pytest.mark.anyio

LIMITS = "/admin/v1/limits"
MEMBER = Caller(
    "key_00000000000000aa",
    "reports",
    "key",
    project=Project("proj_00000000000000aa", "search", limits=Limits(usd_total=10)),
    roles=(Role("developers", model_limits={"claude": Limits(requests_per_minute=2)}),),
    limits=Limits(tokens_per_day=1000, usd_per_month=2.5),
)
LONER = Caller("user:https://issuer.example#bob", "bob", "user")


def brief(answer: Any) -> list[tuple[Any, ...]]:
    assert answer.status == 200, answer.body
    return [(each["of"], each["model"], each["name"], each["limit"]) for each in answer.data]


async def test_callers_see_their_own_limits(api: Any) -> None:
    api.counters.used = 250
    answer = await api.send("GET", "/v1/limits", caller=MEMBER)
    assert brief(answer) == [
        ("caller", None, "tokens_per_day", 1000),
        ("caller", None, "usd_per_month", 2.5),
        ("project", None, "usd_total", 10),
    ]
    tokens, money, total = answer.data
    assert (tokens["used"], tokens["remaining"], tokens["reset_seconds"]) == (250, 750, 30)
    assert (tokens["unit"], tokens["window"], tokens["id"]) == ("tokens", "day", MEMBER.id)
    assert tokens["resets_at"].endswith("Z")
    assert (money["used"], money["remaining"]) == (250 / NANO_USD, 2.49999975)
    assert (total["id"], total["reset_seconds"], total["resets_at"]) == ("proj_00000000000000aa", None, None)


async def test_limits_on_a_model(api: Any) -> None:
    answer = await api.send("GET", "/v1/limits", caller=MEMBER, query={"model": "claude"})
    assert ("caller", "claude", "requests_per_minute", 2) in brief(answer)
    assert len(answer.data) == 4
    assert len((await api.send("GET", "/v1/limits", caller=MEMBER, query={"model": "own"})).data) == 3
    unknown = await api.send("GET", "/v1/limits", caller=MEMBER, query={"model": "nothing"})
    assert (unknown.status, unknown.error["code"]) == (404, "model_not_found")


async def test_more_may_be_used_than_a_limit(api: Any) -> None:
    api.counters.used = 5000
    answer = await api.send("GET", "/v1/limits", caller=MEMBER)
    assert (answer.data[0]["used"], answer.data[0]["remaining"]) == (5000, 0)


async def test_callers_without_limits(api: Any) -> None:
    answer = await api.send("GET", "/v1/limits", caller=LONER)
    assert answer.json == {"data": []}


async def test_callers_see_no_others(api: Any) -> None:
    for name in ("caller_id", "project_id", "key_id"):
        answer = await api.send("GET", "/v1/limits", caller=LONER, query={name: MEMBER.id})
        assert (answer.status, answer.error["param"]) == (400, name)


async def test_without_a_cache(api: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(_: object) -> None:
        raise CacheError("away")

    monkeypatch.setattr(api.counters, "standing", fail)
    answer = await api.send("GET", "/v1/limits", caller=MEMBER)
    assert (answer.status, answer.error["code"]) == (503, "cache_unavailable")
    assert "retry-after" in answer.headers


async def test_limits_of_a_project_and_its_keys(api: Any) -> None:
    await api.put(
        "/admin/v1/roles/developers",
        {"limits": {"usd_per_day": 5}, "model_limits": {"*": {"requests_per_minute": 9}}},
    )
    project = await api.project(limits={"tokens_per_month": 100})
    key = await api.key(project["id"], limits={"usd_per_day": 3}, roles=["developers"])
    of_project = await api.get(LIMITS, project_id=project["id"])
    assert brief(of_project) == [("project", None, "tokens_per_month", 100)]
    expected = [("caller", None, "usd_per_day", 3), ("project", None, "tokens_per_month", 100)]
    assert brief(await api.get(LIMITS, key_id=key["id"])) == expected
    assert brief(await api.get(LIMITS, caller_id=key["id"])) == expected
    with_model = brief(await api.get(LIMITS, key_id=key["id"], model="own"))
    assert with_model == [expected[0], ("caller", "own", "requests_per_minute", 9), expected[1]]
    assert [subject for subject, _ in api.counters.asked] == [
        Subject("caller", key["id"], None),
        Subject("caller", key["id"], "own"),
        Subject("project", project["id"], None),
    ]


async def test_limits_of_people_machines_and_bootstrap_keys(api: Any) -> None:
    await api.put("/admin/v1/roles/default", {"limits": {"requests_per_day": 1}})
    await api.put("/admin/v1/roles/a", {"limits": {"requests_per_day": 7}})
    await api.put("/admin/v1/roles/b", {"limits": {"requests_per_day": 8}})
    person = "user:https://issuer.example#bob"
    assert brief(await api.get(LIMITS, caller_id=person)) == [("caller", None, "requests_per_day", 1)]
    several = await api.get(LIMITS, caller_id=person, roles="a,b,nothing")
    assert brief(several) == [("caller", None, "requests_per_day", 8)]
    await api.project(clients=["https://issuer.example#m"], limits={"tokens_per_day": 5})
    machine = await api.get(LIMITS, caller_id="client:https://issuer.example#m", roles="a")
    assert brief(machine) == [
        ("caller", None, "requests_per_day", 7),
        ("project", None, "tokens_per_day", 5),
    ]
    assert brief(await api.get(LIMITS, caller_id="bootstrap:ops")) == []


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({}, 400),
        ({"key_id": "key_0000000000000000", "project_id": "proj_0000000000000000"}, 400),
        ({"key_id": "key_0"}, 400),
        ({"caller_id": "bob"}, 400),
        ({"caller_id": "user:a", "roles": "two words"}, 400),
        ({"key_id": "key_0000000000000000"}, 404),
        ({"project_id": "proj_0000000000000000"}, 404),
        ({"caller_id": "bootstrap:nobody"}, 404),
        ({"project_id": "proj_0000000000000000", "model": "nothing"}, 404),
    ],
)
async def test_whose_limits(api: Any, query: dict[str, str], status: int) -> None:
    assert (await api.get(LIMITS, **query)).status == status


async def test_limits_that_this_version_does_not_know(api: Any, sql: Any) -> None:
    project = await api.project()
    await sql.execute("""UPDATE projects SET limits = '{"tokens_per_year": 1}'""")
    answer = await api.get(LIMITS, project_id=project["id"])
    assert (answer.status, answer.error["code"]) == (503, "directory_record_unreadable")
    # It can be seen, and mended.
    assert (await api.get(f"/admin/v1/projects/{project['id']}")).json["limits"] == {"tokens_per_year": 1}
    mended = await api.patch(f"/admin/v1/projects/{project['id']}", {"limits": {"tokens_per_year": None}})
    assert (mended.status, mended.json["limits"]) == (200, {})
