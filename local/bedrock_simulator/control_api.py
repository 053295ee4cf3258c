"""The control API under /_simulator/: look at the world and change it while it runs."""

import dataclasses
import json
from typing import Any

from aiohttp import web
from pydantic import TypeAdapter, ValidationError

from local.bedrock_simulator.faults import Fault
from local.bedrock_simulator.replies import Reply
from local.bedrock_simulator.scenario import Quota
from local.bedrock_simulator.simulator import Simulator

_FAULT: TypeAdapter[Fault] = TypeAdapter(Fault)
_QUOTAS = TypeAdapter(tuple[Quota, ...])


def add_routes(app: web.Application, simulator: Simulator) -> None:
    """Serve the control API of this simulator in the application."""
    control = _Control(simulator)
    app.router.add_get("/_simulator/state", control.state)
    app.router.add_get("/_simulator/calls", control.calls)
    app.router.add_post("/_simulator/faults", control.add_fault)
    app.router.add_delete("/_simulator/faults", control.clear_faults)
    app.router.add_delete("/_simulator/faults/{number:[0-9]+}", control.clear_fault)
    app.router.add_post("/_simulator/replies", control.add_reply)
    app.router.add_delete("/_simulator/replies", control.clear_replies)
    app.router.add_put("/_simulator/quotas", control.set_quotas)
    app.router.add_post("/_simulator/clock", control.advance_clock)
    app.router.add_put("/_simulator/recording", control.set_recording)
    app.router.add_post("/_simulator/reset", control.reset)


class _Control:
    """Handlers; each answers JSON, 400 with `error` for what it does not understand."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator

    async def state(self, _request: web.Request) -> web.Response:
        world = self._simulator.world
        return web.json_response(
            {
                "models": world.models(),
                "quotas": [quota.model_dump() for quota in world.quotas],
                "usage": world.usage(),
                "faults": {
                    number: fault.model_dump() for number, fault in self._simulator.faults.list().items()
                },
                "now": self._simulator.clock.now(),
            }
        )

    async def calls(self, request: web.Request) -> web.Response:
        after = int(request.query.get("after", "0"))
        return web.json_response([dataclasses.asdict(call) for call in self._simulator.log.since(after)])

    async def add_fault(self, request: web.Request) -> web.Response:
        return web.json_response(
            {"number": self._simulator.faults.add(_validated(_FAULT, await request.text()))}
        )

    async def clear_faults(self, _request: web.Request) -> web.Response:
        self._simulator.faults.clear()
        return web.json_response({})

    async def clear_fault(self, request: web.Request) -> web.Response:
        number = int(request.match_info["number"])
        try:
            self._simulator.faults.clear(number)
        except KeyError:
            raise _refused(
                f"there is no fault {number}; in force: {sorted(self._simulator.faults.list())}"
            ) from None
        return web.json_response({})

    async def add_reply(self, request: web.Request) -> web.Response:
        self._simulator.replies.add(_validated(TypeAdapter(Reply), await request.text()))
        return web.json_response({})

    async def clear_replies(self, _request: web.Request) -> web.Response:
        self._simulator.replies.clear()
        return web.json_response({})

    async def set_quotas(self, request: web.Request) -> web.Response:
        self._simulator.world.set_quotas(_validated(_QUOTAS, await request.text()))
        return web.json_response({})

    async def advance_clock(self, request: web.Request) -> web.Response:
        self._simulator.clock.advance(
            _validated(TypeAdapter(dict[str, float]), await request.text())["seconds"]
        )
        return web.json_response({})

    async def set_recording(self, request: web.Request) -> web.Response:
        self._simulator.log.record_bodies = _validated(TypeAdapter(dict[str, bool]), await request.text())[
            "bodies"
        ]
        return web.json_response({})

    async def reset(self, _request: web.Request) -> web.Response:
        self._simulator.reset()
        return web.json_response({})


def _validated(adapter: TypeAdapter[Any], text: str) -> Any:
    try:
        return adapter.validate_json(text)
    except ValidationError as error:
        problems = [f"{'.'.join(map(str, detail['loc']))}: {detail['msg']}" for detail in error.errors()]
        raise _refused("; ".join(problems)) from None


def _refused(problem: str) -> web.HTTPBadRequest:
    return web.HTTPBadRequest(text=json.dumps({"error": problem}), content_type="application/json")
