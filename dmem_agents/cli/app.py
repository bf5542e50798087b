"""The commands of `dmem`, and what every one of them does with errors, warnings and Ctrl-C."""

from __future__ import annotations

import warnings
from typing import Any, TextIO

import typer
from typer.core import TyperGroup

from dmem_agents import __version__
from dmem_agents.cli import agents, agents_history, agents_upkeep, chat, demo, evaluation, inspection, training
from dmem_agents.errors import AgentIdError, ConfigError, DmemError


class ReportingGroup(TyperGroup):
    """Turns `DmemError` into one message and a status, and an interrupt into status 130 without a word."""

    def invoke(self, ctx: Any) -> Any:
        """Run the chosen command."""
        with warnings.catch_warnings():
            warnings.showwarning = _show_warning
            try:
                return super().invoke(ctx)
            except DmemError as error:
                typer.echo(f"Error: {error}", err=True)
                raise typer.Exit(2 if isinstance(error, ConfigError | AgentIdError) else 1) from None
            except KeyboardInterrupt:
                raise typer.Exit(130) from None


app = typer.Typer(
    cls=ReportingGroup,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"dmem-agents {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: bool = typer.Option(
        False, "--version", callback=_print_version, is_eager=True, help="Print the version and exit."
    ),
) -> None:
    """Agents whose memory is a small learned state instead of a growing prompt."""


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """A warning as one line for people; where in the code it arose is of no use to them."""
    typer.echo(f"Warning: {message}", file=file, err=file is None)


app.command("chat")(chat.chat)
app.command("inspect")(inspection.inspect)
app.command("train")(training.train)
app.add_typer(evaluation.app, name="eval")
app.command("demo")(demo.demo)
app.command(demo.ASK_COMMAND, hidden=True)(demo.answer_questions)
for command in (agents_history.snapshots, agents_history.restore, agents_history.fork, agents_history.diff):
    agents.app.command()(command)
agents.app.command()(agents_upkeep.migrate)
agents.app.command()(agents_upkeep.doctor)
app.add_typer(agents.app, name="agents")
