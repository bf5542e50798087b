"""`dmem agents`: what a store holds, agent by agent. Needs no model."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from dmem_agents.cli.console import moment, print_table, printable, size
from dmem_agents.cli.options import StoreOption
from dmem_agents.cli.stored import load_agent, opened_store, read_agent
from dmem_agents.errors import ConfigError, StateError

app = typer.Typer(no_args_is_help=True, help="List, show, forget, export and import stored agents.")

AgentArgument = Annotated[str, typer.Argument(metavar="AGENT", help="Whose memory.")]
JsonOption = Annotated[bool, typer.Option("--json", help="For programs: one JSON object per agent.")]


@app.command("list")
def list_agents(
    prefix: Annotated[str, typer.Option(metavar="TEXT", help="Only agents whose id begins so.")] = "",
    as_json: JsonOption = False,
    store: StoreOption = None,
) -> None:
    """List the agents of a store, by id, with version and size."""
    rows: list[dict[str, Any]] = []
    with opened_store(store) as records:
        for agent_id in sorted(set(records.list_agents(prefix))):
            try:
                stored = records.load(agent_id)
            except StateError as error:
                rows.append({"agent": agent_id, "version": None, "record_bytes": None, "unreadable": str(error)})
                continue
            if stored is not None:  # it may have been forgotten meanwhile
                rows.append({"agent": agent_id, "version": stored.version, "record_bytes": len(stored.data)})
    if as_json:
        for row in rows:
            typer.echo(json.dumps(row))
    elif not rows:
        typer.echo("No agents are stored here" + (f" whose id begins with {prefix!r}." if prefix else "."))
    else:
        cells = [
            [printable(r["agent"]), "-", "unreadable"]
            if "unreadable" in r
            else [printable(r["agent"]), str(r["version"]), size(r["record_bytes"])]
            for r in rows
        ]
        print_table(f"{len(rows)} agents", ["agent", "version", "record"], cells, right=["version", "record"])
        if unreadable := sum("unreadable" in row for row in rows):
            typer.echo(f"{unreadable} records don't open. `dmem agents doctor` says why.", err=True)


@app.command("show")
def show(agent_id: AgentArgument, as_json: JsonOption = False, store: StoreOption = None) -> None:
    """Show what is stored of one agent."""
    with opened_store(store) as records:
        stored, record = read_agent(records, agent_id)
    layers, heads, rank, _ = record.head.layout.shape
    facts: dict[str, Any] = {
        "agent": agent_id,
        "version": stored.version,
        "turns": record.turns,
        "absorbed_messages": record.absorbed,
        "updated_at": record.updated_at,
        "fingerprint": record.fingerprint,
        "layers": layers,
        "heads": heads,
        "rank": rank,
        "state_bytes": record.head.size_bytes,
        "record_bytes": len(stored.data),
        "norm": float(record.head.norms().square().sum().sqrt()),
        "norm_before_turn": float(record.base.norms().square().sum().sqrt()),
    }
    if as_json:
        typer.echo(json.dumps(facts))
        return
    lines = [
        ("agent", printable(agent_id)),
        ("version", str(stored.version)),
        ("turns", str(record.turns)),
        ("messages absorbed", str(record.absorbed)),
        ("last written", moment(record.updated_at)),
        ("model and adapter", record.fingerprint[:12]),
        ("memory", f"{layers} layers × {heads} heads of {rank}×{rank}, {size(record.head.size_bytes)}"),
        ("stored record", size(len(stored.data))),
        ("norm of the memory", f"{facts['norm']:.4g} (before the last turn {facts['norm_before_turn']:.4g})"),
    ]
    width = max(len(name) for name, _ in lines)
    for name, value in lines:
        typer.echo(f"{name:<{width}}  {value}")


@app.command("forget")
def forget(
    agent_id: AgentArgument,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")] = False,
    store: StoreOption = None,
) -> None:
    """Delete all that is stored of an agent, also when its record does not open. Asks first."""
    shown = printable(agent_id)
    with opened_store(store) as records:
        try:
            version = load_agent(records, agent_id).version
            question = f"Delete the memory of agent {shown!r}, version {version}?"
        except StateError as error:
            typer.echo(str(error), err=True)
            question = f"Delete the memory of agent {shown!r} all the same?"
        if not yes and not typer.confirm(question, err=True):
            typer.echo("Nothing was deleted.", err=True)
            raise typer.Exit(1)
        records.delete(agent_id)
    typer.echo(f"Forgot agent {shown!r}.", err=True)


@app.command("export")
def export(
    agent_id: AgentArgument,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="A new file; stdout when left out.")
    ] = None,
    store: StoreOption = None,
) -> None:
    """Write one agent as a portable file, to `FILE` or to stdout."""
    from dmem_agents.store.portable import export_agent

    if output is None and sys.stdout.isatty():
        raise ConfigError("An exported agent is binary. Name a file with -o, or send stdout into one.")
    with opened_store(store) as records:
        load_agent(records, agent_id)
        blob = export_agent(records, agent_id)
    if output is None:
        typer.echo(blob, nl=False)
        return
    try:
        with output.open("xb") as file:
            file.write(blob)
    except FileExistsError as error:
        raise ConfigError(f"{output} exists already. Name another file, or remove it first.") from error
    except OSError as error:
        raise ConfigError(f"{output} can't be written: {error.strerror}. Name another file with -o.") from error
    typer.echo(f"Exported agent {printable(agent_id)!r} to {output}, {size(len(blob))}.", err=True)


@app.command("import")
def import_(
    source: Annotated[str, typer.Argument(metavar="FILE", help="What `export` wrote; - reads stdin.")],
    agent_id: Annotated[
        str | None, typer.Option("--as", metavar="AGENT", help="Another id than the exported one.")
    ] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Write over an agent of that id.")] = False,
    store: StoreOption = None,
) -> None:
    """Put an exported agent into a store."""
    from dmem_agents.store.portable import import_agent

    try:
        blob = sys.stdin.buffer.read() if source == "-" else Path(source).read_bytes()
    except OSError as error:
        raise ConfigError(
            f"{source} can't be read: {error.strerror}. Name a file that `dmem agents export` wrote."
        ) from error
    with opened_store(store) as records:
        imported = import_agent(records, blob, agent_id=agent_id, replace=replace)
    typer.echo(f"Imported agent {printable(imported)!r}.", err=True)
