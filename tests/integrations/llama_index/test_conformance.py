"""The kit for LlamaIndex LLMs: our class passes it, LlamaIndex's mock and Hugging Face LLM their part, faults don't."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from llama_index.core.base.llms.types import ChatMessage, ChatResponseGen
from llama_index.core.llms import LLM, MockLLM
from llama_index.core.llms.callbacks import llm_chat_callback
from llama_index.core.llms.function_calling import FunctionCallingLLM

from dmem_agents.testing.llama_index_conformance import FunctionCallingConformance, LLMConformance
from dmem_agents.testing.tiny_model import tiny_model, tiny_tokenizer
from llama_index.llms.dmem import DeltaMemLLM


class _Tiny:
    """The class under test over a tiny model."""

    max_tokens: int

    @pytest.fixture(autouse=True)
    def _arguments(self, tiny: dict[str, Any]) -> None:
        self.arguments = {**tiny, "max_tokens": self.max_tokens}

    def make_llm(self, **arguments: Any) -> FunctionCallingLLM:
        return DeltaMemLLM(**self.arguments, **arguments)


class TestDeltaMemLLM(_Tiny, LLMConformance):
    max_tokens = 8


# LlamaIndex calls `json` of an object and looks at `__fields__` of an agent.
@pytest.mark.filterwarnings("ignore::pydantic.warnings.PydanticDeprecationWarning")
class TestDeltaMemLLMWithTools(_Tiny, FunctionCallingConformance):
    max_tokens = 100


class TestMockLLM(LLMConformance):
    def make_llm(self, **arguments: Any) -> LLM:
        return MockLLM(is_chat_model=True, **arguments)


class TestHuggingFaceLLM(LLMConformance):
    def make_llm(self, **arguments: Any) -> LLM:
        huggingface = pytest.importorskip("llama_index.llms.huggingface")  # of the dev extra
        plain = {"max_new_tokens": 4, "context_window": 4096, "generate_kwargs": {"do_sample": False}}
        llm: LLM = huggingface.HuggingFaceLLM(
            model=tiny_model(), tokenizer=tiny_tokenizer(), is_chat_model=True, **plain, **arguments
        )
        return llm


class LosesItsEnd(MockLLM):
    """Its streams lack their last step."""

    @llm_chat_callback()
    def stream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponseGen:
        yield from list(super().stream_chat(messages, **kwargs))[:-1]


class TestTheKit(LLMConformance):
    __test__ = False

    def make_llm(self, **arguments: Any) -> LLM:
        return LosesItsEnd(is_chat_model=True, **arguments)


async def test_the_kit_finds_a_stream_that_loses_its_end() -> None:
    with pytest.raises(AssertionError):
        await TestTheKit().test_all_chat_methods_give_one_answer()
