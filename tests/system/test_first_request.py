"""A request that is not answered is a failure, never a shrug."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from local.errors import LocalError
from local.first_request import ask


class _Gateway(BaseHTTPRequestHandler):
    """Lists a model; answers chat requests with what the test sets."""

    status = 200
    text: str | None = "Hello"

    def do_GET(self) -> None:
        self._answer(
            200, {"object": "list", "data": [{"id": "m", "object": "model", "created": 0, "owned_by": "o"}]}
        )

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        message = {"role": "assistant", "content": self.text}
        self._answer(
            self.status,
            {
                "id": "1",
                "object": "chat.completion",
                "created": 0,
                "model": "m",
                "choices": [{"index": 0, "message": message}],
            },
        )

    def _answer(self, status: int, body: object) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_arguments: object) -> None:
        pass


@pytest.fixture
def gateway() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Gateway) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_an_error_is_told(gateway: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_Gateway, "status", 503)
    with pytest.raises(LocalError, match=r"did not answer a chat request: Error code: 503"):
        ask(gateway, "key")


def test_an_empty_answer_is_no_answer(gateway: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_Gateway, "text", None)
    with pytest.raises(LocalError, match="with no text"):
        ask(gateway, "key")


def test_a_proxy_of_the_caller_is_not_asked(gateway: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setattr(_Gateway, "status", 418)
    with pytest.raises(LocalError, match="418"):
        ask(gateway, "key")
