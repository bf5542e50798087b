"""Tool calls as text, the way Hermes models, Qwen 2.5/3 and SmolLM3 write them: `<tool_call>` around JSON.

Chat templates that know no tools are given this text, the grammar lets nothing else out, and the parser reads it
back. Knows no template, grammar or parser.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from dmem_agents.messages import ToolCall

CALL_OPENING = "<tool_call>"
CALL_CLOSING = "</tool_call>"

_TOOLS = """\
# Tools

You may call one or more functions to assist with the user query.

You are provided with function signatures within <tools></tools> XML tags:
<tools>
{signatures}
</tools>

For each function call, return a json object with function name and arguments within <tool_call></tool_call> \
XML tags:
<tool_call>
{{"name": <function-name>, "arguments": <args-json-object>}}
</tool_call>"""


def tools_text(tools: Sequence[Mapping[str, Any]]) -> str:
    """The part of a system prompt that offers tools, given as JSON schemas in the OpenAI function format."""
    return _TOOLS.format(signatures="\n".join(json.dumps(tool, ensure_ascii=False) for tool in tools))


def call_text(call: ToolCall) -> str:
    """One call as a model writes it."""
    body = json.dumps({"name": call.name, "arguments": dict(call.arguments)}, ensure_ascii=False)
    return f"{CALL_OPENING}\n{body}\n{CALL_CLOSING}"


def result_text(content: str) -> str:
    """A tool's result as it is shown to the model, inside a user message."""
    return f"<tool_response>\n{content}\n</tool_response>"
