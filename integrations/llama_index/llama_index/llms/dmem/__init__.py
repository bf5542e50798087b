"""LlamaIndex LLM with a δ-mem memory: `from llama_index.llms.dmem import DeltaMemLLM`."""

from llama_index.llms.dmem.base import DeltaMemLLM

__all__ = ["DeltaMemLLM"]
