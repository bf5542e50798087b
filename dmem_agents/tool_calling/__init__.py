"""Tools a model may call: their schemas, a grammar that lets only valid calls out, and a parser for what came.

    tools, tool_choice, response_schema ─grammar─▶ text for llguidance
    answer's text ─parse_tool_calls─▶ content, calls, invalid calls

Calls are text as the model's `CallFormat` spells it. Knows no chat template, tokenizer or framework.

- `schemas`  `ToolSchema`, `InvalidToolCall`, and whether a choice fits the tools
- `grammar`  what an answer may look like
- `parsing`  what an answer says
"""

from dmem_agents.tool_calling.grammar import grammar
from dmem_agents.tool_calling.parsing import content_length, new_call_prefix, parse_tool_calls
from dmem_agents.tool_calling.schemas import InvalidToolCall, ToolSchema, check_tool_choice

__all__ = [
    "InvalidToolCall",
    "ToolSchema",
    "check_tool_choice",
    "content_length",
    "grammar",
    "new_call_prefix",
    "parse_tool_calls",
]
