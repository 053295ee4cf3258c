"""Requests that two readers could read in two ways: refused, and nothing after them is read.

A proxy in front that reads such a request otherwise than the gateway would let one caller's bytes become the
beginning of another's request.
"""

import json
import re

import pytest

from tests.security.conftest import Server, running

pytestmark = pytest.mark.anyio

HEAD = b"POST /echo HTTP/1.1\r\nhost: gateway\r\ncontent-type: application/json\r\n"
GET = b"GET /thing HTTP/1.1\r\nhost: gateway\r\n\r\n"
# What a smuggler wants to be answered; the connection ends with it.
SMUGGLED = b"GET /thing HTTP/1.1\r\nhost: gateway\r\nx-smuggled: 1\r\nconnection: close\r\n\r\n"
LAST = b"GET /thing HTTP/1.1\r\nhost: gateway\r\nconnection: close\r\n\r\n"
CHUNKED = HEAD + b"transfer-encoding: chunked\r\n\r\n"


def statuses(received: bytes) -> list[int]:
    """The statuses of the answers."""
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", received)]


REFUSED = {
    # Two lengths.
    "length and chunks": HEAD + b"content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunks and length": HEAD + b"transfer-encoding: chunked\r\ncontent-length: 5\r\n\r\n0\r\n\r\n",
    "one length twice": HEAD + b"content-length: 2\r\ncontent-length: 2\r\n\r\n{}",
    "two lengths": HEAD + b"content-length: 2\r\ncontent-length: 3\r\n\r\n{}",
    "a list of lengths": HEAD + b"content-length: 2, 2\r\n\r\n{}",
    "a signed length": HEAD + b"content-length: +2\r\n\r\n{}",
    "a negative length": HEAD + b"content-length: -1\r\n\r\n{}",
    "a hexadecimal length": HEAD + b"content-length: 0x2\r\n\r\n{}",
    "an empty length": HEAD + b"content-length: \r\n\r\n{}",
    "a length with a space": HEAD + b"content-length: 2 2\r\n\r\n{}",
    "a length beyond all numbers": HEAD + b"content-length: 99999999999999999999999\r\n\r\n{}",
    # Codings that one reader knows and another does not.
    "an unknown coding": HEAD + b"transfer-encoding: xchunked\r\n\r\n0\r\n\r\n",
    "identity": HEAD + b"transfer-encoding: identity\r\n\r\n",
    "chunks and then identity": HEAD + b"transfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "a compressed body": HEAD + b"transfer-encoding: gzip, chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "chunks twice": HEAD + b"transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunks in chunks": HEAD + b"transfer-encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    "chunks and an unknown": HEAD + b"transfer-encoding: chunked\r\ntransfer-encoding: x\r\n\r\n0\r\n\r\n",
    "an unknown and chunks": HEAD + b"transfer-encoding: x\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "a vertical tab": HEAD + b"transfer-encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
    "quotes": HEAD + b'transfer-encoding: "chunked"\r\n\r\n0\r\n\r\n',
    "a parameter": HEAD + b"transfer-encoding: chunked;q=1\r\n\r\n0\r\n\r\n",
    "a space before the colon": HEAD + b"transfer-encoding : chunked\r\n\r\n0\r\n\r\n",
    "a space before a length's colon": HEAD + b"content-length : 2\r\n\r\n{}",
    "a folded coding": HEAD + b"transfer-encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
    "chunks in HTTP/1.0": HEAD.replace(b"1.1", b"1.0") + b"transfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    # Line ends and characters.
    "lines without a carriage return": GET.replace(b"\r\n", b"\n"),
    "a header's line without": HEAD + b"x: y\ncontent-length: 2\r\n\r\n{}",
    "a head's end without": HEAD + b"content-length: 2\r\n\n{}",
    "a carriage return in a value": HEAD + b"x: y\rz: 1\r\ncontent-length: 2\r\n\r\n{}",
    "a carriage return too many": HEAD + b"x: y\r\rcontent-length: 2\r\n\r\n{}",
    "a null in a value": HEAD + b"x: y\x00z\r\ncontent-length: 2\r\n\r\n{}",
    "a null in a name": HEAD + b"x\x00: y\r\ncontent-length: 2\r\n\r\n{}",
    "an escape in a value": HEAD + b"x: \x1b[31m\r\ncontent-length: 2\r\n\r\n{}",
    "no colon": HEAD + b"xyz\r\ncontent-length: 2\r\n\r\n{}",
    "no name": HEAD + b": y\r\ncontent-length: 2\r\n\r\n{}",
    "a name beyond ASCII": HEAD + b"\xc3\xa4: y\r\ncontent-length: 2\r\n\r\n{}",
    "a folded header": HEAD + b"x: a\r\n b\r\ncontent-length: 2\r\n\r\n{}",
    "a space before the first header": b"GET /thing HTTP/1.1\r\n x: y\r\nhost: g\r\n\r\n",
    # Targets, hosts and versions.
    "no host": b"GET /thing HTTP/1.1\r\n\r\n",
    "two hosts": b"GET /thing HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n",
    "a URL without a path": b"GET http://evil.example HTTP/1.1\r\nhost: g\r\n\r\n",
    "a URL of another scheme": b"GET ftp://evil.example/thing HTTP/1.1\r\nhost: g\r\n\r\n",
    "a proxy's tunnel": b"CONNECT evil.example:443 HTTP/1.1\r\nhost: g\r\n\r\n",
    "a tunnel to a path": b"CONNECT /thing HTTP/1.1\r\nhost: g\r\n\r\n",
    "no slash": b"GET thing HTTP/1.1\r\nhost: g\r\n\r\n",
    "no target": b"GET  HTTP/1.1\r\nhost: g\r\n\r\n",
    "a space in the target": b"GET /thing /x HTTP/1.1\r\nhost: g\r\n\r\n",
    "a null in the target": b"GET /thing\x00 HTTP/1.1\r\nhost: g\r\n\r\n",
    "an escape in the target": b"GET /thing\x1b HTTP/1.1\r\nhost: g\r\n\r\n",
    "a target beyond ASCII": b"GET /th\xc3\xafng HTTP/1.1\r\nhost: g\r\n\r\n",
    "tabs in the request line": b"GET\t/thing\tHTTP/1.1\r\nhost: g\r\n\r\n",
    "HTTP/0.9": b"GET /thing\r\n\r\n",
    "HTTP/0.9 by name": b"GET /thing HTTP/0.9\r\n\r\n",
    "HTTP/1.2": b"GET /thing HTTP/1.2\r\nhost: g\r\n\r\n",
    "HTTP/1.10": b"GET /thing HTTP/1.10\r\nhost: g\r\n\r\n",
    "HTTP/2.0 in text": b"GET /thing HTTP/2.0\r\nhost: g\r\n\r\n",
    "HTTP/2's preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "another protocol": b"GET /thing ICE/1.0\r\nhost: g\r\n\r\n",
    "a method in lower case": b"get /thing HTTP/1.1\r\nhost: g\r\n\r\n",
    "an unknown method": b"SMUGGLE /thing HTTP/1.1\r\nhost: g\r\n\r\n",
    "a space before the method": b" " + GET,
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
}
# These have begun when it turns out.
REFUSED_IN_THE_BODY = {
    "a chunk of negative size": CHUNKED + b"-2\r\n{}\r\n0\r\n\r\n",
    "a prefix of hexadecimal": CHUNKED + b"0x2\r\n{}\r\n0\r\n\r\n",
    "an underscore in a size": CHUNKED + b"0_2\r\n{}\r\n0\r\n\r\n",
    "a space behind a size": CHUNKED + b"2 \r\n{}\r\n0\r\n\r\n",
    "a space before a size": CHUNKED + b" 2\r\n{}\r\n0\r\n\r\n",
    "a size beyond all numbers": CHUNKED + b"10000000000000002\r\n{}\r\n0\r\n\r\n",
    "a size's line without a carriage return": CHUNKED + b"2\n{}\r\n0\r\n\r\n",
    "a size's line without a line feed": CHUNKED + b"2\r{}\r\n0\r\n\r\n",
    "a chunk that is longer than its size": CHUNKED + b"2\r\n{}xx\r\n0\r\n\r\n",
    "a chunk's end without a carriage return": CHUNKED + b"2\r\n{}\n0\r\n\r\n",
    "a line feed in an extension": CHUNKED + b"2;\nxx\r\n{}\r\n0\r\n\r\n",
    "an open quote in an extension": CHUNKED + b'2;a="\r\n{}\r\n0\r\n\r\n',
    "a length among the trailers": CHUNKED + b"2\r\n{}\r\n0\r\ncontent-length: 7\r\n\r\n",
    "chunks among the trailers": CHUNKED + b"2\r\n{}\r\n0\r\ntransfer-encoding: x\r\n\r\nx",
    "an extension without an end": CHUNKED + b"2;" + b"x" * 200_000,
    "trailers without an end": CHUNKED + b"2\r\n{}\r\n0\r\n" + b"x: y\r\n" * 40_000,
}


def check_refusal(received: bytes, server: Server, *allowed: int) -> None:
    assert server.answered == []
    (status,) = statuses(received)
    assert status in allowed
    head, _, body = received.partition(b"\r\n\r\n")
    assert b"\r\nconnection: close" in head
    assert json.loads(body)["error"]["type"] == "invalid_request_error"
    assert b"smuggled" not in received


async def test_requests_that_could_be_read_in_two_ways() -> None:
    async with running() as server:
        for name, request in REFUSED.items():
            print(name)
            check_refusal(await server.send(request + SMUGGLED), server, 400)
        assert server.log() == []


async def test_bodies_that_could_be_read_in_two_ways() -> None:
    async with running() as server:
        for name, request in REFUSED_IN_THE_BODY.items():
            print(name)
            check_refusal(await server.send(request + SMUGGLED), server, 400, 431)
        # They have begun, so each has its line.
        lines = await server.lines(len(REFUSED_IN_THE_BODY))
    assert [(line["event"], line["status"]) for line in lines] == [("request", 499)] * len(
        REFUSED_IN_THE_BODY
    )
    assert {line["error_code"] for line in lines} == {"invalid_http", "request_header_fields_too_large"}


@pytest.mark.parametrize(
    "head",
    [
        b"GET /thing HTTP/1.1\r\nhost: g\r\n" + b"a:b\r\n" * 1000 + b"\r\n",
        b"GET /thing HTTP/1.1\r\nhost: g\r\nx: " + b"y" * 100_000 + b"\r\n\r\n",
        b"GET /thing HTTP/1.1\r\nhost: g\r\n" + b"x" * 100_000 + b": y\r\n\r\n",
        b"GET /" + b"x" * 100_000 + b" HTTP/1.1\r\nhost: g\r\n\r\n",
        b"GET /thing?" + b"x" * 100_000,
    ],
    ids=["many headers", "a long value", "a long name", "a long target", "a target without an end"],
)
async def test_a_head_that_is_too_large(head: bytes) -> None:
    async with running() as server:
        check_refusal(await server.send(head), server, 431)


async def test_as_many_headers_as_clients_send() -> None:
    async with running() as server:
        received = await server.send(LAST.replace(b"host", b"a: b\r\n" * 100 + b"host"))
        assert statuses(received) == [200]


@pytest.mark.parametrize("after", [GET, b""], ids=["after another request", "first"])
async def test_what_follows_a_refusal_is_not_read(after: bytes) -> None:
    async with running() as server:
        received = await server.send(after, REFUSED["two lengths"], SMUGGLED)
        assert statuses(received) in ([200, 400], [400], [200])
        assert not [headers for _, headers, _ in server.answered if "x-smuggled" in headers]


async def test_requests_in_a_row_are_answered_in_their_order() -> None:
    async with running() as server:
        first = HEAD + b"content-length: 7\r\n\r\n[1,2,3]"
        received = await server.send(first + GET + CHUNKED + b"2\r\n[]\r\n0\r\n\r\n" + LAST + SMUGGLED)
        assert statuses(received) == [200] * 4
        assert [path for path, *_ in server.answered] == ["/echo", "/thing", "/echo", "/thing"]
        assert [body for *_, body in server.answered] == [b"[1,2,3]", b"", b"[]", b""]


@pytest.mark.parametrize("cut", [0, 1, 10])
@pytest.mark.parametrize("protocol", [b"h2c", b"websocket", b"x"])
async def test_a_wish_for_another_protocol_is_no_way_around_the_body(protocol: bytes, cut: int) -> None:
    """The body of such a request is a body, also where it comes later and looks like a request."""
    head = HEAD.replace(b"\r\n", b"\r\nconnection: upgrade\r\nupgrade: " + protocol + b"\r\n", 1)
    body = SMUGGLED
    request = head + b"content-length: %d\r\n\r\n" % len(body) + body
    middle = len(request) - len(body) + cut
    async with running() as server:
        received = await server.send(request[:middle], request[middle:] + LAST + SMUGGLED)
        assert statuses(received) == [200, 200]
        assert [(path, given) for path, _, given in server.answered] == [("/echo", body), ("/thing", b"")]
        assert [line["event"] for line in server.log()] == ["request", "request"]


async def test_many_wishes_in_one_packet() -> None:
    wish = b"GET /thing HTTP/1.1\r\nhost: g\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n"
    async with running() as server:
        assert statuses(await server.send(wish * 300 + LAST)) == [200] * 301


async def test_a_length_of_a_get_is_a_body() -> None:
    async with running() as server:
        get = b"GET /thing HTTP/1.1\r\nhost: g\r\ncontent-length: %d\r\n\r\n" % len(SMUGGLED)
        assert statuses(await server.send(get + SMUGGLED + LAST)) == [200, 200]
        assert not [headers for _, headers, _ in server.answered if "x-smuggled" in headers]


@pytest.mark.parametrize("at_once", [True, False])
async def test_a_trailer_is_no_header(at_once: bool) -> None:
    trailer = b"0\r\nx-forwarded-for: 10.0.0.1\r\nx-smuggled: 1\r\nhost: evil\r\n\r\n"
    async with running() as server:
        pieces = [CHUNKED + b"2\r\n{}\r\n", trailer + LAST]
        received = await server.send(b"".join(pieces)) if at_once else await server.send(*pieces)
        assert statuses(received) == [200, 200]
        headers = server.answered[0][1]
        assert not {"x-forwarded-for", "x-smuggled"} & headers.keys()
        assert headers["host"] == "gateway"


async def test_the_host_in_a_target_means_nothing() -> None:
    async with running() as server:
        get = LAST.replace(b"/thing", b"http://user:pass@evil.example:1/thing")
        assert statuses(await server.send(get)) == [200]
        ((path, headers, _),) = server.answered
        assert (path, headers["host"]) == ("/thing", "gateway")


async def test_the_rest_of_a_request_that_is_answered_is_not_waited_for_for_ever() -> None:
    async with running(rest_seconds=0.2) as server:
        received = await server.send(b"POST /nothing HTTP/1.1\r\nhost: g\r\ncontent-length: 1000000\r\n\r\n{")
        assert statuses(received) == [404]


async def test_what_is_broken_after_an_early_answer_gets_no_second_one() -> None:
    async with running() as server:
        head = b"POST /nothing HTTP/1.1\r\nhost: g\r\ntransfer-encoding: chunked\r\n\r\n"
        received = await server.send(head, b"nonsense\r\n" + SMUGGLED, answers_between=True)
        assert statuses(received) == [404]
        assert server.answered == []
