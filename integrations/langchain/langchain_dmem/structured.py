"""What LangChain's callers say about tools and output schemas, in the forms the chat model's calls take."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import Any

from langchain_core.exceptions import OutputParserException
from langchain_core.output_parsers import BaseOutputParser, JsonOutputParser, PydanticOutputParser
from langchain_core.output_parsers.openai_tools import JsonOutputKeyToolsParser, PydanticToolsParser
from langchain_core.outputs import Generation
from langchain_core.runnables import Runnable, RunnableMap, RunnablePassthrough
from langchain_core.utils.function_calling import convert_to_openai_tool
from langchain_core.utils.pydantic import is_basemodel_subclass

from dmem_agents import ConfigError

_FORCED = ("any", "required")


def tool_choice_name(choice: Any, names: Sequence[str]) -> str:
    """Every form LangChain knows: a name, "auto", "none", "any", "required", a bool, or OpenAI's dict.

    Raises:
        ConfigError: something else.
    """
    match choice:
        case None | False:
            return "auto"
        case True:
            return "required"
        case str():
            return choice if choice in names else "required" if choice in _FORCED else choice
        case {"type": "function", "function": {"name": str() as name}} | {"type": "tool", "name": str() as name}:
            return name
    raise ConfigError(f'Expected tool_choice as a text, a bool or {{"type": "function", ...}}, got {choice!r}.')


def schema_function(schema: Any) -> Mapping[str, Any]:
    """Name and parameters of a pydantic class, TypedDict, JSON schema or tool."""
    function: Mapping[str, Any] = convert_to_openai_tool(schema)["function"]
    return function


def json_schema_format(schema: Any) -> dict[str, Any]:
    """A response format that asks for an answer of this schema."""
    function = schema_function(schema)
    return {"type": "json_schema", "json_schema": {"name": function["name"], "schema": function["parameters"]}}


def calls_parser(schema: Any) -> BaseOutputParser[Any]:
    """Reads the first call of the tool that a schema was bound as."""
    if isinstance(schema, type) and is_basemodel_subclass(schema):
        return PydanticToolsParser(tools=[schema], first_tool_only=True)
    return JsonOutputKeyToolsParser(key_name=schema_function(schema)["name"], first_tool_only=True)


class _WholeJsonParser(JsonOutputParser):
    """Reads JSON that is all there: LangChain's own parser closes what was cut off, and gives a part for the whole."""

    def parse_result(self, result: list[Generation], *, partial: bool = False) -> Any:
        """The object; of a stream's pieces (`partial`) what there is of it so far."""
        if not partial:
            try:
                json.loads(result[0].text)
            except ValueError as error:
                text = result[0].text
                raise OutputParserException(
                    f"Expected whole JSON; the answer ends within it: {text!r}. Allow more tokens (max_tokens).",
                    llm_output=text,
                ) from error
        return super().parse_result(result, partial=partial)


class _WholePydanticParser(_WholeJsonParser, PydanticOutputParser[Any]):
    """The same for an object of a pydantic class."""


def text_parser(schema: Any) -> BaseOutputParser[Any]:
    """Reads an answer that is JSON."""
    if isinstance(schema, type) and is_basemodel_subclass(schema):
        return _WholePydanticParser(pydantic_object=schema)
    return _WholeJsonParser()


def parsed_by(llm: Runnable[Any, Any], parser: BaseOutputParser[Any], *, include_raw: bool) -> Runnable[Any, Any]:
    """What the parser makes of the answer; with `include_raw` beside the answer itself, errors included."""
    if not include_raw:
        return llm | parser
    parsed = RunnablePassthrough.assign(parsed=itemgetter("raw") | parser, parsing_error=lambda _: None)
    failed = RunnablePassthrough.assign(parsed=lambda _: None)
    return RunnableMap(raw=llm) | parsed.with_fallbacks([failed], exception_key="parsing_error")
