"""Keys to sign with, an issuer that answers, and a log that can be read."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import rsa

from gateway.structured_log import StructuredLog
from local.token_issuer import TokenIssuer

StartServer = Callable[[Callable[[web.Request], Awaitable[web.StreamResponse]]], Awaitable[str]]


class _Lines(list[dict[str, Any]]):
    def write(self, line: bytes, /) -> None:
        self.append(json.loads(line))


@pytest.fixture
def lines() -> list[dict[str, Any]]:
    """What was logged."""
    return _Lines()


@pytest.fixture
def log(lines: _Lines) -> StructuredLog:
    return StructuredLog(lines, "debug")


@pytest.fixture(scope="session")
def signing_keys() -> list[rsa.RSAPrivateKey]:
    """Making them takes long: all tests share three."""
    return [rsa.generate_private_key(public_exponent=65537, key_size=2048) for _ in range(3)]


@pytest.fixture
async def server(start_server: StartServer, signing_keys: list[rsa.RSAPrivateKey]) -> TokenIssuer:
    """An issuer whose key-1 is the first of them."""
    server = TokenIssuer(signing_keys[0])
    server.url = await start_server(server.respond)
    return server
