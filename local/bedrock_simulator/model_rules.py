"""What a model holds a Converse request to, beyond its conversation; the limits are the scenario's."""

from collections.abc import Mapping
from typing import Any

from local.bedrock_simulator.errors import invalid, malformed, model_refuses, not_an_object
from local.bedrock_simulator.scenario import Model

_ADDITIONAL_FIELDS = {
    "anthropic": frozenset(
        {"anthropic_beta", "metadata", "output_config", "thinking", "tool_choice", "tools", "top_k"}
    ),
    "nova": frozenset({"inferenceConfig", "reasoningConfig"}),
}


def check_request(body: Mapping[str, Any], model: Model) -> None:
    """Raise ServiceError unless the model takes this request, whose conversation is sound."""
    if model.family not in _ADDITIONAL_FIELDS:
        raise invalid(
            "This action doesn't support the model that you provided. "
            "Try again with a supported text or chat model."
        )
    _check_last_message(body["messages"][-1], model)
    inference = body.get("inferenceConfig") or {}
    _check_max_tokens(inference.get("maxTokens") or 0, model)
    _check_sampling(inference, model)
    _check_additional_fields(body.get("additionalModelRequestFields"), model)


def _check_last_message(last: Mapping[str, Any], model: Model) -> None:
    if last["role"] != "assistant":
        return
    if not model.assistant_prefill:
        raise model_refuses(
            "This model does not support assistant message prefill. "
            "The conversation must end with a user message."
        )
    text = last["content"][-1].get("text", "")
    if text != text.rstrip():
        raise model_refuses("messages: final assistant content cannot end with trailing whitespace")


def _check_max_tokens(asked: int, model: Model) -> None:
    limit = model.max_output_tokens
    if asked > limit or (model.output_limit_is_exclusive and asked == limit):
        raise invalid(
            f"The maximum tokens you requested exceeds the model limit of {limit}. "
            f"Try again with a maximum tokens value that is lower than {limit}."
        )


def _check_sampling(inference: Mapping[str, Any], model: Model) -> None:
    sequences = inference.get("stopSequences") or ()
    most = model.max_stop_sequences
    if len(sequences) > most:
        problem = f"#/stopSequences: expected maximum item count: {most}, found: {len(sequences)}"
        raise model_refuses(malformed(problem).message)
    if model.family == "anthropic" and not all(sequence.strip() for sequence in sequences):
        raise model_refuses("stop_sequences: each stop sequence must contain non-whitespace")
    both = inference.get("temperature") is not None and inference.get("topP") is not None
    if both and model.temperature_excludes_top_p:
        raise model_refuses(
            "`temperature` and `top_p` cannot both be specified for this model. Please use only one."
        )


def _check_additional_fields(fields: Any, model: Model) -> None:
    if fields is None:
        return
    if not isinstance(fields, dict):
        raise not_an_object("additionalModelRequestFields")
    unknown = next((name for name in fields if name not in _ADDITIONAL_FIELDS[model.family]), None)
    if unknown is not None:
        raise model_refuses(malformed(f"#: extraneous key [{unknown}] is not permitted").message)
