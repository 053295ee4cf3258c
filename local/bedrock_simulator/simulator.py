"""The simulated service itself, free of HTTP: a request in, an exchange or a ServiceError out."""

import base64
import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from local.bedrock_simulator import (
    anthropic_messages,
    anthropic_rules,
    cohere_embedding,
    converse,
    converse_rules,
    model_rules,
    nova_embedding,
    openai_chat,
    openai_responses,
    titan_embedding,
)
from local.bedrock_simulator.answers import Answer, Prompt, StreamEvent, answer
from local.bedrock_simulator.call_log import Call, CallLog
from local.bedrock_simulator.errors import ServiceError, invalid
from local.bedrock_simulator.faults import ActiveFaults
from local.bedrock_simulator.replies import PendingReplies
from local.bedrock_simulator.scenario import Model, Scenario
from local.bedrock_simulator.shapes import ServiceShapes
from local.bedrock_simulator.signature import Authenticator, Caller
from local.bedrock_simulator.timing import Clock
from local.bedrock_simulator.world import Admission, Route, World

OPERATIONS = {
    "converse": "Converse",
    "converse-stream": "ConverseStream",
    "count-tokens": "CountTokens",
    "invoke": "InvokeModel",
    "invoke-with-response-stream": "InvokeModelWithResponseStream",
}
"""Operations by the last part of their path."""
OPENAI_PATHS = {"chat/completions": "ChatCompletions", "responses": "Responses"}
"""Those of the OpenAI-compatible endpoint by the last part of their path."""
OPENAI_OPERATIONS = frozenset(OPENAI_PATHS.values())
_STREAMS = frozenset({"ConverseStream", "InvokeModelWithResponseStream"})
_EMBEDDING_FAMILIES = frozenset({"titan-embedding", "cohere-embedding", "nova-embedding"})


@dataclass(frozen=True, kw_only=True)
class Exchange:
    """An admitted call: what to answer, and how fast."""

    admission: Admission
    burndown: int
    input_tokens: int
    output_tokens: int
    first_token_seconds: float
    seconds_per_token: float
    streams: bool
    write_response: Callable[[], dict[str, Any]]
    write_events: Callable[[], Iterator[StreamEvent]]

    @property
    def total_seconds(self) -> float:
        """How long the whole answer takes."""
        return self.first_token_seconds + self.output_tokens * self.seconds_per_token

    def settle(self, output_tokens: int) -> None:
        """Hold only the quota that an answer of so many tokens used."""
        self.admission.settle(self.input_tokens + output_tokens * self.burndown)


class Simulator:
    """A scenario being played."""

    def __init__(self, scenario: Scenario, *, validate: bool = True) -> None:
        self._scenario = scenario
        self._shapes = ServiceShapes() if validate else None
        self.authenticator = Authenticator(scenario)
        self.roles = {
            f"arn:aws:iam::{account.id}:role/{role.name}": role
            for account in scenario.accounts
            for role in account.roles
        }
        self.reset()

    def reset(self) -> None:
        """Begin the scenario again: nothing called, no quota used, faults and replies as it says."""
        self.clock = Clock()
        self.world = World(self._scenario, self.clock.now)
        self.faults = ActiveFaults(self._scenario.faults)
        self.replies = PendingReplies(self._scenario.replies)
        self.log = CallLog()
        self._rng = random.Random(self._scenario.seed)  # noqa: S311 (no secret depends on it)

    def open(self, call: Call, caller: Caller, raw_body: bytes) -> Exchange:
        """Admit a call of a model, or raise ServiceError; `call` learns what becomes known of it."""
        body = self._parse(call, raw_body)
        route = self.world.resolve(call.model, caller.region, caller.account)
        if route.model.family in _EMBEDDING_FAMILIES and call.operation == "InvokeModel":
            return self._open_embedding(call, caller, route, body)
        prompt = self._read_prompt(call.operation, body, route.model)
        if prompt.input_tokens > route.model.context_tokens:
            raise invalid("Input is too long for requested model.")
        most_output = prompt.max_tokens or route.model.max_output_tokens
        admission = self._admit(call, caller, route, prompt.input_tokens, most_output)
        reply = self.replies.take(caller.account, caller.region, route.names)
        given = answer(prompt, reply, call.number)
        return self._exchange(call, route.model, admission, given, body)

    def count_tokens(self, call: Call, caller: Caller, raw_body: bytes) -> dict[str, Any]:
        """The body of a CountTokens response, or ServiceError; it costs no quota."""
        source = self._parse(call, raw_body)["input"]
        route = self.world.find(call.model, caller.region, caller.account)
        model = route.model
        counts_native = model.family == "anthropic" or "invokeModel" not in source
        if route.is_profile or model.family in _EMBEDDING_FAMILIES or not counts_native:
            raise invalid("The provided model doesn't support counting tokens.")
        if "converse" in source:
            converse_rules.check_conversation(source["converse"])
            return {"inputTokens": converse.read_prompt(source["converse"]).input_tokens}
        body = _parse_native(base64.b64decode(source["invokeModel"]["body"]))
        anthropic_rules.check_body(body, model)
        return {"inputTokens": anthropic_messages.read_prompt(body).input_tokens}

    def _parse(self, call: Call, raw_body: bytes) -> dict[str, Any]:
        native = not call.operation.startswith(("Converse", "CountTokens"))
        body = _parse_native(raw_body) if native else _parse_json(raw_body)
        if self.log.record_bodies:
            call.body = body
        if self._shapes and call.operation not in OPENAI_OPERATIONS:
            self._shapes.check_model_id(call.operation, call.model)
            if not native:
                self._shapes.check_body(call.operation, body)
        return body

    def _read_prompt(self, operation: str, body: dict[str, Any], model: Model) -> Prompt:
        if operation.startswith("Converse"):
            if self._shapes:
                converse_rules.check_conversation(body)
                model_rules.check_request(body, model)
            return converse.read_prompt(body)
        if model.family in _EMBEDDING_FAMILIES:
            raise invalid("The model is unsupported for streaming")
        if operation in OPENAI_OPERATIONS:
            return _read_openai_prompt(operation, body, model)
        if model.family != "anthropic":
            raise ServiceError(
                "UnknownOperationException",
                f"The simulator has no native {operation} for {model.id}; use Converse.",
            )
        if self._shapes:
            anthropic_rules.check_body(body, model)
        return anthropic_messages.read_prompt(body)

    def _admit(
        self, call: Call, caller: Caller, route: Route, input_tokens: int, most_output: int
    ) -> Admission:
        tokens = input_tokens + most_output
        admission = self.world.admit(route, caller.account, tokens, self.faults.regions_down())
        call.served_by, call.input_tokens, call.reserved_tokens = admission.region, input_tokens, tokens
        return admission

    def _open_embedding(self, call: Call, caller: Caller, route: Route, body: dict[str, Any]) -> Exchange:
        tokens, write_response = _embed(route.model, body)
        admission = self._admit(call, caller, route, tokens, 0)
        timing = route.model.timing or self._scenario.timing
        return Exchange(
            admission=admission,
            burndown=1,
            input_tokens=tokens,
            output_tokens=0,
            first_token_seconds=timing.first_token.sample_seconds(self._rng),
            seconds_per_token=0,
            streams=False,
            write_response=write_response,
            write_events=lambda: iter(()),
        )

    def _exchange(
        self, call: Call, model: Model, admission: Admission, given: Answer, body: dict[str, Any]
    ) -> Exchange:
        timing = model.timing or self._scenario.timing
        first_token = timing.first_token.sample_seconds(self._rng)
        latency = first_token + given.output_tokens * timing.seconds_per_token
        write_response, write_events = _writers(call, model, given, latency, body)
        return Exchange(
            admission=admission,
            burndown=model.output_burndown,
            input_tokens=given.input_tokens,
            output_tokens=given.output_tokens,
            first_token_seconds=first_token,
            seconds_per_token=timing.seconds_per_token,
            streams=call.operation in _STREAMS or _asks_for_openai_stream(call, body),
            write_response=write_response,
            write_events=write_events,
        )


def _asks_for_openai_stream(call: Call, body: dict[str, Any]) -> bool:
    return call.operation in OPENAI_OPERATIONS and bool(body.get("stream"))


def _read_openai_prompt(operation: str, body: dict[str, Any], model: Model) -> Prompt:
    if operation not in model.openai_apis:
        raise invalid(f"The model '{body['model']}' does not support this API")
    if operation == "Responses":
        openai_responses.check_body(body)
        return openai_responses.read_prompt(body)
    openai_chat.check_body(body)
    return openai_chat.read_prompt(body)


def _embed(model: Model, body: dict[str, Any]) -> tuple[int, Callable[[], dict[str, Any]]]:
    """The input tokens of a body, which is checked, and what writes its answer."""
    match model.family:
        case "cohere-embedding":
            cohere_embedding.check_body(body, model.id)
            tokens = cohere_embedding.input_tokens(body)
            return tokens, partial(cohere_embedding.write_response, body, model.id)
        case "nova-embedding":
            nova_embedding.check_body(body)
            return nova_embedding.input_tokens(body), partial(nova_embedding.write_response, body)
        case _:
            titan_embedding.check_body(body)
            return titan_embedding.input_tokens(body), partial(titan_embedding.write_response, body)


def _writers(
    call: Call, model: Model, given: Answer, latency_seconds: float, body: dict[str, Any]
) -> tuple[Callable[[], dict[str, Any]], Callable[[], Iterator[StreamEvent]]]:
    if call.operation.startswith("Converse"):
        return (
            partial(converse.write_response, given, latency_seconds),
            partial(converse.write_events, given, latency_seconds),
        )
    if call.operation == "Responses":
        return (
            partial(openai_responses.write_response, given, call.model, call.number),
            partial(openai_responses.write_events, given, call.model, call.number),
        )
    if call.operation == "ChatCompletions":
        include_usage = bool((body.get("stream_options") or {}).get("include_usage"))
        return (
            partial(openai_chat.write_response, given, call.model, call.number),
            partial(openai_chat.write_events, given, call.model, call.number, include_usage=include_usage),
        )
    return (
        partial(anthropic_messages.write_response, given, model.id, call.number),
        partial(anthropic_messages.write_events, given, model.id, call.number, latency_seconds),
    )


def model_in_body(raw: bytes) -> str:
    """The model that an OpenAI body names; none if it does not."""
    try:
        return str(_parse_json(raw).get("model", ""))
    except ServiceError:
        return ""


def _parse_native(raw: bytes) -> dict[str, Any]:
    """The body of a model's own format, which the model itself would parse."""
    try:
        return _parse_json(raw)
    except ServiceError:
        raise invalid("Malformed input request, please reformat your input and try again.") from None


def _parse_json(raw: bytes) -> dict[str, Any]:
    try:
        body = json.loads(raw)
    except (UnicodeDecodeError, json.JSONDecodeError):
        raise ServiceError("SerializationException", "The request body is not valid JSON.") from None
    if not isinstance(body, dict):
        raise ServiceError("SerializationException", "The request body is not a JSON object.")
    return body
