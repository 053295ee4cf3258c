"""Replies on command: what a model answers instead of its echo."""

from collections.abc import Iterable
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from local.bedrock_simulator.faults import Target


class ReplyToolCall(BaseModel):
    """A tool call to answer with."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    input: dict[str, Any]


class Reply(Target):
    """An answer given to matching calls; parts that are left out stay out of the answer."""

    reasoning: str | None = None
    text: str | None = None
    words: Annotated[int | None, Field(ge=1, description="A text of this many words, one token each.")] = None
    tool_calls: tuple[ReplyToolCall, ...] = ()
    stop_reason: (
        Literal[
            "end_turn", "tool_use", "max_tokens", "stop_sequence", "guardrail_intervened", "content_filtered"
        ]
        | None
    ) = None


class PendingReplies:
    """Replies still to be given; of several that match, the first."""

    def __init__(self, initial: Iterable[Reply]) -> None:
        self._pending: list[tuple[Reply, int | None]] = [(reply, reply.times) for reply in initial]

    def add(self, reply: Reply) -> None:
        """Give this reply after those already waiting."""
        self._pending.append((reply, reply.times))

    def clear(self) -> None:
        """Forget all; models echo again."""
        self._pending.clear()

    def take(self, account: str, region: str, models: Iterable[str]) -> Reply | None:
        """The reply for this call, if any; one that is limited to a number of calls is used up by it."""
        for index, (reply, left) in enumerate(self._pending):
            if not reply.matches(account, region, models):
                continue
            if left == 1:
                del self._pending[index]
            elif left is not None:
                self._pending[index] = (reply, left - 1)
            return reply
        return None
