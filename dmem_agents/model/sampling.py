"""Choosing the next token from one row's scores. Knows nothing of requests, batches or text."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor
from transformers import (
    LogitsProcessorList,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from dmem_agents.errors import EngineError


class TokenSampler:
    """One request's way of choosing tokens, with a random generator of its own.

    Scores are filtered on the CPU in float32: repetition penalty, temperature, top-k, then top-p, by transformers'
    own processors. So the choice depends on this row's scores and seed alone, whatever its neighbours, the
    device or the dtype.

    Args:
        temperature: 0 takes the highest score, and the lowest id among equal ones.
        top_k: keep this many tokens; 0 keeps all.
        top_p: keep the smallest set of tokens with this much probability; 1 keeps all.
        seed: of the generator; None draws one.
        repetition_penalty: scores of tokens seen before are divided by it, negative ones multiplied
            (arXiv 1909.05858); 1 changes nothing.
    """

    def __init__(
        self, *, temperature: float, top_k: int, top_p: float, seed: int | None, repetition_penalty: float = 1.0
    ) -> None:
        self._greedy = temperature == 0
        self._processors = LogitsProcessorList()
        self._generator = torch.Generator()
        if repetition_penalty != 1:
            self._processors.append(RepetitionPenaltyLogitsProcessor(float(repetition_penalty)))
        if self._greedy:
            return
        if temperature != 1:
            self._processors.append(TemperatureLogitsWarper(float(temperature)))
        if top_k > 0:
            self._processors.append(TopKLogitsWarper(top_k))
        if top_p < 1:
            self._processors.append(TopPLogitsWarper(top_p))
        if seed is None:
            self._generator.seed()
        else:
            self._generator.manual_seed(seed)

    def __call__(self, scores: Tensor, seen: Sequence[int] = ()) -> int:
        """The next token's id.

        Args:
            scores: `[V]` logits, any float dtype and device.
            seen: ids before it, which the repetition penalty is about.

        Raises:
            EngineError: a score is NaN, so no choice would mean anything.
        """
        row = scores.detach().to("cpu", torch.float32)
        best = int(torch.argmax(row))  # NaN counts as the highest
        if math.isnan(float(row[best])):
            raise EngineError(
                "Expected numbers as the model's scores, got NaN. The weights or the agent's state are "
                "broken, or the dtype overflows on this model: try dtype='float32'."
            )
        if self._greedy and not self._processors:
            return best
        history = cast("torch.LongTensor", torch.tensor([seen], dtype=torch.long))
        filtered = self._processors(history, cast("torch.FloatTensor", row.unsqueeze(0)))
        if self._greedy:
            return int(torch.argmax(filtered[0]))
        probabilities = torch.softmax(filtered[0], dim=-1)
        return int(torch.multinomial(probabilities, 1, generator=self._generator))
