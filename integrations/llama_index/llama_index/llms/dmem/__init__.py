"""LlamaIndex LLM with a δ-mem memory: `from llama_index.llms.dmem import DeltaMemLLM`.

`DeltaMemMemory` is the same memory as a LlamaIndex component.
"""

from llama_index.llms.dmem.base import DeltaMemLLM
from llama_index.llms.dmem.memory import DeltaMemMemory

__all__ = ["DeltaMemLLM", "DeltaMemMemory"]
