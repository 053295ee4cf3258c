"""Sends requests to providers and reads their answers, within the time limits of a deployment."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager, suppress

from gateway.catalog import TimeLimits
from gateway.errors import GatewayError, provider_error
from gateway.http_client import (
    HttpClient,
    HttpConnectError,
    HttpError,
    HttpResponse,
    HttpTimeoutError,
    StreamingResponse,
)
from gateway.providers import Usage
from gateway.providers.interface import UpstreamBatch, UpstreamPart, UpstreamRequest
from gateway.token_estimate import estimate

_DRAIN_SECONDS = 1
_DRAIN_CHUNKS = 4
# Enough to embed a document's chunks at the pace of one request, few enough to leave a quota to others.
_PARTS_AT_ONCE = 8

_ReadError = Callable[[int, Mapping[str, str], bytes], GatewayError]


class UpstreamStream:
    """A streamed answer whose response has begun with status 200."""

    def __init__(self, response: StreamingResponse, seconds: float) -> None:
        self._response = response
        self.headers = response.headers
        self._too_late = f"did not begin to answer within {seconds:g} s"

    def limit_each_wait(self, seconds: float) -> None:
        """The answer has begun: from now on only the time between two chunks counts."""
        self._response.limit_each_wait(seconds)
        self._too_late = f"sent nothing for {seconds:g} s in the middle of its answer"

    async def read_chunk(self) -> bytes:
        """Return the bytes that arrived next, b"" at the end.

        Raises GatewayError: 502 if the connection breaks, 504 if it takes too long.
        """
        try:
            return await self._response.read_chunk()
        except HttpError as error:
            raise _failure(error, self._too_late) from error

    async def relay(self, take: Callable[[bytes], bool]) -> bool:
        """Hand each piece to `take` as it arrives; returns True when it wants no more, False at the end.

        Raises GatewayError as `read_chunk` does.
        """
        try:
            return await self._response.relay(take)
        except HttpError as error:
            raise _failure(error, self._too_late) from error

    async def drain(self) -> None:
        """Read the little that may follow a whole answer, so that the connection can serve the next one."""
        self._response.limit_each_wait(_DRAIN_SECONDS)
        with suppress(HttpError):
            for _ in range(_DRAIN_CHUNKS):
                if not await self._response.read_chunk():
                    break


class Upstream:
    """What all providers' requests go through."""

    def __init__(self, http: HttpClient) -> None:
        self._http = http

    async def fetch(self, request: UpstreamRequest, limits: TimeLimits, *, seconds: float) -> HttpResponse:
        """Send a request and return its whole answer, whose status is 200.

        `seconds` is all the time there is, for the answer too. Raises GatewayError.
        """
        return await self._send(request, request.read_error, limits, seconds)

    async def fetch_batch(
        self, batch: UpstreamBatch, limits: TimeLimits, *, seconds: float
    ) -> tuple[bytes, Usage, str | None]:
        """Send a batch's requests, some at a time; returns the caller's body, its usage and a request's ID.

        A request whose answer does not tell its tokens counts as what is estimated of its body.
        `seconds` is all the time there is, for all answers. Raises GatewayError as soon as one request fails,
        with the usage of those that were answered.
        """
        answers: dict[int, tuple[bytes, Usage]] = {}
        request_ids: list[str | None] = []
        parts = enumerate(batch.parts)

        async def work() -> None:
            for index, part in parts:
                response = await self._send(part, batch.read_error, limits, seconds)
                request_ids.append(response.headers.get(batch.request_id_header))
                body, usage = part.read(response.headers, response.body)
                answers[index] = body, usage or Usage(input_tokens=estimate(part.body))

        try:
            async with asyncio.timeout(seconds), asyncio.TaskGroup() as group:
                for _ in range(_PARTS_AT_ONCE):
                    group.create_task(work())
        except TimeoutError:
            raise _with_usage(_timed_out(f"did not answer within {seconds:g} s"), answers.values()) from None
        except ExceptionGroup as failures:
            raise _with_usage(failures.exceptions[0], answers.values()) from None
        usage = _sum(answers.values())
        body = batch.join([answers[index][0] for index in sorted(answers)], usage)
        return body, usage, request_ids[0]

    async def _send(
        self,
        request: UpstreamRequest | UpstreamPart,
        read_error: _ReadError,
        limits: TimeLimits,
        seconds: float,
    ) -> HttpResponse:
        try:
            response = await self._http.send(
                "POST",
                request.url,
                headers=request.headers,
                body=request.body,
                connect_seconds=limits.connect_seconds,
                seconds=seconds,
            )
        except HttpError as error:
            raise _failure(error, f"did not answer within {seconds:g} s") from error
        if response.status != 200:
            raise read_error(response.status, response.headers, response.body)
        return response

    @asynccontextmanager
    async def stream(
        self, request: UpstreamRequest, limits: TimeLimits, *, seconds: float
    ) -> AsyncIterator[UpstreamStream]:
        """Send a request and hand out its answer once it has begun with status 200; raises GatewayError.

        `seconds` is all the time there is until `limit_each_wait` is called. Leaving the context closes the
        connection and ends the call.
        """
        try:
            async with self._http.stream(
                "POST",
                request.url,
                headers=request.headers,
                body=request.body,
                connect_seconds=limits.connect_seconds,
                seconds=seconds,
            ) as response:
                if response.status != 200:
                    raise request.read_error(response.status, response.headers, await response.read_all())
                yield UpstreamStream(response, seconds)
        except HttpError as error:
            raise _failure(error, f"did not begin to answer within {seconds:g} s") from error


def _sum(answers: Iterable[tuple[bytes, Usage]]) -> Usage:
    return sum((usage for _, usage in answers), start=Usage())


def _with_usage(error: Exception, answers: Iterable[tuple[bytes, Usage]]) -> Exception:
    """A batch's error with what its answers have used, which are thrown away."""
    if isinstance(error, GatewayError):
        error.usage = _sum(answers) + (error.usage or Usage())
    return error


def _timed_out(what: str) -> GatewayError:
    return provider_error(f"The model {what}.", code="upstream_timeout", status=504)


def _failure(error: HttpError, too_late: str) -> GatewayError:
    """The error for a request that failed; too_late completes "The model ..." where it took too long."""
    if isinstance(error, HttpTimeoutError):
        return _timed_out(too_late)
    if isinstance(error, HttpConnectError):
        message, code = "The model's provider cannot be reached.", "upstream_unreachable"
    else:
        message, code = "The connection to the model broke.", "upstream_connection_lost"
    return provider_error(message, code=code, detail=str(error))
