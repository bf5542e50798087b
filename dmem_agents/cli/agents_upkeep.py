"""`dmem agents migrate|doctor`: moving a store's agents into another one, and finding what is wrong."""

from __future__ import annotations

import json
from collections import Counter
from typing import Annotated

import typer

from dmem_agents.cli.console import printable
from dmem_agents.cli.options import StoreOption
from dmem_agents.cli.stored import opened_store

PrefixOption = Annotated[str, typer.Option(metavar="TEXT", help="Only agents whose id begins so.")]


def migrate(
    target: Annotated[str, typer.Option("--to", metavar="URL", help="The store to copy into.")],
    prefix: PrefixOption = "",
    replace: Annotated[bool, typer.Option("--replace", help="Write over agents that differ there.")] = False,
    store: StoreOption = None,
) -> None:
    """Copy agents into another store. Interrupted, it goes on when it is run again; the source stays as it is."""
    from dmem_agents.store.upkeep import migrate as moving

    counts: Counter[str] = Counter()
    with opened_store(store) as source, opened_store(target) as destination:
        for moved in moving(source, destination, prefix=prefix, replace=replace):
            counts[moved.outcome] += 1
            if moved.outcome in ("differs", "unreadable"):
                typer.echo(f"{printable(moved.agent_id)}: {moved.outcome} {moved.text}".rstrip(), err=True)
    typer.echo(", ".join(f"{count} {outcome}" for outcome, count in counts.items()) or "There are no agents here.")
    if counts["differs"]:
        typer.echo("Those that differ were left; --replace writes over them.", err=True)
    if counts["differs"] or counts["unreadable"]:
        raise typer.Exit(1)


def doctor(
    prefix: PrefixOption = "",
    fingerprint: Annotated[
        str | None, typer.Option(metavar="HEX", help="Also name agents of another model; `show` tells fingerprints.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs: one JSON object per line.")] = False,
    store: StoreOption = None,
) -> None:
    """Look through a store for records that are foreign, damaged, over-sized or another model's. Changes nothing."""
    from dmem_agents.state.codec import decode_record, require_fingerprint
    from dmem_agents.store.upkeep import examine

    checked = 0

    def check(agent_id: str, data: bytes) -> None:
        nonlocal checked
        checked += 1
        record = decode_record(data, agent_id=agent_id)
        if fingerprint is not None:
            expected = record.fingerprint if record.fingerprint.startswith(fingerprint) else fingerprint
            require_fingerprint(record, expected, agent_id=agent_id)

    found = 0
    with opened_store(store) as records:
        for finding in examine(records, check, prefix=prefix):
            found += 1
            row = {"problem": finding.problem, "subject": finding.subject, "text": finding.text}
            typer.echo(json.dumps(row) if as_json else f"{finding.problem}: {printable(finding.text, limit=600)}")
    typer.echo(f"{checked} records looked at, {found} problems. Nothing was changed.", err=True)
    if found:
        raise typer.Exit(1)
