"""What a loaded memory costs where it can't help: held-out plain text and IFEval, a stranger's state against none.

The frozen model is the same model with an empty state, whose reads are exactly zero. States are frozen throughout.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from dmem_agents.engine import Engine
from dmem_agents.errors import ConfigError
from dmem_agents.evaluate.likelihood import Scored, mean_nll
from dmem_agents.evaluate.memories import answer_all
from dmem_agents.evaluate.statistics import FloatRows, Share, bootstrap, mean_difference
from dmem_agents.messages import Message
from dmem_agents.model.attach import DeltaMemModel
from dmem_agents.state import MemoryState
from dmem_agents.tokenization import ChatTokenizer

IFEVAL_COLUMNS = ("key", "prompt", "instruction_id_list", "kwargs")
Checker = Callable[[Mapping[str, Any], str], Sequence[bool]]
"""An IFEval record and a response, to one verdict per instruction, strict."""


def measure_plain_text(
    model: DeltaMemModel,
    texts: Sequence[Sequence[int]],
    states: Sequence[MemoryState],
    *,
    batch_size: int = 4,
    on_progress: Callable[[int], object] | None = None,
) -> dict[str, Any]:
    """NLL of plain text with a stranger's state loaded against the frozen model, and its relative rise.

    NLL is over all tokens together (nats per token), the first of each text excepted; the interval of the rise is a
    bootstrap over texts.

    Args:
        model: used by this call alone.
        texts: token ids, at least two texts of at least two tokens.
        states: strangers' states, taken in turn.
        batch_size: rows in one forward pass.
        on_progress: told how many rows were scored since the last call.

    Returns:
        `{"n", "tokens", "nll": {"frozen", "stranger"}, "rise_percent": Estimate as JSON}`.

    Raises:
        ConfigError: too few texts or states, or a text that is too short or too long.
    """
    if not states:
        raise ConfigError("Expected at least one stranger's state; got none.")
    rows = [Scored(ids=tuple(ids), count=len(ids) - 1) for ids in texts]
    loaded = [states[i % len(states)] for i in range(len(rows))]
    nll = {}
    for name, given in (("frozen", [model.empty_state()] * len(rows)), ("stranger", loaded)):
        means = mean_nll(model, rows, given, batch_size=batch_size, on_progress=on_progress)
        nll[name] = [mean * row.count for mean, row in zip(means, rows, strict=True)]
    tokens = sum(row.count for row in rows)
    return {
        "n": len(rows),
        "tokens": tokens,
        "nll": {name: sum(sums) / tokens for name, sums in nll.items()},
        "rise_percent": bootstrap(_rise, list(zip(nll["frozen"], nll["stranger"], strict=True))).to_dict(),
    }


def measure_ifeval(
    engine: Engine,
    chat: ChatTokenizer,
    records: Sequence[Mapping[str, Any]],
    states: Sequence[MemoryState],
    *,
    check: Checker,
    max_new_tokens: int = 1500,
    rows: int = 16,
    on_progress: Callable[[int], object] | None = None,
) -> dict[str, Any]:
    """IFEval strict accuracy of greedy answers with a stranger's state loaded against the frozen model.

    Args:
        engine: the model.
        chat: its tokenizer.
        records: at least two, with `IFEVAL_COLUMNS`.
        states: strangers' states, taken in turn.
        check: the verdicts; `lm_eval_checker()`.
        max_new_tokens: of each answer; the public protocol's is 1500.
        rows: prompts handed to the engine at once.
        on_progress: told how many answers were given since the last call.

    Returns:
        `{"keys": [...], "prompt_level": {"frozen", "stranger": Share as JSON}, "instruction_level": the same,
        "drop_points": Estimate as JSON, of the prompt level}`.

    Raises:
        ConfigError: fewer than two records, or no state.
    """
    if len(records) < 2 or not states:
        raise ConfigError(
            f"Expected at least two IFEval prompts and a stranger's state; got {len(records)} and {len(states)}."
        )
    verdicts: dict[str, list[Sequence[bool]]] = {"frozen": [], "stranger": []}
    empty = MemoryState.zeros(engine.layout)
    for start in range(0, len(records), rows):
        part = records[start : start + rows]
        shown = [(Message(role="user", content=str(r["prompt"])),) for r in part]
        loaded = [states[(start + i) % len(states)] for i in range(len(part))]
        for name, given in (("frozen", [empty] * len(part)), ("stranger", loaded)):
            answers = answer_all(engine, chat, shown, given, max_new_tokens=max_new_tokens)
            verdicts[name] += [check(record, text) for record, text in zip(part, answers, strict=True)]
            if on_progress is not None:
                on_progress(len(part))
    passed = {name: [all(v) for v in found] for name, found in verdicts.items()}
    single = {name: [ok for v in found for ok in v] for name, found in verdicts.items()}
    points = {name: [100.0 * ok for ok in found] for name, found in passed.items()}
    return {
        "keys": [record["key"] for record in records],
        "prompt_level": {name: Share(hits=sum(v), n=len(v)).to_dict() for name, v in passed.items()},
        "instruction_level": {name: Share(hits=sum(v), n=len(v)).to_dict() for name, v in single.items()},
        "drop_points": mean_difference(points["frozen"], points["stranger"]).to_dict(),
    }


def fixed_subset(records: Iterable[Mapping[str, Any]], n: int) -> list[Mapping[str, Any]]:
    """`n` records spread evenly over the file, always the same ones; all of them when there are fewer."""
    listed = list(records)
    return [listed[i * len(listed) // n] for i in range(n)] if n < len(listed) else listed


def paragraphs(records: Iterable[Mapping[str, Any]], n: int, *, least_words: int = 60) -> list[str]:
    """Up to `n` Wikipedia paragraphs of HotpotQA records (`context`), the longest of each record, no text twice.

    Args:
        records: of the dev file, which no training source reads.
        n: most paragraphs.
        least_words: shorter paragraphs are passed over.
    """
    found: dict[str, None] = {}
    for record in records:
        text = max(("".join(sentences).strip() for _, sentences in record["context"]), key=len, default="")
        if len(found) < n and len(text.split()) >= least_words:
            found[text] = None
    return list(found)


def lm_eval_checker() -> Checker:
    """The published IFEval checkers, as kept in lm-evaluation-harness; language detection seeded, so repeatable.

    Sentence counting needs NLTK's `punkt_tab` data. It is taken from NLTK's own folders or from llama-index-core,
    which ships it; never downloaded here, and never replaced by a shim as in the research code.

    Raises:
        ConfigError: lm-eval or the data is missing.
    """
    try:
        nltk = import_module("nltk")
        langdetect = import_module("langdetect")
        _require_sentence_data(nltk)
        checkers = import_module("lm_eval.tasks.ifeval.utils")
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"IFEval's checkers need lm-eval, and {error.name} is not installed. "
            "pip install 'lm-eval[ifeval]==0.4.13', or leave IFEval out: --prompts 0."
        ) from None
    langdetect.DetectorFactory.seed = 0

    def check(record: Mapping[str, Any], response: str) -> Sequence[bool]:
        found: Sequence[bool] = checkers.process_results(dict(record), [response])["inst_level_strict_acc"]
        return found

    return check


def _require_sentence_data(nltk: Any) -> None:
    shipped = find_spec("llama_index.core") if find_spec("llama_index") else None
    if shipped is not None:
        folders = (str(Path(place) / "_static" / "nltk_cache") for place in shipped.submodule_search_locations or ())
        nltk.data.path.extend(folder for folder in folders if folder not in nltk.data.path)
    try:
        nltk.data.find("tokenizers/punkt_tab")
    except LookupError:
        raise ConfigError(
            "IFEval's sentence counts need NLTK's punkt_tab data, which is not on this machine. Get it with "
            "`python -m nltk.downloader punkt_tab`, or install dmem-agents[llama-index], which ships it."
        ) from None


def _rise(rows: FloatRows) -> float:
    """Relative rise in % of the second column's sum over the first's."""
    frozen, stranger = rows.sum(axis=0)
    return float(100 * (stranger / frozen - 1))
