"""Which character of a rendered chat belongs to which message. Text only, no token ids.

The rule (`delta-mem.md` §6.1): what rendering one message more adds to the text belongs to that message,
so its role header and end-of-turn mark are its own. We compare texts where the reference compares token
ids, and look each boundary up in the tokenizer's offsets later: the chat is tokenised once, not n times.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dmem_agents.errors import TemplateError
from dmem_agents.messages import Message, ToolCall
from dmem_agents.tokenization.template import ChatTemplate

NOBODY = -1
"""Owner of what the template adds by itself: BOS, a default system prompt, tool schemas, headers to come."""

_MAX_ROLLBACK_CHARS = 128
_MIN_ANCHOR_CHARS = 8

_USER = Message(role="user", content="Alpha")
_ASSISTANT = Message(role="assistant", content="Bravo")
_CALL = Message(role="assistant", tool_calls=(ToolCall(id="call00001", name="bravo"),))
_PREDECESSORS: Mapping[str, tuple[Message, ...]] = {
    "user": (_USER, _ASSISTANT),
    "assistant": (_USER,),
    "tool": (_USER, _CALL),
}


def attribute(
    template: ChatTemplate,
    messages: Sequence[Message],
    *,
    tools: Sequence[Mapping[str, Any]] = (),
    add_generation_prompt: bool = False,
) -> tuple[str, list[int]]:
    """Render a chat and name the owner of each character.

    Args:
        template: The chat template.
        messages: The chat, in order.
        tools: JSON schemas in the OpenAI function format; their text belongs to nobody.
        add_generation_prompt: Add the header of the assistant message to come; it belongs to nobody.

    Returns:
        The text, and per character the index into `messages`, or `NOBODY`.

    Raises:
        TemplateError: The template refuses the chat, or rewrites earlier messages beyond recognition when
            a later one is added.
    """
    text, grown = _grow(template, messages, ())
    owners = _disown_preamble(template, messages, text, grown)
    if tools:
        plain, plain_owners = text, owners
        text, owners_with_tools = _grow(template, messages, tools)
        contents = [template.shown_content(message).strip() for message in messages]
        owners = _disown_insertions(plain, grown, plain_owners, text, owners_with_tools, contents)
    if add_generation_prompt:
        opened = template.text(messages, tools=tools, add_generation_prompt=True)
        owners = _extend(text, owners, opened, NOBODY)
        text = opened
    return text, owners


def _grow(
    template: ChatTemplate, messages: Sequence[Message], tools: Sequence[Mapping[str, Any]]
) -> tuple[str, list[int]]:
    """Render ever longer prefixes of the chat; each message owns what it added.

    System messages that open the chat count as the first of them: nothing needs to tell them apart.
    """
    text = ""
    owners: list[int] = []
    systems = next((i for i, message in enumerate(messages) if message.role != "system"), len(messages))
    for end in range(max(systems, 1), len(messages) + 1):
        try:
            longer = template.text(messages[:end], tools=tools)
        except TemplateError:
            # Some templates refuse a chat of system messages alone; the next message adds them then.
            if end == systems < len(messages):
                continue
            raise
        owners = _extend(text, owners, longer, 0 if end == systems else end - 1)
        text = longer
    return text, owners


def _extend(text: str, owners: list[int], longer: str, owner: int) -> list[int]:
    """Owners of `longer`, which renders what `text` renders and something of `owner` more.

    A template may take back the end of `text` (an end mark shown on the last message only), or drop
    something inside it while the rest stays (Qwen3 shows an empty think block in the last answer only).
    """
    if longer.startswith(text):
        return owners + [owner] * (len(longer) - len(text))
    shared = _common_prefix(text, longer)
    lost, rest = text[shared:], longer[shared:]
    kept = next((len(lost) - i for i in range(1, len(lost)) if rest.startswith(lost[i:])), 0)
    if len(lost) > _MAX_ROLLBACK_CHARS and kept < _MIN_ANCHOR_CHARS:
        raise TemplateError(
            "Expected the chat template to leave the text of earlier messages in place; adding message "
            f"{owner} changed the last {len(lost)} characters before it. Set a `tokenizer.chat_template` "
            "that renders each message the same way whatever follows it."
        )
    return owners[:shared] + owners[len(text) - kept :] + [owner] * (len(rest) - kept)


def _disown_preamble(template: ChatTemplate, messages: Sequence[Message], text: str, owners: list[int]) -> list[int]:
    """Take BOS and the template's own system prompt away from the first message.

    How a message of its role looks later in a chat tells what is its own.
    """
    owners = list(owners)
    first = next((i for i, message in enumerate(messages) if message.role != "system"), None)
    if first != 0 and template.bos_token and text.startswith(template.bos_token):
        owners[: len(template.bos_token)] = [NOBODY] * len(template.bos_token)
    if first is None or first not in owners:
        return owners
    start = owners.index(first)
    opening = template.text(messages[: first + 1])[start:]
    later = _later_text(template, messages[first])
    own = _common_suffix(opening, later)
    content = template.shown_content(messages[first]).strip()
    if own and (content in opening[len(opening) - own :] or content not in opening):
        end = start + len(opening) - own
        before = 0 if first and 0 not in owners else NOBODY
        owners[start:end] = [before if owner == first else owner for owner in owners[start:end]]
    return owners


def _later_text(template: ChatTemplate, message: Message) -> str:
    """What `message` adds to a chat that already has begun."""
    predecessors = _PREDECESSORS[message.role]
    begun = template.text(predecessors)
    longer = template.text([*predecessors, message])
    owners = _extend(begun, [0] * len(begun), longer, 1)
    return longer[owners.index(1) :] if 1 in owners else ""


def _disown_insertions(
    plain: str,
    plain_grown: list[int],
    plain_owners: list[int],
    text: str,
    grown: list[int],
    contents: Sequence[str],
) -> list[int]:
    """Owners of `text`, the chat `plain` with tool schemas in it: what they inserted belongs to nobody."""
    owners: list[int] = []
    for owner in dict.fromkeys(grown):
        new = text[grown.index(owner) :][: grown.count(owner)]
        start = plain_grown.index(owner) if owner in plain_grown else 0
        old = plain[start:][: plain_grown.count(owner)]
        kept = plain_owners[start : start + len(old)]
        suffix = _common_suffix(old, new)
        prefix = _common_prefix(old[: len(old) - suffix], new[: len(new) - suffix])
        # Where the schemas changed two places, as Llama 3.1's do, all between them and the content is theirs.
        replaced = kept[prefix : len(old) - suffix]
        whole = bool(contents[owner]) and contents[owner] in new[len(new) - suffix :]
        inserted = NOBODY if whole or all(was == NOBODY for was in replaced) else owner
        owners += kept[:prefix] + [inserted] * (len(new) - prefix - suffix) + kept[len(old) - suffix :]
    return owners


def _common_prefix(first: str, second: str) -> int:
    low, high = 0, min(len(first), len(second))
    while low < high:
        middle = (low + high + 1) // 2
        if first[low:middle] == second[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _common_suffix(first: str, second: str) -> int:
    return _common_prefix(first[::-1], second[::-1])
