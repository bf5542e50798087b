"""A tokenizer's chat template as a function from messages to text, with its refusals smoothed over.

Templates differ in what they take: some know no system role or no tools, some insist on alternating
roles, some open with a user message only. What a template takes is probed once, with tiny chats, and
messages are reshaped accordingly. Knows nothing of token ids.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import jinja2

from dmem_agents.call_formats import HERMES, CallFormat, format_in
from dmem_agents.errors import TemplateError
from dmem_agents.hermes import call_text, result_text, tools_text
from dmem_agents.messages import Message

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_NO_CALL = "000000000"
"""The call of a result whose call is text (`ReActAgent` writes it so): Mistral's templates want nine characters."""
_RENDER_ERRORS = (jinja2.TemplateError, TypeError, ValueError, KeyError, AttributeError, IndexError)


@dataclass(frozen=True, kw_only=True, slots=True)
class TemplateTraits:
    """What a chat template takes as it is; everything else is reshaped before it is rendered."""

    system: bool
    """A system message first, shown before the chat (not inside its last message)."""
    several_systems: bool
    """Two system messages in a row."""
    later_system: bool
    """A system message between the others."""
    repeated_roles: bool
    """Two messages of one role in a row."""
    assistant_first: bool
    """A chat that opens with an assistant message."""
    tools: bool
    """Tool schemas, tool calls and tool results in the model's own format."""
    nine_character_ids: bool
    """Ids of tool calls of nine letters and digits alone (only asked when `tools`): Mistral's."""
    parallel_calls: bool
    """Several tool calls in one message (only asked when `tools`)."""
    call_format: CallFormat
    """How a tool call is spelt; the Hermes block where the template knows no tools."""


class ChatTemplate:
    """The chat template of one tokenizer. `enable_thinking=False` is always passed (Qwen3, SmolLM3).

    Raises:
        TemplateError: The tokenizer has no chat template, or its template can't render one user message.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        self._tokenizer = tokenizer
        self._name = str(getattr(tokenizer, "name_or_path", "") or type(tokenizer).__name__)
        if not getattr(tokenizer, "chat_template", None):
            raise TemplateError(
                f"The tokenizer of {self._name!r} has no chat template. Use an instruct (chat) model, or set "
                "`tokenizer.chat_template`."
            )
        self.bos_token = str(getattr(tokenizer, "bos_token", None) or "")
        """What the template may put before everything; "" when the tokenizer has none."""
        self._render([{"role": "user", "content": "Alpha"}])
        self.traits = self._probe()

    def text(
        self,
        messages: Sequence[Message],
        *,
        tools: Sequence[Mapping[str, Any]] = (),
        add_generation_prompt: bool = False,
    ) -> str:
        """The chat as the model reads it.

        Args:
            messages: The chat, in order.
            tools: JSON schemas in the OpenAI function format.
            add_generation_prompt: End with the header of the assistant message to come.

        Raises:
            TemplateError: The template refuses the chat even after reshaping.
        """
        native_tools = list(tools) if tools and self.traits.tools else None
        return self._render(self._reshape(messages, tools), native_tools, add_generation_prompt)

    def shown_content(self, message: Message) -> str:
        """The message's text as handed to the template: with tool calls and results, where those are text."""
        if self.traits.tools:
            return message.content
        return str(_hermes(message)["content"])

    def _reshape(self, messages: Sequence[Message], tools: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        traits = self.traits
        if tools and traits.tools:
            # Templates with tools look for the one system message and the first user message to put them in.
            traits = replace(traits, several_systems=False, assistant_first=False)
        entries = [entry for message in messages for entry in self._entries(message)]
        if tools and not traits.tools:
            entries = _add_system_text(entries, tools_text(tools))
        entries = _place_systems(entries, traits)
        if not traits.repeated_roles:
            entries = _merge_repeated_roles(entries)
        if not traits.assistant_first:
            opening = next((i for i, entry in enumerate(entries) if entry["role"] != "system"), None)
            if opening is not None and entries[opening]["role"] != "user":
                entries.insert(opening, {"role": "user", "content": ""})
        return entries if traits.repeated_roles else _fill_missing_roles(entries)

    def _entries(self, message: Message) -> list[dict[str, Any]]:
        if not self.traits.tools:
            return [_hermes(message)]
        entry: dict[str, Any] = {"role": message.role, "content": message.content}
        if message.name is not None:
            entry["name"] = message.name
        if message.role == "tool":
            entry["tool_call_id"] = self._shown_id(message.tool_call_id or _NO_CALL)
        calls = [
            {
                "id": self._shown_id(call.id),
                "type": "function",
                "function": {"name": call.name, "arguments": dict(call.arguments)},
            }
            for call in message.tool_calls
        ]
        if not calls:
            return [entry]
        if self.traits.parallel_calls:
            return [{**entry, "tool_calls": calls}]
        return [{**entry, "content": "" if i else message.content, "tool_calls": [c]} for i, c in enumerate(calls)]

    def _shown_id(self, call_id: str) -> str:
        """A call's id as the template takes it; a foreign one is shown as nine characters that stand for it."""
        if not self.traits.nine_character_ids or re.fullmatch("[A-Za-z0-9]{9}", call_id):
            return call_id
        return hashlib.sha256(call_id.encode("utf-8", "surrogatepass")).hexdigest()[:9]

    def _render(
        self,
        entries: list[dict[str, Any]],
        tools: list[Mapping[str, Any]] | None = None,
        add_generation_prompt: bool = False,
    ) -> str:
        try:
            text = self._tokenizer.apply_chat_template(
                entries,
                tools=tools,  # type: ignore[arg-type]  # annotated as list[dict]
                add_generation_prompt=add_generation_prompt,
                tokenize=False,
                enable_thinking=False,
            )
        except _RENDER_ERRORS as error:
            roles = ", ".join(entry["role"] for entry in entries)
            raise TemplateError(
                f"The chat template of {self._name!r} can't render messages with the roles {roles}: {error}. "
                "Send messages that the model was trained for, or set `tokenizer.chat_template`."
            ) from error
        return str(text)

    def _probe(self) -> TemplateTraits:
        system, user, assistant = ({"role": role} for role in ("system", "user", "assistant"))

        def shows(*chat: dict[str, str]) -> bool:
            words = ("Alpha", "Bravo", "Charlie", "Delta")[: len(chat)]
            entries = [{**entry, "content": word} for entry, word in zip(chat, words, strict=True)]
            return self._shows(entries, words)

        shows_system = shows(system, user) and shows(system, user, assistant, user)
        tools = self._probe_tools(calls=1)
        return TemplateTraits(
            system=shows_system,
            several_systems=shows(system, system, user),
            later_system=shows(user, assistant, system, user),
            repeated_roles=shows(user, user, assistant, assistant),
            assistant_first=shows(assistant)
            and shows(assistant, user)
            and (not shows_system or shows(system, assistant, user)),
            tools=tools,
            nine_character_ids=tools and not self._probe_tools(calls=1, id_prefix="call_"),
            parallel_calls=self._probe_tools(calls=2),
            call_format=format_in(self._render(*_tool_chat(1)), "bravo", {"delta": "Echo"}) if tools else HERMES,
        )

    def _probe_tools(self, *, calls: int, id_prefix: str = "") -> bool:
        entries, tools = _tool_chat(calls, id_prefix=id_prefix)
        names = ("bravo", "charlie")[:calls]
        return self._shows(entries, ("Foxtrot", *names, "Echo", "Golf", "Hotel"), tools=tools) and self._shows(
            entries, ("Alpha",), tools=tools
        )

    def _shows(
        self,
        entries: list[dict[str, Any]],
        words: Sequence[str],
        *,
        tools: list[Mapping[str, Any]] | None = None,
    ) -> bool:
        try:
            text = self._render(entries, tools)
        except TemplateError:
            return False
        # Searched from the end, since a template may list tools before the chat that calls them.
        end = len(text)
        for word in reversed(words):
            end = text.rfind(word, 0, end)
            if end < 0:
                return False
        return True


def _tool_chat(calls: int, *, id_prefix: str = "") -> tuple[list[dict[str, Any]], list[Mapping[str, Any]]]:
    """A chat with so many tool calls, and the tool on offer. Without a prefix their ids have nine characters."""
    names = ("bravo", "charlie")[:calls]
    parameters = {"type": "object", "properties": {"delta": {"type": "string"}}}
    function = {"name": "bravo", "description": "Alpha", "parameters": parameters}
    made = [
        {
            "id": f"{id_prefix}call{number:05}",
            "type": "function",
            "function": {"name": name, "arguments": {"delta": "Echo"}},
        }
        for number, name in enumerate(names)
    ]
    entries: list[dict[str, Any]] = [
        {"role": "user", "content": "Foxtrot"},
        {"role": "assistant", "content": "", "tool_calls": made},
        {"role": "tool", "content": "Golf", "tool_call_id": made[0]["id"], "name": names[0]},
        {"role": "assistant", "content": "Hotel"},
    ]
    tools: list[Mapping[str, Any]] = [{"type": "function", "function": function}]
    return entries, tools


def _hermes(message: Message) -> dict[str, Any]:
    """The message without tool fields: calls and results as text, as Hermes models and Qwen write them."""
    if message.role == "tool":
        return {"role": "user", "content": result_text(message.content)}
    calls = [call_text(call) for call in message.tool_calls]
    return {"role": message.role, "content": "\n".join([message.content, *calls] if message.content else calls)}


def _add_system_text(entries: list[dict[str, Any]], text: str) -> list[dict[str, Any]]:
    """Append `text` to the first message when that is the system's; else put a system message first."""
    if entries and entries[0]["role"] == "system":
        return [{"role": "system", "content": _join(entries[0]["content"], text)}, *entries[1:]]
    return [{"role": "system", "content": text}, *entries]


def _place_systems(entries: list[dict[str, Any]], traits: TemplateTraits) -> list[dict[str, Any]]:
    """Join or fold the system messages that the template can't show where they stand."""
    placed: list[dict[str, Any]] = []
    pending = ""
    for entry in entries:
        leading = all(earlier["role"] == "system" for earlier in placed) and not pending
        if entry["role"] != "system":
            if pending and entry["role"] == "user":
                entry = {**entry, "content": _join(pending, entry["content"])}
            elif pending:
                placed.append({"role": "user", "content": pending})
            pending = ""
            placed.append(entry)
        elif not (traits.system if leading else traits.later_system):
            pending = _join(pending, entry["content"])
        elif placed and placed[-1]["role"] == "system" and not traits.several_systems:
            placed[-1] = {**entry, "content": _join(placed[-1]["content"], entry["content"])}
        else:
            placed.append(entry)
    return [*placed, {"role": "user", "content": pending}] if pending else placed


def _merge_repeated_roles(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    merged: list[dict[str, Any]] = []
    for entry in entries:
        if merged and entry["role"] == merged[-1]["role"] and entry["role"] in ("user", "assistant"):
            last = merged[-1]
            calls = [*last.get("tool_calls", ()), *entry.get("tool_calls", ())]
            merged[-1] = {**last, "content": _join(last["content"], entry["content"])}
            if calls:
                merged[-1]["tool_calls"] = calls
        else:
            merged.append(entry)
    return merged


def _fill_missing_roles(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Empty messages where roles still don't alternate: around tool calls that were never answered.

    Templates that take tools and insist on alternation (Mistral's) leave calls and results out of the count.
    """
    filled: list[dict[str, Any]] = []
    last = ""
    for entry in entries:
        if entry["role"] in ("user", "assistant") and not entry.get("tool_calls"):
            if entry["role"] == last:
                filled.append({"role": "user" if last == "assistant" else "assistant", "content": ""})
            last = entry["role"]
        filled.append(entry)
    return filled


def _join(first: str, second: str) -> str:
    return f"{first}\n\n{second}" if first and second else first or second
