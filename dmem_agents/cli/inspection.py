"""`dmem inspect`: an agent's memory as a picture. Reads the store only; needs no model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dmem_agents.cli.console import printable, size
from dmem_agents.cli.options import StoreOption
from dmem_agents.cli.stored import opened_store, read_agent
from dmem_agents.errors import ConfigError

FORMATS = (".png", ".svg", ".pdf")


def inspect(
    agent_id: Annotated[str, typer.Argument(metavar="AGENT", help="Whose memory.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="The picture: .png, .svg or .pdf.")
    ] = Path("memory.png"),
    store: StoreOption = None,
) -> None:
    """Draw an agent's memory: the norm of each matrix by layer and head, and the matrices themselves."""
    if output.suffix.lower() not in FORMATS:
        raise ConfigError(
            f"Expected a picture file ending in {', '.join(FORMATS)}, got {output.name!r}. "
            "Name one with -o, for example -o memory.png."
        )
    with opened_store(store) as records:
        stored, record = read_agent(records, agent_id)
    from dmem_agents.cli.heat_map import draw_state, write_figure

    layers, heads, rank, _ = record.head.layout.shape
    figure = draw_state(
        record.head,
        title=f"Memory of agent {printable(agent_id, limit=60)!r}",
        subtitle=(
            f"version {stored.version} · {record.turns} turns · {record.absorbed} messages absorbed · "
            f"model and adapter {record.fingerprint[:12]} · "
            f"{layers} layers × {heads} heads of {rank}×{rank} · "
            f"{size(record.head.size_bytes)}"
        ),
    )
    write_figure(figure, output)
    norms = record.head.norms()
    typer.echo(
        f"{output}: version {stored.version}, {layers} layers × {heads} heads, "
        f"norms {float(norms.min()):.3g} to {float(norms.max()):.3g}."
    )
