"""Reads chat completions; what does not have the type it should have counts as absent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from schemas.errors import Unavailable

LOWEST, HIGHEST = -1e9, 1e-3
"""Of a log probability. Probabilities are at most 1, the rest is a server's rounding; vLLM writes
-9999 for zero."""


def _choice(answer: Mapping[str, Any]) -> Mapping[str, Any]:
    try:
        choice = answer["choices"][0]
    except (KeyError, IndexError, TypeError):
        choice = None
    if not isinstance(choice, dict):
        raise Unavailable("the model server's answer has no choices", reason="useless-answer")
    return choice


def text_of(answer: Mapping[str, Any]) -> str:
    """The answer's text; empty if it has none. Raises Unavailable without a choice."""
    message = _choice(answer).get("message")
    content = message.get("content") if isinstance(message, dict) else None
    return content if isinstance(content, str) else ""


def first_tokens(answer: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The likeliest first tokens of the answer, each with ``token`` and ``logprob``."""
    try:
        tokens = _choice(answer)["logprobs"]["content"][0]["top_logprobs"]
    except (KeyError, IndexError, TypeError):
        return []
    if not isinstance(tokens, list):
        return []
    return [token for token in tokens if isinstance(token, dict)]


def logprob(token: Mapping[str, Any]) -> float | None:
    """The token's log probability; None for whatever is not one. vLLM says -9999 for zero."""
    value = token.get("logprob")
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if LOWEST <= value <= HIGHEST else None


def query_logprobs(prompt: Any, query: str) -> list[float]:
    """Log probabilities of the tokens at the prompt's end that spell the query, last token first;
    empty if no tokens do, or one is without a log probability.

    ``prompt``: vLLM's prompt_logprobs, per token None or {token id: {logprob, decoded_token}}.
    """
    if not isinstance(prompt, list):
        return []
    spelled, logprobs = "", []
    for token in reversed(prompt):
        if not isinstance(token, dict) or not token:
            return []
        chosen = next(iter(token.values()))
        found = logprob(chosen) if isinstance(chosen, dict) else None
        if found is None:
            return []
        spelled = str(chosen.get("decoded_token", "")) + spelled
        logprobs.append(found)
        if spelled.strip() == query.strip():
            return logprobs
        if len(spelled) > len(query) + 2:
            return []
    return []
