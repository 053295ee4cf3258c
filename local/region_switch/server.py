"""The HTTP face of the stand-in: AWS's JSON protocol, checked against botocore's model of the service."""

import json
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from aiohttp import web
from botocore import xform_name
from botocore.validate import ParamValidator

from local.region_switch.plan import service_model
from local.region_switch.service import Caller, RegionSwitch, ServiceError

_TYPE = "application/x-amz-json-1.0"
# Takes an operation's name and its request before it is answered; what it raises is answered instead.
Fault = Callable[[str, Mapping[str, Any]], None]
# What a signature says of who signed, for which region.
_SIGNED = re.compile(r"AWS4-HMAC-SHA256 Credential=(?P<key>[^/]+)/\d{8}/(?P<region>[^/]+)/arc-region-switch/")


def build_app(service: RegionSwitch, *, fault: Fault | None = None) -> web.Application:
    """The application that answers the service's operations; `fault` may break some."""
    app = web.Application()

    async def close(_: web.Application) -> None:
        await service.close()

    async def handle(request: web.Request) -> web.Response:
        try:
            return _answer(200, await _call(service, request, fault))
        except ServiceError as error:
            return _answer(error.status, {"__type": error.code, "message": str(error)})

    app.router.add_post("/", handle)
    app.on_cleanup.append(close)
    return app


async def _call(service: RegionSwitch, request: web.Request, fault: Fault | None) -> Mapping[str, Any]:
    target = request.headers.get("X-Amz-Target", "")
    prefix, _, name = target.partition(".")
    model = service_model()
    operation: Callable[[Mapping[str, Any]], Awaitable[dict[str, Any]]] | None = getattr(
        service, xform_name(name) if name in model.operation_names else "", None
    )
    if prefix != model.metadata["targetPrefix"] or operation is None:
        raise ServiceError("UnknownOperationException", f"{target or 'no operation'} is not simulated")
    signed = _SIGNED.match(request.headers.get("Authorization", ""))
    if signed is None:
        raise ServiceError("AccessDeniedException", "the request is not signed", status=403)
    body = json.loads(await request.read() or b"{}")
    if (shape := model.operation_model(name).input_shape) is not None:
        report = ParamValidator().validate(body, shape)
        if report.has_errors():
            raise ServiceError("ValidationException", report.generate_report())
    if fault is not None:
        fault(name, body)
    service.check(name, body, Caller(access_key=signed["key"], region=signed["region"]))
    return await operation(body)


def _answer(status: int, body: Mapping[str, Any]) -> web.Response:
    return web.Response(status=status, body=json.dumps(body).encode(), content_type=_TYPE)
