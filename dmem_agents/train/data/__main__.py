"""`python -m dmem_agents.train.data --n 20 --split train` shows sampled episodes."""

from __future__ import annotations

import argparse
import sys

from dmem_agents.train.data import SPLITS, AgentLife, Episode


def main(argv: list[str] | None = None) -> None:
    """Write sampled episodes to standard output."""
    parser = argparse.ArgumentParser(prog="python -m dmem_agents.train.data", description=main.__doc__)
    parser.add_argument("--n", type=int, default=20, help="how many episodes")
    parser.add_argument("--split", choices=SPLITS, default="train")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(argv)
    life = AgentLife(split=options.split)
    for index in range(options.n):
        sys.stdout.write(shown(life.episode(options.seed, index)) + "\n\n")


def shown(episode: Episode) -> str:
    """An episode as text: the messages told, a line, what is asked and the answer wanted."""
    cell = ", ".join(f"{key}={value}" for key, value in episode.cell.items())
    told = [f"  {m.role:>9}: {m.content}" for m in episode.written]
    asked = [f"  {m.role:>9}: {m.content}" for m in (*episode.visible, episode.target)]
    return "\n".join([f"[{episode.task}] value={episode.value!r} ({cell})", *told, "  " + "-" * 11, *asked])


if __name__ == "__main__":
    main()
