"""The entry point of `dmem`: everything a shell sees when something can't start or is interrupted."""

from __future__ import annotations

import io
import sys


def main() -> None:
    """Run the command line of this process and exit with its status.

    0 done; 1 it failed; 2 the arguments can't be used; 130 interrupted. Errors go to stderr, in one message.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without UTF-8 gets "?" rather than a failure
    try:
        try:
            from dmem_agents.cli.app import app
        except ModuleNotFoundError as error:
            if error.name not in ("typer", "rich"):
                raise
            sys.exit(f"The command line needs {error.name}, which is not installed: pip install 'dmem-agents[cli]'")
        app(prog_name="dmem")
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
