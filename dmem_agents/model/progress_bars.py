"""Keeps transformers' bars for loading weights off the caller's terminal; downloads keep theirs."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from huggingface_hub.utils.tqdm import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars
from tqdm.auto import tqdm
from transformers import modeling_gguf_pytorch_utils as gguf
from transformers.utils import logging

_lock = threading.Lock()
_blocks_open = 0
_shown_before = False


@contextmanager
def hidden_progress_bars() -> Iterator[None]:
    """Hide the bars for loading weights and for opening GGUF files inside the block.

    The switches are the whole process's, so the last block to end, in whatever thread, puts them back.
    """
    global _blocks_open, _shown_before
    with _lock:
        if _blocks_open == 0:
            _shown_before = logging.is_progress_bar_enabled()
            _set_bars(shown=False)
        _blocks_open += 1
    try:
        yield
    finally:
        with _lock:
            _blocks_open -= 1
            if _blocks_open == 0 and _shown_before:
                _set_bars(shown=True)


def _set_bars(*, shown: bool) -> None:
    downloads_hidden = are_progress_bars_disabled()
    if shown:
        logging.enable_progress_bar()
    else:
        logging.disable_progress_bar()
    # Both calls switch the hub's bars too, which show gigabytes coming in: those stay as they were.
    if downloads_hidden:
        disable_progress_bars()
    else:
        enable_progress_bars()
    # This module takes its bar straight from tqdm, past the library's own switch.
    vars(gguf)["tqdm"] = tqdm if shown else partial(tqdm, disable=True)
