"""Answers calls: tries deployments until one answers.

An attempt may be given up for another deployment until its answer has begun; what comes after that, an error
too, is the caller's.
"""

import asyncio
from collections.abc import Mapping
from functools import partial
from typing import Any

from gateway.admission.outcome import Needs
from gateway.cache.response_cache import CachedResponse, ResponseCache
from gateway.call import Call, Operation
from gateway.callers import Caller
from gateway.catalog import Catalog, Model
from gateway.delivery import Delivery
from gateway.errors import GatewayError, invalid_request
from gateway.off_loop import LARGE_BYTES, off_loop
from gateway.openai.responses_mapping import answer_by_chat
from gateway.providers.interface import Provider, UpstreamBatch, UpstreamRequest
from gateway.remote_images.inlining import RemoteImages
from gateway.request import Request
from gateway.routing.plan import Plan, Target
from gateway.routing.router import Router
from gateway.upstream import Upstream

# By the deployments' field of the same name; each takes deployments of its own kind only.
Providers = Mapping[str, Provider[Any]]

_PATHS: Mapping[Operation, str] = {
    "chat_completions": "/v1/chat/completions",
    "count_tokens": "/v1/messages/count_tokens",
    "embeddings": "/v1/embeddings",
    "messages": "/v1/messages",
    "responses": "/v1/responses",
}


class Answering:
    """Answers calls with the deployments that a router names, each called as its provider prepares it.

    catalog: what is served now.
    """

    catalog: Catalog
    _router: Router

    def __init__(
        self,
        providers: Providers,
        upstream: Upstream,
        response_cache: ResponseCache,
        images: RemoteImages,
    ) -> None:
        self._providers = providers
        self._upstream = upstream
        self._response_cache = response_cache
        self._images = images

    def serve(self, catalog: Catalog, router: Router) -> None:
        """Answer new calls by this catalog from now on."""
        self.catalog, self._router = catalog, router

    async def answer(self, request: Request, call: Call, caller: Caller) -> None:
        """Answer one call; raises GatewayError, and CallerLeftError if nobody waits any more."""
        # Another catalog may come meanwhile.
        catalog, router = self.catalog, self._router
        plan = router.plan(call, caller)
        record = request.record
        record.operation, record.streamed, record.model = call.operation, call.stream, call.model
        with request.cancelled_when_caller_leaves():
            # It is needed later, and takes as long as looking at every byte does.
            if len(call.body) >= LARGE_BYTES:
                await asyncio.to_thread(lambda: call.estimated_input_tokens)
            with_images = await self._images.inline(call, catalog)
            if with_images is not call:
                call, plan = with_images, router.plan(with_images, caller)
            try:
                cached = self._place_in_cache(request, catalog.by_name[call.model], call, caller)
                if cached is not None and await _answer_from_cache(request, call, plan, cached):
                    return
                await self._try_all(request, call, plan, cached)
            finally:
                record.attempts, record.admitted_at = plan.attempts, plan.admitted_at
                plan.settle(Needs(record.tokens, record.cost_nano_usd or 0))

    async def _try_all(self, request: Request, call: Call, plan: Plan, cached: CachedResponse | None) -> None:
        while (target := await plan.next()) is not None:
            delivery = Delivery(request, call, plan, target, self._upstream, cached)
            try:
                try:
                    # Translating and signing take time in proportion to the body.
                    prepared = await off_loop(len(call.body), self._prepare, target, call)
                except GatewayError as error:
                    if error.status >= 500:
                        raise
                    plan.unsuitable(target, error)
                    continue
                await delivery.deliver(prepared)
            except GatewayError as error:
                _note_failure(request, plan, target, error, delivery)
                if request.response_started:
                    raise
            except BaseException:
                plan.abandoned(target, answer_begun=request.response_started)
                raise
            else:
                plan.succeeded(
                    target,
                    seconds=delivery.seconds,
                    first_token_seconds=delivery.first_token_seconds,
                    used_tokens=delivery.used_tokens,
                )
                return
        request.response_headers.append((b"x-gatehouse-attempts", b"%d" % plan.attempts))
        raise plan.verdict()

    def _prepare(self, target: Target, call: Call) -> UpstreamRequest | UpstreamBatch:
        """The request to a target; raises GatewayError."""
        deployment, limit = target.deployment, target.model.max_output_tokens
        provider = self._providers[deployment.provider]
        operations = provider.operations(deployment)
        prepare = partial(provider.prepare, deployment, max_output_tokens=limit)
        if call.operation in operations:
            return prepare(call)
        if call.operation == "responses" and "chat_completions" in operations:
            return answer_by_chat(call, lambda chat: _one(prepare(chat)))
        raise invalid_request(
            f"The model {target.model.name!r} is not served at {_PATHS[call.operation]}; "
            f"use {', '.join(sorted(_PATHS[operation] for operation in operations))}.",
            param="model",
            code="operation_not_supported",
        )

    def _place_in_cache(
        self, request: Request, model: Model, call: Call, caller: Caller
    ) -> CachedResponse | None:
        if model.response_cache is None:
            return None
        return self._response_cache.place(model, caller, call, request.header(b"cache-control") or "")


def _one(prepared: UpstreamRequest | UpstreamBatch) -> UpstreamRequest:
    assert isinstance(prepared, UpstreamRequest)  # noqa: S101 (only embeddings are batched)
    return prepared


async def _answer_from_cache(request: Request, call: Call, plan: Plan, cached: CachedResponse) -> bool:
    answer = await cached.read()
    if answer is not None:
        # A request for which nothing is kept is counted where it finds a deployment with capacity left.
        await plan.admit_caller()
        if plan.allowances is not None:
            request.tell_allowances(plan.allowances)
    request.record.cached = answer is not None
    request.response_headers.append((b"x-gatehouse-cache", b"miss" if answer is None else b"hit"))
    if answer is None:
        return False
    if call.stream:
        await request.start_event_stream()
        await request.send_events(answer)
        await request.end_event_stream()
    else:
        await request.respond(200, answer)
    return True


def _note_failure(
    request: Request, plan: Plan, target: Target, error: GatewayError, delivery: Delivery
) -> None:
    plan.failed(target, error, used_tokens=delivery.used_tokens or 0)
    request.record.failed_attempts.append(f"{target.deployment.name}: {error.code or error.status}")
