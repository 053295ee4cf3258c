"""One attempt's answer on its way from the provider to the caller.

A stream is held back until the model has said something: until then another deployment may still answer. From
then on the caller gets whatever comes, and an error is the last event.
"""

import asyncio
import time

import msgspec

from gateway.cache.response_cache import CachedResponse
from gateway.call import Call
from gateway.errors import GatewayError
from gateway.model_account import account_of
from gateway.prices import cost, price_of
from gateway.providers import Usage
from gateway.providers.interface import StreamTranslation, UpstreamBatch, UpstreamRequest
from gateway.request import Request
from gateway.routing.plan import Plan, Target
from gateway.routing.strategies import most_output_tokens
from gateway.upstream import Upstream, UpstreamStream

# Rough figures, used only where a provider did not get to tell its tokens: for text of any kind, and for how
# fast models write while nobody sees it.
_CHARACTERS_PER_TOKEN = 4
_TOKENS_PER_SECOND = 100


class Delivery:
    """An attempt to answer a call.

    seconds: how long it took; first_token_seconds: until a stream held anything that the model said.
    used_tokens: what it used, as far as that is known.
    """

    def __init__(
        self,
        request: Request,
        call: Call,
        plan: Plan,
        target: Target,
        upstream: Upstream,
        cached: CachedResponse | None,
    ) -> None:
        self.seconds = 0.0
        self.first_token_seconds = 0.0
        self.used_tokens: int | None = None
        self._request = request
        self._call = call
        self._plan = plan
        self._target = target
        self._upstream = upstream
        self._cached = cached
        self._began = time.perf_counter()

    async def deliver(self, prepared: UpstreamRequest | UpstreamBatch) -> None:
        """Ask the provider and pass its answer on; raises GatewayError."""
        try:
            if isinstance(prepared, UpstreamBatch):
                await self._deliver_batch(prepared)
            elif prepared.open_stream is None or not self._call.stream:
                await self._deliver_whole(prepared)
            else:
                translation = prepared.open_stream()
                try:
                    await self._deliver_stream(prepared, translation)
                finally:
                    self._record_stream_usage(translation)
        except GatewayError as error:
            # What is of no use has been paid for all the same.
            if error.usage is not None and self.used_tokens is None:
                self._record_usage(error.usage)
            raise
        except asyncio.CancelledError:
            self._record_unseen_usage()
            raise
        # What a stand-in says is not what was asked for.
        if self._cached is not None and self._target.model.name == self._call.model:
            self._cached.keep()

    async def _deliver_whole(self, prepared: UpstreamRequest) -> None:
        limits = self._target.deployment.time_limits
        seconds = min(limits.whole_answer_seconds, self._target.seconds_left)
        response = await self._upstream.fetch(prepared, limits, seconds=seconds)
        self.seconds = time.perf_counter() - self._began
        self._request.record.upstream_request_id = response.headers.get(prepared.request_id_header)
        await self._respond(*prepared.read_whole(response.body))

    async def _deliver_batch(self, prepared: UpstreamBatch) -> None:
        limits = self._target.deployment.time_limits
        seconds = min(limits.whole_answer_seconds, self._target.seconds_left)
        body, usage, request_id = await self._upstream.fetch_batch(prepared, limits, seconds=seconds)
        self.seconds = time.perf_counter() - self._began
        self._request.record.upstream_request_id = request_id
        await self._respond(body, usage)

    async def _respond(self, body: bytes, usage: Usage | None) -> None:
        if usage is not None:
            self._record_usage(usage)
        elif self._call.operation == "embeddings":
            self._record_estimate(0)
        elif self._call.operation != "count_tokens":
            self._record_estimate(len(body) // _CHARACTERS_PER_TOKEN + 1)
        if self._cached is not None:
            self._cached.add(body)
        self._announce()
        await self._request.respond(200, body)

    async def _deliver_stream(self, prepared: UpstreamRequest, translation: StreamTranslation) -> None:
        request, limits = self._request, self._target.deployment.time_limits
        seconds = min(limits.first_byte_seconds, self._target.seconds_left)
        async with self._upstream.stream(prepared, limits, seconds=seconds) as response:
            request.record.upstream_request_id = response.headers.get(prepared.request_id_header)
            events = await _read_until_content(response, translation)
            response.limit_each_wait(limits.between_chunks_seconds)
            self.first_token_seconds = time.perf_counter() - self._began
            request.record.time_to_first_token_ms = request.elapsed_ms()
            self._announce()
            await request.start_event_stream()
            if self._cached is not None:
                self._cached.add(events)
            await request.send_events(events)
            await self._relay(response, translation)
            self.seconds = time.perf_counter() - self._began
            await request.end_event_stream()
            await response.drain()

    async def _relay(self, response: UpstreamStream, translation: StreamTranslation) -> None:
        """Pass on what comes until the end, each piece at the moment it arrives.

        Nothing is awaited for a piece while the caller reads along: waking this task for each would cost as
        much as all that is done with it.
        """
        request, cached, write = self._request, self._cached, self._request.write_events

        def take(chunk: bytes) -> bool:
            """Whether the next piece may come; an empty one is the end."""
            events = translation.feed(chunk) if chunk else translation.finish()
            if events:
                if cached is not None:
                    cached.add(events)
                if not write(events):
                    return False
            return not translation.complete and translation.error is None

        while not translation.complete:
            if not await response.relay(take):
                take(b"")
            if translation.error is not None:
                raise translation.error
            # Waits while the caller does not read.
            await request.send_events(b"")

    def _announce(self) -> None:
        """Tell the caller, and the log, who answers."""
        model, deployment = self._target.model, self._target.deployment
        record, headers = self._request.record, self._request.response_headers
        record.model_served, record.deployment, record.region = model.name, deployment.name, deployment.region
        record.provider, record.account = deployment.provider, account_of(deployment)
        headers += (
            (b"x-gatehouse-attempts", b"%d" % self._plan.attempts),
            (b"x-gatehouse-model", model.name.encode()),
            (b"x-gatehouse-deployment", deployment.name.encode()),
        )
        if deployment.region is not None:
            headers.append((b"x-gatehouse-region", deployment.region.encode()))
        if self._plan.allowances is not None:
            self._request.tell_allowances(self._plan.allowances)

    def _record_stream_usage(self, translation: StreamTranslation) -> None:
        """The usage a provider told; what it did not tell of a stream cut in the middle is estimated."""
        usage = translation.usage
        if translation.content_begun and (usage is None or not usage.output_tokens):
            self._record_estimate(translation.characters // _CHARACTERS_PER_TOKEN + 1, told=usage)
        elif usage is not None:
            self._record_usage(usage)
        elif translation.complete:
            self._record_estimate(0)

    def _record_unseen_usage(self) -> None:
        """What a request that was given up before its answer came has used, as far as one can tell."""
        if self.used_tokens is None and self._call.operation != "count_tokens":
            seconds = time.perf_counter() - self._began
            limit = most_output_tokens(self._call, self._target.model)
            self._record_estimate(min(limit, int(seconds * _TOKENS_PER_SECOND)))

    def _record_estimate(self, output_tokens: int, *, told: Usage | None = None) -> None:
        self._request.record.usage_estimated = True
        told = told or Usage(input_tokens=self._call.estimated_input_tokens)
        self._record_usage(msgspec.structs.replace(told, output_tokens=output_tokens))

    def _record_usage(self, usage: Usage) -> None:
        price = price_of(self._target.deployment)
        self._request.record.add_usage(usage, None if price is None else cost(price, usage))
        self.used_tokens = usage.prompt_tokens + usage.output_tokens


async def _read_until_content(response: UpstreamStream, translation: StreamTranslation) -> bytes:
    events = b""
    while not (translation.content_begun or translation.complete):
        chunk = await response.read_chunk()
        events += translation.feed(chunk) if chunk else translation.finish()
        if translation.error is not None:
            raise translation.error
    return events
