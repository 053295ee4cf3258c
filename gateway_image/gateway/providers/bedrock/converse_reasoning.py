"""How hard a model is to think, as each family of models on Bedrock wants to be told.

As of November 2026, from the families' pages in the guides of Amazon Bedrock and Amazon Nova and Anthropic's
pages on extended and adaptive thinking:

- Claude since 4.6 thinks adaptively, guided by Converse's own effort. Before, it takes a budget of at least
  1,024 tokens that must be smaller than the limit of the answer.
- Nova 2 takes reasoningConfig. At high effort it refuses a limit of the answer.
- gpt-oss takes reasoning_effort and always reasons; later models of OpenAI's take reasoning.effort.
- What is not known here is asked for by Converse's own effort, which models without it refuse.
"""

import re
from typing import NamedTuple

from gateway.errors import GatewayError, invalid_request
from gateway.providers.bedrock.converse_content import Block

_ADAPTIVE_CLAUDE = re.compile(r"anthropic\.claude-[a-z]+-(4-[6-9]|[5-9]|\d\d)(?!\d)")
_BUDGETED_CLAUDE = re.compile(r"anthropic\.claude-(3-7-|[a-z]+-4-)")
_NOVA_2 = re.compile(r"amazon\.nova-2-")
_GPT_OSS = re.compile(r"openai\.gpt-oss")
_OPENAI = re.compile(r"openai\.")

_EFFORTS = ("low", "medium", "high", "xhigh", "max")
_THREE_EFFORTS = ("low", "medium", "high")
_SMALLEST_BUDGET = 1024
# Shares of the answer's limit that leave room for the answer itself.
_BUDGET_SHARES = {"minimal": 0.0, "low": 0.2, "medium": 0.5, "high": 0.8}


class Reasoning(NamedTuple):
    """model_fields go into additionalModelRequestFields, effort into outputConfig."""

    model_fields: Block
    effort: str | None = None


_UNASKED = Reasoning({})


def reasoning(effort: str | None, foundation_model: str, max_tokens: int) -> Reasoning:
    """What to send for OpenAI's reasoning_effort; max_tokens is the limit of the whole answer.

    Raises GatewayError 400 for an effort that the model does not have.
    """
    if effort is None:
        return _UNASKED
    if _GPT_OSS.match(foundation_model):
        return Reasoning({"reasoning_effort": _one_of(_THREE_EFFORTS, effort, foundation_model)})
    if _OPENAI.match(foundation_model):
        return Reasoning({"reasoning": {"effort": effort}})
    if effort == "none":
        return _UNASKED
    if _ADAPTIVE_CLAUDE.match(foundation_model):
        # Some of these leave the text of their thoughts out unless asked for it.
        thinking = {"type": "adaptive", "display": "summarized"}
        return Reasoning({"thinking": thinking}, _one_of(_EFFORTS, effort, foundation_model))
    if _BUDGETED_CLAUDE.match(foundation_model):
        budget = _budget(effort, foundation_model, max_tokens)
        return Reasoning({"thinking": {"type": "enabled", "budget_tokens": budget}})
    if _NOVA_2.match(foundation_model):
        level = _one_of(_THREE_EFFORTS, effort, foundation_model)
        return Reasoning({"reasoningConfig": {"type": "enabled", "maxReasoningEffort": level}})
    return Reasoning({}, _one_of(_EFFORTS, effort, foundation_model))


def refuses_limit(effort: str | None, foundation_model: str) -> bool:
    """Whether the model does not take a limit of its answer at this effort."""
    return effort == "high" and _NOVA_2.match(foundation_model) is not None


def _budget(effort: str, foundation_model: str, max_tokens: int) -> int:
    share = _BUDGET_SHARES[_one_of(tuple(_BUDGET_SHARES), effort, foundation_model)]
    budget = max(_SMALLEST_BUDGET, int(max_tokens * share))
    if budget >= max_tokens:
        raise invalid_request(
            f"reasoning_effort is {effort!r}, but the answer is limited to {max_tokens} tokens with its "
            f"reasoning; allow more than {_SMALLEST_BUDGET} by max_completion_tokens, or use 'none'.",
            param="reasoning_effort",
            code="invalid_value",
        )
    return budget


def _one_of(allowed: tuple[str, ...], effort: str, foundation_model: str) -> str:
    if effort not in allowed:
        raise _unsupported(effort, foundation_model, ", ".join(allowed))
    return effort


def _unsupported(effort: str, foundation_model: str, allowed: str) -> GatewayError:
    without = "" if _GPT_OSS.match(foundation_model) else "none, "
    message = f"reasoning_effort is {effort!r}; allowed by this model: {without}{allowed}."
    return invalid_request(message, param="reasoning_effort", code="unsupported_value")
