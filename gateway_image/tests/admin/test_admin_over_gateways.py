"""The admin API of two real gateways with a cache, a database and a provider."""

import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import httpx
import openai
import pytest

from local.bedrock_simulator import process as simulator_process
from local.fleet import Fleet, fleet

KEY = "key-of-the-admin-of-the-tests-0123456789"
LIMITED_KEY = "key-of-the-others-of-the-tests-0123456789"
CATALOG = {
    "models": [
        {
            "name": name,
            "deployments": [
                {
                    "name": f"{name}-east",
                    "provider": "bedrock",
                    "region": "us-east-1",
                    "model_id": "us.amazon.nova-lite-v1:0",
                    "price": {"input_usd": 1, "output_usd": 5},
                }
            ],
        }
        for name in ("nova", "other")
    ]
}
# Far longer than anything takes on a machine that does other things, too.
SECONDS = 60


def wait_for(condition: Callable[[], Any]) -> Any:
    """What a condition returns as soon as it is true."""
    deadline = time.monotonic() + SECONDS
    while not (found := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return found


@pytest.fixture(scope="module")
def gateways() -> Iterator[Fleet]:
    with (
        simulator_process.start() as bedrock,
        fleet(
            catalog=CATALOG,
            api_keys={"ops": KEY, "others": {"key": LIMITED_KEY, "admin": False}},
            settings={"bedrock_endpoint_url": bedrock.url},
            environ={"AWS_ACCESS_KEY_ID": "AKIATEST", "AWS_SECRET_ACCESS_KEY": "secret-of-the-tests"},
            database=True,
        ) as running,
    ):
        yield running


@pytest.fixture
def admin(gateways: Fleet) -> Iterator[httpx.Client]:
    headers = {"authorization": f"Bearer {KEY}"}
    with httpx.Client(base_url=f"{gateways.gateways[0].url}/admin/v1", headers=headers, timeout=30) as client:
        yield client


def made(response: httpx.Response) -> Any:
    assert response.status_code in (200, 201), response.text
    return response.json()


def ask(url: str, key: str, model: str = "nova") -> None:
    with openai.OpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0) as client:
        client.chat.completions.create(model=model, messages=[{"role": "user", "content": "Hello"}])


def status(url: str, key: str) -> int:
    return httpx.get(f"{url}/v1/models", headers={"authorization": f"Bearer {key}"}).status_code


def _is_refused(url: str, key: str) -> bool:
    return status(url, key) == 401


def test_a_key_from_its_making_to_its_end(gateways: Fleet, admin: httpx.Client) -> None:
    here, there = (gateway.url for gateway in gateways.gateways)
    limits = {"limits": {"tokens_per_day": 1_000_000}}
    project = made(admin.post("/projects", json={"name": "search", **limits}))
    body = {"name": "indexer", "project_id": project["id"], "models": ["nova"]}
    key = made(admin.post("/keys", json={**body, "limits": {"requests_per_day": 3}}))
    wait_for(lambda: status(there, key["key"]) == 200)
    ask(there, key["key"])
    with pytest.raises(openai.PermissionDeniedError):
        ask(there, key["key"], "other")

    own = httpx.get(f"{there}/v1/limits", headers={"x-api-key": key["key"]}).json()["data"]
    assert [(each["of"], each["name"], each["used"]) for each in own][:1] == [
        ("caller", "requests_per_day", 1)
    ]
    assert own[1]["name"] == "tokens_per_day"
    query = {"key_id": key["id"]}
    assert made(admin.get("/limits", params=query))["data"][0]["used"] == 1

    query = {"group_by": "project,caller,model", "caller_id": key["id"], "model": "nova"}
    (mine,) = wait_for(lambda: made(admin.get("/usage", params=query))["data"])
    assert mine["group"] == {"project": project["id"], "caller": key["id"], "model": "nova"}
    assert (mine["project_name"], mine["caller_name"]) == ("search", "indexer")
    assert mine["cost_usd"] > 0
    single = made(admin.get("/requests", params={"caller_id": key["id"], "model": "nova"}))["data"]
    assert [(each["status"], each["deployment"]) for each in single] == [(200, "nova-east")]

    rotated = made(admin.post(f"/keys/{key['id']}/rotate", json={"overlap_seconds": 3600}))
    wait_for(lambda: status(there, rotated["key"]) == 200)
    assert status(there, key["key"]) == 200
    made(admin.post(f"/keys/{key['id']}/revoke"))
    for url in (here, there):
        for secret in (rotated["key"], key["key"]):
            wait_for(partial(_is_refused, url, secret))
    log = made(admin.get("/audit", params={"object_id": key["id"]}))["data"]
    assert [each["action"] for each in log] == ["revoke", "rotate", "create"]
    assert {each["actor_name"] for each in log} == {"ops"}
    assert log[0]["source_address"] == "127.0.0.1"


def test_the_keys_of_an_archived_project_end(gateways: Fleet, admin: httpx.Client) -> None:
    project = made(admin.post("/projects", json={"name": "short-lived"}))
    key = made(admin.post("/keys", json={"name": "ci", "project_id": project["id"]}))["key"]
    there = gateways.gateways[1].url
    wait_for(lambda: status(there, key) == 200)
    made(admin.delete(f"/projects/{project['id']}"))
    wait_for(lambda: status(there, key) == 401)


def test_an_expired_key_begins_to_work_again(gateways: Fleet, admin: httpx.Client) -> None:
    project = made(admin.post("/projects", json={"name": "expiring"}))
    body = {"name": "ci", "project_id": project["id"]}
    key = wait_for(lambda: _expiring(admin, body))
    wait_for(lambda: made(admin.get(f"/keys/{key['id']}"))["state"] == "expired")
    there = gateways.gateways[1].url
    wait_for(lambda: status(there, key["key"]) == 401)
    made(admin.patch(f"/keys/{key['id']}", json={"expires_at": None}))
    wait_for(lambda: status(there, key["key"]) == 200)


def _expiring(admin: httpx.Client, body: dict[str, Any]) -> Any:
    """A key that expires in some seconds; None if this took as long."""
    soon = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3))
    response = admin.post("/keys", json={**body, "expires_at": soon})
    return None if response.status_code == 400 else made(response)


def test_who_is_no_admin(gateways: Fleet) -> None:
    url = f"{gateways.gateways[0].url}/admin/v1/projects"
    assert httpx.get(url).status_code == 401
    refused = httpx.get(url, headers={"authorization": f"Bearer {LIMITED_KEY}"})
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "admins_only")
