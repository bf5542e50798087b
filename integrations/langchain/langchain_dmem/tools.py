"""Memory as tools: an agent that decides by itself what to remember, and when to forget everything."""

from typing import TYPE_CHECKING, Annotated, Any

from langchain.tools import ToolRuntime, tool
from langchain_core.messages import AIMessage
from langchain_core.tools import BaseTool
from pydantic import Field

from dmem_agents import AgentIdError

if TYPE_CHECKING:
    from langchain_dmem.chat_models import DeltaMemLLM

_LONGEST_FACT = 200
"""In characters: the grammar ends the text there, where a small model may not."""


def memory_tools(llm: "DeltaMemLLM") -> list[BaseTool]:
    """The tools `remember` and `forget` for `create_agent`.

    Whose memory: the one `llm` is bound to (`llm.for_agent("team")`), else that of the agent that calls the tool.
    What an agent remembers of its own comes back as the tool's result, and so is absorbed with the rest of its turn,
    once and only if the turn is stored. `forget` deletes everything; use it with `DeltaMemMiddleware`, or the graph
    sends its message history again, which is absorbed anew.

    Args:
        llm: a model over the store that is meant.
    """

    def owner(runtime: ToolRuntime[Any, Any]) -> tuple[str, bool]:
        """Whose memory is meant, and whether it is the caller's own."""
        calls = (m for m in reversed(runtime.state["messages"]) if isinstance(m, AIMessage))
        caller = next(calls).response_metadata.get("agent_id")
        named = llm.agent_id or caller
        if named is None:
            raise AgentIdError(
                "Expected an agent whose memory the tool is about, got none. Bind the tools' model: "
                'memory_tools(llm.for_agent("...")), or name the agent of the run.'
            )
        return named, named == caller

    @tool
    def remember(text: Annotated[str, Field(max_length=_LONGEST_FACT)], runtime: ToolRuntime[Any, Any]) -> str:
        """Keep a fact in long-term memory. Say it in a whole sentence."""
        agent_id, own = owner(runtime)
        if own:
            return f"Remembered: {text}"
        llm.remember(text, agent_id=agent_id)
        return "Remembered."

    @tool
    def forget(runtime: ToolRuntime[Any, Any]) -> str:
        """Delete everything from long-term memory. It can't be undone."""
        agent_id, _ = owner(runtime)
        return "Everything is forgotten." if llm._memory_session().forget(agent_id) else "There was nothing."

    return [remember, forget]
