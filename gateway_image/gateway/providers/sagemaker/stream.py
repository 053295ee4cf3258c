"""A container's streamed chat completion inside SageMaker's event stream."""

from gateway.providers.bedrock.event_stream import EventMessage, EventStreamDecoder, EventStreamError
from gateway.providers.openai_compatible.chat_stream import ChatStream
from gateway.providers.openai_compatible.errors import unreadable
from gateway.providers.sagemaker.errors import error_in_stream


class SageMakerChatStream(ChatStream):
    """Takes the container's bytes, which SageMaker cuts anywhere, out of the payload parts."""

    def __init__(self, *, model: str, include_usage: bool) -> None:
        super().__init__(model=model, include_usage=include_usage)
        self._decoder = EventStreamDecoder()

    def feed(self, chunk: bytes) -> bytes:
        """The caller's events for the next bytes of the response, cut anywhere; none after the end."""
        if self._has_ended():
            return b""
        output = bytearray()
        try:
            for message in self._decoder.feed(chunk):
                output += self._unwrap(message)
                # What SageMaker has to say after a whole answer does not spoil it.
                if self._has_ended():
                    break
        except EventStreamError as error:
            self.error = unreadable(str(error))
        return bytes(output)

    def _unwrap(self, message: EventMessage) -> bytes:
        headers, payload = message
        if headers.get(":message-type") == "event":
            return super().feed(payload) if headers.get(":event-type") == "PayloadPart" else b""
        name = headers.get(":exception-type") or headers.get(":error-code", "")
        self.error = error_in_stream(name, payload)
        return b""
