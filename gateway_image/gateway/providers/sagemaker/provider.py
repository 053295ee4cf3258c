"""SageMaker endpoints as a provider: OpenAI's bodies inside signed invocations."""

from functools import partial
from urllib.parse import urlsplit

from gateway.aws.assumed_roles import CredentialsByRole
from gateway.aws.signature import sign
from gateway.call import Call, Operation
from gateway.catalog import SageMakerDeployment
from gateway.providers.interface import UpstreamRequest
from gateway.providers.openai_compatible.passing_on import body_for, upstream_request
from gateway.providers.role_credentials import role_credentials
from gateway.providers.sagemaker.errors import error_from_response
from gateway.providers.sagemaker.stream import SageMakerChatStream

# What containers answer at their one path.
_OPERATIONS: frozenset[Operation] = frozenset({"chat_completions", "embeddings"})


class SageMakerProvider:
    """Prepares signed invocations of a deployment's endpoint."""

    def __init__(self, credentials: CredentialsByRole, endpoint_url: str | None) -> None:
        self._credentials = credentials
        self._endpoint_url = endpoint_url

    def operations(self, deployment: SageMakerDeployment) -> frozenset[Operation]:  # noqa: ARG002 (all alike)
        """What the container is expected to speak."""
        return _OPERATIONS

    def prepare(
        self,
        deployment: SageMakerDeployment,
        call: Call,
        *,
        max_output_tokens: int,  # noqa: ARG002 (not sent: nothing is reserved by it)
    ) -> UpstreamRequest:
        """The caller's request for the container; raises GatewayError 400, and 502 without credentials."""
        body = body_for(call, model=deployment.model)
        url, headers = self._signed(deployment, body, stream=call.stream)
        return upstream_request(
            call,
            url=url,
            headers=headers,
            body=body,
            open_stream=partial(SageMakerChatStream, model=call.model, include_usage=call.include_usage),
            read_error=error_from_response,
            request_id_header="x-amzn-requestid",
        )

    def _signed(
        self, deployment: SageMakerDeployment, body: bytes, *, stream: bool
    ) -> tuple[str, dict[str, str]]:
        endpoint = self._endpoint_url or f"https://runtime.sagemaker.{deployment.region}.amazonaws.com"
        operation = "invocations-response-stream" if stream else "invocations"
        path = f"/endpoints/{deployment.endpoint_name}/{operation}"
        headers = {"content-type": "application/json"}
        if deployment.inference_component is not None:
            headers["x-amzn-sagemaker-inference-component"] = deployment.inference_component
        credentials = role_credentials(self._credentials, deployment.role_arn)
        headers |= sign(
            credentials,
            service="sagemaker",
            region=deployment.region,
            method="POST",
            host=urlsplit(endpoint).netloc,
            path=path,
            headers=headers,
            body=body,
        )
        return f"{endpoint.rstrip('/')}{path}", headers
