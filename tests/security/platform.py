"""A gateway process with its cache, its database and an issuer of tokens."""

import http.client
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

from local.fleet import Fleet, GatewayProcess, fleet

ADMIN_KEY = "bootstrap-admin-of-the-tests-0123456789"
PLAIN_KEY = "bootstrap-without-admin-0123456789abcdef"
SECONDS = 60


@dataclass
class Issuer:
    """An OpenID provider on this machine."""

    url: str = ""
    audience: str = "gatehouse"
    private_key: rsa.RSAPrivateKey = field(
        default_factory=lambda: rsa.generate_private_key(public_exponent=65537, key_size=2048)
    )

    def keys(self) -> bytes:
        """Its key set."""
        key = jwt.algorithms.RSAAlgorithm.to_jwk(self.private_key.public_key(), as_dict=True)
        return json.dumps({"keys": [{**key, "kid": "one", "alg": "RS256", "use": "sig"}]}).encode()

    def claims(self, **more: Any) -> dict[str, Any]:
        """Claims that are accepted, for a person."""
        now = int(time.time())
        usual = {"iss": self.url, "aud": self.audience, "sub": "u-1", "username": "una", "iat": now}
        return usual | {"exp": now + 3600} | more

    def token(self, key: Any = None, **claims: Any) -> str:
        """A token, signed with its own key or another."""
        return jwt.encode(self.claims(**claims), key or self.private_key, "RS256", headers={"kid": "one"})

    def unsigned(self, **claims: Any) -> str:
        """A token whose header says that it is not signed."""
        return jwt.encode(self.claims(**claims), "", "none", headers={"kid": "one"})


@contextmanager
def issuer() -> Iterator[Issuer]:
    """Run an issuer while the context lasts."""
    made = Issuer()
    body = made.keys()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@dataclass
class Answer:
    """An answer."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Platform:
    """What runs. sent: how many requests were sent to it."""

    fleet: Fleet
    issuer: Issuer
    sent: int = 0

    @property
    def gateway(self) -> GatewayProcess:
        """The gateway process."""
        return self.fleet.gateways[0]

    def send(
        self,
        method: str,
        path: str,
        body: object = None,
        headers: Mapping[str, str] | None = None,
        *,
        key: str | None = ADMIN_KEY,
    ) -> Answer:
        """Send a request: JSON of anything but bytes. Each comes from an address of its own."""
        self.sent += 1
        place = f"10.{self.sent >> 16 & 255}.{self.sent >> 8 & 255}.{self.sent & 255}"
        given = {"x-forwarded-for": place}
        content = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
        if content is not None:
            given["content-type"] = "application/json"
        if key is not None:
            given["authorization"] = f"Bearer {key}"
        connection = http.client.HTTPConnection("127.0.0.1", self.gateway.port, timeout=SECONDS)
        with closing(connection):
            connection.request(method, path, content, given | dict(headers or {}))
            response = connection.getresponse()
            return Answer(response.status, response.getheaders(), response.read())

    def make_key(self, **values: Any) -> dict[str, Any]:
        """Make a key in a project of its own."""
        name = f"project {self.sent}"
        project = self.send("POST", "/admin/v1/projects", {"name": name})
        assert project.status == 201, project.body
        made = self.send(
            "POST", "/admin/v1/keys", {"project_id": project.json["id"], "name": "a key", **values}
        )
        assert made.status == 201, made.body
        key: dict[str, Any] = made.json
        return key


def wait_until(holds: Callable[[], bool]) -> None:
    """Wait for a condition."""
    deadline = time.monotonic() + SECONDS
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@contextmanager
def running_platform(
    catalog: Mapping[str, Any], settings: Mapping[str, str], environ: Mapping[str, str]
) -> Iterator[Platform]:
    """Run a gateway with all it works with while the context lasts."""
    with issuer() as made:
        issuers = [{"issuer": made.url, "jwks_url": f"{made.url}/keys", "audiences": [made.audience]}]
        with fleet(
            catalog=catalog,
            api_keys={
                "ops": {"key": ADMIN_KEY, "priority": "high"},
                "plain": {"key": PLAIN_KEY, "admin": False, "priority": "high"},
            },
            settings={"identity_issuers": json.dumps(issuers), "forwarded_hops": "1", **settings},
            environ=environ,
            gateways=1,
            database=True,
        ) as running:
            yield Platform(running, made)
