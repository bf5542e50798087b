"""LangChain chat model with a δ-mem memory: `from langchain_dmem import DeltaMemLLM`."""

from langchain_dmem.chat_models import DeltaMemLLM

__all__ = ["DeltaMemLLM"]
