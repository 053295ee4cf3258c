"""The endpoint from which a container fetches its task role's credentials, as the ECS agent serves it."""

import json
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from local import aws
from local.options import Options


@dataclass(frozen=True, kw_only=True)
class CredentialsEndpoint:
    """Where a process finds its credentials, and the token that it must show there."""

    url: str
    token: str = field(repr=False)


@contextmanager
def serve_task_credentials(options: Options, region: str, role: str) -> Iterator[CredentialsEndpoint]:
    """Serve the role's credentials on loopback; each request assumes the role anew in the emulator."""
    token = secrets.token_urlsafe()
    sts = aws.client("sts", options, region)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if not secrets.compare_digest(self.headers.get("Authorization", ""), token):
                self._answer(403, {"message": "this is another task's endpoint"})
                return
            session = sts.assume_role(RoleArn=role, RoleSessionName="local-task")
            self._answer(200, _as_ecs(role, session["Credentials"]))

        def _answer(self, status: int, body: dict[str, Any]) -> None:
            content = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_arguments: object) -> None:
            """Log nothing: requests come once an hour and hold nothing of interest."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield CredentialsEndpoint(url=f"http://127.0.0.1:{server.server_port}/credentials", token=token)
        finally:
            server.shutdown()


def _as_ecs(role: str, credentials: dict[str, Any]) -> dict[str, str]:
    return {
        "RoleArn": role,
        "AccessKeyId": credentials["AccessKeyId"],
        "SecretAccessKey": credentials["SecretAccessKey"],
        "Token": credentials["SessionToken"],
        "Expiration": credentials["Expiration"].strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
