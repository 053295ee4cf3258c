"""What happens to the catalog and to limits while a call is on its way."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from gateway.admission.outcome import Admitted, Allowance, Allowances, CallerReservation, Needs
from gateway.call import Call
from gateway.callers import Caller
from gateway.catalog import Catalog, Deployment
from gateway.errors import GatewayError
from gateway.routing.router import Router
from gateway.routing.states import States

pytestmark = pytest.mark.anyio


class Images:
    """Takes its time, in which something happens."""

    def __init__(self, happens: Any) -> None:
        self._happens = happens

    async def inline(self, call: Call, _catalog: Catalog) -> Call:
        self._happens()
        return call


class Counters:
    """A caller that has a limit of ten requests, and deployments that all have as much to do as they can."""

    def __init__(self) -> None:
        self.asked: list[tuple[str | None, int]] = []
        self.settled: list[Needs] = []

    async def admit(
        self, caller: Caller | None, candidates: Sequence[Deployment], *, model: str, needs: Needs
    ) -> Admitted:
        self.asked.append((caller.name if caller else None, len(candidates)))
        allowances = Allowances(requests=Allowance(10, 9, 60))
        if candidates:
            return Admitted(None, 7, 5, allowances)
        return Admitted(None, 7, None, allowances, None, CallerReservation((), needs, 7, local=False))

    def settle_caller(self, _reservation: CallerReservation, used: Needs) -> None:
        self.settled.append(used)


class Place:
    """Where an answer is kept, perhaps."""

    def __init__(self, answer: bytes | None) -> None:
        self._answer = answer

    async def read(self) -> bytes | None:
        return self._answer


class Places:
    def __init__(self, answer: bytes | None) -> None:
        self._place = Place(answer)

    def place(self, *_: object) -> Place:
        return self._place


class Nobody:
    def tell(self, _cooldown: object) -> None:
        pass


def serve(gateway: Any, counters: Counters, name: str = "m", **options: Any) -> None:
    """Have the gateway serve one model, of this name, from now on."""
    url = "http://127.0.0.1:1/v1"
    deployment = {"name": "d", "provider": "openai_compatible", "base_url": url, "model": "m"}
    catalog = Catalog.model_validate({"models": [{"name": name, "deployments": [deployment], **options}]})
    gateway.answering.serve(catalog, Router(catalog, States(Nobody()), counters))  # type: ignore[arg-type]


async def test_a_model_that_is_taken_out_of_the_catalog_answers_what_it_was_asked(
    start_gateway: Any, new_person: Any, start_tcp_server: Any
) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi")

    gateway, person = start_gateway(await start_tcp_server(answer)), new_person()
    gateway.answering._images = Images(lambda: serve(gateway, Counters(), "other"))
    await gateway.answer(person, stream=False)
    assert person.body == b"hi"


async def test_an_answer_that_was_kept_is_counted_and_tells_what_is_left(
    start_gateway: Any, new_person: Any
) -> None:
    gateway, counters, person = start_gateway("http://127.0.0.1:1"), Counters(), new_person()
    gateway.answering._response_cache = Places(b"kept")
    serve(gateway, counters, response_cache={"ttl_seconds": 60})
    await gateway.answer(person, stream=False)
    assert person.body == b"kept"
    assert person.request.record.cached
    assert person.request.record.admitted_at == 7
    assert (b"x-ratelimit-remaining-requests", b"9") in person.sent[0]["headers"]
    assert counters.asked == [("ann", 0)]
    assert counters.settled == [Needs()]


async def test_where_nothing_is_kept_a_request_without_a_deployment_consumes_nothing(
    start_gateway: Any, new_person: Any
) -> None:
    gateway, counters, person = start_gateway("http://127.0.0.1:1"), Counters(), new_person()
    gateway.answering._response_cache = Places(None)
    serve(gateway, counters, response_cache={"ttl_seconds": 60})
    with pytest.raises(GatewayError) as caught:
        await gateway.answer(person, stream=False)
    assert caught.value.status == 429
    assert person.request.record.admitted_at is None
    assert counters.asked == [("ann", 1)]
    assert counters.settled == []
