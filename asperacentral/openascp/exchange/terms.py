"""The rules of a session that both halves must know: they travel in Hello, from the client's command line. Pure.

A half that does not know a rule it is given refuses the session by its name: nothing asked for is ever ignored.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any

from asperacentral.fasp.messages import POLICIES
from asperacentral.openascp import overwrite


class UnknownTermError(Exception):
    """A rule is not known here or makes no sense; the text names it."""


@dataclass(frozen=True, slots=True)
class Terms:
    """See `options.Options` for the meaning of each."""

    destination: bytes
    several: bool = False
    create_path: bool = False
    overwrite: str = "diff"
    resume_level: int = 0
    partial_tag: bytes = b""
    partial_suffix: bytes = b".partial"
    target_rate: int = 10000
    minimum_rate: int = 0
    policy: str = "fair"

    def written(self) -> dict[str, Any]:
        """For Hello: what differs from the defaults, so that an older half meets only rules that matter."""
        return {
            each.name: getattr(self, each.name)
            for each in fields(self)
            if each.default is MISSING or getattr(self, each.name) != each.default
        }

    @classmethod
    def read(cls, given: Mapping[str, Any]) -> Terms:
        """From Hello. UnknownTermError."""
        known = {each.name: each for each in fields(cls)}
        for name, value in given.items():
            if name not in known:
                raise UnknownTermError(f"this end does not know the rule {name[:60]!r}")
            if type(value).__name__ != known[name].type:
                raise UnknownTermError(f"the rule {name} is not {known[name].type}")
        if "destination" not in given:
            raise UnknownTermError("no destination")
        terms = cls(**given)
        _check(terms)
        return terms


def _check(terms: Terms) -> None:
    if terms.overwrite not in overwrite.RULES:
        raise UnknownTermError(f"this end does not know the overwrite rule {terms.overwrite[:60]!r}")
    if terms.resume_level not in range(4):
        raise UnknownTermError("the resume level is none of 0 to 3")
    if terms.policy not in POLICIES:
        raise UnknownTermError(f"this end does not know the policy {terms.policy[:60]!r}")
    if min(terms.target_rate, terms.minimum_rate) < 0:
        raise UnknownTermError("a rate is negative")
    for name in (terms.partial_tag, terms.partial_suffix):
        if b"/" in name or b"\0" in name or len(name) > 64:
            raise UnknownTermError("the name of partial files is not usable")
