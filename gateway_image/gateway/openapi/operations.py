"""The operations of the API: what each path takes and answers."""

from dataclasses import dataclass

from msgspec import Struct

from gateway.openapi import answers, bodies


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One method of one path.

    group: whose types the body and the answer are. streams: what a streamed answer holds, if it can be one.
    statuses: those the answer comes with. public: whether it needs no key.
    """

    method: str
    path: str
    id: str
    summary: str
    group: str
    answer: type[Struct]
    body: type[Struct] | None = None
    streams: str | None = None
    statuses: tuple[int, ...] = (200,)
    public: bool = False

    @property
    def anthropic(self) -> bool:
        """Whether errors have Anthropic's shape."""
        return self.group == "messages"


_CHUNKS = "With `stream: true`: chunks of a chat completion, each the data of an event; the last is `[DONE]`."

OPERATIONS = (
    Operation(
        method="post",
        path="/v1/chat/completions",
        id="createChatCompletion",
        summary="Answer a conversation",
        group="chat",
        body=bodies.CreateChatCompletionRequest,
        answer=answers.ChatCompletion,
        streams=_CHUNKS,
    ),
    Operation(
        method="post",
        path="/openai/deployments/{model}/chat/completions",
        id="createDeploymentChatCompletion",
        summary="Answer a conversation, by the path of Azure's and DIAL's clients",
        group="chat",
        body=bodies.CreateDeploymentChatCompletionRequest,
        answer=answers.ChatCompletion,
        streams=_CHUNKS,
    ),
    Operation(
        method="post",
        path="/v1/embeddings",
        id="createEmbedding",
        summary="Embed texts",
        group="embeddings",
        body=bodies.CreateEmbeddingRequest,
        answer=answers.EmbeddingList,
    ),
    Operation(
        method="post",
        path="/openai/deployments/{model}/embeddings",
        id="createDeploymentEmbedding",
        summary="Embed texts, by the path of Azure's and DIAL's clients",
        group="embeddings",
        body=bodies.CreateDeploymentEmbeddingRequest,
        answer=answers.EmbeddingList,
    ),
    Operation(
        method="post",
        path="/v1/responses",
        id="createResponse",
        summary="Answer with OpenAI's Responses API",
        group="responses",
        body=bodies.CreateResponseRequest,
        answer=answers.Response,
        streams="With `stream: true`: the events of the Responses API; one that breaks ends with `error`.",
    ),
    Operation(
        method="post",
        path="/v1/messages",
        id="createMessage",
        summary="Answer with Anthropic's Messages API",
        group="messages",
        body=bodies.CreateMessageRequest,
        answer=answers.Message,
        streams="With `stream: true`: the events of the Messages API; one that breaks ends with `error`.",
    ),
    Operation(
        method="post",
        path="/v1/messages/count_tokens",
        id="countMessageTokens",
        summary="Count the tokens of a prompt for Anthropic's Messages API",
        group="messages",
        body=bodies.CountMessageTokensRequest,
        answer=answers.TokenCount,
    ),
    Operation(
        method="get",
        path="/v1/models",
        id="listModels",
        summary="List the models",
        group="models",
        answer=answers.ModelList,
    ),
    Operation(
        method="get",
        path="/v1/models/{model}",
        id="retrieveModel",
        summary="Describe one model",
        group="models",
        answer=answers.Model,
    ),
    Operation(
        method="get",
        path="/health/live",
        id="checkLiveness",
        summary="Whether the process answers",
        group="health",
        answer=answers.Liveness,
        public=True,
    ),
    Operation(
        method="get",
        path="/health/ready",
        id="checkReadiness",
        summary="Whether requests are welcome",
        group="health",
        answer=answers.Readiness,
        statuses=(200, 503),
        public=True,
    ),
)
