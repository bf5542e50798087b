"""Chats to token ids with an owner per token, and token ids back to text.

Knows tokenizers and messages; knows nothing of models, states or turns.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dmem_agents.errors import ConfigError, MessageError
from dmem_agents.messages import Message
from dmem_agents.tokenization.sentences import split_sentences
from dmem_agents.tokenization.spans import NOBODY, attribute
from dmem_agents.tokenization.stream import StreamDecoder
from dmem_agents.tokenization.template import ChatTemplate

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

IGNORED_LABEL = -100
"""The label of a token that no loss counts (the Hugging Face convention)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RenderedChat:
    """A chat as token ids; the three tuples have one entry per token."""

    input_ids: tuple[int, ...]
    """The tokens the model reads."""
    message_index: tuple[int, ...]
    """Index of the message a token belongs to, its role header and end-of-turn mark included. -1: none, for
    what the template adds by itself (BOS, a default system prompt, tool schemas, the generation prompt).
    Several system messages that open the chat count as the first of them."""
    sentence_index: tuple[int, ...]
    """Running number of the sentence a token belongs to, over all messages but the system's. -1: none, for
    headers, end marks and system messages."""


class ChatTokenizer:
    """The chat side of one tokenizer: render, decode, and where a turn ends.

    Args:
        tokenizer: A Hugging Face tokenizer with a chat template and character offsets ("fast").

    Raises:
        TemplateError: The tokenizer has no usable chat template.
        ConfigError: The tokenizer can't tell which characters a token stands for.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        if not getattr(tokenizer, "is_fast", False):
            raise ConfigError(
                f"Expected a tokenizer with character offsets, got `{type(tokenizer).__name__}`, which has "
                "none. Load it with AutoTokenizer from a model that ships a tokenizer.json."
            )
        self._tokenizer = tokenizer
        self._template = ChatTemplate(tokenizer)
        self.eos_ids = self._find_eos_ids()
        """Tokens that end an assistant turn: the tokenizer's EOS and the template's end-of-turn mark."""
        self.call_format = self._template.traits.call_format
        """How the model spells tool calls."""
        # By the vocabulary's own words: a text that is no token would come back as the id of the unknown one.
        tokens = {str(tokenizer.convert_ids_to_tokens(i)): i for i in tokenizer.all_special_ids}
        tokens |= {str(token): i for i, token in tokenizer.added_tokens_decoder.items()}  # Qwen's are not special
        self.marker_ids = {mark: tokens[mark] for mark in self.call_format.markers if mark in tokens}
        """Those of the format's markers that are one token of their own, special or added."""

    @property
    def supports_tools(self) -> bool:
        """Whether the template shows tools, calls and results in the model's own format.

        Where it doesn't, they are shown as text: `<tool_call>` JSON, `<tool_response>` in a user message.
        """
        return self._template.traits.tools

    def render(
        self,
        messages: Sequence[Message],
        *,
        tools: Sequence[Mapping[str, Any]] = (),
        add_generation_prompt: bool,
    ) -> RenderedChat:
        """Messages as the model reads them, with the owner of each token.

        Where the template refuses system messages, they are folded into the next user message; where it
        insists on alternating roles, neighbours of one role are joined with a blank line. Nothing is
        reshaped where the template takes the chat as it is.

        Args:
            messages: The chat, in order; may be empty, which renders to no tokens.
            tools: JSON schemas of the tools on offer, in the OpenAI function format.
            add_generation_prompt: End with the header of the assistant message to come.

        Raises:
            TemplateError: The template can't render these messages.
            MessageError: A message holds text that is no valid Unicode.
        """
        if not messages:
            return RenderedChat(input_ids=(), message_index=(), sentence_index=())
        text, owners = attribute(self._template, messages, tools=tools, add_generation_prompt=add_generation_prompt)
        _require_unicode(text)
        encoded = self._tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
        token_ids = tuple(encoded["input_ids"])
        spans = encoded["offset_mapping"]
        # A token across a boundary belongs to the later message, as with the reference's common prefix.
        message_index = tuple(owners[max(start, end - 1)] if owners else NOBODY for start, end in spans)
        return RenderedChat(
            input_ids=token_ids,
            message_index=message_index,
            sentence_index=self._sentence_index(messages, text, token_ids, spans, message_index),
        )

    def encode(self, text: str) -> list[int]:
        """The ids of a text as it stands: no template, no special tokens around it."""
        ids: list[int] = self._tokenizer(text, add_special_tokens=False)["input_ids"]
        return ids

    def decode(self, token_ids: Sequence[int]) -> str:
        """The text of token ids, without special tokens but those that mark tool calls."""
        marks = {token_id: mark for mark, token_id in self.marker_ids.items()}
        texts: list[str] = []
        plain: list[int] = []
        for token_id in token_ids:
            if token_id in marks:
                texts += [self._decode(plain), marks[token_id]]
                plain = []
            else:
                plain.append(token_id)
        return "".join([*texts, self._decode(plain)])

    def stream_decoder(self) -> StreamDecoder:
        """A decoder for ids that arrive one at a time; what it returns, joined, equals `decode`."""
        return StreamDecoder(self.decode)

    def _decode(self, token_ids: list[int]) -> str:
        return str(self._tokenizer.decode(token_ids, skip_special_tokens=True, clean_up_tokenization_spaces=False))

    def _encode(self, texts: Sequence[str]) -> list[list[int]]:
        return list(self._tokenizer(list(texts), add_special_tokens=False)["input_ids"])

    def _find_eos_ids(self) -> frozenset[int]:
        answered = [Message(role="user", content="Alpha"), Message(role="assistant", content="Bravo")]
        ending = self._template.text(answered).rpartition("Bravo")[2].lstrip()
        closing = self._encode([ending])[0][:1] if ending else []
        # Phi-3's `<|end|>` is special by its entry among the added tokens alone.
        added = self._tokenizer.added_tokens_decoder
        special = {*self._tokenizer.all_special_ids, *(i for i, token in added.items() if token.special)}
        found = {token_id for token_id in closing if token_id in special}
        if self._tokenizer.eos_token_id is not None:
            found.add(self._tokenizer.eos_token_id)
        return frozenset(found)

    def _sentence_index(
        self,
        messages: Sequence[Message],
        text: str,
        token_ids: tuple[int, ...],
        spans: Sequence[tuple[int, int]],
        message_index: tuple[int, ...],
    ) -> tuple[int, ...]:
        """Number the sentences of all messages but the system's, `delta-mem.md` §6.1.

        Where the reference finds a message's content by token ids alone and gives up when BPE merged its
        edges with the header, we look for its text as well; what only the template knows how to write, a
        native tool call or a result as JSON, is one sentence. So no message with content is left unwritten by
        `sentence_mean`.
        """
        numbers = [NOBODY] * len(token_ids)
        count = 0
        for index, message in enumerate(messages):
            places = [place for place, owner in enumerate(message_index) if owner == index]
            if message.role == "system" or not places:
                continue
            content = self._template.shown_content(message)
            sentences = self._find_sentences(content, [token_ids[place] for place in places])
            if not sentences and content.strip():
                sentences = _find_text(content.strip(), text, [spans[place] for place in places])
            if not sentences and (message.tool_calls or content.strip()):
                sentences = [range(len(places))]
            for sentence in sentences:
                for offset in sentence:
                    numbers[places[offset]] = count
                count += 1
        return tuple(numbers)

    def _find_sentences(self, content: str, delta: list[int]) -> list[range]:
        """Sentences of `content` as ranges of positions in `delta`; empty when its tokens aren't there."""
        sentences = split_sentences(content)
        whole, *parts = self._encode([content, *sentences])
        # The first place, as in the reference, so that trained and published adapters see the same ids;
        # a very short answer ("a") may thus be found in its own role header.
        start = next((i for i in range(len(delta)) if delta[i : i + len(whole)] == whole), None)
        if start is None or not whole:
            return []
        if [token_id for part in parts for token_id in part] != whole:
            return [range(start, start + len(whole))]
        ranges = []
        for part in parts:
            ranges.append(range(start, start + len(part)))
            start += len(part)
        return ranges


def segment_ids(
    rendered: RenderedChat, messages: Sequence[Message], written: Collection[int]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Per token the message id and sentence id that segment writes pool by, -1 for what is not written.

    Args:
        rendered: The chat as rendered from `messages`.
        messages: The chat.
        written: Indices into `messages` of those to be written.

    Returns:
        `(message_ids, sentence_ids)`, one entry per token. A message id is the running index among the
        messages that are not the system's, whether written or not.
    """
    ids: dict[int, int] = {}
    for index, message in enumerate(messages):
        if message.role != "system":
            ids[index] = len(ids)
    kept = set(written)
    message_ids = tuple(ids.get(owner, -1) if owner in kept else -1 for owner in rendered.message_index)
    pairs = zip(rendered.sentence_index, rendered.message_index, strict=True)
    return message_ids, tuple(sentence if owner in kept else -1 for sentence, owner in pairs)


def label_ids(rendered: RenderedChat, targets: Collection[int]) -> tuple[int, ...]:
    """The labels of a loss on the messages `targets` (indices), headers and end marks included; else -100."""
    kept = set(targets)
    pairs = zip(rendered.input_ids, rendered.message_index, strict=True)
    return tuple(token_id if owner in kept else IGNORED_LABEL for token_id, owner in pairs)


def _find_text(content: str, text: str, spans: Sequence[tuple[int, int]]) -> list[range]:
    """Sentences of `content` as ranges of positions in `spans`, by character offsets in `text`."""
    start = text.rfind(content, spans[0][0], spans[-1][1])
    if start < 0:
        return []
    ranges: list[range] = []
    first = next(i for i, span in enumerate(spans) if span[1] > start)
    for sentence in split_sentences(content):
        start += len(sentence)
        end = next((i for i in range(first, len(spans)) if spans[i][1] > start), len(spans))
        if end > first:
            ranges.append(range(first, end))
        first = end
    return ranges


def _require_unicode(text: str) -> None:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise MessageError(
            f"Expected messages of valid Unicode text; character {error.start} of the rendered chat is an "
            "unpaired surrogate. Decode the text properly, or clean it: "
            'text.encode("utf-8", "replace").decode().'
        ) from None
