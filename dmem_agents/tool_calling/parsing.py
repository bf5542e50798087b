"""What an answer says, the calls in it, and the calls that can't be made. Never raises."""

from __future__ import annotations

import json
import math
import re
import secrets
import string
import sys

from dmem_agents.call_formats import HERMES, CallFormat
from dmem_agents.messages import ToolCall
from dmem_agents.tool_calling.schemas import InvalidToolCall

_ID_LETTERS = string.ascii_letters + string.digits

ParsedCalls = tuple[str, tuple[ToolCall, ...], tuple[InvalidToolCall, ...]]


def parse_tool_calls(text: str, *, id_prefix: str | None = None, call_format: CallFormat = HERMES) -> ParsedCalls:
    """What an answer says, the calls in it, and the calls that can't be made. Never raises.

    Args:
        text: the answer, whole or so far.
        id_prefix: of the calls' ids; give the same for every parse of a growing answer. None draws one.
        call_format: how calls are spelt.
    """
    found = _opening(text, 0, call_format)
    if found is None:
        return text, (), ()
    prefix = new_call_prefix() if id_prefix is None else id_prefix
    said = [text[: found[0]].rstrip()]
    calls: list[ToolCall] = []
    invalid: list[InvalidToolCall] = []
    while found is not None:
        end, more = found[1], True
        while more:
            call_id = f"{prefix}{len(calls) + len(invalid):02d}"
            call, end, more = _read_call(text, end, call_id, call_format)
            if isinstance(call, ToolCall):
                calls.append(call)
            else:
                invalid.append(call)
        found = _opening(text, end, call_format)
        said.append(text[end : found[0] if found else len(text)].strip())
    return "\n".join(part for part in said if part), tuple(calls), tuple(invalid)


def new_call_prefix() -> str:
    """Seven random letters and digits: with two more they are an id that every known template takes."""
    return "".join(secrets.choice(_ID_LETTERS) for _ in range(7))


def content_length(text: str, *, call_format: CallFormat = HERMES) -> int:
    """How much of a growing answer is certainly content: not a call, its beginning, or the space before it."""
    if call_format.opening_is_optional and _may_become_bare(text, call_format):
        return 0
    found = _opening(text, 0, call_format)
    if found is not None:
        return len(text[: found[0]].rstrip())
    marker = call_format.opening
    most = min(len(marker) - 1, len(text))
    held = next((n for n in range(most, 0, -1) if text.endswith(marker[:n])), 0)
    return len(text[: len(text) - held].rstrip())


def _opening(text: str, start: int, form: CallFormat) -> tuple[int, int] | None:
    """Where calls begin from `start` on, and where the first one's text does; None when none begins."""
    if start == 0 and form.opening_is_optional and _is_bare(text, form):
        return 0, 0
    found = text.find(form.opening, start)
    if found < 0:
        return None
    body = found + len(form.opening)
    if lead := form.lead.strip():
        after = _after_space(text, body)
        body = after + len(lead) if text.startswith(lead, after) else body
    return found, body


def _is_bare(text: str, form: CallFormat) -> bool:
    """Whether an answer begins with a call that no marker opens."""
    key = re.escape(form.after_name.strip(", "))
    return re.match(rf'\s*{re.escape(form.before_name)}"(?:[^"\\]|\\.)*", {key}', text) is not None


def _may_become_bare(text: str, form: CallFormat) -> bool:
    said, beginning = text.lstrip(), form.before_name
    return beginning.startswith(said) or said.startswith(beginning)


def _read_call(text: str, start: int, call_id: str, form: CallFormat) -> tuple[ToolCall | InvalidToolCall, int, bool]:
    """The call that begins at `start`, where the text after it goes on, and whether another follows it there."""
    begin = _after_space(text, start)
    name = None
    try:
        name, arguments, end = _read_json(text, begin) if form.quotes_name else _read_named(text, begin, form)
        if not isinstance(arguments, dict):
            raise ValueError("Expected the arguments as a JSON object.")
        json.dumps([name, arguments], ensure_ascii=False).encode()  # half a character can't be stored or shown
        call = ToolCall(id=call_id, name=name, arguments=arguments)
    except (ValueError, RecursionError) as error:
        # A closing tag may stand inside a text that was cut off, so only the next call ends this one.
        following = text.find(form.opening, start)
        end = following if following >= 0 else len(text)
        said = text[start:end].strip().removesuffix(form.closing or form.after_arguments.strip("}\n")).strip()
        found = name or _named(said, form)
        return InvalidToolCall(id=call_id, name=found, text=said, error=_reason(error)), end, False
    end = _skipped(text, end, form.after_arguments.removeprefix("}"))
    separator = form.separator.strip()
    if not separator.startswith(form.opening):
        after = _after_space(text, end)
        if text.startswith(separator, after):
            return call, after + len(separator), True
    return call, _skipped(text, end, form.closing), False


def _read_json(text: str, begin: int) -> tuple[str, object, int]:
    value, end = _DECODER.raw_decode(text, begin)
    if not isinstance(value, dict) or not isinstance(value.get("name"), str):
        raise ValueError("Expected a JSON object with the tool's name.")
    return value["name"], value.get("arguments", value.get("parameters", {})), end


def _read_named(text: str, begin: int, form: CallFormat) -> tuple[str, object, int]:
    """A name that stands as it is, perhaps with an id of the model's own behind it."""
    name, mark, _ = text[begin:].partition(form.after_name)
    if not mark or not name.strip() or form.opening in name:
        raise ValueError(f"Expected the tool's name and {form.after_name}.")
    arguments, end = _DECODER.raw_decode(text, _after_space(text, begin + len(name) + len(mark)))
    return name.partition("[CALL_ID]")[0].strip(), arguments, end


def _skipped(text: str, end: int, closing: str) -> int:
    """Behind what closes a call: whole, cut off, or not there yet."""
    closing = closing.strip()
    if not closing:
        return end
    start = _after_space(text, end)
    there = text[start : start + len(closing)]
    return start + len(there) if closing.startswith(there) else end


def _after_space(text: str, start: int) -> int:
    while start < len(text) and text[start].isspace():
        start += 1
    return start


def _named(said: str, form: CallFormat) -> str | None:
    if not form.quotes_name:
        return said.partition(form.after_name)[0].strip() if form.after_name in said else None
    found = re.match(r'\{\s*"name":\s*"([^"\\]+)"', said)
    return found.group(1) if found else None


def _reason(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"Expected JSON: {error.msg}."
    if isinstance(error, UnicodeEncodeError):
        return "Expected valid Unicode; the call has an unpaired surrogate."
    return str(error) if isinstance(error, ValueError) else "The JSON is nested too deeply."


def _finite(number: str) -> float:
    """A number beyond the range of a double is read as the largest one: JSON has no infinity."""
    value = float(number)
    return math.copysign(sys.float_info.max, value) if math.isinf(value) else value


def _refuse_constant(name: str) -> float:
    raise ValueError(f"Expected JSON, which has no {name}.")


_DECODER = json.JSONDecoder(parse_float=_finite, parse_constant=_refuse_constant)
