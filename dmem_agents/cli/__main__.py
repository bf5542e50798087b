"""`python -m dmem_agents.cli`: the same as `dmem`."""

from __future__ import annotations

from dmem_agents.cli.main import main

main()
