"""Amazon Bedrock as a provider: which operations its deployments have, and the requests that ask for them."""

from collections.abc import Mapping
from functools import partial
from typing import Literal
from urllib.parse import urlsplit

from gateway.aws.assumed_roles import CredentialsByRole
from gateway.aws.bedrock_token import bearer_token
from gateway.aws.signature import encode_path_segment, sign
from gateway.call import Call, Operation
from gateway.catalog import BedrockDeployment
from gateway.openai.chat import decode_chat_request
from gateway.providers.bedrock.anthropic_errors import count_error, message_error
from gateway.providers.bedrock.anthropic_message import read_message, read_token_count
from gateway.providers.bedrock.anthropic_request import (
    betas_of,
    guardrail_headers,
    to_count_tokens,
    to_invoke_model,
)
from gateway.providers.bedrock.anthropic_stream import MessageStream
from gateway.providers.bedrock.converse_errors import error_from_response
from gateway.providers.bedrock.converse_request import to_converse
from gateway.providers.bedrock.converse_response import to_chat_completion
from gateway.providers.bedrock.converse_stream import ChatCompletionStream
from gateway.providers.bedrock.embeddings import embedding_model, prepare_embeddings
from gateway.providers.bedrock.openai_native import native_operations, prepare_native
from gateway.providers.interface import UpstreamBatch, UpstreamRequest
from gateway.providers.role_credentials import role_credentials

REQUEST_ID_HEADER = "x-amzn-requestid"

_CHAT: frozenset[Operation] = frozenset({"chat_completions"})
_ANTHROPIC: frozenset[Operation] = _CHAT | {"messages", "count_tokens"}
_EMBEDDINGS: frozenset[Operation] = frozenset({"embeddings"})


class BedrockProvider:
    """Prepares signed requests to Bedrock in a deployment's region."""

    def __init__(
        self,
        credentials: CredentialsByRole,
        endpoint_url: str | None,
        *,
        authentication: Literal["signature", "bearer"] = "signature",
    ) -> None:
        self._credentials = credentials
        self._endpoint_url = endpoint_url
        self._authentication = authentication

    def operations(self, deployment: BedrockDeployment) -> frozenset[Operation]:
        """Chat completions for chat models, Anthropic's API for Anthropic's; or embeddings."""
        if embedding_model(deployment) is not None:
            return _EMBEDDINGS
        chat = _ANTHROPIC if deployment.foundation_model.startswith("anthropic.") else _CHAT
        return chat | native_operations(deployment)

    def prepare(
        self, deployment: BedrockDeployment, call: Call, *, max_output_tokens: int
    ) -> UpstreamRequest | UpstreamBatch:
        """The request for a call.

        Raises GatewayError 400 for what the model cannot do, 502 without credentials.
        """
        if call.operation == "messages":
            return self._invoke_anthropic(deployment, call)
        if call.operation == "count_tokens":
            return self._count_tokens(deployment, call)
        if call.operation == "embeddings":
            return self._embed(deployment, call)
        if call.operation in native_operations(deployment):
            return prepare_native(
                deployment,
                call,
                partial(self.signed, deployment),
                max_output_tokens=max_output_tokens,
                request_id_header=REQUEST_ID_HEADER,
            )
        return self._converse(deployment, call, max_output_tokens)

    def _converse(self, deployment: BedrockDeployment, call: Call, max_output_tokens: int) -> UpstreamRequest:
        body = to_converse(decode_chat_request(call.body), deployment, max_output_tokens=max_output_tokens)
        url, headers = self.signed(
            deployment,
            f"/model/{encode_path_segment(deployment.called_id)}/"
            f"{'converse-stream' if call.stream else 'converse'}",
            body,
        )
        return UpstreamRequest(
            url=url,
            headers=headers,
            body=body,
            read_whole=partial(to_chat_completion, model=call.model),
            open_stream=partial(ChatCompletionStream, model=call.model, include_usage=call.include_usage),
            read_error=error_from_response,
            request_id_header=REQUEST_ID_HEADER,
        )

    def _invoke_anthropic(self, deployment: BedrockDeployment, call: Call) -> UpstreamRequest:
        betas = betas_of(call)
        body = to_invoke_model(call, betas)
        operation = "invoke-with-response-stream" if call.stream else "invoke"
        path = f"/model/{encode_path_segment(deployment.called_id)}/{operation}"
        url, headers = self.signed(deployment, path, body, guardrail_headers(deployment.guardrail))
        return UpstreamRequest(
            url=url,
            headers=headers,
            body=body,
            read_whole=partial(read_message, model=call.model),
            open_stream=partial(MessageStream, model=call.model),
            read_error=partial(message_error, betas=betas),
            request_id_header=REQUEST_ID_HEADER,
        )

    def _count_tokens(self, deployment: BedrockDeployment, call: Call) -> UpstreamRequest:
        body = to_count_tokens(call, betas_of(call))
        # Bedrock counts for foundation models only, whatever profile they are called through.
        path = f"/model/{encode_path_segment(deployment.foundation_model)}/count-tokens"
        url, headers = self.signed(deployment, path, body)
        return UpstreamRequest(
            url=url,
            headers=headers,
            body=body,
            read_whole=read_token_count,
            read_error=count_error,
            request_id_header=REQUEST_ID_HEADER,
        )

    def _embed(self, deployment: BedrockDeployment, call: Call) -> UpstreamBatch:
        model = embedding_model(deployment)
        assert model is not None  # noqa: S101 (the operations of the deployment say so)
        path = f"/model/{encode_path_segment(deployment.called_id)}/invoke"
        guardrail = guardrail_headers(deployment.guardrail)
        return prepare_embeddings(
            model,
            call,
            lambda body: self.signed(deployment, path, body, guardrail),
            request_id_header=REQUEST_ID_HEADER,
        )

    def signed(
        self,
        deployment: BedrockDeployment,
        path: str,
        body: bytes,
        extra_headers: Mapping[str, str] | None = None,
    ) -> tuple[str, Mapping[str, str]]:
        """The URL and the headers for a POST of JSON to a path of Bedrock's runtime, signed or with a token.

        extra_headers have lower-case names and are covered by the signature. Raises GatewayError 502.
        """
        endpoint = self._endpoint_url or f"https://bedrock-runtime.{deployment.region}.amazonaws.com"
        headers = {"content-type": "application/json", **(extra_headers or {})}
        credentials = role_credentials(self._credentials, deployment.role_arn)
        if self._authentication == "bearer":
            headers["authorization"] = f"Bearer {bearer_token(credentials, deployment.region)}"
            return f"{endpoint.rstrip('/')}{path}", headers
        headers |= sign(
            credentials,
            service="bedrock",
            region=deployment.region,
            method="POST",
            host=urlsplit(endpoint).netloc,
            path=path,
            headers=headers,
            body=body,
        )
        return f"{endpoint.rstrip('/')}{path}", headers
