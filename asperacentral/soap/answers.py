"""Answers given before, for who asks the same again while nothing has changed: pollers do hardly anything else.

Knows neither messages nor the rules: a question is any hashable value, a version any number that differs whenever
an answer might.
"""

from __future__ import annotations

from collections.abc import Hashable

MAX_BYTES = 32 * 1024 * 1024
"""Bytes of all answers that are kept."""


class AnswerCache:
    """Answers by question, all of one version; those of another version are forgotten."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self._version = -1
        self._bytes = 0
        self._answers: dict[Hashable, tuple[str, bytes]] = {}

    def get(self, question: Hashable, version: int) -> tuple[str, bytes] | None:
        """The message and the answer given to `question` at `version`, or None."""
        return self._answers.get(question) if version == self._version else None

    def put(self, question: Hashable, version: int, message: str, answer: bytes) -> None:
        """Keep an answer of `version`, which must be the version from before the question was looked into."""
        if version < self._version or len(answer) > self._max_bytes:
            return
        if version > self._version or self._bytes + len(answer) > self._max_bytes:
            self._answers.clear()
            self._bytes = 0
            self._version = version
        if question not in self._answers:
            self._answers[question] = (message, answer)
            self._bytes += len(answer)
