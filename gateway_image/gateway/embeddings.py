"""POST /v1/embeddings: OpenAI's embeddings."""

from gateway.answering import Answering
from gateway.call import Call
from gateway.intake import Intake
from gateway.openai.embeddings import model_of
from gateway.request import Request


class Embeddings:
    """Answers embeddings requests."""

    def __init__(self, intake: Intake, answering: Answering) -> None:
        self._intake = intake
        self._answering = answering

    async def create(self, request: Request) -> None:
        """Answer one request; raises GatewayError, and CallerLeftError if nobody waits any more."""
        caller, body = await self._intake.accept(request)
        model = model_of(body, model_in_path=request.path_value)
        call = Call("embeddings", model, body, headers=request.headers)
        await self._answering.answer(request, call, caller)
