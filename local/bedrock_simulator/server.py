"""The HTTP face of the simulator: Bedrock's paths, headers and error responses."""

import asyncio
import time
import uuid

from aiohttp import web

from local.bedrock_simulator import control_api, delivery, security_token_service
from local.bedrock_simulator.call_log import Call
from local.bedrock_simulator.errors import ServiceError
from local.bedrock_simulator.faults import Error, Fault, Hang, RegionDown, SlowFirstByte, first
from local.bedrock_simulator.signature import Caller, SignedRequest
from local.bedrock_simulator.simulator import (
    OPENAI_OPERATIONS,
    OPENAI_PATHS,
    OPERATIONS,
    Simulator,
    model_in_body,
)

_LARGEST_BODY_BYTES = 40 * 1024 * 1024
_DEFAULT_MESSAGES = {
    "ExpiredTokenException": "The security token included in the request is expired",
    "ThrottlingException": "Too many requests, please wait before trying again.",
    "ServiceUnavailableException": "Bedrock is unable to process your request.",
    "UnrecognizedClientException": "The security token included in the request is invalid.",
}


def build_app(simulator: Simulator) -> web.Application:
    """The application that serves bedrock-runtime, STS at / and, under /_simulator/, the control API."""
    app = web.Application(client_max_size=_LARGEST_BODY_BYTES)

    async def handle(request: web.Request) -> web.StreamResponse:
        return await _handle(simulator, request)

    app.router.add_post(f"/model/{{model_id:[^/]+}}/{{action:{'|'.join(OPERATIONS)}}}", handle)
    app.router.add_post(f"/openai/v1/{{action:{'|'.join(OPENAI_PATHS)}}}", handle)

    async def assume_role(request: web.Request) -> web.Response:
        return await security_token_service.assume_role(simulator, request)

    app.router.add_post("/", assume_role)
    control_api.add_routes(app, simulator)
    app.router.add_route("*", "/{path:.*}", _unknown_operation)
    return app


async def _handle(simulator: Simulator, request: web.Request) -> web.StreamResponse:
    operation = (OPERATIONS | OPENAI_PATHS)[request.match_info["action"]]
    call = simulator.log.start(
        str(uuid.uuid4()), operation, request.match_info.get("model_id", ""), simulator.clock.now()
    )
    started = time.perf_counter()
    try:
        return await _answer(simulator, request, call)
    except ServiceError as error:
        call.outcome, call.status, call.error = "refused", error.status, error.name
        if call.operation in OPENAI_OPERATIONS and error.name == "ValidationException":
            return _openai_refusal(error, call.request_id)
        return _refusal(error, call.request_id)
    except ConnectionError:
        _note_departure(call)
        return web.Response()
    except asyncio.CancelledError:
        _note_departure(call)
        raise
    finally:
        call.seconds = time.perf_counter() - started


def _note_departure(call: Call) -> None:
    if call.outcome == "running":
        call.outcome = "client_left"


async def _answer(simulator: Simulator, request: web.Request, call: Call) -> web.StreamResponse:
    raw_body = await request.read()
    signed = SignedRequest(
        request.method, f"http://{request.host}{request.raw_path}", request.headers, raw_body
    )
    caller = simulator.authenticator.authenticate(signed)
    call.account, call.region, call.access_key = caller.account, caller.region, caller.access_key
    call.authentication = caller.authentication
    if caller.session is not None:
        call.principal, call.session_tags = caller.session.principal, dict(caller.session.tags)
    call.model = call.model or model_in_body(raw_body)
    faults = _take_faults(simulator, call, caller)
    if first(faults, RegionDown):
        return delivery.reset_connection(request, call)
    hang = first(faults, Hang)
    if hang and hang.after_events is None:
        call.outcome = "faulted"
        await asyncio.Event().wait()
    if slow := first(faults, SlowFirstByte):
        await asyncio.sleep(slow.seconds)
    if error := first(faults, Error):
        raise _error(error)
    if call.operation == "CountTokens":
        return delivery.plain(simulator.count_tokens(call, caller, raw_body), call)
    exchange = simulator.open(call, caller, raw_body)
    if exchange.streams:
        return await delivery.send_stream(request, call, exchange, faults)
    return await delivery.send_response(request, call, exchange, faults)


def _take_faults(simulator: Simulator, call: Call, caller: Caller) -> tuple[Fault, ...]:
    faults = simulator.faults.take(caller.account, caller.region, simulator.world.names(call.model))
    call.faults = [fault.kind for fault in faults]
    return faults


def _error(fault: Error) -> ServiceError:
    message = fault.message or _DEFAULT_MESSAGES.get(fault.error, "The simulator was told to fail this call.")
    after = fault.retry_after_seconds
    return ServiceError(fault.error, message, {"Retry-After": str(after)} if after is not None else None)


def _refusal(error: ServiceError, request_id: str) -> web.Response:
    headers = {"x-amzn-RequestId": request_id, "x-amzn-ErrorType": error.type_header, **error.headers}
    return web.json_response({"message": error.message}, status=error.status, headers=headers)


def _openai_refusal(error: ServiceError, request_id: str) -> web.Response:
    """What is wrong with a body, the OpenAI-compatible endpoint says in OpenAI's form."""
    told = {"message": error.message, "type": "invalid_request_error", "param": None, "code": None}
    headers = {"x-amzn-RequestId": request_id}
    return web.json_response({"error": told}, status=error.status, headers=headers)


async def _unknown_operation(request: web.Request) -> web.Response:
    message = f"Bedrock's runtime has no operation {request.method} {request.path}."
    return _refusal(ServiceError("UnknownOperationException", message), str(uuid.uuid4()))
