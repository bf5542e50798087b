"""Objects of a pydantic class out of an answer that is JSON, whole or still growing."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator

from llama_index.core.base.llms.types import ChatResponse
from llama_index.core.program.utils import FlexibleModel, create_flexible_model
from pydantic import BaseModel, ValidationError
from pydantic_core import from_json

from dmem_agents import ToolCallError

Partial = BaseModel | FlexibleModel


def objects(responses: Iterator[ChatResponse], output_cls: type[BaseModel]) -> Generator[Partial]:
    """The object so far, for each step of the answer; the last one is of `output_cls`.

    Raises:
        ToolCallError: the answer ended before its object did.
    """
    reader = _Reader(output_cls)
    for response in responses:
        yield reader.read(response)
    reader.check()


async def aobjects(responses: AsyncIterator[ChatResponse], output_cls: type[BaseModel]) -> AsyncGenerator[Partial]:
    """`objects` for asyncio."""
    reader = _Reader(output_cls)
    async for response in responses:
        yield reader.read(response)
    reader.check()


class _Reader:
    """Reads one answer, step by step."""

    def __init__(self, output_cls: type[BaseModel]) -> None:
        self._output_cls = output_cls
        self._flexible: type[BaseModel] = create_flexible_model(output_cls)
        self._text = ""

    def read(self, response: ChatResponse) -> Partial:
        """What is there of the object; fields that are missing or unfinished are left out or None."""
        self._text = response.message.content or ""
        try:
            value = from_json(self._text or "{}", allow_partial="trailing-strings")
        except ValueError:
            value = {}
        try:
            return self._output_cls.model_validate(value)
        except ValidationError:
            return self._flexible.model_validate(value if isinstance(value, dict) else {})

    def check(self) -> None:
        """At the end of the answer."""
        try:
            self._output_cls.model_validate_json(self._text)
        except ValidationError as error:
            raise ToolCallError(
                f"Expected an object of `{self._output_cls.__name__}`; the answer ended before it was whole, or breaks "
                "a rule that no JSON schema holds. Raise max_tokens, or bound the texts and lists of its fields."
            ) from error
