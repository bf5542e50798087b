"""`dmem chat`: talking to one agent, turn by turn, with only the newest message in the prompt.

Answers go to stdout and everything else to stderr, so that a pipe gets the answers alone.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Final

import typer

from dmem_agents.agents import check_agent_id
from dmem_agents.cli.console import moment, printable, safe_lines, size
from dmem_agents.cli.options import (
    AdapterOption,
    AgentOption,
    DeviceOption,
    DtypeOption,
    ModelOption,
    StoreOption,
)
from dmem_agents.errors import DmemError
from dmem_agents.messages import Message

if TYPE_CHECKING:
    from dmem_agents.session import MemorySession, Reply, TurnOptions

HELP: Final = """\
  /help       these commands
  /info       what is stored of this agent
  /read-only  answer from memory without writing to it, or write again
  /forget     delete the agent's memory
  /exit       leave; so do Ctrl-D and Ctrl-C
Anything else is said to the agent; begin with // to say something that begins with a slash."""


def chat(
    agent: AgentOption,
    system: Annotated[
        str | None,
        typer.Option("--system", metavar="TEXT", help="System prompt, shown at every turn and never written."),
    ] = None,
    max_tokens: Annotated[int, typer.Option(min=1, help="Longest answer, in tokens.")] = 256,
    temperature: Annotated[float, typer.Option(min=0.0, help="0 always takes the likeliest token.")] = 0.0,
    seed: Annotated[int | None, typer.Option(help="Makes a temperature above 0 repeatable.")] = None,
    read_only: Annotated[bool, typer.Option("--read-only", help="Begin without writing to the memory.")] = False,
    store: StoreOption = None,
    model: ModelOption = None,
    adapter: AdapterOption = None,
    dtype: DtypeOption = "auto",
    device: DeviceOption = "auto",
) -> None:
    """Chat with an agent that remembers. Reads lines from a terminal or from a pipe."""
    check_agent_id(agent)
    _note("Loading the model ...")
    from dmem_agents.engine import SamplingParams
    from dmem_agents.session import MemorySession, SessionConfig, TurnOptions

    config = SessionConfig(model=model, adapter=adapter, store=store, dtype=dtype, device=device)
    sampling = SamplingParams(max_new_tokens=max_tokens, temperature=temperature, seed=seed)
    with MemorySession(config) as session:
        session.warm_up()
        talk = Talk(
            session=session,
            agent_id=agent,
            system=system,
            options=TurnOptions(sampling=sampling, read_only=read_only),
        )
        _note(f"{_known(session, agent)} /help lists the commands.")
        talk.run(_lines())


@dataclass(kw_only=True)
class Talk:
    """One chat: reads lines, answers them, and carries out commands."""

    session: MemorySession
    agent_id: str
    system: str | None
    options: TurnOptions

    def run(self, lines: Iterator[str]) -> None:
        """Go on until the lines end or one says /exit.

        Raises:
            DmemError: a turn failed and nobody sits at a terminal to try again.
        """
        for line in lines:
            text = line.strip()
            if text == "/exit":
                return
            if not text:
                continue
            try:
                if text.startswith("/") and not text.startswith("//"):
                    self._command(text)
                else:
                    self._say(text.removeprefix("/") if text.startswith("//") else text)
            except DmemError as error:
                if not sys.stdin.isatty():
                    raise
                _note(f"Error: {error}")

    def _say(self, text: str) -> None:
        """One turn, its answer shown as it comes. Leaving it early, by Ctrl-C too, stores nothing of it."""
        messages = [Message(role="user", content=text)]
        if self.system:
            messages.insert(0, Message(role="system", content=self.system))
        reply: Reply | None = None
        with closing(self.session.stream(messages, agent_id=self.agent_id, options=self.options)) as chunks:
            for chunk in chunks:
                typer.echo(safe_lines(chunk.text), nl=False)
                reply = chunk.reply
        typer.echo()
        if reply is not None:
            _note(self._summary(reply))

    def _summary(self, reply: Reply) -> str:
        cut = ", cut short" if reply.finish_reason == "length" else ""
        kept = "nothing written" if self.options.read_only else f"version {reply.version}"
        return (
            f"[prompt {reply.prompt_tokens} tokens, answer {reply.completion_tokens}{cut}; "
            f"memory {size(reply.state_bytes)}, {kept}]"
        )

    def _command(self, text: str) -> None:
        commands: dict[str, Callable[[], str]] = {
            "/help": lambda: HELP,
            "/info": lambda: _known(self.session, self.agent_id),
            "/forget": self._forget,
            "/read-only": self._toggle_read_only,
        }
        if text not in commands:
            _note(f"There is no command {printable(text, limit=40)}.\n{HELP}")
            return
        _note(commands[text]())

    def _forget(self) -> str:
        if sys.stdin.isatty() and not typer.confirm(
            f"Delete all that is stored of {printable(self.agent_id)!r}?", err=True
        ):
            return "Nothing was deleted."
        was_there = self.session.forget(self.agent_id)
        return "Forgotten: the memory is empty again." if was_there else "There was nothing to forget."

    def _toggle_read_only(self) -> str:
        self.options = replace(self.options, read_only=not self.options.read_only)
        return "Read-only: answers leave no trace." if self.options.read_only else "Turns are written again."


def _known(session: MemorySession, agent_id: str) -> str:
    """What is stored of the agent, in one line."""
    info = session.info(agent_id)
    if info is None:
        return f"Agent {printable(agent_id)!r} is new: its memory is empty."
    norm = float(info.head.norms().square().sum().sqrt())
    return (
        f"Agent {printable(agent_id)!r}: version {info.version}, {info.turns} turns, "
        f"{info.absorbed_messages} messages absorbed, memory {size(info.state_bytes)} of norm {norm:.3g}, "
        f"last written {moment(info.updated_at)}."
    )


def _lines() -> Iterator[str]:
    """Lines as people type them, with a prompt and line editing on a terminal; or as a pipe delivers them."""
    if not sys.stdin.isatty():
        yield from sys.stdin
        return
    try:
        import readline  # noqa: F401 - gives input() its line editing
    except ImportError:
        pass
    while True:
        try:
            yield input("> ")
        except EOFError:
            typer.echo(err=True)
            return


def _note(text: str) -> None:
    """Something for the person at the terminal, not part of the answers."""
    typer.secho(text, err=True, dim=True)
