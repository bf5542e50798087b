"""Tools, choices and schemas of LlamaIndex in the forms the chat model's calls take, and calls on their way back."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

from llama_index.core.base.llms.types import ChatResponse, ToolCallBlock
from llama_index.core.llms.llm import ToolSelection
from llama_index.core.tools import BaseTool, FunctionTool

from dmem_agents import ConfigError, ToolCallError, ToolSchema


def to_schema(tool: BaseTool) -> ToolSchema:
    """A tool's name, description and parameters.

    Raises:
        ConfigError: calls of the tool can't be described in JSON, or not be made with what describes them.
    """
    name = tool.metadata.name
    if not name:
        raise ConfigError(f"Expected a tool with a name, got a `{type(tool).__name__}` without. Pass name=... to it.")
    try:
        _resolve_annotations(tool)
        parameters = tool.metadata.get_parameters_dict()
    except Exception as error:  # whatever pydantic raises for a type that it has no JSON schema for
        raise ConfigError(
            f"Expected parameters that JSON can hold in the signature of tool {name!r}: {_first_line(error)} Annotate "
            "them as str, int, float, bool, list, dict, Literal, Enum or pydantic models, or pass fn_schema=..."
        ) from error
    _check_signature(tool, name, list(parameters.get("properties", {})))
    return ToolSchema(name=name, description=tool.metadata.description or "", parameters=parameters)


def to_openai(tools: Sequence[Any]) -> list[Any]:
    """The OpenAI function format of LlamaIndex tools; what is given in it already stays.

    Raises:
        ConfigError: as `to_schema`.
    """
    return [to_schema(tool).as_openai() if isinstance(tool, BaseTool) else tool for tool in tools]


def choice_of(tool_choice: Any, *, required: bool) -> str:
    """Every form of a choice: a name, "auto", "none", "any", "required", a bool, OpenAI's dict; None: see `required`.

    Raises:
        ConfigError: something else.
    """
    match tool_choice:
        case None:
            return "required" if required else "auto"
        case "any" | True:
            return "required"
        case False:
            return "none"
        case str():
            return tool_choice
        case {"type": "function", "function": {"name": str() as name}} | {"type": "tool", "name": str() as name}:
            return name
    raise ConfigError(f'Expected tool_choice as a text, a bool or {{"type": "function", ...}}, got {tool_choice!r}.')


def answer_format(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A response format that asks for an answer of this JSON schema."""
    return {"type": "json_schema", "json_schema": {"name": schema.get("title", "answer"), "schema": dict(schema)}}


def selections(response: ChatResponse) -> list[ToolSelection]:
    """The calls of an answer, whole or so far. Never raises; costs nothing, for the calls are parsed already."""
    return [
        ToolSelection(
            tool_id=block.tool_call_id or "",
            tool_name=block.tool_name,
            tool_kwargs=block.tool_kwargs if isinstance(block.tool_kwargs, dict) else {},
        )
        for block in response.message.blocks
        if isinstance(block, ToolCallBlock)
    ]


def no_call(response: ChatResponse) -> ToolCallError:
    """The error for an answer without a call where one was expected."""
    invalid = response.additional_kwargs.get("invalid_tool_calls")
    if invalid:
        return ToolCallError(
            f"Expected a call of a tool; the one of {invalid[0]['name']!r} can't be made: {invalid[0]['error']} The "
            f"answer ended with finish_reason {response.additional_kwargs.get('finish_reason')!r}: raise max_tokens, "
            "or bound the texts and lists of the tool's parameters."
        )
    return ToolCallError(
        "Expected a call of a tool; the model answered in words. Pass tool_required=True or tool_choice=... to have "
        "one, or error_on_no_tool_call=False to take the words."
    )


def _resolve_annotations(tool: BaseTool) -> None:
    """Finish the schema of a function from a module with `from __future__ import annotations`; LlamaIndex doesn't."""
    schema = tool.metadata.fn_schema
    if isinstance(tool, FunctionTool) and schema is not None and not schema.__pydantic_complete__:
        schema.model_rebuild(_types_namespace=getattr(inspect.unwrap(tool.real_fn), "__globals__", {}))


def _check_signature(tool: BaseTool, name: str, parameters: list[str]) -> None:
    """Refuse functions that can't be called with the arguments of their schema by name.

    A single argument is no matter: LlamaIndex then passes it by position where it must.
    """
    if not isinstance(tool, FunctionTool) or len(parameters) < 2:
        return
    try:
        inspect.signature(tool.real_fn).bind_partial(**dict.fromkeys(parameters))
    except TypeError as error:
        raise ConfigError(
            f"Expected a function that takes its arguments by name as tool {name!r}: {error}. A call brings "
            f"{', '.join(map(repr, parameters))}: drop `/` and `*args` from the signature, or wrap the function."
        ) from error
    except ValueError:  # built-in functions show no signature
        return


def _first_line(error: Exception) -> str:
    line = str(error).partition("\n")[0].rstrip(".")
    return f"{line}."
