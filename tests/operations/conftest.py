import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from click.testing import CliRunner, Result

from operations.__main__ import gatehouse

ADMIN_KEY = "gh_the-key-of-an-admin"
PROJECT: dict[str, Any] = {
    "id": "proj_0123456789abcdef",
    "name": "search",
    "description": "Search and ads",
    "limits": {"usd_per_month": 200.0, "tokens_per_day": 10_000_000},
    "models": None,
    "networks": ["10.0.0.0/8"],
    "clients": [],
    "created_at": "2026-11-01T09:30:00Z",
    "updated_at": "2026-11-01T09:30:00Z",
    "archived_at": None,
}
KEY: dict[str, Any] = {
    "id": "key_0123456789abcdef",
    "project_id": PROJECT["id"],
    "name": "search-prod",
    "roles": ["analysts"],
    "limits": {},
    "models": ["claude-sonnet"],
    "networks": None,
    "priority": "normal",
    "state": "active",
    "expires_at": "2027-01-01T00:00:00Z",
    "revoked_at": None,
    "secrets": [{"prefix": "gh_Ab3dEf9h", "created_at": "2026-11-01T09:30:00Z", "expires_at": None}],
    "created_at": "2026-11-01T09:30:00Z",
    "created_by": "bootstrap:admin",
    "updated_at": "2026-11-01T09:30:00Z",
}
SECRET = "gh_Ab3dEf9hIjKlMnOpQrStUvWxYz0123456789ABCDEF0a1b2"


@dataclass
class Reply:
    """What the stand-in answers. lost: it closes the connection instead, after it has read the request."""

    body: Any = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = "application/json"
    lost: bool = False


@dataclass
class Asked:
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any


class AdminStandIn:
    """Answers as the admin API does, what each test tells it to; the last reply to a request is repeated."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self._replies: dict[tuple[str, str], list[Reply]] = {}
        stand_in = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one_request(self) -> None:
                try:
                    super().handle_one_request()
                except ConnectionError:
                    self.close_connection = True

            def answer(self) -> None:
                parts = urlsplit(self.path)
                raw = self.rfile.read(int(self.headers.get("content-length") or 0))
                asked = Asked(
                    self.command,
                    parts.path.removeprefix("/admin/v1"),
                    {name: values[0] for name, values in parse_qs(parts.query).items()},
                    {name.lower(): value for name, value in self.headers.items()},
                    json.loads(raw) if raw else None,
                )
                stand_in.asked.append(asked)
                reply = stand_in.reply(asked)
                if reply.lost:
                    self.close_connection = True
                    return
                is_text = isinstance(reply.body, str)
                body = reply.body.encode() if is_text else json.dumps(reply.body).encode()
                self.send_response(reply.status)
                headers = {"content-type": reply.content_type, "x-request-id": "req-of-the-test"}
                for name, value in {**headers, **reply.headers, "content-length": str(len(body))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer  # noqa: N815

            def log_message(self, *arguments: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"

    def on(self, method: str, path: str, *replies: Reply | Any) -> None:
        """Answer these, one after the other; what is no Reply is a body."""
        self._replies[method, path] = [
            reply if isinstance(reply, Reply) else Reply(reply) for reply in replies
        ]

    def pages_of(self, path: str, *things: Any) -> None:
        """Answer a list of one page."""
        self.on("GET", path, {"data": list(things), "has_more": False, "next": None})

    def reply(self, asked: Asked) -> Reply:
        replies = self._replies.get((asked.method, asked.path))
        if replies is None:
            return error(404, f"There is no {asked.method} {asked.path}.", code="unknown_url")
        return replies.pop(0) if len(replies) > 1 else replies[0]

    def changes(self) -> list[Asked]:
        return [asked for asked in self.asked if asked.method != "GET"]


def error(status: int, message: str, *, code: str = "refused", **more: Any) -> Reply:
    body = {
        "error": {"message": message, "type": "invalid_request_error", "param": None, "code": code, **more}
    }
    return Reply(body, status=status)


@pytest.fixture
def admin() -> Iterator[AdminStandIn]:
    stand_in = AdminStandIn()
    thread = threading.Thread(target=stand_in.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield stand_in
    stand_in.server.shutdown()
    thread.join()
    stand_in.server.server_close()


@pytest.fixture
def environ(admin: AdminStandIn, tmp_path: Path) -> dict[str, str]:
    """The variables of the command: nothing of this machine's."""
    return {
        "GATEHOUSE_ENDPOINT": admin.url,
        "GATEHOUSE_KEY": ADMIN_KEY,
        "XDG_CONFIG_HOME": str(tmp_path),
        "PATH": os.environ["PATH"],
    }


Run = Callable[..., Result]
RunProcess = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run the command in this process; `variables` add to its environment, None takes one away."""

    def run(*arguments: str, input: str | None = None, **variables: str | None) -> Result:
        for name in ("GATEHOUSE_PROFILE", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.delenv(name, raising=False)
        result = CliRunner().invoke(gatehouse, list(arguments), input=input, env={**environ, **variables})
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        assert ADMIN_KEY not in result.output
        return result

    return run


@pytest.fixture
def run_process(environ: dict[str, str]) -> RunProcess:
    """Run the command as a process of its own."""

    def run_process(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        finished = subprocess.run(
            [sys.executable, "-m", "operations", *arguments],
            env={**environ, **variables},
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        assert ADMIN_KEY not in finished.stdout + finished.stderr
        assert "Traceback" not in finished.stderr
        return finished

    return run_process
