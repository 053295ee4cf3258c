"""What every provider does for the gateway.

A provider turns a call into one HTTP request, or a batch of them, and knows how to read what comes back. It
neither sends nor retries: that is the same for all of them (gateway.upstream, gateway.routing).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from gateway.call import Call, Operation
from gateway.errors import GatewayError
from gateway.providers import Usage

DeploymentT = TypeVar("DeploymentT", contravariant=True)


class StreamTranslation(Protocol):
    """A provider's streamed answer on its way to the caller, piece by piece.

    usage: the tokens of the request, None until the provider has told them.
    characters: how much the model has said so far (text, reasoning, input of tools), to estimate by where a
    stream is cut before its usage was told; a rough figure from the size of the events will do.
    content_begun: whether the events returned so far hold anything the model said. Until then the answer may
    still be dropped and another deployment tried.
    complete: whether the answer came to its proper end.
    error: what ended it otherwise; the translation does not write it among the events.
    """

    @property
    def usage(self) -> Usage | None:
        """As above."""

    @property
    def characters(self) -> int:
        """As above."""

    @property
    def content_begun(self) -> bool:
        """As above."""

    @property
    def complete(self) -> bool:
        """As above."""

    @property
    def error(self) -> GatewayError | None:
        """As above."""

    def feed(self, chunk: bytes) -> bytes:
        """The caller's events for the next bytes of the response, cut anywhere; none after the end."""

    def finish(self) -> bytes:
        """The events that are due when the response has ended; sets error if it ended too early."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamRequest:
    """A POST to a provider and how to read the answer.

    read_whole: the caller's body for the provider's, and its usage if it told it; raises GatewayError.
    open_stream: a new translation for a streamed answer, None for a call that does not stream.
    read_error: what a status other than 200 means, from status, headers (lower-case names) and body.
    request_id_header: where the provider names the request, in lower case.
    """

    url: str
    headers: Mapping[str, str]
    body: bytes
    read_whole: Callable[[bytes], tuple[bytes, Usage | None]]
    open_stream: Callable[[], StreamTranslation] | None = None
    read_error: Callable[[int, Mapping[str, str], bytes], GatewayError]
    request_id_header: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamPart:
    """A POST that answers a part of a call.

    read: what the response adds to the caller's body, and its usage if it told it, from the response's
    headers (by any case) and body; raises GatewayError.
    """

    url: str
    headers: Mapping[str, str]
    body: bytes
    read: Callable[[Mapping[str, str], bytes], tuple[bytes, Usage | None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamBatch:
    """Requests that answer one call together, such as one for each text to embed.

    parts: at least one; each is made just before it is sent.
    join: the caller's body, from what the parts add to it in their order, and the usage of all.
    read_error, request_id_header: as in UpstreamRequest, for every part.
    """

    parts: Iterator[UpstreamPart]
    join: Callable[[Sequence[bytes], Usage], bytes]
    read_error: Callable[[int, Mapping[str, str], bytes], GatewayError]
    request_id_header: str


class Provider(Protocol[DeploymentT]):
    """A kind of deployment that the gateway can call."""

    def operations(self, deployment: DeploymentT) -> frozenset[Operation]:
        """What the deployment can do."""

    def prepare(
        self, deployment: DeploymentT, call: Call, *, max_output_tokens: int
    ) -> UpstreamRequest | UpstreamBatch:
        """The request that asks the deployment for what the call asks for; only embeddings may be a batch.

        max_output_tokens is sent where the call sets no limit. Raises GatewayError 400 naming the field that
        the deployment cannot honour, and 502 if the gateway has no valid credentials for it.
        """
