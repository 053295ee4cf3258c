"""The msgspec candidate's structs, in a module of their own so that only its processes import msgspec."""

from msgspec import Struct
from msgspec.json import Decoder, Encoder


class _Message(Struct):
    role: str
    content: str


class _Request(Struct):
    messages: list[_Message]
    max_tokens: int
    stream: bool


class _Text(Struct):
    text: str


class _Turn(Struct):
    role: str
    content: list[_Text]


class _InferenceConfig(Struct, rename="camel"):
    max_tokens: int


class _UpstreamRequest(Struct, rename="camel"):
    messages: list[_Turn]
    inference_config: _InferenceConfig
    stream: bool


class _Output(Struct):
    message: _Turn


class _UpstreamUsage(Struct, rename="camel"):
    input_tokens: int
    output_tokens: int
    total_tokens: int


class _Answer(Struct):
    output: _Output
    usage: _UpstreamUsage


class _Usage(Struct):
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class _Choice(Struct):
    message: _Message
    index: int = 0
    finish_reason: str = "stop"


class _Completion(Struct):
    choices: list[_Choice]
    usage: _Usage
    id: str = "chatcmpl-bench"
    object: str = "chat.completion"
    created: int = 0
    model: str = "bench"


class _DeltaBlock(Struct):
    delta: _Text


class _Event(Struct, rename="camel"):
    content_block_delta: _DeltaBlock


class _Delta(Struct):
    content: str


class _ChunkChoice(Struct):
    delta: _Delta
    index: int = 0


class _Chunk(Struct):
    choices: list[_ChunkChoice]
    id: str = "chatcmpl-bench"
    object: str = "chat.completion.chunk"
    created: int = 0
    model: str = "bench"


class MsgspecCodec:
    """See bench.engines.codecs.Codec."""

    def __init__(self) -> None:
        self.encode = Encoder().encode
        self.decode_request = Decoder(_Request).decode
        self.decode_answer = Decoder(_Answer).decode
        self.decode_event = Decoder(_Event).decode

    def request(self, body: bytes) -> tuple[bool, bytes]:
        request = self.decode_request(body)
        turns = [_Turn(m.role, [_Text(m.content)]) for m in request.messages]
        upstream = _UpstreamRequest(turns, _InferenceConfig(request.max_tokens), request.stream)
        return request.stream, self.encode(upstream)

    def response(self, body: bytes) -> bytes:
        answer = self.decode_answer(body)
        message = _Message("assistant", answer.output.message.content[0].text)
        usage = _Usage(answer.usage.input_tokens, answer.usage.output_tokens, answer.usage.total_tokens)
        return self.encode(_Completion([_Choice(message)], usage))

    def event(self, event: bytes) -> bytes:
        text = self.decode_event(event[6:]).content_block_delta.delta.text
        return b"data: " + self.encode(_Chunk([_ChunkChoice(_Delta(text))])) + b"\n\n"
