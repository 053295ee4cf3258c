"""POST /v1/responses: OpenAI's Responses."""

from gateway.answering import Answering
from gateway.call import Call
from gateway.intake import Intake
from gateway.openai.responses import decode_envelope
from gateway.request import Request


class Responses:
    """Answers Responses requests, streamed or whole."""

    def __init__(self, intake: Intake, answering: Answering) -> None:
        self._intake = intake
        self._answering = answering

    async def create(self, request: Request) -> None:
        """Answer one request; raises GatewayError, and CallerLeftError if nobody waits any more."""
        caller, body = await self._intake.accept(request)
        envelope = decode_envelope(body, model=request.path_value)
        call = Call(
            "responses",
            envelope.model,
            body,
            stream=bool(envelope.stream),
            max_output_tokens=envelope.max_output_tokens,
            headers=request.headers,
        )
        await self._answering.answer(request, call, caller)
