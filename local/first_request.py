"""One chat request through the gateway, whole and streamed, by OpenAI's own SDK."""

from dataclasses import dataclass

from openai import DefaultHttpxClient, OpenAI, OpenAIError
from openai.types.chat import ChatCompletionMessageParam

from local.errors import LocalError

_MESSAGES: list[ChatCompletionMessageParam] = [{"role": "user", "content": "What does a gatehouse do?"}]


@dataclass(frozen=True, kw_only=True)
class Answers:
    """What came back."""

    model: str
    whole: str
    streamed: str
    chunks: int


def ask(url: str, api_key: str) -> Answers:
    """Ask the first model of the gateway's list, whole and streamed. Raises LocalError unless both come."""
    try:
        # No proxy of the caller stands between this machine and itself.
        with (
            DefaultHttpxClient(trust_env=False) as http,
            OpenAI(
                base_url=f"{url}/v1", api_key=api_key, http_client=http, timeout=30, max_retries=0
            ) as client,
        ):
            model = next(iter(client.models.list())).id
            whole = client.chat.completions.create(model=model, messages=_MESSAGES)
            stream = client.chat.completions.create(model=model, messages=_MESSAGES, stream=True)
            deltas = [chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices]
    except OpenAIError as error:
        raise LocalError(f"the gateway at {url} did not answer a chat request: {error}") from error
    answers = Answers(
        model=model,
        whole=whole.choices[0].message.content or "",
        streamed="".join(deltas),
        chunks=len(deltas),
    )
    if not answers.whole or not answers.streamed:
        raise LocalError(f"the gateway at {url} answered a chat request with no text: {answers}")
    return answers
