"""The HTTP face: OpenAI's paths under /v1, SageMaker's under /endpoints, Secrets Manager's at /."""

import asyncio
import json
from typing import Any

from aiohttp import web
from pydantic import ValidationError

from local.bedrock_simulator import server_sent_events
from local.model_endpoint import delivery, sagemaker
from local.model_endpoint.api import RefusedError, answer_call
from local.model_endpoint.endpoint import Call, Endpoint
from local.model_endpoint.faults import Fault

_LARGEST_BODY_BYTES = 40 * 1024 * 1024
_SECRET_HEADERS = frozenset({"authorization", "api-key", "x-amz-security-token"})


def build_app(endpoint: Endpoint) -> web.Application:
    """The application that serves the endpoint and, under /_endpoint, what steers it."""
    app = web.Application(client_max_size=_LARGEST_BODY_BYTES)
    server = _Server(endpoint)
    app.router.add_post("/v1{api:/chat/completions|/embeddings|/responses}", server.call)
    app.router.add_post(
        "/endpoints/{name}/{operation:invocations|invocations-response-stream}", server.invoke
    )
    app.router.add_post("/", server.get_secret)
    app.router.add_get("/_endpoint", server.describe)
    app.router.add_put("/_endpoint/keys", server.set_keys)
    app.router.add_put("/_endpoint/secrets", server.set_secrets)
    app.router.add_post("/_endpoint/faults", server.add_fault)
    app.router.add_delete("/_endpoint/faults", server.clear_faults)
    return app


class _Server:
    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint

    async def call(self, request: web.Request) -> web.StreamResponse:
        """One call of an OpenAI API."""
        call = self._start(request)
        fault = self._endpoint.faults.take()
        try:
            self._check_key(request)
            raw = await request.read()
            await asyncio.sleep(fault.slow_seconds)
            if fault.status is not None:
                return _told(call, fault.status, fault.body, fault.headers)
            call.body, answered = answer_call(request.match_info["api"], raw, call.number)
        except RefusedError as error:
            return _told(call, error.status, json.dumps(error.body), {})
        return await _left_noted(
            call,
            delivery.send(
                request,
                call,
                answered,
                fault,
                content_type=server_sent_events.CONTENT_TYPE,
                wrap=bytes,
            ),
        )

    async def invoke(self, request: web.Request) -> web.StreamResponse:
        """One invocation of a SageMaker endpoint; the endpoint `missing` is not there."""
        call = self._start(request)
        fault = self._endpoint.faults.take()
        raw = await request.read()
        await asyncio.sleep(fault.slow_seconds)
        if request.match_info["name"] == "missing":
            return sagemaker.refusal(RefusedError(400, "Endpoint missing of account 111122223333 not found."))
        if fault.status is not None:
            return sagemaker.container_refusal(fault.status, fault.body)
        try:
            call.body, answered = answer_call(sagemaker.api_of(raw), raw, call.number)
        except RefusedError as error:
            return sagemaker.container_refusal(error.status, json.dumps(error.body))
        return await _left_noted(
            call,
            delivery.send(
                request, call, answered, fault, content_type=sagemaker.CONTENT_TYPE, wrap=sagemaker.wrap
            ),
        )

    async def get_secret(self, request: web.Request) -> web.Response:
        """Secrets Manager's GetSecretValue."""
        self._endpoint.secret_reads += 1
        value = self._endpoint.secrets.get((await _json(request)).get("SecretId", ""))
        if request.headers.get("x-amz-target") != "secretsmanager.GetSecretValue" or value is None:
            told = {"__type": "ResourceNotFoundException", "Message": "Secrets Manager can't find it."}
            return web.json_response(told, status=400)
        return web.json_response({"SecretString": value})

    async def describe(self, _request: web.Request) -> web.Response:
        """The calls so far."""
        return web.json_response(self._endpoint.described())

    async def set_keys(self, request: web.Request) -> web.Response:
        """Accept these keys and no others; none at all accepts every call."""
        self._endpoint.keys = set(await _json(request))
        return web.json_response({})

    async def set_secrets(self, request: web.Request) -> web.Response:
        """Hold these secrets and no others."""
        self._endpoint.secrets = dict(await _json(request))
        return web.json_response({})

    async def add_fault(self, request: web.Request) -> web.Response:
        """Put a fault in force."""
        try:
            self._endpoint.faults.add(Fault.model_validate(await _json(request)))
        except ValidationError as error:
            return web.json_response({"error": str(error)}, status=400)
        return web.json_response({})

    async def clear_faults(self, _request: web.Request) -> web.Response:
        """Lift all faults."""
        self._endpoint.faults.clear()
        return web.json_response({})

    def _start(self, request: web.Request) -> Call:
        headers = {name.lower(): value for name, value in request.headers.items()}
        shown = {name: value for name, value in headers.items() if name not in _SECRET_HEADERS}
        return self._endpoint.start(request.path, shown)

    def _check_key(self, request: web.Request) -> None:
        key = request.headers.get("api-key") or request.headers.get("authorization", "").removeprefix(
            "Bearer "
        )
        if self._endpoint.keys and key not in self._endpoint.keys:
            raise RefusedError(401, f"Incorrect API key provided: {key}.", code="invalid_api_key")


async def _json(request: web.Request) -> Any:
    return json.loads(await request.read())


def _told(call: Call, status: int, body: str, headers: dict[str, str]) -> web.Response:
    call.status, call.outcome = status, "refused"
    return web.Response(text=body, status=status, content_type="application/json", headers=headers)


async def _left_noted(call: Call, sending: Any) -> web.StreamResponse:
    try:
        response: web.StreamResponse = await sending
    except (ConnectionError, asyncio.CancelledError):
        call.outcome = "client_left"
        raise
    return response
