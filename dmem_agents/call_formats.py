"""How models spell tool calls, and which spelling a chat template uses.

    Hermes, Qwen 2.5/3, SmolLM3    <tool_call> {"name": "f", "arguments": {}} </tool_call>, on three lines
    Llama 3.x                      {"name": "f", "parameters": {}}       perhaps behind <|python_tag|>
    Mistral                        [TOOL_CALLS] [{"name": "f", "arguments": {}}]
    Mistral, later                 [TOOL_CALLS]f[ARGS]{}

Knows no grammar, parser or tokenizer.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from typing import Any

from dmem_agents.hermes import CALL_CLOSING, CALL_OPENING


@dataclass(frozen=True, kw_only=True, slots=True)
class CallFormat:
    """The text around a call's name and arguments: opening, lead, calls with separators between, closing."""

    opening: str
    """Marker that begins calls wherever it stands in an answer."""
    opening_is_optional: bool = False
    """An answer may also begin with a call and no marker."""
    lead: str = ""
    """Between the marker and the first call."""
    before_name: str = '{"name": '
    """A call's beginning."""
    quotes_name: bool = True
    """Whether the name is a JSON string, or stands as it is."""
    after_name: str = ', "arguments": '
    """Between a call's name and its arguments."""
    after_arguments: str = "}"
    """A call's end."""
    separator: str
    """Between calls."""
    closing: str = ""
    """After the last call."""

    @property
    def markers(self) -> tuple[str, ...]:
        """Texts that a tokenizer may have as one token."""
        pieces = (self.opening, self.after_name, self.after_arguments.strip("}\n"), self.separator)
        found = [mark for piece in pieces for mark in re.findall(r"\[[A-Z_]+\]|<\|?/?\w+\|?>", piece)]
        return tuple(dict.fromkeys(found))

    def spelt(self, name: str) -> str:
        """A tool's name in this format."""
        return json.dumps(name, ensure_ascii=False) if self.quotes_name else name


HERMES = CallFormat(
    opening=CALL_OPENING,
    lead="\n",
    after_arguments=f"}}\n{CALL_CLOSING}",
    separator=f"\n{CALL_OPENING}\n",
)
"""Also the format of templates that know no tools: `hermes` shows it to the model."""
LLAMA = CallFormat(opening="<|python_tag|>", opening_is_optional=True, after_name=', "parameters": ', separator="; ")
MISTRAL = CallFormat(opening="[TOOL_CALLS]", lead="[", separator=", ", closing="]")
MISTRAL_ARGS = CallFormat(
    opening="[TOOL_CALLS]",
    before_name="",
    quotes_name=False,
    after_name="[ARGS]",
    after_arguments="",
    separator="[TOOL_CALLS]",
)


def format_in(rendered: str, name: str, arguments: dict[str, Any]) -> CallFormat:
    """The format that a rendered chat with this call in it uses; `HERMES` when it is none of the known ones.

    Args:
        rendered: what a chat template made of the chat.
        name: the called tool's.
        arguments: the call's.
    """
    if re.search(rf"\[TOOL_CALLS\]\s*{re.escape(name)}(\[CALL_ID\][^\[]*)?\[ARGS\]", rendered):
        return MISTRAL_ARGS
    body = rf'\{{"name": "{re.escape(name)}", "(arguments|parameters)": {re.escape(json.dumps(arguments))}'
    if found := re.search(rf"\[TOOL_CALLS\](\s*\[\s*){body}", rendered):
        return replace(MISTRAL, lead=found[1])
    if found := re.search(rf"{CALL_OPENING}(\s*){body}\}}(\s*){CALL_CLOSING}", rendered):
        lead, tail = found[1], found[3]
        return replace(
            HERMES,
            lead=lead,
            after_arguments=f"}}{tail}{CALL_CLOSING}",
            separator=f"\n{CALL_OPENING}{lead}",
        )
    found = re.search(body, rendered)
    return LLAMA if found and found[1] == "parameters" else HERMES
