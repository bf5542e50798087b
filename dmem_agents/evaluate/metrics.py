"""Scores of published benchmarks: LoCoMo's stemmed F1, HotpotQA's EM and F1, MemoryAgentBench's alias match.

Equal to the reference evaluation (`tests/golden/metrics.json`), flaws included and named, so that numbers compare.
Our own recall (`evaluate.recall.is_hit`) has none of them. Needs nltk's Porter stemmer: without nltk the reference
silently skips stemming; here the import fails.
"""

from __future__ import annotations

import functools
import re
import string
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence

NO_INFORMATION = ("no information available", "not mentioned")
_PUNCTUATION = str.maketrans("", "", string.punctuation)
_PUNCTUATION_TO_SPACE = str.maketrans(dict.fromkeys(string.punctuation, " "))
_LEADING_MARK = re.compile(r"^\(?[ab]\)\s*")
_CHOICE = re.compile(r"^(?:\(([ab])\)|([ab])\)|([ab])[.:]?$)")


def normalise_locomo(text: str) -> str:
    """LoCoMo's form: NFD, lower case, without punctuation, articles and "and". "1,000" becomes "1000"."""
    plain = unicodedata.normalize("NFD", text).lower().translate(_PUNCTUATION)
    return " ".join(re.sub(r"\b(a|an|the|and)\b", " ", plain).split())


def normalise_answer(text: str) -> str:
    """HotpotQA's and MemoryAgentBench's form: lower case, articles dropped, punctuation as spaces."""
    plain = re.sub(r"\b(a|an|the)\b", " ", text.lower()).translate(_PUNCTUATION_TO_SPACE)
    return " ".join(plain.split())


def token_f1(prediction: Sequence[str], gold: Sequence[str]) -> float:
    """Harmonic mean of token precision and recall, repeated tokens counted; 0 without a common token."""
    common = sum((Counter(prediction) & Counter(gold)).values())
    if not common:
        return 0.0
    precision, recall = common / len(prediction), common / len(gold)
    return 2 * precision * recall / (precision + recall)


def locomo_score(prediction: str, answer: str, *, category: int) -> float:
    """LoCoMo's score of one answer, 0 to 1.

    Args:
        prediction: the canonical prediction (`locomo_prediction`).
        answer: gold.
        category: 1 multi-hop: mean over comma-separated gold parts of the best F1 of a predicted part; so a date's
            comma ("7 May, 2023") costs score there. 2 temporal, 4 single-hop: F1. 3 open-domain: F1 with the gold
            before its first ";". 5 adversarial: whether the prediction says that there is no information.
    """
    if category == 5:
        return float(any(phrase in prediction.lower() for phrase in NO_INFORMATION))
    if category == 1:
        predicted = [_stems(part) for part in prediction.split(",")]
        gold = [_stems(part) for part in answer.split(",")]
        return sum(max(token_f1(p, g) for p in predicted) for g in gold) / len(gold)
    return token_f1(_stems(prediction), _stems(answer.split(";")[0] if category == 3 else answer))


def locomo_prediction(raw: str, *, category: int, options: Mapping[str, str] | None = None) -> str:
    """A model's output as LoCoMo scores it: first line, lower case, without an answer or choice mark.

    Args:
        raw: the output.
        category: as in `locomo_score`.
        options: what "a" and "b" stand for in category 5; the chosen one is returned as it is spelled there.
    """
    line = (raw.strip().splitlines() or [""])[0].strip().lower().removeprefix("answer:").strip()
    if category == 5 and options:
        if mark := _CHOICE.match(line):
            return options[mark[1] or mark[2] or mark[3]]
        return next((text for text in options.values() if text.lower() in line), line)
    return _LEADING_MARK.sub("", line).strip()


def exact_match(prediction: str, gold: str) -> bool:
    """Whether both are equal in `normalise_answer`'s form; "the" equals "a", since both are empty there."""
    return normalise_answer(prediction) == normalise_answer(gold)


def answer_f1(prediction: str, gold: str) -> float:
    """Token F1 in `normalise_answer`'s form; 1 where both are empty."""
    predicted, wanted = normalise_answer(prediction).split(), normalise_answer(gold).split()
    return 1.0 if not predicted and not wanted else token_f1(predicted, wanted)


def alias_match(prediction: str, aliases: Sequence[str]) -> bool:
    """MemoryAgentBench's correctness: a normalised alias equals the prediction or is a part of it.

    The published rule looks for a substring, so "7" counts as correct in "17". Kept, because published numbers use
    it; don't use it for labels and numbers of your own.
    """
    said = normalise_answer(prediction)
    return any(alias in said for alias in map(normalise_answer, aliases) if alias)


def best_alias_f1(prediction: str, aliases: Sequence[str]) -> float:
    """The highest `answer_f1` over the aliases; 0 for empty ones."""
    return max((answer_f1(prediction, alias) for alias in aliases if normalise_answer(alias)), default=0.0)


def _stems(text: str) -> list[str]:
    return [_stem(word) for word in normalise_locomo(text).split()]


@functools.cache
def _stem(word: str) -> str:
    # Of the extra `eval`; its rules are in the code, nothing is downloaded.
    from nltk.stem import PorterStemmer  # type: ignore[import-untyped]  # it ships no types

    stem: str = PorterStemmer().stem(word)
    return stem
