"""POST /v1/chat/completions: OpenAI's chat completions, answered by Bedrock."""

import secrets
import time

from gateway.api_keys import ApiKeys
from gateway.authentication import authenticate
from gateway.catalog import BedrockDeployment, Catalog, Model
from gateway.errors import GatewayError
from gateway.openai.chat import decode_chat_request
from gateway.openai.chat_types import ChatCompletionRequest
from gateway.providers import Usage
from gateway.providers.bedrock.client import REQUEST_ID_HEADER, BedrockClient, ConverseStreamResponse
from gateway.providers.bedrock.converse_request import to_converse
from gateway.providers.bedrock.converse_response import to_chat_completion
from gateway.providers.bedrock.converse_stream import ChatCompletionStream
from gateway.request import Request


class ChatCompletions:
    """Answers chat completions, streamed or whole."""

    def __init__(
        self, catalog: Catalog, keys: ApiKeys, bedrock: BedrockClient, *, body_limit_bytes: int
    ) -> None:
        self._models = {model.name: model for model in catalog.models}
        self._keys = keys
        self._bedrock = bedrock
        self._body_limit_bytes = body_limit_bytes

    async def create(self, request: Request) -> None:
        """Answer one request; raises GatewayError, and CallerLeftError if nobody waits any more."""
        authenticate(request, self._keys)
        chat = decode_chat_request(await request.read_json_body(self._body_limit_bytes))
        request.record.streamed = bool(chat.stream)
        model = self._model(chat.model)
        body = to_converse(chat, max_output_tokens=model.max_output_tokens)
        deployment = model.deployments[0]
        _name_deployment(request, model, deployment)
        async with request.cancelled_when_caller_leaves():
            if chat.stream:
                await self._stream(request, chat, deployment, body)
            else:
                await self._complete(request, chat, deployment, body)

    def _model(self, name: str) -> Model:
        model = self._models.get(name)
        if model is None:
            raise GatewayError(
                404,
                f"The model {name[:128]!r} does not exist; GET /v1/models lists those that do.",
                type="invalid_request_error",
                code="model_not_found",
                param="model",
            )
        return model

    async def _complete(
        self, request: Request, chat: ChatCompletionRequest, deployment: BedrockDeployment, body: bytes
    ) -> None:
        response = await self._bedrock.converse(deployment, body)
        request.record.upstream_request_id = response.headers.get(REQUEST_ID_HEADER)
        answer, usage = to_chat_completion(
            response.body, completion_id=_completion_id(), created=int(time.time()), model=chat.model
        )
        _record_usage(request, usage)
        await request.respond(200, answer)

    async def _stream(
        self, request: Request, chat: ChatCompletionRequest, deployment: BedrockDeployment, body: bytes
    ) -> None:
        translation = ChatCompletionStream(
            completion_id=_completion_id(),
            created=int(time.time()),
            model=chat.model,
            include_usage=chat.include_usage,
        )
        async with self._bedrock.converse_stream(deployment, body) as response:
            request.record.upstream_request_id = response.request_id
            try:
                await _relay(request, response, translation)
            finally:
                _record_usage(request, translation.usage)
                _record_error(request, translation.error)
            await request.end_event_stream()
            if translation.complete:
                await response.drain()


async def _relay(
    request: Request, response: ConverseStreamResponse, translation: ChatCompletionStream
) -> None:
    while not translation.complete and translation.error is None:
        chunk = await response.read_chunk()
        events = translation.feed(chunk) if chunk else translation.finish()
        if not events:
            continue
        if not request.response_started:
            # Only now is it certain that the answer is no error that deserves a status of its own.
            request.record.time_to_first_token_ms = request.elapsed_ms()
            await request.start_event_stream()
        await request.send_events(events)


def _name_deployment(request: Request, model: Model, deployment: BedrockDeployment) -> None:
    record = request.record
    record.model, record.deployment, record.region = model.name, deployment.name, deployment.region
    request.response_headers += [
        (b"x-gatehouse-deployment", deployment.name.encode()),
        (b"x-gatehouse-region", deployment.region.encode()),
    ]


def _record_usage(request: Request, usage: Usage | None) -> None:
    if usage is None:
        return
    record = request.record
    record.input_tokens, record.output_tokens = usage.input_tokens, usage.output_tokens
    record.cache_read_tokens, record.cache_write_tokens = usage.cache_read_tokens, usage.cache_write_tokens


def _record_error(request: Request, error: GatewayError | None) -> None:
    if error is not None:
        request.record.describe(error)


def _completion_id() -> str:
    return f"chatcmpl-{secrets.token_hex(12)}"
