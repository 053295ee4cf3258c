"""OpenAI's tools and tool choice as Converse's toolConfig."""

import re
from typing import Any

from gateway.errors import GatewayError, invalid_request
from gateway.openai.chat_types import ChatCompletionRequest, FunctionDefinition, NamedToolChoice, Tool
from gateway.providers.bedrock.converse_content import Block, add_cache_point

_TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_NO_PARAMETERS = {"type": "object", "properties": {}}


def check_tool_name(name: str, path: str) -> None:
    """Raise GatewayError 400 if Converse would refuse a tool's name."""
    if not _TOOL_NAME.fullmatch(name):
        message = f"{path} is {name[:100]!r}; allowed: 1 to 64 letters, digits, underscores and hyphens."
        raise invalid_request(message, param=path, code="invalid_value")


def tools_offered(request: ChatCompletionRequest) -> bool:
    """Whether the model may call tools."""
    return bool(request.tools) and request.tool_choice != "none"


def tool_config(request: ChatCompletionRequest) -> Block | None:
    """Converse's toolConfig, None where the model may not call tools; raises GatewayError 400."""
    names = _checked_names(request.tools or [])
    choice = _tool_choice(request, names)
    if not tools_offered(request):
        return None
    tools: list[Block] = []
    for index, tool in enumerate(request.tools or ()):
        tools.append({"toolSpec": _tool_spec(tool.function, f"tools[{index}].function")})
        add_cache_point(tools, tool.cache_control)
    return {"tools": tools} if choice is None else {"tools": tools, "toolChoice": choice}


def serial_tool_choice(config: Block, foundation_model: str) -> Block:
    """The model's own fields that limit it to one call at a time.

    They hold its tool choice, too, so that is taken out of Converse's config. Raises GatewayError 400
    for models that have no such limit.
    """
    if not foundation_model.startswith("anthropic."):
        raise invalid_request(
            "parallel_tool_calls: false is not supported: this model cannot be limited to one call at a "
            "time; leave it out.",
            param="parallel_tool_calls",
            code="unsupported_value",
        )
    match config.pop("toolChoice", None):
        case {"any": _}:
            choice: Block = {"type": "any"}
        case {"tool": {"name": name}}:
            choice = {"type": "tool", "name": name}
        case _:
            choice = {"type": "auto"}
    return {"tool_choice": choice | {"disable_parallel_tool_use": True}}


def _checked_names(tools: list[Tool]) -> set[str]:
    names: set[str] = set()
    for index, tool in enumerate(tools):
        path = f"tools[{index}].function.name"
        name = tool.function.name
        check_tool_name(name, path)
        if name in names:
            raise invalid_request(f"{path} {name!r} is used twice; each tool needs its own.", param=path)
        names.add(name)
    return names


def _tool_spec(function: FunctionDefinition, path: str) -> Block:
    spec: Block = {"name": function.name, "inputSchema": {"json": _input_schema(function.parameters, path)}}
    if function.description:
        spec["description"] = function.description
    if function.strict:
        spec["strict"] = True
    return spec


def _input_schema(parameters: dict[str, Any] | None, path: str) -> dict[str, Any]:
    """The schema with the type that Converse insists on."""
    if not parameters:
        return _NO_PARAMETERS
    if "type" not in parameters:
        return {"type": "object", **parameters}
    if parameters["type"] != "object":
        path = f"{path}.parameters.type"
        message = (
            f"{path} is {str(parameters['type'])[:100]!r}; allowed: 'object', as arguments are an object."
        )
        raise invalid_request(message, param=path, code="invalid_value")
    return parameters


def _tool_choice(request: ChatCompletionRequest, names: set[str]) -> Block | None:
    match request.tool_choice:
        case None | "auto" | "none":
            return None
        case "required":
            if not names:
                raise _bad_choice("tool_choice", "required needs tools; add some or leave it out")
            return {"any": {}}
        case NamedToolChoice(function=function):
            if function.name not in names:
                allowed = ", ".join(sorted(names)) or "nothing, as there are no tools"
                raise _bad_choice("tool_choice.function.name", f"{function.name[:100]!r}; allowed: {allowed}")
            return {"tool": {"name": function.name}}
        case _:
            raise _bad_choice(
                "tool_choice", "allowed_tools is not supported; send only the tools that are allowed"
            )


def _bad_choice(path: str, problem: str) -> GatewayError:
    return invalid_request(f"{path}: {problem}.", param=path, code="invalid_value")
