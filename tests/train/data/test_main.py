"""The sampler on the command line."""

from __future__ import annotations

import pytest

from dmem_agents.train.data.__main__ import main


def test_it_shows_as_many_episodes_as_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--n", "5", "--split", "validation", "--seed", "2"])
    shown = capsys.readouterr().out
    assert shown.count("-----------") == 5
    assert shown.count("  assistant: ") >= 5
    main(["--n", "5", "--split", "validation", "--seed", "2"])
    assert capsys.readouterr().out == shown
