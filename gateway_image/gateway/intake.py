"""What happens to every request for a model before its API looks at it: who calls, and the body."""

from gateway.api_keys import ApiKeys, Caller
from gateway.authentication import authenticate
from gateway.body_memory import BodyMemory
from gateway.json_limits import check_depth, check_encoding
from gateway.load_shedding import LoadShedding
from gateway.off_loop import off_loop
from gateway.request import Request


class Intake:
    """Lets requests in."""

    def __init__(
        self,
        keys: ApiKeys,
        shedding: LoadShedding,
        memory: BodyMemory,
        *,
        body_limit_bytes: int,
        json_depth_limit: int,
    ) -> None:
        self._keys = keys
        self._shedding = shedding
        self._memory = memory
        self._body_limit_bytes = body_limit_bytes
        self._json_depth_limit = json_depth_limit

    def identify(self, request: Request) -> Caller:
        """Find out who calls; raises GatewayError 401."""
        return authenticate(request, self._keys)

    async def accept(self, request: Request) -> tuple[Caller, bytes]:
        """Return the caller and the JSON body, not decoded; raises GatewayError 400, 401, 408, 413, 503."""
        caller = self.identify(request)
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
