"""What happens to every request for a model before its API looks at it: who calls, and the body."""

from gateway.authentication import Identity
from gateway.body_memory import BodyMemory
from gateway.callers import Caller
from gateway.json_limits import check_depth, check_encoding
from gateway.load_shedding import LoadShedding
from gateway.off_loop import off_loop
from gateway.request import Request


class Intake:
    """Lets requests in."""

    def __init__(
        self,
        identity: Identity,
        shedding: LoadShedding,
        memory: BodyMemory,
        *,
        body_limit_bytes: int,
        json_depth_limit: int,
    ) -> None:
        self._identity = identity
        self._shedding = shedding
        self._memory = memory
        self._body_limit_bytes = body_limit_bytes
        self._json_depth_limit = json_depth_limit

    async def identify(self, request: Request) -> Caller:
        """Find out who calls; raises GatewayError 400, 401, 403, 429, 503."""
        caller = await self._identity.caller_of(request)
        record = request.record
        record.caller, record.caller_id, record.caller_kind = caller.name, caller.id, caller.kind
        record.project_id = caller.project.id if caller.project else None
        return caller

    async def accept(self, request: Request) -> tuple[Caller, bytes]:
        """Return the caller and the JSON body, not decoded; raises GatewayError."""
        caller = await self.identify(request)
        # Before the body is read: refusing has to cost next to nothing.
        self._shedding.admit(caller.priority)
        declared = request.declared_length
        self._memory.hold(
            self._body_limit_bytes if declared is None else min(declared, self._body_limit_bytes)
        )
        body = await request.read_json_body(self._body_limit_bytes)
        await off_loop(len(body), _check, body, self._json_depth_limit)
        return caller, body


def _check(body: bytes, depth_limit: int) -> None:
    check_encoding(body)
    check_depth(body, depth_limit)
