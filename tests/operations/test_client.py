import socket
import ssl
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from local.throwaway_servers import free_port
from operations.client import Patience
from operations.failures import is_lasting
from tests.operations.conftest import (
    ADMIN_KEY,
    KEY,
    PROJECT,
    AdminStandIn,
    Reply,
    Run,
    RunProcess,
    error,
)

UNAVAILABLE = error(503, "The gateway's database cannot be reached.", code="database_unavailable")


def test_the_key_is_sent_to_the_gateway_and_shown_nowhere(admin: AdminStandIn, run: Run) -> None:
    admin.pages_of("/projects", PROJECT)
    assert run("projects", "list").exit_code == 0
    assert admin.asked[0].headers["authorization"] == f"Bearer {ADMIN_KEY}"


@pytest.mark.parametrize("passing", [UNAVAILABLE, Reply(lost=True), Reply("<html>", 502, {}, "text/html")])
def test_a_change_is_made_once_whatever_becomes_of_the_answers(
    admin: AdminStandIn, run: Run, passing: Reply
) -> None:
    admin.on("POST", "/projects", passing, passing, Reply(PROJECT, 201))
    assert run("projects", "create", "search").exit_code == 0
    keys = [asked.headers["idempotency-key"] for asked in admin.changes()]
    assert len(keys) == 3
    assert len(set(keys)) == 1
    assert run("projects", "create", "search").exit_code == 0
    assert admin.changes()[-1].headers["idempotency-key"] not in keys


def test_a_refusal_is_shown_with_its_request_id_and_not_repeated(admin: AdminStandIn, run: Run) -> None:
    admin.on("POST", "/projects", error(409, "Another one has the name 'search'.", code="name_taken"))
    result = run("projects", "create", "search")
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr == (
        "Error: Another one has the name 'search'.\n(HTTP 409, name_taken, request ID req-of-the-test)\n"
    )
    assert len(admin.asked) == 1


def test_every_field_at_fault_has_its_line(admin: AdminStandIn, run: Run) -> None:
    errors = [
        {"field": "name", "value": '""', "allowed": "1 to 100 characters"},
        {"field": "limits.usd_per_day", "value": None, "allowed": "it has to be given"},
    ]
    admin.on("POST", "/projects", error(400, "name is ...", code="invalid_fields", errors=errors))
    assert run("projects", "create", "x").stderr.splitlines()[:3] == [
        "Error: 2 fields have to change:",
        '  name is ""; allowed: 1 to 100 characters',
        "  limits.usd_per_day is missing; allowed: it has to be given",
    ]


def test_a_gateway_that_stays_away_is_told_from_one_that_refuses(
    admin: AdminStandIn, run: Run, run_process: RunProcess
) -> None:
    too_long = Reply(UNAVAILABLE.body, 503, {"retry-after": "3600"})
    admin.on("GET", "/projects", UNAVAILABLE, UNAVAILABLE, too_long)
    result = run("projects", "list")
    assert result.exit_code == 1
    assert "database_unavailable" in result.stderr
    assert len(admin.asked) == 3
    away = run_process("projects", "list", "--timeout", "0.5", GATEHOUSE_ENDPOINT="http://127.0.0.1:1")
    assert away.returncode == 3
    assert away.stderr == ("Error: the gateway at http://127.0.0.1:1 cannot be reached: connection refused\n")


def test_a_region_that_stands_by_is_not_waited_for(admin: AdminStandIn, run: Run) -> None:
    admin.on("POST", "/projects", error(503, "This region stands by.", code="read_only_region"))
    result = run("projects", "create", "search")
    assert result.exit_code == 1
    assert "This region stands by." in result.stderr
    assert len(admin.asked) == 1


def test_a_wait_that_is_longer_than_the_timeout_is_not_begun(admin: AdminStandIn, run: Run) -> None:
    admin.on("GET", "/projects", Reply(UNAVAILABLE.body, 503, {"retry-after": "3600"}))
    assert run("projects", "list").exit_code == 1
    assert len(admin.asked) == 1


def test_a_hung_gateway_ends_the_wait(run: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        result = run(
            "projects",
            "list",
            "--timeout",
            "0.3",
            GATEHOUSE_ENDPOINT=f"http://127.0.0.1:{deaf.getsockname()[1]}",
        )
    assert result.exit_code == 3
    assert "cannot be reached: timed out" in result.stderr


def test_a_long_wait_says_what_it_waits_for(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    heard = threading.Event()

    def hear(text: str, *, err: bool) -> None:
        assert err
        said.append(text)
        heard.set()

    monkeypatch.setattr("operations.client._PATIENCE_SECONDS", 0.01)
    monkeypatch.setattr("operations.client.click.echo", hear)
    patience = Patience("Waiting for the gateway", quiet=False)
    patience.reason = "it answers 503"
    with patience:
        assert heard.wait(30)
    assert said == ["Waiting for the gateway: it answers 503 ..."]


@pytest.mark.parametrize(
    "reply",
    [
        Reply("<html>hello</html>", 200, {}, "text/html"),
        Reply("<html>hello</html>", 404, {}, "text/html"),
        Reply("", 302, {"location": "https://example.com/login"}, "text/html"),
        Reply([], 500),
    ],
)
def test_what_is_no_admin_api_is_not_taken_for_one(admin: AdminStandIn, run: Run, reply: Reply) -> None:
    admin.on("GET", "/projects", reply)
    result = run("projects", "list")
    assert result.exit_code == 3
    assert "no gateway's admin API" in result.stderr
    assert len(admin.asked) == 1


def test_pages_are_read_to_their_end(admin: AdminStandIn, run: Run) -> None:
    other = {**PROJECT, "id": "proj_fedcba9876543210", "name": "ads"}
    admin.on(
        "GET",
        "/projects",
        {"data": [PROJECT], "has_more": True, "next": "cursor-1"},
        {"data": [other], "has_more": False, "next": None},
    )
    result = run("projects", "list")
    assert "search" in result.stdout
    assert "ads" in result.stdout
    assert [asked.query.get("after") for asked in admin.asked] == [None, "cursor-1"]


def test_warnings_go_to_stderr(admin: AdminStandIn, run: Run) -> None:
    admin.on("POST", "/projects", Reply({**PROJECT, "warnings": ["It names models: gpt-9."]}, 201))
    assert (
        run("projects", "create", "search", "--model", "gpt-9").stderr == "Warning: It names models: gpt-9.\n"
    )


def test_no_name_can_steer_the_terminal(admin: AdminStandIn, run: Run) -> None:
    evil = "evil\x1b]0;title\x07\x9b31m\r[red]"
    admin.pages_of("/projects", {**PROJECT, "name": evil})
    admin.pages_of("/keys", {**KEY, "name": evil})
    for command in (["projects", "list"], ["keys", "list"], ["projects", "list", "--json"]):
        shown = run(*command).stdout
        assert not set(shown) & {"\x1b", "\x07", "\x9b", "\r"}
        assert "[red]" in shown
    admin.on("GET", "/projects", error(400, evil))
    assert "\x1b" not in run("projects", "list").stderr


def test_a_proxy_gets_nothing_of_what_is_for_this_machine(
    admin: AdminStandIn, run_process: RunProcess
) -> None:
    admin.pages_of("/projects", PROJECT)
    proxy = f"http://127.0.0.1:{free_port()}"
    finished = run_process("projects", "list", HTTP_PROXY=proxy, http_proxy=proxy, ALL_PROXY=proxy)
    assert finished.returncode == 0, finished.stderr


def _certificate(folder: Path) -> tuple[Path, Path]:
    """A self-signed certificate for 127.0.0.1, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "gateway")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate_file, key_file = folder / "certificate.pem", folder / "key.pem"
    certificate_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return certificate_file, key_file


def test_certificates_are_checked(tmp_path: Path, run: Run) -> None:
    certificate, key = _certificate(tmp_path)
    seen: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(self.headers["authorization"])
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b'{"data": [], "has_more": false, "next": null}')

        def log_message(self, *arguments: object) -> None:
            pass

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)

    class Server(HTTPServer):
        def handle_error(self, *arguments: object) -> None:
            pass  # handshakes that the client ends are what is tested

    server = Server(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        endpoint = f"https://localhost:{server.server_port}"
        refused = run("projects", "list", "--endpoint", endpoint)
        assert refused.exit_code == 3
        assert "certificate does not hold" in refused.stderr
        assert "--ca-file" in refused.stderr
        wrong_name = endpoint.replace("localhost", "127.0.0.1")
        assert run("projects", "list", "--endpoint", wrong_name, "--ca-file", str(certificate)).exit_code == 3
        assert seen == []
        trusted = run("projects", "list", "--endpoint", endpoint, "--ca-file", str(certificate))
        assert trusted.exit_code == 0, trusted.stderr
        assert seen == [f"Bearer {ADMIN_KEY}"]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize(
    ("cause", "lasting"),
    [
        (ssl.SSLCertVerificationError("self-signed"), True),
        (ssl.SSLError("wrong version"), True),
        (socket.gaierror(socket.EAI_NONAME, "unknown"), True),
        (socket.gaierror(socket.EAI_AGAIN, "try again"), False),
        (ConnectionRefusedError(111, "refused"), False),
        (TimeoutError(), False),
    ],
)
def test_asking_again_is_in_vain_where_nothing_will_change(cause: OSError, lasting: bool) -> None:
    error = httpx.ConnectError("it failed")
    error.__cause__ = cause
    assert is_lasting(error) is lasting


def test_a_ca_file_that_is_none_says_so(tmp_path: Path, run: Run) -> None:
    file = tmp_path / "ca.pem"
    file.write_text("no certificate")
    result = run("projects", "list", "--ca-file", str(file))
    assert result.exit_code == 2
    assert "holds no certificate" in result.stderr
