"""Who may call what: every route of the application, with every kind of credential."""

import json
import time
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import MagicMock

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from gateway.health import Health
from gateway.identity.key_format import make_key
from gateway.ledger.row import UsageRow
from gateway.routes import all_routes
from tests.security.platform import ADMIN_KEY, PLAIN_KEY, Platform, wait_until

PUBLIC = {
    ("GET", "/openapi.json"),
    ("GET", "/admin/v1/openapi.json"),
    ("GET", "/health/live"),
    ("GET", "/health/ready"),
}
CALLERS = {
    ("POST", "/v1/chat/completions"),
    ("POST", "/openai/deployments/{model}/chat/completions"),
    ("POST", "/v1/embeddings"),
    ("POST", "/openai/deployments/{model}/embeddings"),
    ("POST", "/v1/responses"),
    ("POST", "/v1/messages"),
    ("POST", "/v1/messages/count_tokens"),
    ("GET", "/v1/models"),
    ("GET", "/v1/models/{model}"),
    ("GET", "/v1/limits"),
    ("GET", "/v1/usage"),
}
ADMINS = {
    ("GET", "/admin/v1/projects"),
    ("POST", "/admin/v1/projects"),
    ("GET", "/admin/v1/projects/{id}"),
    ("PATCH", "/admin/v1/projects/{id}"),
    ("DELETE", "/admin/v1/projects/{id}"),
    ("GET", "/admin/v1/keys"),
    ("POST", "/admin/v1/keys"),
    ("GET", "/admin/v1/keys/{id}"),
    ("PATCH", "/admin/v1/keys/{id}"),
    ("POST", "/admin/v1/keys/{id}/rotate"),
    ("POST", "/admin/v1/keys/{id}/revoke"),
    ("GET", "/admin/v1/roles"),
    ("GET", "/admin/v1/roles/{name}"),
    ("PUT", "/admin/v1/roles/{name}"),
    ("DELETE", "/admin/v1/roles/{name}"),
    ("GET", "/admin/v1/limits"),
    ("GET", "/admin/v1/models"),
    ("GET", "/admin/v1/deployments"),
    ("GET", "/admin/v1/usage"),
    ("POST", "/admin/v1/usage/import"),
    ("GET", "/admin/v1/requests"),
    ("GET", "/admin/v1/audit"),
}
ROUTES = sorted(PUBLIC | CALLERS | ADMINS)


def _spilled(request_id: str) -> str:
    """A line of the log with a row of the ledger."""
    row: dict[str, Any] = dict.fromkeys(UsageRow.__struct_fields__)
    row |= dict.fromkeys(("caller_name", "caller_kind", "operation", "model"), "x")
    row |= {name: 0 for name in row if name.endswith("_tokens")}
    row |= {"id": str(uuid.uuid4()), "admitted_at": time.time(), "request_id": request_id, "caller_id": "x"}
    row |= {"status": 200, "streamed": False, "cached": False, "attempts": 1, "usage_estimated": False}
    return json.dumps({"event": "usage_spilled", "row": row})


@pytest.fixture(scope="module")
def credentials(platform: Platform) -> dict[str, Mapping[str, str]]:
    """The headers of each kind of caller, by a name that begins with what it may do."""
    issuer = platform.issuer
    soon = (datetime.now(UTC) + timedelta(seconds=3)).isoformat()
    expired, revoked = platform.make_key(expires_at=soon), platform.make_key()
    known = platform.make_key()
    admins = platform.make_key(roles=["admin"])
    assert platform.send("POST", f"/admin/v1/keys/{revoked['id']}/revoke").status == 200
    wait_until(lambda: platform.send("GET", "/v1/models", key=expired["key"]).status == 401)
    wait_until(lambda: platform.send("GET", "/v1/models", key=revoked["key"]).status == 401)
    key, token = known["key"], issuer.token()
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    past = {"iat": int(time.time()) - 7200, "exp": int(time.time()) - 3600}

    def bearer(credential: str) -> dict[str, str]:
        return {"authorization": f"Bearer {credential}"}

    return {
        "nobody: nothing": {},
        "nobody: an empty bearer": bearer(""),
        "nobody: basic": {"authorization": "Basic b3BzOm9wcw=="},
        "nobody: an unknown key": bearer(make_key()),
        "nobody: a mistyped key": bearer(key[:-1] + ("0" if key[-1] != "0" else "1")),
        "nobody: a key in other letters": bearer(key.swapcase()),
        "nobody: the beginning of a key": bearer(key[:11]),
        "nobody: a key's ID": bearer(known["id"]),
        "nobody: an endless key": bearer("gh_" + "x" * 5000),
        "nobody: an expired key": bearer(expired["key"]),
        "nobody: a revoked key": bearer(revoked["key"]),
        "nobody: a key in a cookie": {"cookie": f"authorization={key}"},
        "nobody: an unsigned token": bearer(issuer.unsigned(**{"cognito:groups": ["admin"]})),
        "nobody: another's signature": bearer(issuer.token(other, **{"cognito:groups": ["admin"]})),
        "nobody: an expired token": bearer(issuer.token(**past)),
        "nobody: a token for others": bearer(issuer.token(aud="another application")),
        "nobody: another issuer": bearer(issuer.token(iss="https://evil.example")),
        "nobody: a token as a key": {"x-api-key": token},
        "both: a key and a token": {"x-api-key": key, **bearer(token)},
        "both: two keys": {"x-api-key": key, "api-key": ADMIN_KEY},
        "caller: a bootstrap key without admin": bearer(PLAIN_KEY),
        "caller: a key": bearer(key),
        "caller: a key in Anthropic's header": {"x-api-key": key},
        "caller: a key in Azure's header": {"api-key": key},
        "caller: a token": bearer(token),
        "caller: a token of another group": bearer(issuer.token(**{"cognito:groups": ["Admin", "admin "]})),
        "admin: a bootstrap key": bearer(ADMIN_KEY),
        "admin: a key with the role": bearer(admins["key"]),
        "admin: a token of the group": bearer(issuer.token(sub="u-2", **{"cognito:groups": ["admin"]})),
    }


def test_every_route_is_in_the_matrix() -> None:
    routes = all_routes(MagicMock(), MagicMock(), MagicMock(spec=Health))
    every = {**routes.first, **routes.later()}
    assert sorted((method, path) for path, methods in every.items() for method in methods) == ROUTES


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_who_may_call(
    platform: Platform, credentials: dict[str, Mapping[str, str]], method: str, path: str
) -> None:
    url = path.replace("{model}", "claude").replace("{id}", "proj_0123456789abcdef").replace("{name}", "none")
    body: Any = None if method in ("GET", "DELETE") else {}
    for name, headers in credentials.items():
        answer = platform.send(method, url, body, headers, key=None)
        kind = name.partition(":")[0]
        if (method, path) in PUBLIC:
            assert answer.status == 200, name
        elif kind == "nobody":
            assert answer.status == 401, name
            assert dict(answer.headers)["www-authenticate"].startswith("Bearer")
        elif kind == "both":
            assert answer.status == 400, name
        elif kind == "caller" and (method, path) in ADMINS:
            assert answer.status == 403, name
        else:
            assert answer.status not in (401, 403), (name, answer.body)


def test_nothing_was_changed_by_those_who_may_not(platform: Platform, credentials: Mapping[str, Any]) -> None:
    """The matrix sends bodies that change nothing; these would."""
    changes = [
        ("POST", "/admin/v1/projects", {"name": "of nobody"}),
        ("PUT", "/admin/v1/roles/of-nobody", {}),
        ("POST", "/admin/v1/usage/import", {"lines": [_spilled("req-of-nobody")]}),
    ]
    for name, headers in credentials.items():
        if not name.startswith("admin"):
            for method, path, body in changes:
                assert platform.send(method, path, body, headers, key=None).status in (400, 401, 403)
    projects = platform.send("GET", "/admin/v1/projects?limit=500").json["data"]
    assert "of nobody" not in [project["name"] for project in projects]
    assert platform.send("GET", "/admin/v1/roles/of-nobody").status == 404
    entries = platform.send("GET", "/admin/v1/audit?limit=500").json["data"]
    assert "of nobody" not in str(entries)
    assert platform.send("GET", "/admin/v1/requests?request_id=req-of-nobody").json["data"] == []


@pytest.mark.parametrize(
    "path",
    [
        "/admin/v1/projects",
        "/%61dmin/v1/projects",
        "/admin/v1/%70rojects",
        "/admin/v1/projects?x=/v1/models",
        "/admin/v1/projects#/v1/models",
    ],
)
def test_no_spelling_of_a_path_gets_around_the_check(platform: Platform, path: str) -> None:
    assert platform.send("GET", path, key=PLAIN_KEY).status in (400, 403)
    assert platform.send("GET", path, key=None).status in (400, 401)


@pytest.mark.parametrize(
    "path",
    [
        "//admin/v1/projects",
        "/admin//v1/projects",
        "/v1/../admin/v1/projects",
        "/admin/v1/projects/",
        "/ADMIN/v1/projects",
    ],
)
def test_other_paths_are_nothing(platform: Platform, path: str) -> None:
    assert platform.send("GET", path).status == 404


@pytest.mark.parametrize(
    "header", ["x-http-method-override", "x-method-override", "x-original-url", "x-rewrite-url"]
)
def test_no_header_makes_another_request_of_it(platform: Platform, header: str) -> None:
    answer = platform.send("GET", "/v1/models", None, {header: "/admin/v1/projects"}, key=PLAIN_KEY)
    assert answer.json["object"] == "list"
    assert (
        platform.send("GET", "/admin/v1/projects", None, {header: "/v1/models"}, key=PLAIN_KEY).status == 403
    )
