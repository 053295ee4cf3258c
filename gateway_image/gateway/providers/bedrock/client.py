"""Calls Bedrock's Converse and ConverseStream operations."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from urllib.parse import urlsplit

from gateway.aws.credentials import CredentialsError, CredentialSource
from gateway.aws.signature import encode_path_segment, sign
from gateway.catalog import BedrockDeployment
from gateway.errors import GatewayError, provider_error
from gateway.http_client import HttpClient, HttpConnectError, HttpError, HttpResponse, StreamingResponse
from gateway.providers.bedrock.converse_errors import error_from_response

REQUEST_ID_HEADER = "x-amzn-requestid"
_DRAIN_SECONDS = 1


class ConverseStreamResponse:
    """A ConverseStream response that has begun."""

    def __init__(self, response: StreamingResponse, deployment: BedrockDeployment) -> None:
        self._response = response
        self._deployment = deployment
        self.request_id = response.headers.get(REQUEST_ID_HEADER)

    async def read_chunk(self) -> bytes:
        """Return the bytes of the event stream that arrived next, b"" at its end.

        Raises GatewayError 504 if nothing comes for the deployment's `between_chunks_seconds`, 502 if the
        connection breaks.
        """
        limit = self._deployment.time_limits.between_chunks_seconds
        try:
            async with asyncio.timeout(limit):
                return await self._response.read_chunk()
        except TimeoutError:
            raise _timed_out(f"sent nothing for {limit:g} s in the middle of its answer") from None
        except HttpError as error:
            raise provider_error(
                "The connection to the model broke.", code="upstream_connection_lost", detail=str(error)
            ) from error

    async def drain(self) -> None:
        """Read the little that may follow a whole answer, so that the connection can serve the next one."""
        with suppress(HttpError, TimeoutError):
            async with asyncio.timeout(_DRAIN_SECONDS):
                while await self._response.read_chunk():
                    pass


class BedrockClient:
    """Signs and sends requests to Bedrock in the deployment's region, within its time limits."""

    def __init__(self, http: HttpClient, credentials: CredentialSource, endpoint_url: str | None) -> None:
        self._http = http
        self._credentials = credentials
        self._endpoint_url = endpoint_url

    async def converse(self, deployment: BedrockDeployment, body: bytes) -> HttpResponse:
        """Call Converse; the answer's status is 200. Raises GatewayError for everything else.

        The answer comes in one piece, so `first_byte_seconds` is the limit for all of it.
        """
        url, headers = self._prepare(deployment, "converse", body)
        limits = deployment.time_limits
        try:
            async with asyncio.timeout(limits.first_byte_seconds):
                response = await self._http.send(
                    "POST", url, headers=headers, body=body, connect_seconds=limits.connect_seconds
                )
        except TimeoutError:
            raise _timed_out(f"did not answer within {limits.first_byte_seconds:g} s") from None
        except HttpError as error:
            raise _unreachable(error) from error
        if response.status != 200:
            raise error_from_response(response.status, response.headers, response.body)
        return response

    @asynccontextmanager
    async def converse_stream(
        self, deployment: BedrockDeployment, body: bytes
    ) -> AsyncIterator[ConverseStreamResponse]:
        """Call ConverseStream and hand out its answer once it has begun with status 200.

        Raises GatewayError for everything else. Leaving the context closes the connection and ends the call.
        """
        url, headers = self._prepare(deployment, "converse-stream", body)
        limits = deployment.time_limits
        async with AsyncExitStack() as stack:
            try:
                async with asyncio.timeout(limits.first_byte_seconds):
                    response = await stack.enter_async_context(
                        self._http.stream(
                            "POST", url, headers=headers, body=body, connect_seconds=limits.connect_seconds
                        )
                    )
                    problem = b"" if response.status == 200 else await response.read_all()
            except TimeoutError:
                raise _timed_out(f"did not answer within {limits.first_byte_seconds:g} s") from None
            except HttpError as error:
                raise _unreachable(error) from error
            if response.status != 200:
                raise error_from_response(response.status, response.headers, problem)
            yield ConverseStreamResponse(response, deployment)

    def _prepare(
        self, deployment: BedrockDeployment, operation: str, body: bytes
    ) -> tuple[str, Mapping[str, str]]:
        endpoint = self._endpoint_url or f"https://bedrock-runtime.{deployment.region}.amazonaws.com"
        path = f"/model/{encode_path_segment(deployment.model_id)}/{operation}"
        headers = {"content-type": "application/json"}
        try:
            credentials = self._credentials.current()
        except CredentialsError as error:
            raise provider_error(
                "The gateway has no valid credentials for the model's provider.",
                code="upstream_credentials",
                detail=str(error),
            ) from error
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


def _timed_out(what: str) -> GatewayError:
    return provider_error(f"The model {what}.", code="upstream_timeout", status=504)


def _unreachable(error: HttpError) -> GatewayError:
    if isinstance(error, HttpConnectError):
        return provider_error(
            "The model's provider cannot be reached.", code="upstream_unreachable", detail=str(error)
        )
    return provider_error(
        "The connection to the model broke.", code="upstream_connection_lost", detail=str(error)
    )
