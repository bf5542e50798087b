"""Options that several commands share, and the environment variables that stand in for them.

This is the only place of the package where `DMEM_*` variables are read.
"""

from __future__ import annotations

from typing import Annotated

import typer

_MODEL_PANEL = "Model and store"

StoreOption = Annotated[
    str | None,
    typer.Option(
        "--store",
        envvar="DMEM_STORE",
        metavar="URL",
        show_default="an SQLite file in your data folder",
        help="Where memories are kept: redis://host:6379/0, sqlite:///path or memory://.",
        rich_help_panel=_MODEL_PANEL,
    ),
]
ModelOption = Annotated[
    str | None,
    typer.Option(
        "--model",
        envvar="DMEM_MODEL",
        metavar="ID|FOLDER",
        show_default="the embedded SmolLM2-135M-Instruct",
        help="Backbone: a hub id or a folder.",
        rich_help_panel=_MODEL_PANEL,
    ),
]
AdapterOption = Annotated[
    str | None,
    typer.Option(
        "--adapter",
        envvar="DMEM_ADAPTER",
        metavar="ID|FOLDER",
        show_default="the one shipped for the embedded model",
        help="Trained δ-mem adapter of that backbone: a hub id or a folder.",
        rich_help_panel=_MODEL_PANEL,
    ),
]
DtypeOption = Annotated[
    str,
    typer.Option(
        "--dtype",
        help="Of the backbone: auto, float32, bfloat16 or float16.",
        rich_help_panel=_MODEL_PANEL,
    ),
]
DeviceOption = Annotated[
    str, typer.Option("--device", help='"auto" or a torch device: cpu, cuda:0.', rich_help_panel=_MODEL_PANEL)
]
AgentOption = Annotated[
    str, typer.Option("--agent", "-a", envvar="DMEM_AGENT", metavar="ID", help="Whose memory this is.")
]
