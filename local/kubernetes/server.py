"""The cluster's API over HTTPS."""

import json
import ssl
import tempfile
import threading
import urllib.parse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from local.kubernetes.certificates import new_certificates
from local.kubernetes.cluster import Cluster, Request
from local.kubernetes.errors import StatusError, bad_request, unauthorized

_HOST = "127.0.0.1"
_IDLE_SECONDS = 30


class ApiServer:
    """A running server: where it is, and the certificate (PEM) of the authority that vouches for it."""

    def __init__(self, port: int, authority: str) -> None:
        self.endpoint = f"https://{_HOST}:{port}"
        self.authority = authority


@contextmanager
def serve(cluster: Cluster, is_known: Callable[[str], bool]) -> Iterator[ApiServer]:
    """Serve a cluster's API to those whose header Authorization is known."""
    certificates = new_certificates(_HOST)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.NamedTemporaryFile("w", suffix=".pem") as pem:
        pem.write(certificates.server)
        pem.flush()
        tls.load_cert_chain(pem.name)
    server = _Server(cluster, is_known)
    server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield ApiServer(server.server_address[1], certificates.authority)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, cluster: Cluster, is_known: Callable[[str], bool]) -> None:
        super().__init__((_HOST, 0), _Handler)
        self.cluster = cluster
        self.is_known = is_known


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    timeout = _IDLE_SECONDS
    # Otherwise an answer of two writes waits for the client to acknowledge the first.
    disable_nagle_algorithm = True

    def handle_one_request(self) -> None:
        # Some clients leave in the middle of a request, by design.
        try:
            super().handle_one_request()
        except OSError:
            self.close_connection = True

    def log_message(self, *_arguments: Any) -> None:
        """Say nothing: the cluster keeps its requests itself."""

    def do_DELETE(self) -> None:
        self._serve()

    def do_GET(self) -> None:
        self._serve()

    def do_PATCH(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def do_PUT(self) -> None:
        self._serve()

    def _serve(self) -> None:
        raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        try:
            code, body = self._answer(raw)
        except StatusError as error:
            code, body = error.code, error.body
        if code == 0:
            self.close_connection = True
            return
        is_text = isinstance(body, str)
        data = (body if is_text else json.dumps(body)).encode()
        self.send_response(code)
        self.send_header("Content-Type", "text/plain" if is_text else "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _answer(self, raw: bytes) -> tuple[int, Any]:
        if not self.server.is_known(self.headers.get("Authorization", "")):
            raise unauthorized()
        cluster, request = self.server.cluster, self._request(raw)
        if (fault := cluster.take_fault(request, after=False)) is not None:
            raise StatusError(fault.status, "", fault.message)
        answer = cluster.answer(request)
        if (fault := cluster.take_fault(request, after=True)) is not None:
            raise StatusError(fault.status, "", fault.message)
        return answer

    def _request(self, raw: bytes) -> Request:
        url = urllib.parse.urlsplit(self.path)
        try:
            body = json.loads(raw) if raw else None
        except ValueError:
            raise bad_request("the body is not JSON") from None
        query = dict(urllib.parse.parse_qsl(url.query))
        return Request(self.command, url.path, query, self.headers.get("Content-Type", ""), body)
