"""Which files of a scan are moved: include and exclude patterns from left to right, and limits of time.

The first pattern that matches a path decides about it, so an include protects from the excludes after it; a path that
no pattern matches is taken. A folder that is excluded is not entered. Patterns: `*` and `?` stand for any characters
but `/`, `**` for any at all, `[abc]`, `[a-z]` and `[!a]` for one of a set, `\\` takes the next character as it is. A
pattern that begins with `/` has to match the whole path below the session's sources, any other the end of it from the
beginning of a name on; one that ends in `/` is for folders only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import re2

MOST_PATTERNS = 1000
LONGEST_PATTERN = 4096
"""Bytes."""
NANOSECONDS = 1_000_000_000


class PatternError(ValueError):
    """A pattern that cannot be used; the text is one line that says why."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One pattern of the command line."""

    pattern: bytes
    exclude: bool


@dataclass(frozen=True, slots=True)
class TimeLimits:
    """Nanoseconds since the epoch; files modified after `newest` or before `oldest` are left out."""

    newest: int | None = None
    oldest: int | None = None


class Selection:
    """The rules of one session. PatternError when a pattern cannot be used."""

    def __init__(self, rules: Sequence[Rule] = (), limits: TimeLimits | None = None) -> None:
        if len(rules) > MOST_PATTERNS:
            raise PatternError(f"there are more than {MOST_PATTERNS} patterns")
        self._rules = [(_Pattern(rule.pattern), rule.exclude) for rule in rules]
        self._limits = limits or TimeLimits()
        self.everything = not self._rules and self._limits == TimeLimits()
        """Whether nothing is left out."""

    def takes(self, path: bytes, *, folder: bool, modified: int = 0) -> bool:
        """Tell whether `path`, relative to the folder that holds the source, is moved.

        `modified` is nanoseconds since the epoch; it counts for files only.
        """
        if not folder and not self._in_time(modified):
            return False
        for pattern, exclude in self._rules:
            if pattern.matches(path, folder=folder):
                return not exclude
        return True

    def _in_time(self, modified: int) -> bool:
        newest, oldest = self._limits.newest, self._limits.oldest
        return (newest is None or modified <= newest) and (oldest is None or modified >= oldest)


def moment(seconds: int, now: float) -> int:
    """A time of the command line as nanoseconds: absolute, or if negative relative to `now`, seconds."""
    if seconds >= 0:
        return seconds * NANOSECONDS
    return round(now * NANOSECONDS) + seconds * NANOSECONDS


class _Pattern:
    """One pattern as a regular expression of re2, whose time grows only with the path: patterns come from clients."""

    def __init__(self, pattern: bytes) -> None:
        if not pattern or len(pattern) > LONGEST_PATTERN:
            raise PatternError(f"a pattern has 1 to {LONGEST_PATTERN} bytes")
        self._folders_only = pattern.endswith(b"/") and pattern != b"/"
        body = pattern.rstrip(b"/") if self._folders_only else pattern
        anchored = body.startswith(b"/")
        options = re2.Options()
        options.encoding = re2.Options.Encoding.LATIN1
        options.dot_nl = True
        options.log_errors = False
        options.max_mem = 1 << 20
        start = b"^" if anchored else b"(?:^|/)"
        try:
            self._expression: Any = re2.compile(start + _expression(body.lstrip(b"/")) + b"$", options)
        except re2.error:
            raise PatternError(f"the pattern {pattern!r} cannot be used") from None

    def matches(self, path: bytes, *, folder: bool) -> bool:
        if self._folders_only and not folder:
            return False
        return self._expression.search(path.strip(b"/")) is not None


def _expression(pattern: bytes) -> bytes:
    """The regular expression of a pattern without its leading and trailing slash."""
    parts = []
    place = 0
    while place < len(pattern):
        part, place = _part(pattern, place)
        parts.append(part)
    return b"".join(parts)


def _part(pattern: bytes, place: int) -> tuple[bytes, int]:
    """The expression of what stands at `place`, and where the next begins."""
    match pattern[place : place + 1]:
        case b"*" if pattern[place : place + 2] == b"**":
            return b".*", place + 2
        case b"*":
            return b"[^/]*", place + 1
        case b"?":
            return b"[^/]", place + 1
        case b"[":
            return _set(pattern, place)
        case b"\\":
            if place + 1 == len(pattern):
                raise PatternError(f"the pattern {pattern!r} ends in a single backslash")
            return _literal(pattern[place + 1]), place + 2
        case _:
            return _literal(pattern[place]), place + 1


def _set(pattern: bytes, place: int) -> tuple[bytes, int]:
    """`[abc]`, `[a-z]`, `[!a]` or `[^a]`; a `]` right at the beginning belongs to the set."""
    place += 1
    negated = pattern[place : place + 1] in (b"!", b"^")
    place += negated
    end = pattern.find(b"]", place + 1)
    if end < 0:
        raise PatternError(f"the pattern {pattern!r} has a [ without a ]")
    members = pattern[place:end]
    inside = b""
    at = 0
    while at < len(members):
        if members[at + 1 : at + 2] == b"-" and at + 2 < len(members):
            if members[at] > members[at + 2]:
                raise PatternError(f"the pattern {pattern!r} has a range that runs backwards")
            inside += _literal(members[at]) + b"-" + _literal(members[at + 2])
            at += 3
        else:
            inside += _literal(members[at])
            at += 1
    # A set never crosses a folder, as `*` does not.
    return (b"[^/" if negated else b"[") + inside + b"]", end + 1


def _literal(byte: int) -> bytes:
    return b"\\x%02x" % byte
