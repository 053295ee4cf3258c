"""OpenAI, and whatever speaks its API, as a provider: a URL and a key."""

from collections.abc import Mapping
from functools import partial

from gateway.call import Call, Operation
from gateway.catalog import OpenAICompatibleDeployment
from gateway.errors import GatewayError, provider_error
from gateway.provider_keys import ProviderKeyError, ProviderKeys
from gateway.providers.interface import UpstreamRequest
from gateway.providers.openai_compatible.errors import error_from_response
from gateway.providers.openai_compatible.passing_on import PATHS, body_for, upstream_request


class OpenAICompatibleProvider:
    """Prepares requests with the latest key of each provider."""

    def __init__(self, keys: ProviderKeys) -> None:
        self._keys = keys

    def operations(self, deployment: OpenAICompatibleDeployment) -> frozenset[Operation]:
        """The APIs that the catalog says the provider has."""
        return deployment.apis

    def prepare(
        self,
        deployment: OpenAICompatibleDeployment,
        call: Call,
        *,
        max_output_tokens: int,  # noqa: ARG002 (not sent: nothing is reserved by it, and its field's name differs)
    ) -> UpstreamRequest:
        """The caller's request for the deployment's model; raises GatewayError 400, and 502 without a key."""
        key = self._key(deployment)
        return upstream_request(
            call,
            url=deployment.base_url + PATHS[call.operation],
            headers=_headers(deployment, key),
            body=body_for(call, model=deployment.model),
            read_error=partial(self._read_error, deployment, key),
        )

    def _key(self, deployment: OpenAICompatibleDeployment) -> str | None:
        if deployment.api_key_secret is None:
            return None
        try:
            return self._keys.current(deployment.api_key_secret)
        except ProviderKeyError as error:
            raise provider_error(
                "The gateway has no API key for the model's provider.",
                code="upstream_credentials",
                detail=str(error),
            ) from None

    def _read_error(
        self,
        deployment: OpenAICompatibleDeployment,
        key: str | None,
        status: int,
        headers: Mapping[str, str],
        body: bytes,
    ) -> GatewayError:
        error = error_from_response(status, headers, body, key=key)
        if error.code == "upstream_credentials" and deployment.api_key_secret is not None:
            self._keys.rejected(deployment.api_key_secret)
        return error


def _headers(deployment: OpenAICompatibleDeployment, key: str | None) -> dict[str, str]:
    headers = {"content-type": "application/json"}
    if key is not None:
        bearer = deployment.api_key_header == "authorization"
        headers[deployment.api_key_header] = f"Bearer {key}" if bearer else key
    return headers
