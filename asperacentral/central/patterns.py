"""Regular expressions of filters, matched in time that grows only with the text: a client's pattern cannot hang us."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import re2

MAX_PATTERN = 1_000
"""Characters of the longest pattern."""


class PatternError(ValueError):
    """A pattern that cannot be used; the text says why."""


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> Any:
    options = re2.Options()
    options.max_mem = 1 << 20
    options.log_errors = False
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        reason = error.args[0] if error.args else "not a regular expression"
        raise PatternError(reason.decode() if isinstance(reason, bytes) else str(reason)) from None


def check(pattern: str) -> None:
    """Raise PatternError unless `pattern` can be used."""
    if len(pattern) > MAX_PATTERN:
        raise PatternError(f"longer than {MAX_PATTERN} characters")
    _compiled(pattern)


def matches(pattern: str, text: str | None) -> bool:
    """Whether `pattern` is found anywhere in `text`; nothing is found where there is no text."""
    return text is not None and _compiled(pattern).search(text) is not None
