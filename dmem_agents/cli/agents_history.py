"""`dmem agents snapshots|restore|fork|diff`: an agent's earlier versions. Only `diff` opens records."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from dmem_agents.cli.console import moment, print_table, printable, size
from dmem_agents.cli.options import StoreOption
from dmem_agents.cli.stored import load_agent, opened_store
from dmem_agents.errors import ConfigError

AgentArgument = Annotated[str, typer.Argument(metavar="AGENT", help="Whose memory.")]
JsonOption = Annotated[bool, typer.Option("--json", help="For programs: one JSON object per line.")]


def snapshots(agent_id: AgentArgument, as_json: JsonOption = False, store: StoreOption = None) -> None:
    """List the earlier versions of an agent that are kept, oldest first."""
    with opened_store(store) as records:
        current = load_agent(records, agent_id)
        kept = records.snapshots(agent_id)
    if as_json:
        for snapshot in kept:
            row = {"version": snapshot.version, "committed_at": snapshot.committed_at, "bytes": snapshot.size_bytes}
            typer.echo(json.dumps(row))
    elif not kept:
        typer.echo(
            f"No earlier versions of agent {printable(agent_id)!r} are kept; current is {current.version}. Add "
            "?snapshots=10 to the store's URL to keep some from now on."
        )
    else:
        cells = [
            [str(s.version), moment(s.committed_at) if s.committed_at else "unknown", size(s.size_bytes)] for s in kept
        ]
        print_table(f"{len(kept)} earlier versions", ["version", "committed", "record"], cells, right=["record"])


def restore(
    agent_id: AgentArgument,
    version: Annotated[int, typer.Argument(metavar="VERSION", help="One that `snapshots` lists.")],
    store: StoreOption = None,
) -> None:
    """Make an earlier version the newest one; what was newest becomes a snapshot."""
    with opened_store(store) as records:
        restored = records.restore(agent_id, version)
    typer.echo(f"Agent {printable(agent_id)!r} is at version {restored.version}, a copy of {version}.", err=True)


def fork(
    source: Annotated[str, typer.Argument(metavar="AGENT", help="Whose memory.")],
    target: Annotated[str, typer.Argument(metavar="NEW", help="An id that is not taken.")],
    store: StoreOption = None,
) -> None:
    """Begin a new agent with another one's memory."""
    with opened_store(store) as records:
        records.fork(source, target)
    typer.echo(f"Forked agent {printable(source)!r} into {printable(target)!r}.", err=True)


def diff(
    agent_id: AgentArgument,
    since: Annotated[int, typer.Option("--since", metavar="VERSION", help="One that `snapshots` lists.")],
    as_json: JsonOption = False,
    store: StoreOption = None,
) -> None:
    """Show how far an agent's memory has moved since an earlier version, layer by layer."""
    with opened_store(store) as records:
        current = load_agent(records, agent_id)
        earlier = records.load_snapshot(agent_id, since)
    if earlier is None:
        raise ConfigError(f"Version {since} of agent {agent_id!r} is not kept. `dmem agents snapshots` lists those.")
    from dmem_agents.state.change import change_by_layer
    from dmem_agents.state.codec import decode_record

    before, after = (decode_record(stored.data, agent_id=agent_id).head for stored in (earlier, current))
    changes = change_by_layer(before, after)
    if as_json:
        typer.echo(json.dumps(changes))
        return
    cells = [[printable(layer), f"{norm:.4g}"] for layer, norm in changes.items()]
    print_table(f"version {since} → {current.version}", ["layer", "norm of the change"], cells)
