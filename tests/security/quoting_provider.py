"""An OpenAI-compatible provider that says what it was asked, where it should not, too."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

# What it does, by the name of the model that it is asked for.
BEHAVIOURS = ("answers", "refuses", "fails", "limits", "talks-nonsense", "breaks-off", "rejects-the-key")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        sent = self.rfile.read(int(self.headers["content-length"]))
        request = json.loads(sent)
        quote = sent.decode()
        error = _error(quote, quote)
        match request["model"]:
            case "answers" if request.get("stream"):
                self._stream([_chunk(quote), "[DONE]"])
            case "answers":
                self._send(200, json.dumps(_completion(quote)))
            case "refuses":
                self._send(400, error)
            case "fails":
                self._send(500, error)
            case "limits":
                self._send(429, error)
            case "rejects-the-key":
                # Whose key is refused has not come to the prompt, so that the message goes into the log.
                self._send(401, _error("no such key", quote))
            case "breaks-off":
                self._stream([_chunk(quote), quote])
            case _:
                self._send(200, quote + "}")

    def _send(self, status: int, body: str) -> None:
        content = body.encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _stream(self, events: list[str]) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("connection", "close")
        self.end_headers()
        self.wfile.write("".join(f"data: {event}\n\n" for event in events).encode())
        self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        return


def _error(message: str, quote: str) -> str:
    return json.dumps({"error": {"message": message, "type": quote, "param": quote, "code": quote}})


def _completion(text: str) -> dict[str, Any]:
    message = {"role": "assistant", "content": text}
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
    choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
    return {
        "id": "1",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": choices,
        "usage": usage,
    }


def _chunk(text: str) -> str:
    choices = [{"index": 0, "delta": {"content": text}, "finish_reason": None}]
    return json.dumps(
        {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": choices}
    )


@contextmanager
def quoting_provider() -> Iterator[str]:
    """Run it while the context lasts; its URL."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def catalog(url: str) -> dict[str, Any]:
    """A model for everything that the provider does, and one of Bedrock's."""
    deployments = {
        name: {"provider": "openai_compatible", "base_url": url, "model": name} for name in BEHAVIOURS
    }
    deployments["claude"] = {
        "provider": "bedrock",
        "region": "us-east-1",
        "model_id": "us.anthropic.claude-haiku-4-5-20251001-v1:0",
    }
    return {
        "models": [
            {"name": name, "max_attempts": 1, "deployments": [{"name": f"{name}-1", **deployment}]}
            for name, deployment in deployments.items()
        ]
    }
