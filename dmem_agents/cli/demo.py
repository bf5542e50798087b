"""`dmem demo`: agents are told facts in this process; a second, fresh process asks about them.

The facts travel through the store alone: the asking process gets ids and questions, no history. Each question is
put to three memories: the agent's own, another agent's, and an empty one.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import typer

from dmem_agents.cli.console import print_table, printable, size
from dmem_agents.cli.demo_script import CHARACTERS, Character, Question
from dmem_agents.cli.options import AdapterOption, ModelOption, StoreOption
from dmem_agents.errors import AdapterError, ConfigError

if TYPE_CHECKING:
    from dmem_agents.model.loading import LoadedModel
    from langchain_dmem import DeltaMemLLM

ASK_COMMAND = "demo-ask"
"""The hidden command that runs in the demo's second process."""
ANSWER_TOKENS = 24
"""Longest answer of the demo, in tokens."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Ask:
    """One question to one memory; what it is to show stays in the first process."""

    question: str
    agent_id: str | None
    """Whose memory answers; None: an empty one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What came back from the second process."""

    text: str
    prompt_tokens: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One answer and what it says of one memory."""

    character: Character
    question: Question
    memory: str
    """"own", "another's" or "none"."""
    answer: Answer

    @property
    def holds(self) -> bool:
        """Whether the answer holds the fact."""
        return self.question.answered_by(self.answer.text)


def demo(store: StoreOption = None, model: ModelOption = None, adapter: AdapterOption = None) -> None:
    """Tell agents facts, then ask about them from a second process with only the question in the prompt.

    Runs on an SQLite file that is removed afterwards, or on the store that --store names. Exits with 0 only if
    every answer from an agent's own memory holds the fact and no answer without a memory does.
    """
    if store is not None and store.startswith("memory:"):
        raise ConfigError(
            "The demo needs a store that two processes share; memory:// lives in one. Leave --store and "
            "DMEM_STORE out for an SQLite file, or name a redis:// or sqlite:/// store."
        )
    _chat_model_class()
    chosen = {"model": model, "adapter": adapter if model else str(demo_adapter(adapter))}
    with _shared_store(store) as url:
        _tell(chosen, url)
        findings = _ask(chosen, url)
    _print_findings(findings)
    if not conclude(findings):
        raise typer.Exit(1)


def demo_adapter(chosen: str | None) -> str | Path:
    """The adapter for the embedded model: the chosen one, or the wheel's.

    Raises:
        AdapterError: there is none of them.
    """
    if chosen is not None:
        return chosen
    from dmem_agents.model.loading import packaged_adapter_folder

    packaged = packaged_adapter_folder()
    if packaged is not None:
        return packaged
    raise AdapterError(
        "This build of dmem-agents ships no adapter for the embedded model. Name one: "
        "dmem demo --adapter '<folder or hub id>', or set DMEM_ADAPTER."
    )


def answer_questions() -> None:
    """The demo's second process: questions as JSON on stdin, answers as JSON on stdout."""
    chat_model = _chat_model_class()
    task = json.load(sys.stdin)
    llm = chat_model(**task["llm"], read_only=True, max_tokens=ANSWER_TOKENS)
    answers = []
    for ask in task["asks"]:
        message = llm.invoke(ask["question"], agent_id=ask["agent_id"])
        usage = message.usage_metadata
        answers.append({"text": message.text, "prompt_tokens": usage["input_tokens"] if usage else 0})
    typer.echo(json.dumps(answers))


def _chat_model_class() -> type[DeltaMemLLM]:
    """The LangChain class that the demo shows.

    Raises:
        ConfigError: LangChain is not installed.
    """
    try:
        from langchain_dmem import DeltaMemLLM
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "langchain_core":
            raise
        raise ConfigError(
            "The demo needs LangChain, which is not installed: pip install 'dmem-agents[langchain]'."
        ) from error
    return DeltaMemLLM


@contextmanager
def _shared_store(url: str | None) -> Iterator[str]:
    """The store's URL, with nothing in it of an earlier demo; a file of our own is removed at the end."""
    if url is None:
        with tempfile.TemporaryDirectory(prefix="dmem-demo-") as folder:
            yield f"sqlite:///{quote(folder)}/agents.db"
        return
    from dmem_agents.store.opening import open_store

    with open_store(url) as records:
        for character in CHARACTERS:
            records.delete(character.agent_id)
    yield url


def _tell(chosen: dict[str, str | None], url: str) -> None:
    """Each agent's turns, through the LangChain class, and the table of what they took."""
    typer.echo("Loading the model ...", err=True)
    from dmem_agents.model.loading import load_model
    from dmem_agents.session import MemorySession, SessionConfig

    loaded = load_model(chosen["model"], chosen["adapter"])
    rows: list[list[str]] = []
    with MemorySession(SessionConfig(store=url), loaded=loaded) as session:
        llm = _chat_model_class()(session=session, max_tokens=ANSWER_TOKENS)
        for character in CHARACTERS:
            own, history = llm.for_agent(character.agent_id), []
            for said in character.told:
                message = own.invoke(said)
                history.append(("user", said))
                full = _full_history_tokens(loaded, history)
                history.append(("assistant", message.text))
                usage, more = message.usage_metadata, message.response_metadata
                prompt = usage["input_tokens"] if usage else 0
                rows.append(
                    [character.agent_id, said, printable(message.text), str(prompt), str(full),
                     size(more["dmem_state_bytes"]), str(more["dmem_version"])]
                )  # fmt: skip
    numbers = ["prompt", "full history", "memory", "version"]
    print_table(
        "Process 1 tells. Prompt and full history in tokens: what the turn took, and what it would have taken.",
        ["agent", "is told", "answers", *numbers],
        rows,
        right=numbers,
    )


def _full_history_tokens(loaded: LoadedModel, history: Sequence[tuple[Any, str]]) -> int:
    """Prompt tokens of the chat so far, had it been sent as text."""
    from dmem_agents.messages import Message
    from dmem_agents.tokenization import ChatTokenizer

    messages = [Message(role=role, content=text) for role, text in history]
    return len(ChatTokenizer(loaded.tokenizer).render(messages, add_generation_prompt=True).input_ids)


def _ask(chosen: dict[str, str | None], url: str) -> list[Finding]:
    """Put every question to its three memories, in a fresh process."""
    plan = []
    for index, character in enumerate(CHARACTERS):
        other = CHARACTERS[(index + 1) % len(CHARACTERS)]
        for question in character.questions:
            for memory, agent_id in (("own", character.agent_id), ("another's", other.agent_id), ("none", None)):
                plan.append((character, question, memory, Ask(question=question.text, agent_id=agent_id)))
    task = {"llm": {**chosen, "store": url}, "asks": [asdict(ask) for *_, ask in plan]}
    typer.echo("Starting a second process, which gets the questions and no history ...", err=True)
    # The task goes through stdin: a store's URL may hold a password, and other users can read command lines.
    second = subprocess.run(
        [sys.executable, "-m", "dmem_agents.cli", ASK_COMMAND],
        input=json.dumps(task),
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if second.returncode != 0:
        typer.echo(f"The asking process failed with status {second.returncode}.", err=True)
        raise typer.Exit(second.returncode if second.returncode > 0 else 1)
    answers = [Answer(**found) for found in json.loads(second.stdout.splitlines()[-1])]
    return [
        Finding(character=character, question=question, memory=memory, answer=answer)
        for (character, question, memory, _), answer in zip(plan, answers, strict=True)
    ]


def _print_findings(findings: Sequence[Finding]) -> None:
    rows = [
        [
            f.character.agent_id, f.question.text, f.memory, printable(f.answer.text),
            f"{'✓' if f.holds else '✗'} {f.question.value}", str(f.answer.prompt_tokens),
        ]
        for f in findings
    ]  # fmt: skip
    print_table(
        "Process 2 asks, read-only. Its prompt holds the question alone.",
        ["agent", "question", "memory", "answer", "holds the fact", "prompt"],
        rows,
        right=["prompt"],
    )


def conclude(findings: Sequence[Finding]) -> bool:
    """Say in one line what was shown; True when the facts came from memory and from nowhere else."""
    count = {memory: sum(f.holds for f in findings if f.memory == memory) for memory in ("own", "another's", "none")}
    asked = sum(f.memory == "own" for f in findings)
    others = count["another's"]
    shown = count["own"] == asked and count["none"] == 0
    typer.echo(
        f"{'Shown' if shown else 'Not shown'}: {count['own']} of {asked} answers from the agent's own memory hold "
        f"the fact, {others} from another agent's and {count['none']} without a memory, with prompts "
        f"of at most {max(f.answer.prompt_tokens for f in findings)} tokens and no history in them."
    )
    return shown
