"""The command against two real gateways with their cache, database and a simulated Bedrock."""

import http.client
import json
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import openai
import pytest
from click.testing import CliRunner

from gateway.ledger.row import UsageRow
from local.bedrock_simulator import process as simulator_process
from local.fleet import Fleet, fleet
from operations.__main__ import gatehouse as command

ADMIN_KEY = "key-of-the-admin-0123456789abcdefghij"
SCENARIO = """
accounts:
  - id: "111111111111"
    access_keys: {AKIAGATEWAY: secret-of-the-gateway}
unknown_access_keys: reject
"""
CATALOG = {
    "models": [
        {
            "name": "chat",
            "max_output_tokens": 5000,
            "deployments": [
                {
                    "name": "chat-use1",
                    "provider": "bedrock",
                    "region": "us-east-1",
                    "model_id": "amazon.nova-lite-v1:0",
                }
            ],
        }
    ]
}

Gatehouse = Callable[..., str]


@pytest.fixture(scope="module")
def running() -> Iterator[Fleet]:
    environ = {"AWS_ACCESS_KEY_ID": "AKIAGATEWAY", "AWS_SECRET_ACCESS_KEY": "secret-of-the-gateway"}
    with (
        simulator_process.start(SCENARIO) as simulator,
        fleet(
            catalog=CATALOG,
            api_keys={"admin": ADMIN_KEY},
            settings={"bedrock_endpoint_url": simulator.url},
            environ=environ,
            database=True,
        ) as gateways,
    ):
        yield gateways


@pytest.fixture
def gatehouse(running: Fleet, tmp_path: Path) -> Gatehouse:
    """Run the command in this process and return what it printed; it has to end with `code`."""
    profile = f"[test]\nendpoint = '{running.gateways[0].url}'\nkey_command = 'echo {ADMIN_KEY}'\n"
    (tmp_path / "gatehouse").mkdir()
    (tmp_path / "gatehouse" / "config.toml").write_text(profile)

    def gatehouse(*arguments: str, code: int = 0) -> str:
        finished = CliRunner().invoke(
            command, ["--profile", "test", *arguments], env={"XDG_CONFIG_HOME": str(tmp_path)}
        )
        assert finished.exit_code == code, finished.output
        assert ADMIN_KEY not in finished.output
        return finished.stdout

    return gatehouse


def _eventually(condition: Callable[[], bool]) -> None:
    """Wait for what the gateways learn of each other and write in the background."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)


def _is_known(running: Fleet, key: str) -> bool:
    """Whether every gateway takes a key."""
    return all(_answers(gateway.url, key) for gateway in running.gateways)


def _is_refused(running: Fleet, key: str) -> bool:
    """Whether no gateway takes a key."""
    return not any(_answers(gateway.url, key) for gateway in running.gateways)


def _answers(url: str, key: str) -> bool:
    with openai.OpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0) as client:
        try:
            client.models.list()
        except openai.AuthenticationError:
            return False
        return True


def test_the_life_of_a_key(running: Fleet, gatehouse: Gatehouse) -> None:
    gatehouse("projects", "create", "search", "--limit", "usd_per_month=200")
    key = gatehouse("keys", "create", "search-prod", "--project", "search", "--quiet").strip()
    _eventually(lambda: _is_known(running, key))

    with openai.OpenAI(base_url=f"{running.gateways[1].url}/v1", api_key=key) as client:
        answer = client.chat.completions.create(model="chat", messages=[{"role": "user", "content": "Hello"}])
    assert answer.usage is not None

    def used() -> dict[str, Any]:
        rows = json.loads(gatehouse("usage", "--project", "search", "--json"))["data"]
        return rows[0] if rows else {"requests": 0}

    _eventually(lambda: used()["requests"] == 1)
    found = used()
    assert (found["project_name"], found["group"]["model"]) == ("search", "chat")
    assert found["input_tokens"] == answer.usage.prompt_tokens
    assert found["output_tokens"] == answer.usage.completion_tokens
    assert found["cost_usd"] > 0
    assert "search" in gatehouse("usage")
    assert "search-prod" in gatehouse("usage", "requests", "--since", "1h")
    header, row, *_ = gatehouse("usage", "requests", "--csv").splitlines()
    assert "search-prod" in dict(zip(header.split(","), row.split(","), strict=True))["caller_name"]
    assert "200.00" in gatehouse("limits", "show", "--project", "search")

    new = gatehouse("keys", "rotate", "search-prod", "--overlap", "0", "--quiet").strip()
    _eventually(lambda: _is_known(running, new) and _is_refused(running, key))
    gatehouse("keys", "revoke", "search-prod", "--yes")
    _eventually(lambda: _is_refused(running, new))
    gatehouse("projects", "archive", "search", "--yes")
    changes = [
        f"{entry['action']} {entry['object_type']}" for entry in json.loads(gatehouse("audit", "--json"))
    ]
    assert changes[:5] == ["archive project", "revoke key", "rotate key", "create key", "create project"]
    assert "limits: usd_per_month 200.0" in gatehouse("audit")


def test_rows_of_a_log_come_back(gatehouse: Gatehouse, tmp_path: Path) -> None:
    row: dict[str, Any] = dict.fromkeys(UsageRow.__struct_fields__)
    row |= dict.fromkeys(("caller_id", "caller_name", "caller_kind", "operation", "model"), "spilled")
    row |= {name: 7 for name in row if name.endswith("_tokens")}
    row |= {"status": 200, "streamed": False, "cached": False, "attempts": 1, "usage_estimated": False}
    row |= {"id": str(uuid.uuid4()), "admitted_at": time.time(), "request_id": "req-spilled"}
    line = json.dumps({"event": "usage_spilled", "reason": "the spool is full", "row": row})
    log = tmp_path / "gateway.log"
    log.write_text(f'{{"event":"serving"}}\n2026-11-21T10:00:00.000Z {line}\n')
    assert json.loads(gatehouse("usage", "import", str(log), "--json"))["written"] == 1
    assert json.loads(gatehouse("usage", "import", str(log), "--json"))["known"] == 1
    (found,) = json.loads(gatehouse("usage", "requests", "--request-id", "req-spilled", "--json"))
    assert (found["id"], found["output_tokens"]) == (row["id"], 7)
    assert "import usage" in gatehouse("audit")


def test_roles_and_limits(gatehouse: Gatehouse) -> None:
    gatehouse("roles", "set", "analysts", "--description", "They look", "--limit", "usd_per_day=10")
    gatehouse("limits", "set", "--role", "analysts", "--model", "chat", "requests_per_minute=10")
    gatehouse("limits", "set", "--role", "analysts", "tokens_per_day=1M")
    gatehouse("limits", "unset", "--role", "analysts", "usd_per_day")
    role = json.loads(gatehouse("roles", "show", "analysts", "--json"))
    assert role["description"] == "They look"
    assert role["limits"] == {"tokens_per_day": 1_000_000}
    assert role["model_limits"] == {"chat": {"requests_per_minute": 10}}
    gatehouse("projects", "create", "ads")
    key = json.loads(gatehouse("keys", "create", "ads", "--project", "ads", "--role", "analysts", "--json"))
    shown = json.loads(gatehouse("limits", "show", "--key", key["id"], "--model", "chat", "--json"))
    assert {(limit["name"], limit["limit"]) for limit in shown} == {
        ("tokens_per_day", 1_000_000),
        ("requests_per_minute", 10),
    }
    gatehouse("roles", "delete", "analysts", "--yes")
    gatehouse("roles", "show", "analysts", code=1)
    gatehouse("projects", "create", "ads", code=1)


def test_the_catalog_is_shown(gatehouse: Gatehouse) -> None:
    assert "chat-use1" in gatehouse("models")
    assert "available" in gatehouse("deployments")


@pytest.fixture
def lossy_gateway(running: Fleet) -> Iterator[str]:
    """The address of what loses the first answer of a gateway to each new key."""
    lost: list[str] = []
    port = running.gateways[0].port

    class Handler(BaseHTTPRequestHandler):
        def relay(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            connection = http.client.HTTPConnection("127.0.0.1", port)
            connection.request(self.command, self.path, body, dict(self.headers))
            answer = connection.getresponse()
            content = answer.read()
            connection.close()
            if self.path == "/admin/v1/keys" and self.command == "POST" and not lost:
                lost.append(self.path)
                return
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name not in ("connection", "transfer-encoding"):
                    self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = relay  # noqa: N815

        def log_message(self, *arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    assert lost
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_key_whose_answer_is_lost_is_one_key_that_works(
    running: Fleet, gatehouse: Gatehouse, lossy_gateway: str
) -> None:
    gatehouse("projects", "create", "lossy")
    arguments = ("--endpoint", lossy_gateway, "keys", "create", "one", "--project", "lossy", "--quiet")
    key = gatehouse(*arguments).strip()
    _eventually(lambda: _is_known(running, key))
    assert len(json.loads(gatehouse("keys", "list", "--project", "lossy", "--json"))) == 1
