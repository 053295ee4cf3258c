"""POST /v1/messages and /v1/messages/count_tokens: Anthropic's API."""

from gateway.answering import Answering
from gateway.anthropic.messages import decode_count_tokens_envelope, decode_messages_envelope
from gateway.call import Call
from gateway.intake import Intake
from gateway.request import Request


class Messages:
    """Answers messages, streamed or whole, and counts their tokens."""

    def __init__(self, intake: Intake, answering: Answering) -> None:
        self._intake = intake
        self._answering = answering

    async def create(self, request: Request) -> None:
        """Answer one request; raises GatewayError, and CallerLeftError if nobody waits any more."""
        caller, body = await self._intake.accept(request)
        envelope = decode_messages_envelope(body)
        call = Call(
            "messages",
            envelope.model,
            body,
            stream=bool(envelope.stream),
            max_output_tokens=envelope.max_tokens,
            headers=request.headers,
        )
        await self._answering.answer(request, call, caller)

    async def count_tokens(self, request: Request) -> None:
        """Count the tokens of one prompt; raises as `create` does."""
        caller, body = await self._intake.accept(request)
        envelope = decode_count_tokens_envelope(body)
        call = Call("count_tokens", envelope.model, body, headers=request.headers)
        await self._answering.answer(request, call, caller)
