"""What one call asks for, and its tokens: which messages are shown and written, and what came of it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from dmem_agents.engine import Engine, GenerationResult, Prompt, SamplingParams
from dmem_agents.errors import AgentIdError, ConfigError, ContextOverflowError, MessageError
from dmem_agents.messages import Message
from dmem_agents.model.grammar import GrammarCompiler
from dmem_agents.session.answer import AnswerText
from dmem_agents.session.options import Reply, TurnOptions
from dmem_agents.session.prompts import closed_prompt, open_prompt
from dmem_agents.state import MemoryState
from dmem_agents.tokenization import ChatTokenizer
from dmem_agents.turns import TurnPlan, shown_context


@dataclass(frozen=True, kw_only=True, slots=True)
class Runtime:
    """A loaded model, as far as turns need it."""

    engine: Engine
    chat: ChatTokenizer
    grammars: GrammarCompiler
    """Opens its library when a turn first needs it."""
    fingerprint: str
    max_context: int
    """Tokens that a prompt and its answer may have together."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TurnInput:
    """One call: whose memory, which messages, and how."""

    messages: tuple[Message, ...]
    agent_id: str | None
    options: TurnOptions
    generate: bool
    """False absorbs the messages and answers nothing."""
    stream: bool
    """Whether text is handed over while it is generated."""

    def __post_init__(self) -> None:
        for message in self.messages:
            if not isinstance(message, Message):
                raise MessageError(f"Expected `Message` objects, got `{type(message).__name__}`.")
        if not self.generate and self.options.read_only:
            raise ConfigError("Expected read_only=False to absorb messages: a read-only call writes nothing.")
        if self.agent_id is None and self.options.require_agent:
            raise AgentIdError(
                "Expected an agent id, got none, and require_agent is set. Pass agent_id=..., or wrap the "
                'call in `with dmem_agents.agent("..."):`.'
            )


class Job:
    """A plan's prompts, and the numbers of the reply.

    Args:
        call: what was asked.
        plan: what is new in it.
        runtime: renders, and knows the context window.
    """

    def __init__(self, call: TurnInput, plan: TurnPlan, runtime: Runtime) -> None:
        self._call = call
        self._plan = plan
        self._chat = runtime.chat
        self._max_context = runtime.max_context
        self._roles = call.options.write_roles
        # Tools that must not be called are not shown: a small model would call them in words.
        offered = () if call.options.tool_choice == "none" else call.options.tools
        self._tools = [tool.as_openai() for tool in offered]
        context = shown_context(call.messages, plan, call.options.context)
        self._shown = self._with_system((*context, *plan.turn), up_to=len(call.messages))
        written = self._written(self._shown, plan.write)
        shown = [call.messages[index] for index in self._shown]
        write_answer = "assistant" in self._roles
        if call.generate:
            self.prompt = open_prompt(self._chat, shown, written, write_answer=write_answer, tools=self._tools)
        else:
            self.prompt = closed_prompt(self._chat, shown, written, tools=self._tools)
        self.older = [] if call.options.read_only else [self._older(turn) for turn in plan.absorb]

    @property
    def sampling(self) -> SamplingParams:
        """The caller's sampling, with no more tokens than the context window has left."""
        asked = self._call.options.sampling
        return replace(asked, max_new_tokens=min(asked.max_new_tokens, self._max_context - len(self.prompt)))

    def check_fits(self) -> None:
        """Refuse what the context window can't hold.

        Raises:
            ContextOverflowError: the shown messages and one token more, or an older turn, are too long.
        """
        for prompt, more in [(self.prompt, int(self._call.generate)), *((p, 0) for p in self.older)]:
            if (excess := len(prompt) + more - self._max_context) > 0:
                raise ContextOverflowError(
                    f"Expected at most {self._max_context} tokens in one turn, got {len(prompt)}"
                    f"{' and at least one for the answer' if more else ''}: {excess} too many. "
                    "Nothing was stored. Shorten the system prompt, the tool results or the `context`, or "
                    "split long text over several turns."
                )

    def closed(self, answer: Message) -> Prompt:
        """The whole turn in its canonical form, this answer included."""
        shown = [self._call.messages[index] for index in self._shown]
        written = self._written(self._shown, self._plan.write)
        if "assistant" in self._roles:
            written = {*written, len(shown)}
        return closed_prompt(self._chat, [*shown, answer], written, tools=self._tools)

    def reply(self, result: GenerationResult | None, answer: AnswerText, version: int, base: MemoryState) -> Reply:
        """What the caller gets."""
        wrote = not self._call.options.read_only
        older = sum(map(len, self.older))
        return Reply(
            text=answer.text,
            tool_calls=answer.tool_calls,
            invalid_tool_calls=answer.invalid_tool_calls,
            finish_reason="length" if result is not None and self._cut(result, answer) else "stop",
            agent_id=self._call.agent_id,
            version=version,
            prompt_tokens=0 if result is None else len(self.prompt),
            cached_tokens=0 if result is None else result.cached_tokens,
            completion_tokens=0 if result is None else len(result.token_ids),
            absorbed_messages=self._absorbed() + int(result is not None) if wrote else 0,
            absorbed_tokens=older + (len(self.prompt) if result is None else 0),
            state_bytes=base.size_bytes,
        )

    def _absorbed(self) -> int:
        return len(self._plan.write) + sum(map(len, self._plan.absorb))

    @staticmethod
    def _cut(result: GenerationResult, answer: AnswerText) -> bool:
        return result.finish_reason == "length" and not answer.stopped

    def _older(self, turn: Sequence[int]) -> Prompt:
        indices = self._with_system(turn, up_to=turn[-1])
        shown = [self._call.messages[index] for index in indices]
        return closed_prompt(self._chat, shown, self._written(indices, turn), tools=self._tools)

    def _with_system(self, indices: Sequence[int], *, up_to: int) -> tuple[int, ...]:
        system = [i for i, m in enumerate(self._call.messages[:up_to]) if m.role == "system"]
        return tuple(sorted({*system, *indices}))

    def _written(self, shown: Sequence[int], written: Collection[int]) -> set[int]:
        """Positions in what is shown of the messages that are written."""
        return {
            position
            for position, index in enumerate(shown)
            if index in written and self._call.messages[index].role in self._roles
        }
